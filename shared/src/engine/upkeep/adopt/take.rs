//! From a candidate to a record: each part is examined as for a repair, and all must be as they should be, because
//! adopting changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::candidate::{Candidate, Found};
use super::candidates;
use crate::azure::api_versions;
use crate::azure::role_assignments_of;
use crate::catalogue::{Ask, Inputs};
use crate::engine::prepare::Prepared;
use crate::engine::prepare::draft::Draft;
use crate::kube::{WorkloadRef, resources};
use crate::lookup::outside_aks;
use crate::lookup::records::{Stored, Writing};
use crate::lookup::session::Session;
use crate::model::access::{Access, Grant, Role};
use crate::model::ids::role_guid;
use crate::model::variable::{Part, Variable};
use crate::model::{ConnectionKey, Kind, Problem, ResourceId, Result, names};
use crate::plan::build::{self, Facts, WorkloadFacts, grant_step};
use crate::plan::change::Goal;
use crate::plan::record::{Origin, Ownership, Phase, RECORD_VERSION, Receipt, Record};
use crate::plan::spec::access::Grantee;
use crate::plan::spec::{self, Family, StepSpec};
use crate::steps::context::Cx;
use crate::steps::context::Run;
use crate::steps::outputs::Output;
use crate::steps::step::Examined;

/// What to adopt, and how.
pub struct Wish {
    /// Name of the candidate.
    pub candidate: String,
    /// Name of the connection; the candidate's name if absent.
    pub name: Option<String>,
    /// The workload, if several use the set-up.
    pub workload: Option<String>,
    /// Time limit for all waiting.
    pub timeout: std::time::Duration,
}

/// Result of examining a candidate.
pub enum Taking {
    /// It was adopted before.
    Already(Box<Record>),
    /// Its record can be written.
    Ready(Box<Prepared>),
}

/// Examines the candidate and plans. Nothing is written here; applying the result writes only the record.
///
/// # Errors
/// If there is no such candidate, it is incomplete, or its name is taken.
pub async fn take(session: &Session, wish: &Wish) -> Result<Taking> {
    let namespace = session.kube.namespace().to_owned();
    let named = wish.workload.as_deref().map(str::parse::<WorkloadRef>).transpose()?;
    let found = candidates::find(session).await?;
    let candidate = match candidates::choose(&found, &wish.candidate, &namespace) {
        Ok(candidate) => candidate,
        Err(problem) => return already(wish, &found, &namespace).ok_or(problem),
    };
    let workload = workload(candidate, named.as_ref())?;
    let key = ConnectionKey::new(&namespace, wish.name.as_ref().unwrap_or(&candidate.name));
    let former = former(&found, &key)?;
    let cluster = cluster_of(&found, candidate);
    let tenant = tenant_of(session, &cluster);
    let others = found.records.iter().filter(|s| !is_of(s, &key)).map(|s| s.record.clone()).collect();
    let run = Run {
        key: key.clone(),
        tenant: tenant.clone(),
        cluster: cluster.clone(),
        identity: candidate.identity.as_ref().map(|i| i.id.clone()),
        others,
        timeout: wish.timeout,
    };
    let cx = Cx::new(&session.arm, session.kube.afresh(), &session.events, run);
    let (access, grants) = grants(&cx, session, candidate).await?;
    if let Some(identity) = &candidate.identity {
        cx.outputs.learn(spec::Identity::key(&identity.id), Output::ClientId, &identity.client_id);
    }
    let variables = variables(&cx, session, candidate, access).await?;
    let facts = Facts { grants, variables, ..facts(&cx, candidate, found.issuer.as_ref(), workload.as_ref()) };
    let specs = build::specs(&facts).into_iter().map(StepSpec::taken_over).collect();
    let mut draft = Draft::examine(&cx, specs, Goal::Present, &BTreeMap::new()).await?;
    is_whole(candidate, &draft)?;
    draft.examined.values_mut().for_each(own_nothing);
    let record = Record {
        version: RECORD_VERSION,
        name: key.name,
        namespace: key.namespace,
        service: candidate.service.name.into(),
        target: candidate.target.id.clone(),
        workload: workload.as_ref().map(ToString::to_string),
        cluster,
        tenant,
        access,
        auth: candidate.auth,
        client: candidate.client,
        client_id: cx.client_id(),
        principal_id: cx.principal_id(),
        phase: former.as_ref().map_or(Phase::Applying, |f| f.record.phase),
        origin: candidate.origin,
        created: former.as_ref().map_or_else(crate::clock::stamp, |f| f.record.created.clone()),
        receipts: draft.receipts(None),
        steps: draft.specs.clone(),
        retired: Vec::new(),
        verified: None,
    };
    let plan = draft.plan(&record, draft.record_action(former.as_ref(), &record));
    draft.check_rights(session, &cx, Writing::New).await?;
    let target = candidate.target.clone();
    Ok(Taking::Ready(Box::new(Prepared { cx, plan, draft, record, former, printed: None, service: candidate.service, target })))
}

