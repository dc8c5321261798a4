//! From request to plan: reads both sides concurrently, chooses identity and service account, examines every step and
//! checks every precondition. Writes nothing.

pub(crate) mod delivery;
pub(crate) mod draft;
pub(crate) mod identity;
pub mod patching;
pub(crate) mod prefetch;
pub(crate) mod preflight;
pub(crate) mod secret_store;
pub(crate) mod variables;

use std::collections::BTreeMap;

use futures::future::{join, join3};
use serde_json::Value;

use self::patching::{Printed, print_patch, workload_facts};
use crate::catalogue::{self, Service};
use crate::kube::{Access, resources};
use crate::lookup::azure::{self, Found, Located};
use crate::lookup::cluster::{self, Survey, Webhook};
use crate::lookup::records::Stored;
use crate::lookup::session::Session;
use crate::lookup::{nodes, outside_aks};
use crate::model::access::Grant;
use crate::model::request::ConnectRequest;
use crate::model::vault::{CsiIdentity, ObjectKind};
use crate::model::{Auth, ConnectionKey, Event, Kind, Problem, Result, names};
use crate::plan::build;
use crate::plan::change::{Goal, Plan};
use crate::plan::record::{Phase, Record};
use crate::plan::spec::{self, StepId, StepSpec};
use crate::steps::context::Cx;
use crate::steps::context::Run;
use crate::steps::step::Examined;

/// A connection that is ready to be made.
pub struct Prepared {
    /// The context of the steps.
    pub cx: Cx,
    /// The changes to make.
    pub plan: Plan,
    /// The steps.
    pub specs: Vec<StepSpec>,
    /// The results of examining them.
    pub examined: BTreeMap<StepId, Examined>,
    /// Steps of the previous version that will be undone, with the results of examining them.
    pub retired: Vec<(StepSpec, Examined)>,
    /// The new record.
    pub record: Record,
    /// The current record.
    pub former: Option<Stored>,
    /// The patch to print and the reason, if the workload is not patched.
    pub printed: Option<Printed>,
    /// The service.
    pub service: &'static Service,
    /// The target.
    pub target: crate::model::target::Target,
}

