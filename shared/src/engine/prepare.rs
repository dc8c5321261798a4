//! From request to plan: look at both sides at once, choose identity and service account, examine every step, check
//! every precondition. Reads only.

use std::collections::BTreeMap;

use futures::future::join;
use serde_json::Value;

use super::ledger::Stored;
use super::locate::{self, Found, Located};
use super::survey::{self, Survey, Webhook};
use super::{Session, anywhere, choose, early, mounts, preflight, store};
use crate::catalogue::{self, Service};
use crate::kube::{Access, Workload, WorkloadKind, resources};
use crate::model::access::{Access as Level, Grant};
use crate::model::naming::For;
use crate::model::request::{ConnectRequest, Patch};
use crate::model::variable::Client;
use crate::model::vault::{CsiIdentity, ObjectKind};
use crate::model::{Auth, Event, Kind, Problem, ResourceId, Result, names};
use crate::plan::build::{self, WorkloadFacts};
use crate::plan::change::{Action, Change, Goal, Layer, Plan};
use crate::plan::graph::{Direction, walk};
use crate::plan::record::{Origin, Phase, RECORD_VERSION, Record};
use crate::plan::spec::{self, StepId, StepSpec};
use crate::steps::service_account_client_id;
use crate::steps::{Cx, Examined, behaviour};

/// A connection that is ready to be made.
pub struct Prepared {
    /// What steps work with.
    pub cx: Cx,
    /// What would be done.
    pub plan: Plan,
    /// The steps.
    pub specs: Vec<StepSpec>,
    /// What looking at each found.
    pub examined: BTreeMap<StepId, Examined>,
    /// Steps of the former version of the connection that are undone, with what looking found.
    pub retired: Vec<(StepSpec, Examined)>,
    /// The record as it will be.
    pub record: Record,
    /// The record as it is.
    pub former: Option<Stored>,
    /// The patch to print, where the workload is not patched, and why.
    pub printed: Option<Printed>,
    /// The service.
    pub service: &'static Service,
    /// The target.
    pub target: crate::model::target::Target,
}

/// A patch that the user has to bring in.
#[derive(Clone, Debug)]
pub struct Printed {
    /// Why we do not.
    pub why: String,
    /// The patch, as a partial object.
    pub patch: Value,
}