/// The record of the same candidate, if it was adopted before: repeating the command is not an error.
fn already(wish: &Wish, found: &Found, namespace: &str) -> Option<Taking> {
    let name = wish.name.as_ref().unwrap_or(&wish.candidate);
    let is_it = |r: &&Record| r.name == *name && r.namespace == namespace && !r.origin.is_ours();
    found.records.iter().map(|s| &s.record).find(is_it).cloned().map(|r| Taking::Already(Box::new(r)))
}

/// The record of an adoption under this name that was interrupted while the record was written. It is continued.
fn former(found: &Found, key: &ConnectionKey) -> Result<Option<Stored>> {
    let ConnectionKey { namespace, name } = key;
    if let Some(fault) = names::connection_name_fault(name) {
        let flag = "--name";
        return Err(Problem::new(Kind::Usage, "KC1002", format!("{flag} `{name}` can't be used: it {fault}"))
            .fix("choose another name: --name NAME, in lower-case letters, digits and hyphens"));
    }
    let former = found.records.iter().find(|s| is_of(s, key)).cloned();
    if former.as_ref().is_some_and(|f| f.record.origin == Origin::Made || f.record.phase != Phase::Applying) {
        return Err(Problem::new(Kind::Usage, "KC1208", format!("connection `{name}` already exists in namespace `{namespace}`"))
            .fix("choose another name: --name NAME"));
    }
    Ok(former)
}

/// The cluster: outside AKS it is named after its issuer, beside the identity.
fn cluster_of(found: &Found, candidate: &Candidate) -> ResourceId {
    match (&found.issuer, &candidate.identity) {
        (Some(issuer), Some(identity)) => outside_aks::id(identity.id.subscription(), identity.id.resource_group(), issuer),
        _ => found.cluster.clone(),
    }
}

/// The tenant of the cluster's subscription, or that of the active one.
fn tenant_of(session: &Session, cluster: &ResourceId) -> String {
    let tenant = session.profile.tenant_of(cluster.subscription()).or_else(|| session.profile.active().map(|s| s.tenant.as_str()));
    tenant.unwrap_or_default().to_owned()
}

fn is_of(stored: &Stored, key: &ConnectionKey) -> bool {
    stored.record.name == key.name && stored.record.namespace == key.namespace
}

/// The workload: the named one, or the only one that uses the set-up.
fn workload(candidate: &Candidate, named: Option<&WorkloadRef>) -> Result<Option<WorkloadRef>> {
    let all = candidate.workloads.join(", ");
    match (named, candidate.workloads.as_slice()) {
        (Some(named), users) if users.contains(&named.to_string()) => Ok(Some(named.clone())),
        (Some(named), _) => {
            Err(Problem::new(Kind::Usage, "KC1210", format!("{named} does not use `{}`", candidate.name)).fix(match all.is_empty() {
                true => "omit --workload: no workload uses it".to_owned(),
                false => format!("used by: {all}"),
            }))
        }
        (None, []) => Ok(None),
        (None, [only]) => only.parse().map(Some),
        (None, _) => Err(Problem::new(Kind::Usage, "KC1207", format!("several workloads use `{}`", candidate.name))
            .why("a connection belongs to one workload")
            .fix(format!("name it with --workload, one of: {all}"))),
    }
}