/// Reads both sides and plans.
///
/// # Errors
/// Anything that prevents the connection. Nothing has been written then.
pub async fn prepare(session: &Session, request: &ConnectRequest) -> Result<Prepared> {
    let service = catalogue::find(&request.service).ok_or_else(|| {
        Problem::new(Kind::Usage, "KC1004", format!("there is no service `{}`", request.service)).fix("kubectl connect services")
    })?;
    let auth = variables::auth(service, request)?;
    let scope = variables::scope(service, request)?;
    check_input(service, request, auth)?;
    let csi = delivery::mode(request, auth);
    let request = &of_nodes(request, csi.as_ref());
    // Outside AKS, earlier records say which resource group holds the identities; the survey sends them to `search`
    // over this channel.
    let (records_tx, records_rx) = tokio::sync::oneshot::channel();
    let surveying = async {
        let surveyed = cluster::survey(&session.kube, service, request).await;
        let _ = records_tx.send(surveyed.as_ref().map(Survey::own_records).unwrap_or_default());
        surveyed
    };
    let (surveyed, found) = join(surveying, azure::search(session, service, request, auth, records_rx)).await;
    // A stopped cluster does not answer; "the cluster is stopped" is the more useful message. Otherwise the error of
    // the cluster comes first, so that the same faults always give the same message.
    if let (Err(_), Ok(found)) = (&surveyed, &found) {
        preflight::cluster_runs(&found.cluster_seen, found.cluster.name(), found.cluster.resource_group())?;
    }
    let (survey, found) = (surveyed?, found?);
    let (client, sign) = variables::client(service, request, &survey)?;
    if let Some(sign) = sign {
        session.events.say(Event::Note(sign));
    }
    let connection = request.name.clone().unwrap_or_else(|| service.connection_name(found.target.name()));
    let former = survey.records.iter().find(|s| s.record.name == connection && s.record.namespace == survey.namespace).cloned();
    conflicts(former.as_ref(), &found, service)?;
    // With `--csi-identity addon` or `vm` the driver signs in as the node: no service account is needed.
    let acts = request.secret_store.is_some() || auth.has_identity() && csi.as_ref().is_none_or(|mode| *mode == CsiIdentity::Workload);
    let store = secret_store::vault(session, request).await?;
    let account = match acts {
        true => Some(identity::service_account(session, request, &survey, former.as_ref()).await?),
        false => None,
    };
    let id = match &account {
        Some(account) => Some(identity::identity(session, (request, &connection), &found, &survey, account, former.as_ref()).await?),
        None => found.identity.clone(),
    };
    let request = &with_children(request, &found.children);
    let past = former.as_ref().map(|f| &f.record);
    let trial = prefetch::try_workload(session, service, request, &survey, former.as_ref(), account.as_ref(), &found, (auth, client));
    let of_nodes = matches!(csi, Some(CsiIdentity::Vm(_)));
    let machines = async { if of_nodes { nodes::look(session, &found.cluster, &found.cluster_seen).await } else { None } };
    let (located, (), mut machines) = join3(azure::read(session, service, &found, id.as_ref(), past), trial, machines).await;
    let located = located?;
    // If the cluster was given by id, it is not known before it is read.
    if of_nodes && found.cluster_seen.is_null() {
        machines = nodes::look(session, &located.cluster, &located.cluster_body).await;
    }
    if let (Some(machines), Some(identity)) = (&machines, &id) {
        nodes::judge(session, &located.cluster, machines, identity)?;
    }
    preflight::cluster_runs(&located.cluster_body, located.cluster.name(), located.cluster.resource_group())?;
    let identity = match (&csi, id) {
        (Some(CsiIdentity::Addon), _) => Some(delivery::addon(&located.cluster, &located.cluster_body)),
        (_, id) => id.map(|id| {
            let own = account.as_ref().is_some_and(|account| {
                identity::own_identity((request, &connection), &located.cluster, account).is_ok_and(|own| own == id)
            });
            let made_for = identity::made_for(&survey, &id).filter(|_| account.is_some());
            // An identity chosen with `--identity` keeps the owner tag of the service account for which it was
            // created.
            let shared = made_for.filter(|_| request.identity.is_some() || !own);
            let ours = || account.as_ref().map_or_else(String::new, |a| format!("{}/{}/{}", located.cluster.name(), a.namespace, a.name));
            spec::Identity {
                create: own || made_for.is_some(),
                tags: request.tags.clone(),
                location: located.cluster_body["location"].as_str().unwrap_or_default().to_owned(),
                owner: shared.map_or_else(ours, str::to_owned),
                addon_of: None,
                id,
            }
        }),
    };
    let grants = match (auth, &store) {
        (Auth::Secret, None) => Vec::new(),
        (Auth::Secret, Some(vault)) => catalogue::keyvault::mounting(vault, &[ObjectKind::Secret]),
        _ => grants(session, service, request, &located).await?,
    };
    refuse_scope(request, &scope, if store.is_some() { &[] } else { &grants }, &located)?;
    let (facts, printed) = workload_facts(request, &survey, account.as_ref())?;
    refuse_stranger(service, &located)?;
    if let Some(refusal) = (service.refusal)(&located.target, auth) {
        return Err(Problem::new(Kind::Failed, refusal.code, refusal.what).why(refusal.why).fix(refusal.fix));
    }
    let access = request.access.unwrap_or(service.default_access);
    let (kind, place) = ((auth, client, access), (located.tenant.as_str(), connection.as_str()));
    let (mut variables, renamed) =
        variables::variables(service, request, &survey, former.as_ref(), &located.target, session.cloud(), kind, place)?;
    if let Some(note) = renamed {
        session.events.say(Event::Note(note));
    }
    let given = variables::named(&variables, &request.secrets);
    let place = (survey.namespace.as_str(), connection.as_str(), located.tenant.as_str());
    let mut stored = Vec::new();
    let mount = match (&csi, &store) {
        (Some(mode), _) => {
            delivery::check_scope(request)?;
            delivery::notes(&session.events, mode, survey.workload.as_ref(), machines.is_some());
            Some(delivery::mount(&request.csi, &located.target, session.cloud(), place, &variables)?)
        }
        (None, Some(vault)) => {
            let csi;
            (stored, csi) = secret_store::put(session, vault, (&located.cluster, place.0, place.1), &mut variables);
            Some(delivery::mount(&csi, vault, session.cloud(), place, &variables)?)
        }
        (None, None) => None,
    };
    if account.is_some() {
        // An update that still runs may be the one that installs the webhook.
        let switched_on = located.cluster_body.pointer("/properties/securityProfile/workloadIdentity/enabled") == Some(&Value::Bool(true));
        let about_to_be_enabled = !switched_on || crate::steps::cluster_is_busy(&located.cluster_body);
        let webhook = if about_to_be_enabled { survey.webhook } else { settled_webhook(session, survey.webhook, former.as_ref()).await };
        preflight::webhook(session, webhook, about_to_be_enabled, located.issuer.is_some())?;
    }
    notes(session, service, request, auth, &grants, &connection);
    let specs = build::specs(&build::Facts {
        target: store.as_ref().unwrap_or(&located.target).id.clone(),
        scope,
        cluster: located.cluster.clone(),
        issuer: located.issuer.clone(),
        namespace: survey.namespace.clone(),
        identity,
        account,
        principal: request.principal.object_id.clone(),
        grants,
        secret: connection.clone(),
        variables,
        stored,
        mount: mount.clone(),
        workload: facts.clone(),
    });
    let others =
        survey.records.iter().map(|s| s.record.clone()).filter(|r| (&r.name, &r.namespace) != (&connection, &survey.namespace)).collect();
    let key = ConnectionKey::new(&survey.namespace, &connection);
    let run = Run { key, tenant: located.tenant.clone(), others, timeout: request.timeout };
    let mut cx = Cx::new(&session.arm, session.kube.clone(), &session.events, run);
    cx.given = given;
    let past = former.as_ref().map(|f| f.record.receipts.clone()).unwrap_or_default();
    let examined = crate::steps::examine::examine(&cx, &specs, Goal::Present, &past).await?;
    let retired = draft::retire(&cx, &specs, former.as_ref()).await?;
    let record = draft::record(&cx, (auth, client, access), service, &located, &survey.workload, &specs, &examined, former.as_ref());
    let printed = printed.map(|(why, facts)| print_patch(why, &facts, &specs, &connection, mount));
    let plan = draft::plan(&cx, &specs, &examined, &retired, former.as_ref(), &record);
    if plan.writes() {
        let ledger = [
            Access::to("create", &resources::CONFIG_MAP, Some(&cx.namespace)),
            Access::to("update", &resources::CONFIG_MAP, Some(&cx.namespace)),
            Access::to("create", &resources::LEASE, Some(&cx.namespace)),
            Access::to("update", &resources::LEASE, Some(&cx.namespace)),
            Access::to("delete", &resources::LEASE, Some(&cx.namespace)),
        ];
        let all: Vec<&Examined> = examined.values().chain(retired.iter().map(|(_, e)| e)).collect();
        preflight::rights(session, &cx, &all, &ledger).await?;
    }
    Ok(Prepared { cx, plan, specs, examined, retired, record, former, printed, service, target: located.target })
}