/// Looks and plans.
///
/// # Errors
/// Whatever stands in the way of the connection; nothing has been written then.
pub async fn prepare(session: &Session, request: &ConnectRequest) -> Result<Prepared> {
    let service = catalogue::find(&request.service).ok_or_else(|| {
        Problem::new(Kind::Usage, "KC1004", format!("there is no service `{}`", request.service)).fix("kubectl connect services")
    })?;
    let auth = choose::auth(service, request)?;
    let scope = choose::scope(service, request)?;
    check_input(service, request, auth)?;
    let csi = mounts::mode(request, auth);
    let request = &of_nodes(request, csi.as_ref());
    let (surveyed, found) = join(survey::survey(&session.kube, service, request), locate::search(session, service, request, auth)).await;
    // A stopped cluster does not answer, and that it is stopped is the better message. Then the cluster's word first, so
    // that two faults always give the same message.
    if let (Err(_), Ok(found)) = (&surveyed, &found) {
        preflight::cluster_runs(&found.cluster_seen, found.cluster.name(), found.cluster.resource_group())?;
    }
    let (survey, found) = (surveyed?, found?);
    let (client, sign) = choose::client(service, request, &survey)?;
    if let Some(sign) = sign {
        session.events.say(Event::Note(sign));
    }
    let connection = request.name.clone().unwrap_or_else(|| service.connection_name(found.target.name()));
    let former = survey.records.iter().find(|s| s.record.name == connection && s.record.namespace == survey.namespace).cloned();
    conflicts(former.as_ref(), &found, service)?;
    // Nodes read with an identity of their own: then the pods' account does not matter.
    let acts = request.secret_store.is_some() || auth.has_identity() && csi.as_ref().is_none_or(|mode| *mode == CsiIdentity::Workload);
    let store = store::vault(session, request).await?;
    let account = match acts {
        true => Some(service_account(session, request, &survey, former.as_ref()).await?),
        false => None,
    };
    let id = match &account {
        Some(account) => Some(identity(session, (request, &connection), &found, &survey, account, former.as_ref()).await?),
        None => found.identity.clone(),
    };
    let request = &with_children(request, &found.children);
    let past = former.as_ref().map(|f| &f.record);
    let trial = early::try_workload(session, service, request, &survey, former.as_ref(), account.as_ref(), &found, (auth, client));
    let (located, ()) = join(locate::read(session, service, &found, id.as_ref(), past), trial).await;
    let located = located?;
    preflight::cluster_runs(&located.cluster_body, located.cluster.name(), located.cluster.resource_group())?;
    let identity = match (&csi, id) {
        (Some(CsiIdentity::Addon), _) => Some(mounts::addon(&located.cluster, &located.cluster_body)),
        (_, id) => id.map(|id| spec::Identity {
            create: account.as_ref().is_some_and(|account| {
                let own = own_identity((request, &connection), &located.cluster, account);
                own.is_ok_and(|own| own == id) || is_made_by_us(&survey, &id)
            }),
            tags: request.tags.clone(),
            id,
            location: located.cluster_body["location"].as_str().unwrap_or_default().to_owned(),
            owner: account.as_ref().map_or_else(String::new, |a| format!("{}/{}/{}", located.cluster.name(), a.namespace, a.name)),
            addon_of: None,
        }),
    };
    let grants = match (auth, &store) {
        (Auth::Secret, None) => Vec::new(),
        (Auth::Secret, Some(vault)) => catalogue::keyvault::mounting(vault, &[ObjectKind::Secret]),
        _ => grants(session, service, request, &located).await?,
    };
    refuse_scope(request, &scope, if store.is_some() { &[] } else { &grants }, &located)?;
    let (facts, printed) = workload_facts(request, &survey, account.as_ref())?;
    if let Some(refusal) = (service.refusal)(&located.target, auth) {
        return Err(Problem::new(Kind::Failed, refusal.code, refusal.what).why(refusal.why).fix(refusal.fix));
    }
    let access = request.access.unwrap_or(service.default_access);
    let (kind, place) = ((auth, client, access), (located.tenant.as_str(), connection.as_str()));
    let mut variables = choose::variables(service, request, &survey, former.as_ref(), &located.target, session.cloud(), kind, place)?;
    let given = choose::named(&variables, &request.secrets);
    let place = (survey.namespace.as_str(), connection.as_str(), located.tenant.as_str());
    let mut stored = Vec::new();
    let mount = match (&csi, &store) {
        (Some(mode), _) => {
            mounts::check_scope(request)?;
            mounts::notes(&session.events, mode, survey.workload.as_ref());
            Some(mounts::mount(&request.csi, &located.target, session.cloud(), place, &variables)?)
        }
        (None, Some(vault)) => {
            let csi;
            (stored, csi) = store::put(session, vault, (&located.cluster, place.0, place.1), &mut variables);
            Some(mounts::mount(&csi, vault, session.cloud(), place, &variables)?)
        }
        (None, None) => None,
    };
    if account.is_some() {
        // An update that is still running may be the one that brings the webhook.
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
    let mut cx = Cx::new(
        session.arm.clone(),
        session.kube.clone(),
        session.events.clone(),
        connection.clone(),
        survey.namespace.clone(),
        located.tenant.clone(),
        others,
        request.timeout,
        survey.reads,
    );
    cx.given = given;
    let past = former.as_ref().map(|f| f.record.receipts.clone()).unwrap_or_default();
    let examined = examine(&cx, &specs, Goal::Present, &past).await?;
    let retired = retire(&cx, &specs, former.as_ref()).await?;
    let record = record(&cx, (auth, client, access), service, &located, &survey.workload, &specs, &examined, former.as_ref());
    let printed = printed.map(|(why, facts)| print_patch(why, &facts, &specs, &connection, mount));
    let plan = plan(&cx, &specs, &examined, &retired, former.as_ref(), &record);
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

/// The webhook was looked at before Azure was: what an update has brought meanwhile counts. After a run of ours that was
/// cut off in the middle of the update its pods may still be starting.
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
        state = survey::webhook(&session.kube).await;
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
    // Servers outside Azure are named with their port.
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

/// The request, with what the target's id told of its children.
fn with_children(request: &ConnectRequest, children: &[(String, String)]) -> ConnectRequest {
    let mut request = request.clone();
    for (name, value) in children {
        request.parameters.entry(name.clone()).or_insert_with(|| value.clone());
    }
    request
}

/// The request with the identity that the nodes were said to have, which is looked up like one that the user names.
fn of_nodes(request: &ConnectRequest, csi: Option<&CsiIdentity>) -> ConnectRequest {
    match csi {
        Some(CsiIdentity::Vm(client_id)) => ConnectRequest { identity: Some(client_id.clone()), ..request.clone() },
        _ => request.clone(),
    }
}

/// Access policies are for a whole vault or cache.
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

/// What the plan does not show and the user should know.
fn notes(session: &Session, service: &Service, request: &ConnectRequest, auth: Auth, grants: &[Grant], connection: &str) {
    let note = |text: String| session.events.say(Event::Note(text));
    if auth == Auth::ServicePrincipal && request.principal.object_id.is_none() && !grants.is_empty() {
        note("the service principal gets no role: name its object id with --object-id to have it granted".into());
    }
    if auth == Auth::WorkloadIdentity && grants.is_empty() {
        let user = if service.secrets.contains(&"password") {
            format!("; make user aad_{connection} for the identity in the database: {}", service.docs)
        } else {
            String::new()
        };
        note(format!("nothing is granted: {}{user}", service.ungranted));
    }
}

/// A name can stand for one target only: the connection would silently change what a workload talks to.
fn conflicts(former: Option<&Stored>, found: &Found, service: &Service) -> Result<()> {
    let Some(former) = former.map(|f| &f.record) else { return Ok(()) };
    if former.phase == Phase::Deleting {
        return Err(Problem::new(Kind::Failed, "KC6006", format!("connection `{}` is being deleted", former.name))
            .fix(format!("finish it first: kubectl connect delete {} -n {}", former.name, former.namespace)));
    }
    // A record lies in the cluster that it is about, so one that Azure does not know is the same whatever its place is called.
    let same_cluster = former.cluster == found.cluster || (anywhere::is_one(&former.cluster) && anywhere::is_one(&found.cluster));
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

/// The workload's own account where it names one; a new one, named after the workload, where it runs as `default`.
async fn service_account(
    session: &Session,
    request: &ConnectRequest,
    survey: &Survey,
    former: Option<&Stored>,
) -> Result<spec::ServiceAccount> {
    let recorded = former.and_then(|f| f.record.service_account().cloned());
    let own = survey.workload.as_ref().and_then(Workload::service_account).filter(|a| *a != "default");
    if let (Some(asked), Some(own)) = (&request.service_account, own)
        && asked != own
        && recorded.as_ref().is_none_or(|r| &r.name != asked)
    {
        let workload = survey.workload.as_ref().map(ToString::to_string).unwrap_or_default();
        return Err(Problem::new(Kind::Usage, "KC1312", format!("{workload} runs as service account `{own}`, not `{asked}`"))
            .why("a workload keeps the service account that it names")
            .fix("leave --service-account away"));
    }
    if let Some(recorded) =
        recorded.filter(|r| own.is_none_or(|o| o == r.name) && request.service_account.as_ref().is_none_or(|a| *a == r.name))
    {
        // What was taken over is connected anew: from now on the account is this connection's to set.
        return Ok(spec::ServiceAccount { foreign: false, ..recorded });
    }
    let namespace = survey.namespace.clone();
    if let Some(own) = own {
        // An account that another connection of ours made is set by this one too: letting go of the first must not take
        // it away from the second.
        let mut made = survey.records.iter().flat_map(|s| &s.record.steps).filter_map(|s| match s {
            StepSpec::ServiceAccount(s) => Some(s),
            _ => None,
        });
        if let Some(made) = made.find(|s| s.create && s.name == own && s.namespace == namespace) {
            return Ok(made.clone());
        }
        let name = own.to_owned();
        return Ok(spec::ServiceAccount { namespace, name, create: false, foreign: false, image_pull_secrets: vec![] });
    }
    let name = request.service_account.clone().or_else(|| survey.workload.as_ref().map(|w| w.name.clone())).unwrap_or_default();
    let read = |name: String| {
        let (reads, kube, namespace) = (&survey.reads, &session.kube, &namespace);
        async move { reads.get(kube, &resources::SERVICE_ACCOUNT, Some(namespace.as_str()), &name).await }
    };
    let (found, default) = join(read(name.clone()), read("default".into())).await;
    if let (Some(found), None) = (found?, &request.service_account)
        && !crate::steps::is_ours(&found)
    {
        return Err(Problem::new(Kind::Failed, "KC1313", format!("service account `{name}` exists and the workload does not use it"))
            .why("the workload runs as `default` and would get an account of that name, with whatever rights it has")
            .fix(format!("use it: --service-account {name}"))
            .fix("or name another one: --service-account NAME"));
    }
    let pull = default?.map(|d| d["imagePullSecrets"].clone()).unwrap_or_default();
    let image_pull_secrets = pull.as_array().into_iter().flatten().filter_map(|s| s["name"].as_str()).map(str::to_owned).collect();
    Ok(spec::ServiceAccount { namespace, name, create: true, foreign: false, image_pull_secrets })
}

/// The identity: the one asked for, the one recorded, the one the service account already acts as, or one of its own.
async fn identity(
    session: &Session,
    (request, connection): (&ConnectRequest, &str),
    found: &Found,
    survey: &Survey,
    account: &spec::ServiceAccount,
    former: Option<&Stored>,
) -> Result<ResourceId> {
    if let Some(id) = &found.identity {
        return Ok(id.clone());
    }
    // Another connection of the same account decides for all: an account acts as one identity.
    let step = StepSpec::ServiceAccount(account.clone());
    let shared = survey.records.iter().map(|s| &s.record).find(|r| r.uses(&step));
    if let Some(id) = former.map(|f| &f.record).and_then(Record::identity).or_else(|| shared.and_then(Record::identity)) {
        return Ok(id.clone());
    }
    let object = survey.reads.get(&session.kube, &resources::SERVICE_ACCOUNT, Some(&account.namespace), &account.name).await?;
    match object.as_ref().and_then(service_account_client_id).filter(|_| request.identity.is_none()) {
        Some(client_id) => locate::identity_with_client_id(session, client_id, &account.name).await,
        None => own_identity((request, connection), &found.cluster, account),
    }
}

/// Whether a connection has this identity for one that is made: it may lie where today's request would not put it.
fn is_made_by_us(survey: &Survey, id: &ResourceId) -> bool {
    let mut steps = survey.records.iter().flat_map(|s| &s.record.steps);
    steps.any(|s| matches!(s, StepSpec::Identity(s) if s.create && s.id == *id))
}

/// The identity that we make for a service account: beside its cluster, or where it is asked for, called as we or the
/// company call them.
fn own_identity(
    (request, connection): (&ConnectRequest, &str),
    cluster: &ResourceId,
    account: &spec::ServiceAccount,
) -> Result<ResourceId> {
    let (cluster_name, namespace, account) = (cluster.name(), account.namespace.as_str(), account.name.as_str());
    let name = match &request.identity_name {
        None => names::identity(cluster_name, namespace, account),
        Some(template) => {
            let whom = For { cluster: cluster_name, namespace, account, connection, service: &request.service };
            template.fill(whom).map_err(|why| {
                Problem::new(Kind::Usage, "KC1321", "the identity's name can't be used")
                    .why(why)
                    .fix("shorten --identity-name, with {hash} in place of what is long")
            })?
        }
    };
    let group = request.identity_group.as_deref().unwrap_or(cluster.resource_group());
    Ok(ResourceId::resource(cluster.subscription(), group, "Microsoft.ManagedIdentity/userAssignedIdentities", &name))
}

async fn grants(session: &Session, service: &Service, request: &ConnectRequest, located: &Located) -> Result<Vec<Grant>> {
    let Some(asked) = &request.role else {
        if !request.csi.objects.is_empty() {
            return Ok(mounts::grants(request, &located.target));
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
    Ok(vec![Grant::Role(locate::role(session, &located.target.id, asked).await?)])
}

/// Whether the workload is patched, and if not, why.
#[expect(clippy::type_complexity, reason = "two halves of one decision, taken apart by the only caller")]
pub(super) fn workload_facts(
    request: &ConnectRequest,
    survey: &Survey,
    account: Option<&spec::ServiceAccount>,
) -> Result<(Option<WorkloadFacts>, Option<(String, WorkloadFacts)>)> {
    let Some(workload) = &survey.workload else { return Ok((None, None)) };
    let facts = WorkloadFacts {
        kind: workload.kind.as_str().into(),
        name: workload.name.clone(),
        containers: survey.containers.clone(),
        on_default_account: workload
            .service_account()
            .is_none_or(|a| a == "default" || account.is_some_and(|account| account.create && a == account.name)),
    };
    let not = if workload.kind == WorkloadKind::Job {
        Some("a Job's pod template can't be changed once it exists: put the patch into its manifest and create it anew".to_owned())
    } else if request.patch == Patch::Never {
        Some("--patch=never was given".to_owned())
    } else {
        workload
            .managed_by()
            .filter(|_| request.patch == Patch::Auto)
            .map(|by| format!("{workload} is managed by {by}: put the patch into its source, or patch it all the same with --patch=always"))
    };
    Ok(match not {
        None => (Some(facts), None),
        Some(why) => (None, Some((why, facts))),
    })
}

fn print_patch(why: String, facts: &WorkloadFacts, specs: &[StepSpec], connection: &str, mount: Option<spec::Mount>) -> Printed {
    let secret = specs.iter().find_map(|s| match s {
        StepSpec::Secret(secret) => Some(secret),
        _ => None,
    });
    let account = specs.iter().find_map(|s| match s {
        StepSpec::ServiceAccount(account) => Some(account.name.clone()),
        _ => None,
    });
    let workload = spec::Workload {
        kind: facts.kind.clone(),
        namespace: secret.map(|s| &s.namespace).or(mount.as_ref().map(|m| &m.class.namespace)).cloned().unwrap_or_default(),
        name: facts.name.clone(),
        containers: facts.containers.clone(),
        foreign: false,
        identity: account.is_some(),
        service_account: account.filter(|_| facts.on_default_account),
        secret: secret.map(|s| s.name.clone()).unwrap_or_default(),
        variables: secret.map(|s| s.variables.clone()).unwrap_or_default(),
        mount,
    };
    let kind = WorkloadKind::parse(&facts.kind).unwrap_or(WorkloadKind::Deployment);
    let mut patch = crate::kube::wrap_template(kind, crate::steps::workload_patch(&workload, connection, None));
    patch["apiVersion"] = kind.resource().api_version().into();
    patch["kind"] = kind.resource().kind.into();
    patch["metadata"] = serde_json::json!({"name": facts.name, "namespace": workload.namespace});
    Printed { why, patch }
}

/// Looks at every step, in the order of their needs, all at once where they have none.
pub(super) async fn examine(
    cx: &Cx,
    specs: &[StepSpec],
    goal: Goal,
    past: &BTreeMap<StepId, crate::plan::Receipt>,
) -> Result<BTreeMap<StepId, Examined>> {
    // Forward always: looking needs what others know (client id, issuer), whichever way the steps are done later.
    let mut walked = walk(specs, Direction::Forward, || false, |spec| behaviour(spec).examine(cx, goal, past.get(&spec.id()))).await;
    // The first by order of steps, so that two faults always give the same message.
    let failed = specs.iter().find_map(|s| walked.failed.iter().position(|(id, _)| *id == s.id()));
    match failed {
        Some(at) => Err(walked.failed.swap_remove(at).1),
        None => Ok(walked.done.into_iter().collect()),
    }
}

/// Steps of the former version of this connection that the new one does not have.
async fn retire(cx: &Cx, specs: &[StepSpec], former: Option<&Stored>) -> Result<Vec<(StepSpec, Examined)>> {
    let Some(former) = former.map(|f| &f.record) else { return Ok(Vec::new()) };
    let kept: Vec<String> = specs.iter().map(StepSpec::thing).collect();
    let gone = former.steps.iter().map(|s| (s.clone(), former.receipts.get(&s.id()).cloned())).chain(former.retired.iter().cloned());
    let mut retired = Vec::new();
    for (step, receipt) in gone.filter(|(s, _)| !kept.contains(&s.thing())) {
        let examined = behaviour(&step).examine(cx, Goal::Absent, receipt.as_ref()).await?;
        retired.push((step, examined));
    }
    Ok(retired)
}

#[expect(clippy::too_many_arguments, reason = "a record gathers everything, in one place")]
fn record(
    cx: &Cx,
    (auth, client, access): (Auth, Client, Level),
    service: &Service,
    located: &Located,
    workload: &Option<Workload>,
    specs: &[StepSpec],
    examined: &BTreeMap<StepId, Examined>,
    former: Option<&Stored>,
) -> Record {
    let past = former.map(|f| &f.record);
    let receipts = examined.iter().map(|(id, e)| {
        // A receipt that is still true stays as it is, so that a run with nothing to do writes nothing.
        let kept = past.and_then(|p| p.receipts.get(id)).filter(|r| r.done && !e.change.writes() && r.ownership == e.intent.ownership);
        let found = || if e.change.writes() { e.intent.clone() } else { crate::steps::done(&e.intent) };
        (id.clone(), kept.cloned().unwrap_or_else(found))
    });
    Record {
        version: RECORD_VERSION,
        name: cx.connection.clone(),
        namespace: cx.namespace.clone(),
        service: service.name.into(),
        target: past.map_or_else(|| located.target.id.clone(), |p| p.target.clone()),
        workload: workload.as_ref().map(ToString::to_string),
        cluster: past.map_or_else(|| located.cluster.clone(), |p| p.cluster.clone()),
        tenant: located.tenant.clone(),
        access,
        auth,
        client,
        client_id: cx.outputs.known().client_id,
        principal_id: cx.outputs.known().principal_id,
        phase: past.map_or(Phase::Applying, |p| p.phase),
        // Connecting anew what was taken over makes it ours.
        origin: Origin::Made,
        created: past.map_or_else(|| jiff::Timestamp::now().to_string(), |p| p.created.clone()),
        steps: specs.to_vec(),
        receipts: receipts.collect(),
        retired: Vec::new(),
        verified: past.and_then(|p| p.verified.clone()),
    }
}

pub(super) fn plan(
    cx: &Cx,
    specs: &[StepSpec],
    examined: &BTreeMap<StepId, Examined>,
    retired: &[(StepSpec, Examined)],
    former: Option<&Stored>,
    record: &Record,
) -> Plan {
    let mut changes: Vec<Change> = specs.iter().filter_map(|s| examined.get(&s.id())).map(|e| e.change.clone()).collect();
    changes.extend(retired.iter().map(|(_, e)| e.change.clone()));
    let action = match former {
        None => Action::Create,
        Some(former) if changes.iter().any(Change::writes) || former.record != *record || former.record.phase != Phase::Ready => {
            Action::Update
        }
        Some(_) => Action::NoOp,
    };
    let name = format!("{}/{}", cx.namespace, Record::object_name(&cx.connection));
    changes.push(Change::new("record".into(), Layer::Cluster, "ConfigMap", name, action).reason("the record of this connection"));
    changes.sort_by_key(|c| c.layer);
    Plan { goal: Goal::Present, connection: cx.connection.clone(), namespace: cx.namespace.clone(), changes }
}