/// The highest access level of which the principal holds all grants, and its other grants on the target itself.
async fn grants(cx: &Cx, session: &Session, candidate: &Candidate) -> Result<(Access, Vec<Grant>)> {
    let default = candidate.service.default_access;
    let (to, principal) = match (&candidate.identity, &candidate.principal) {
        (Some(identity), _) => (Grantee::Identity(identity.id.clone()), identity.principal.clone()),
        (None, Some((_, Some(object_id)))) => (Grantee::Principal(object_id.clone()), object_id.clone()),
        _ => return Ok((default, Vec::new())),
    };
    let target = &candidate.target;
    let step = |grant: &Grant| grant_step(&target.id, "", grant, to.clone());
    let mut held: Option<(Access, Vec<Grant>)> = None;
    for level in Access::ALL {
        let of_level = (candidate.service.grants)(target, level);
        let steps: Vec<StepSpec> = of_level.iter().map(step).collect();
        let key = ConnectionKey::new(&cx.namespace, &cx.connection);
        let (tenant, cluster, identity) = (cx.tenant.clone(), cx.cluster.clone(), cx.identity.clone());
        let run = Run { key, tenant, cluster, identity, others: Vec::new(), timeout: cx.timeout };
        let look = Cx::new(&cx.arm, cx.kube.afresh(), &cx.events, run);
        if let Some(identity) = &look.identity {
            look.outputs.learn(spec::Identity::key(identity), Output::PrincipalId, &principal);
        }
        let looked = crate::steps::examine::examine(&look, &steps, Goal::Present, &BTreeMap::new()).await?;
        if !steps.is_empty() && looked.values().all(|e| !e.change.writes()) {
            held = Some((level, of_level));
        }
    }
    let (level, mut grants) = held.unwrap_or((default, Vec::new()));
    for role in roles_at(cx, session, &target.id, &principal).await? {
        let more = Grant::Role(role);
        if !grants.iter().any(|grant| step(grant).id() == step(&more).id()) {
            grants.push(more);
        }
    }
    Ok((level, grants))
}

/// Roles that the principal holds on the target itself.
async fn roles_at(cx: &Cx, session: &Session, target: &ResourceId, principal: &str) -> Result<Vec<Role>> {
    let (path, filter) = role_assignments_of(target, principal);
    let listed = cx.arm.list(&path, api_versions::AUTHORIZATION, &[("$filter", &filter)]).await?;
    let here = |a: &&Value| {
        let properties = &a["properties"];
        let scope = properties["scope"].as_str().and_then(|s| s.parse::<ResourceId>().ok());
        scope.as_ref() == Some(target) && properties["principalId"].as_str().is_some_and(|p| p.eq_ignore_ascii_case(principal))
    };
    let mut guids: Vec<String> =
        listed.iter().filter(here).filter_map(|a| a["properties"]["roleDefinitionId"].as_str()).map(role_guid).collect();
    guids.sort();
    guids.dedup();
    futures::future::try_join_all(guids.iter().map(|guid| crate::lookup::resources::role(session, target, guid))).await
}