/// The webhook was read before Azure; an update may have installed it since. After a run that was interrupted during
/// that update, the webhook's pods may still be starting.
async fn settled_webhook(session: &Session, seen: Webhook, former: Option<&Stored>) -> Webhook {
    let unfinished = former.is_some_and(|f| f.record.phase == Phase::Applying);
    let mut state = seen;
    for look in 0..if unfinished { 30 } else { 1 } {
        if !matches!(state, Webhook::Absent | Webhook::NotReady) {
            break;
        }
        if look > 0 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        state = cluster::webhook(&session.kube).await;
    }
    state
}

fn check_input(service: &Service, request: &ConnectRequest, auth: Auth) -> Result<()> {
    let fault =
        |flag: &str, value: &str, fault: String| Problem::new(Kind::Usage, "KC1002", format!("{flag} `{value}` can't be used: it {fault}"));
    if let Some((name, why)) = request.name.as_deref().and_then(|n| names::connection_name_fault(n).map(|w| (n, w))) {
        return Err(fault("--name", name, why).fix("name the connection otherwise: --name NAME"));
    }
    if let Some((name, why)) = request.service_account.as_deref().and_then(|n| names::object_name_fault(n).map(|w| (n, w))) {
        return Err(fault("--service-account", name, why).fix("name it otherwise: --service-account NAME"));
    }
    let target = &request.target;
    // Names of servers outside Azure may have a port.
    let more = if service.is_outside() { ":" } else { "" };
    let odd = target.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.()".contains(*c) || more.contains(*c)));
    if let (Some(odd), false) = (odd, target.contains('/') && !service.is_outside()) {
        return Err(fault(service.noun, target, format!("can't hold `{odd}`")).fix("give a name or a resource id"));
    }
    if service.takes_any() && (!target.contains('/') || request.role.is_none()) {
        return Err(Problem::new(Kind::Usage, "KC1604", "a resource of any type needs its resource id and a role")
            .why("nothing else tells what it is and what the workload may do with it")
            .fix("kubectl connect resource /subscriptions/… --role NAME --workload deployment/NAME"));
    }
    if (auth.has_identity() || request.secret_store.is_some()) && request.workload.is_none() && request.service_account.is_none() {
        return Err(Problem::new(Kind::Usage, "KC1006", "no workload was named")
            .why("a connection belongs to a workload's service account")
            .fix(format!("kubectl connect {} {target} --workload deployment/NAME", service.name))
            .fix("or prepare a service account alone: --service-account NAME"));
    }
    Ok(())
}

/// The request together with the child names from the target's id.
fn with_children(request: &ConnectRequest, children: &[(String, String)]) -> ConnectRequest {
    let mut request = request.clone();
    for (name, value) in children {
        request.parameters.entry(name.clone()).or_insert_with(|| value.clone());
    }
    request
}