/// The variables of the Secret. A variable's source is recorded only if the catalogue yields the same value: an
/// unknown value may be a secret and stays only in the Secret.
async fn variables(cx: &Cx, session: &Session, candidate: &Candidate, access: Access) -> Result<Vec<Variable>> {
    let Some(secret) = &candidate.secret else { return Ok(Vec::new()) };
    let live = cx.kube_read(&resources::SECRET, Some(&cx.namespace), secret).await?.unwrap_or_default();
    let parameters: BTreeMap<String, String> = candidate.parameters.iter().cloned().collect();
    let inputs = Inputs {
        parameters: &parameters,
        user: candidate.user.as_deref(),
        client_id: candidate.principal.as_ref().map(|(client_id, _)| client_id.as_str()),
        tenant: &cx.tenant,
        access,
        connection: &cx.connection,
    };
    let ask = Ask { target: &candidate.target, auth: candidate.auth, client: candidate.client };
    let made = candidate.service.variables(&ask, session.cloud(), &inputs).unwrap_or_default();
    let mut variables = Vec::new();
    for name in live["data"].as_object().into_iter().flat_map(|data| data.keys()) {
        let known = match made.iter().find(|v| v.name == *name) {
            Some(variable) if equals(cx, variable, &live).await => Some(variable.clone()),
            _ => None,
        };
        let kept = || Variable::of(name.clone(), vec![Part::Given { name: name.clone(), escaped: false }]);
        variables.push(known.unwrap_or_else(kept));
    }
    Ok(variables)
}

async fn equals(cx: &Cx, variable: &Variable, live: &Value) -> bool {
    let alone = spec::Secret { namespace: String::new(), name: String::new(), variables: vec![variable.clone()], foreign: true };
    // Values that can't be determined (a password, keys that may not be listed) are not compared.
    alone.differing(cx, live).await.is_ok_and(|names| names.is_empty())
}

/// The set-up as it is, but for its grants and variables.
fn facts(cx: &Cx, candidate: &Candidate, issuer: Option<&String>, workload: Option<&WorkloadRef>) -> Facts {
    let identity = candidate.identity.as_ref().map(|identity| spec::Identity {
        id: identity.id.clone(),
        location: identity.location.clone(),
        create: false,
        owner: String::new(),
        tags: BTreeMap::new(),
        addon_of: None,
    });
    let account = candidate.account.as_ref().map(|name| spec::ServiceAccount {
        namespace: cx.namespace.clone(),
        name: name.clone(),
        create: false,
        foreign: true,
        image_pull_secrets: Vec::new(),
    });
    let workload = workload.map(|workload| WorkloadFacts {
        kind: workload.kind.as_str().into(),
        name: workload.name.clone(),
        containers: Vec::new(),
        on_default_account: true,
    });
    Facts {
        target: candidate.target.id.clone(),
        scope: String::new(),
        cluster: cx.cluster.clone(),
        issuer: issuer.cloned(),
        namespace: cx.namespace.clone(),
        identity,
        account,
        principal: candidate.principal.as_ref().and_then(|(_, object_id)| object_id.clone()),
        grants: Vec::new(),
        secret: candidate.secret.clone(),
        variables: Vec::new(),
        stored: Vec::new(),
        mount: None,
        workload,
    }
}

/// Fails if anything is missing, because adopting changes nothing.
fn is_whole(candidate: &Candidate, draft: &Draft) -> Result<()> {
    let missing: Vec<String> =
        draft.examined.values().filter(|e| e.change.writes()).map(|e| format!("{} {}", e.change.kind, e.change.name)).collect();
    let ungranted = candidate.identity.is_some()
        && !draft.specs.iter().any(|s| s.family() == Family::Grant)
        && !(candidate.service.grants)(&candidate.target, candidate.service.default_access).is_empty();
    let missing = match (missing.is_empty(), ungranted) {
        (true, false) => return Ok(()),
        (true, true) => format!("access to {}", candidate.target.name()),
        (false, _) => missing.join(", "),
    };
    let problem = Problem::new(Kind::Failed, "KC6015", format!("`{}` is incomplete: {missing} is missing or wrong", candidate.name))
        .why("adopting changes nothing, so the set-up must work");
    Err(match candidate.workloads.first() {
        Some(workload) => problem.fix(format!("find out what is wrong: kubectl connect doctor {workload}")),
        None => problem.fix("restore it with the tool that created it, for example: az aks connection update"),
    })
}

/// Marks the object as not owned, whatever labels it has: it existed before.
fn own_nothing(found: &mut Examined) {
    found.intent = Receipt { ownership: Ownership::Adopted, ..found.intent.clone() };
    found.change.reason.get_or_insert_with(|| "adopted unchanged".into());
}