/// The request with the nodes' identity, which is looked up like an identity named by the user.
fn of_nodes(request: &ConnectRequest, csi: Option<&CsiIdentity>) -> ConnectRequest {
    match csi {
        Some(CsiIdentity::Vm(client_id)) => ConnectRequest { identity: Some(client_id.clone()), ..request.clone() },
        _ => request.clone(),
    }
}

/// Refuses a scope if the grant is an access policy: policies apply to a whole vault or cache.
fn refuse_scope(request: &ConnectRequest, scope: &str, grants: &[Grant], located: &Located) -> Result<()> {
    let whole = grants.iter().any(|g| matches!(g, Grant::VaultPolicy { .. } | Grant::RedisPolicy { .. })) || grants.is_empty();
    if scope.is_empty() || !whole {
        return Ok(());
    }
    let asked = request.scope.clone().unwrap_or_default();
    Err(Problem::new(Kind::Usage, "KC1608", format!("access to `{}` can't be narrowed to `{asked}`", located.target.name()))
        .why("what lets in here is for the whole of it")
        .fix("leave --scope away"))
}

/// Several services share an ARM type (the Cosmos DB APIs): refuses a resource of another service.
fn refuse_stranger(service: &'static Service, located: &Located) -> Result<()> {
    let own = catalogue::belongs_to(service, &located.target);
    if own.name == service.name {
        return Ok(());
    }
    let target = &located.target;
    Err(Problem::new(Kind::Usage, "KC1617", format!("`{}` is no account of {}", target.name(), service.title))
        .why(format!("it was made for another API, and keeps it: it is one of {}", own.title))
        .fix(format!("kubectl connect {} {} --workload KIND/NAME", own.name, target.name())))
}

/// Notes for the user about facts that the plan does not show.
fn notes(session: &Session, service: &Service, request: &ConnectRequest, auth: Auth, grants: &[Grant], connection: &str) {
    let note = |text: String| session.events.say(Event::Note(text));
    if auth == Auth::ServicePrincipal && request.principal.object_id.is_none() && !grants.is_empty() {
        note("the service principal gets no role: name its object id with --object-id to have it granted".into());
    }
    if auth == Auth::WorkloadIdentity && grants.is_empty() {
        note(match service.secrets.contains(&"password") {
            true => format!("no Azure role is needed: an administrator must create database user aad_{connection} once ({})", service.docs),
            false => format!("no Azure role is needed: {}", service.ungranted),
        });
    }
}

/// Refuses a name that is used for another target: the workload would silently use that target from now on.
fn conflicts(former: Option<&Stored>, found: &Found, service: &Service) -> Result<()> {
    let Some(former) = former.map(|f| &f.record) else { return Ok(()) };
    if former.phase == Phase::Deleting {
        return Err(Problem::new(Kind::Failed, "KC6006", format!("connection `{}` is being deleted", former.name))
            .fix(format!("finish it first: kubectl connect delete {} -n {}", former.name, former.namespace)));
    }
    // The record is in the cluster that it describes, so all clusters outside AKS compare equal, whatever resource
    // group is used.
    let same_cluster = former.cluster == found.cluster || (outside_aks::is_one(&former.cluster) && outside_aks::is_one(&found.cluster));
    if former.target == found.target && former.service == service.name && same_cluster {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Failed,
        "KC1311",
        format!("connection `{}` exists and leads to {} `{}`", former.name, former.service, former.target.name()),
    )
    .fix("give the new one another name: --name NAME")
    .fix(format!("or delete the old one: kubectl connect delete {} -n {}", former.name, former.namespace)))
}

async fn grants(session: &Session, service: &Service, request: &ConnectRequest, located: &Located) -> Result<Vec<Grant>> {
    let Some(asked) = &request.role else {
        if !request.csi.objects.is_empty() {
            return Ok(delivery::grants(request, &located.target));
        }
        return Ok((service.grants)(&located.target, request.access.unwrap_or(service.default_access)));
    };
    let own = (service.grants)(&located.target, service.default_access);
    if own.iter().any(|g| matches!(g, Grant::CosmosRole { .. } | Grant::RedisPolicy { .. })) {
        return Err(Problem::new(Kind::Usage, "KC1314", format!("`{}` does not use Azure roles for its data", located.target.name()))
            .why("its data plane has grants of its own")
            .fix("use --access instead of --role"));
    }
    if own.iter().any(|g| matches!(g, Grant::VaultPolicy { .. })) {
        return Err(Problem::new(Kind::Usage, "KC1314", format!("`{}` does not use roles", located.target.name()))
            .why("it decides by access policies: a role at it has no effect")
            .fix("use --access instead of --role")
            .fix(format!(
                "or switch the vault over: az keyvault update --name {} --enable-rbac-authorization true",
                located.target.name()
            )));
    }
    Ok(vec![Grant::Role(crate::lookup::resources::role(session, &located.target.id, asked).await?)])
}
