//! What can be taken over in a namespace. The cluster shows who acts as whom; Azure shows what that identity may reach, and
//! which connections Service Connector keeps.

use futures::future::{join, join_all, join4};
use serde_json::{Value, json};

use super::connector;
use crate::catalogue::{self, Service};
use crate::engine::ledger::{self, Stored};
use crate::engine::{Session, anywhere, locate, named};
use crate::kube::{Cluster, Workload, WorkloadKind, resources};
use crate::model::access::{Access, Grant};
use crate::model::ids::role_guid;
use crate::model::target::Target;
use crate::model::variable::Client;
use crate::model::{Auth, Kind, Problem, ResourceId, Result};
use crate::plan::record::{Origin, Phase};
use crate::steps::{api, service_account_client_id};

/// api-version of `Microsoft.ServiceLinker/linkers`.
const LINKERS: &str = "2024-04-01";
/// What the webhook selects pods by.
const USE: &str = "azure.workload.identity/use";

/// A managed identity as Resource Graph tells it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its id.
    pub id: ResourceId,
    /// Client id.
    pub client_id: String,
    /// Object id.
    pub principal: String,
    /// Region.
    pub location: String,
}

/// A set-up that can be taken over.
#[derive(Clone)]
pub struct Candidate {
    /// What it is called.
    pub name: String,
    /// Who set it up.
    pub origin: Origin,
    /// Its service.
    pub service: &'static Service,
    /// What it leads to.
    pub target: Target,
    /// Values of the service's flags that the target's id told.
    pub parameters: Vec<(String, String)>,
    /// Way of authentication.
    pub auth: Auth,
    /// Client type.
    pub client: Client,
    /// User name that goes with a password.
    pub user: Option<String>,
    /// Workloads that use it, as `deployment/web`.
    pub workloads: Vec<String>,
    /// The service account, where there is an identity.
    pub account: Option<String>,
    /// The identity.
    pub identity: Option<Identity>,
    /// Client and object id of a service principal.
    pub principal: Option<(String, Option<String>)>,
    /// The Secret with its variables.
    pub secret: Option<String>,
}

impl Candidate {
    /// The candidate for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "madeBy": self.origin,
            "service": self.service.name,
            "target": self.target.id,
            "auth": self.auth,
            "workloads": self.workloads,
            "serviceAccount": self.account,
            "identity": self.identity.as_ref().map(|i| &i.id),
            "secret": self.secret,
        })
    }
}

/// Everything that was found.
pub struct Found {
    /// The cluster, as Azure knows it or as we name it.
    pub cluster: ResourceId,
    /// Issuer of a cluster that Azure does not know.
    pub issuer: Option<String>,
    /// What can be taken over, by name.
    pub candidates: Vec<Candidate>,
    /// What looks like a set-up and can't be taken over, and why.
    pub passed_over: Vec<String>,
    /// All records that can be seen.
    pub records: Vec<Stored>,
}

/// What the cluster shows.
struct Shown {
    accounts: Vec<Value>,
    workloads: Vec<Workload>,
    secrets: Vec<String>,
}

/// Looks at both sides. Nothing is written.
///
/// # Errors
/// What either side says.
pub async fn find(session: &Session) -> Result<Found> {
    let kube = &session.kube;
    let namespace = kube.namespace().to_owned();
    let (cluster, accounts, workloads, (secrets, records)) = join4(
        cluster(session),
        kube.list(&resources::SERVICE_ACCOUNT, Some(&namespace), None),
        workloads(kube, &namespace),
        join(connector::seen(kube, Some(&namespace), None), ledger::list(kube, &namespace)),
    )
    .await;
    let (cluster, issuer) = cluster?;
    let shown = Shown { accounts: accounts?, workloads, secrets: secrets?.into_iter().map(|s| s.secret).collect() };
    let mut found = Found { cluster, issuer, candidates: Vec::new(), passed_over: Vec::new(), records: records? };
    let linkers = match &found.issuer {
        Some(_) => Vec::new(),
        None => linkers(session, &found.cluster, &namespace, &mut found.passed_over).await?,
    };
    let identities = identities(session, &shown, &linkers).await?;
    let arm = session.profile.tenant_of(found.cluster.subscription()).map_or_else(|| session.arm.clone(), |t| session.arm.with_tenant(t));
    let session = &Session { arm, profile: session.profile.clone(), kube: session.kube.clone(), events: session.events.clone() };
    for linker in &linkers {
        match of_linker(session, linker, &shown, &identities).await? {
            Ok(candidate) => found.candidates.push(candidate),
            Err(why) => found.passed_over.push(format!("{}: {why}", linker["name"].as_str().unwrap_or_default())),
        }
    }
    by_hand(session, &shown, &identities, &mut found).await?;
    let Found { candidates, records, .. } = &mut found;
    // Told apart first: a name must not change because another one was taken over.
    tell_apart(candidates);
    candidates.retain(|c| !is_taken(c, records, &namespace));
    candidates.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

async fn cluster(session: &Session) -> Result<(ResourceId, Option<String>)> {
    if anywhere::is_aks(session.kube.host()) {
        return Ok((locate::cluster_behind(session).await?, None));
    }
    let issuer = anywhere::public_issuer(session).await?;
    // Taking over makes no identity: the group is filled in with the one that the identity found lies in.
    let subscription = session.profile.active().map(|s| s.id.clone()).unwrap_or_default();
    Ok((anywhere::id(&subscription, anywhere::NOWHERE, &issuer), Some(issuer)))
}

/// Workloads of all kinds that may be listed, without those that others make: a CronJob's Jobs are its own.
async fn workloads(kube: &Cluster, namespace: &str) -> Vec<Workload> {
    let lists =
        join_all(WorkloadKind::ALL.map(|kind| async move { (kind, kube.list(kind.resource(), Some(namespace), None).await) })).await;
    let all = lists.into_iter().flat_map(|(kind, list)| list.unwrap_or_default().into_iter().map(move |o| Workload::new(kind, o)));
    all.filter(|w| w.object["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty)).collect()
}

/// Connections that Service Connector keeps for the namespace.
async fn linkers(session: &Session, cluster: &ResourceId, namespace: &str, passed_over: &mut Vec<String>) -> Result<Vec<Value>> {
    let path = format!("{cluster}/providers/Microsoft.ServiceLinker/linkers");
    match session.arm.list(&path, LINKERS, &[]).await {
        Ok(listed) => Ok(listed.into_iter().filter(|l| l["properties"]["scope"].as_str().unwrap_or("default") == namespace).collect()),
        Err(failure) if matches!(failure.status(), Some(403)) => {
            passed_over.push("you may not list the connections that Service Connector keeps for this cluster".into());
            Ok(Vec::new())
        }
        // The provider is not registered: it made nothing.
        Err(failure) if matches!(failure.status(), Some(404 | 409)) => Ok(Vec::new()),
        Err(failure) => Err(failure.into()),
    }
}

/// The identities that accounts and linkers name, in one query.
async fn identities(session: &Session, shown: &Shown, linkers: &[Value]) -> Result<Vec<Identity>> {
    let annotated = shown.accounts.iter().filter_map(service_account_client_id);
    let linked = linkers.iter().filter_map(|l| l["properties"]["authInfo"]["clientId"].as_str());
    let mut wanted: Vec<String> = annotated.chain(linked).filter(|id| uuid::Uuid::parse_str(id).is_ok()).map(str::to_lowercase).collect();
    wanted.sort();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let clauses: Vec<String> = wanted.iter().map(|id| format!("properties.clientId =~ {}", locate::quoted(id))).collect();
    let query = format!(
        "resources | where type =~ '{}' and ({}) | project id, type, location, properties",
        locate::IDENTITIES,
        clauses.join(" or ")
    );
    let rows = session.arm.graph(&query, &[]).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |row: &Value| {
        let properties = &row["properties"];
        let (client_id, principal) = (text(&properties["clientId"]), text(&properties["principalId"]));
        Some(Identity { id: row["id"].as_str()?.parse().ok()?, client_id, principal, location: text(&row["location"]) })
    };
    Ok(rows.iter().filter_map(of).collect())
}

/// A connection of Service Connector, or why it can't be taken over.
async fn of_linker(session: &Session, linker: &Value, shown: &Shown, identities: &[Identity]) -> Result<Result<Candidate, String>> {
    let properties = &linker["properties"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let state = properties["provisioningState"].as_str().unwrap_or("Succeeded");
    if state != "Succeeded" {
        return Ok(Err(format!("Service Connector is not done with it: {state}")));
    }
    if properties["targetService"]["resourceProperties"]["connectAsKubernetesCsiDriver"] == true {
        return Ok(Err("it mounts the vault through the add-on's own identity, which is the whole cluster's".into()));
    }
    let secret = connector::secret_of(linker["name"].as_str().unwrap_or_default());
    if !shown.secrets.contains(&secret) {
        return Ok(Err(format!("its secret {secret} is not in this namespace")));
    }
    let Some(id) = properties["targetService"]["id"].as_str().and_then(|id| id.parse::<ResourceId>().ok()) else {
        return Ok(Err("its target is no Azure resource".into()));
    };
    let (auth, account, identity, principal) = match properties["authInfo"]["authType"].as_str().unwrap_or_default() {
        "userAssignedIdentity" => {
            let client_id = properties["authInfo"]["clientId"].as_str().unwrap_or_default();
            let Some(identity) = identities.iter().find(|i| i.client_id.eq_ignore_ascii_case(client_id)) else {
                return Ok(Err(format!("you can't see its identity {client_id}")));
            };
            (Auth::WorkloadIdentity, Some(connector::account_of(client_id)), Some(identity.clone()), None)
        }
        "secret" => (Auth::Secret, None, None, None),
        "servicePrincipalSecret" => {
            let client_id = properties["authInfo"]["clientId"].as_str().unwrap_or_default().to_owned();
            (Auth::ServicePrincipal, None, None, Some((client_id, text(&properties["authInfo"]["principalId"]))))
        }
        other => return Ok(Err(format!("its way of authentication is `{other}`"))),
    };
    let variables = secret_keys(session, &secret).await?;
    let top = id.top();
    let Some(service) = connector::service_of(&top.arm_type(), &variables) else {
        return Ok(Err(format!("no service of ours goes with {}", id.arm_type())));
    };
    let Some(target) = locate::read_target(session, service, &top).await? else {
        return Ok(Err(format!("its target {top} is gone")));
    };
    let uses = |w: &&Workload| account.as_deref().is_some_and(|a| w.service_account() == Some(a)) || reads(w, &secret);
    Ok(Ok(Candidate {
        name: connector::name_of(&secret).unwrap_or_default().to_owned(),
        origin: Origin::ServiceConnector,
        service,
        target,
        parameters: named::children(service, &id),
        auth,
        client: properties["clientType"].as_str().and_then(Client::parse).unwrap_or(Client::None),
        user: text(&properties["authInfo"]["name"]),
        workloads: shown.workloads.iter().filter(uses).map(ToString::to_string).collect(),
        account,
        identity,
        principal,
        secret: Some(secret),
    }))
}

async fn secret_keys(session: &Session, secret: &str) -> Result<Vec<String>> {
    let found = session.kube.get(&resources::SECRET, Some(session.kube.namespace()), secret).await?;
    Ok(found.iter().filter_map(|s| s["data"].as_object()).flat_map(|data| data.keys().cloned()).collect())
}

/// Whether a workload takes variables from the Secret, all at once or one by one.
fn reads(workload: &Workload, secret: &str) -> bool {
    let one = |container: &Value| {
        let all = container["envFrom"].as_array().into_iter().flatten().any(|from| from["secretRef"]["name"] == secret);
        all || container["env"].as_array().into_iter().flatten().any(|env| env["valueFrom"]["secretKeyRef"]["name"] == secret)
    };
    workload.containers().into_iter().filter_map(|name| workload.container(name)).any(one)
}

/// Workloads with the webhook's label whose account names an identity, with each thing of a known type that the identity
/// may reach.
async fn by_hand(session: &Session, shown: &Shown, identities: &[Identity], found: &mut Found) -> Result<()> {
    for account in &shown.accounts {
        let name = account["metadata"]["name"].as_str().unwrap_or_default();
        let Some(client_id) = service_account_client_id(account) else { continue };
        let acts = |w: &&Workload| w.service_account().unwrap_or("default") == name && w.pod_label(USE) == Some("true");
        let workloads: Vec<&Workload> = shown.workloads.iter().filter(acts).collect();
        // What Service Connector keeps is a candidate of its own; an account that no pod acts as connects nothing.
        let connectors = found.candidates.iter().any(|c| c.account.as_deref() == Some(name));
        let ours = found.records.iter().any(|s| {
            s.record.origin.is_ours()
                && s.record.service_account().is_some_and(|a| a.name == name && a.namespace == session.kube.namespace())
        });
        if connectors || ours || workloads.is_empty() {
            continue;
        }
        let words: Vec<String> = workloads.iter().map(ToString::to_string).collect();
        let Some(identity) = identities.iter().find(|i| i.client_id.eq_ignore_ascii_case(client_id)) else {
            found.passed_over.push(format!("{}: its account names {client_id}, an identity that you can't see", words.join(", ")));
            continue;
        };
        let reached = reached(session, &identity.principal).await?;
        if reached.is_empty() {
            let what = "holds no role at a resource of a service that this tool knows";
            found.passed_over.push(format!("{}: its identity {} {what}", words.join(", "), identity.id.name()));
        }
        for (service, target) in reached {
            found.candidates.extend(words.iter().map(|workload| Candidate {
                name: service.connection_name(target.name()),
                origin: Origin::ByHand,
                service,
                target: target.clone(),
                parameters: Vec::new(),
                auth: Auth::WorkloadIdentity,
                client: Client::None,
                user: None,
                workloads: vec![workload.clone()],
                account: Some(name.to_owned()),
                identity: Some(identity.clone()),
                principal: None,
                secret: None,
            }));
        }
    }
    Ok(())
}

/// What a principal holds a role at, as far as the catalogue knows it, with the service that the role is of.
async fn reached(session: &Session, principal: &str) -> Result<Vec<(&'static Service, Target)>> {
    let tenant = session.arm.tenant().map(str::to_owned);
    let subscriptions = session.profile.subscriptions.iter().filter(|s| tenant.as_ref().is_none_or(|t| *t == s.tenant));
    let filter = format!("principalId eq '{principal}'");
    let filter = &filter;
    let lists = subscriptions.map(|s| async move {
        let path = format!("/subscriptions/{}/providers/Microsoft.Authorization/roleAssignments", s.id);
        match session.arm.list(&path, api::AUTHORIZATION, &[("$filter", filter)]).await {
            Err(failure) if matches!(failure.status(), Some(403 | 404)) => Ok(Vec::new()),
            other => other.map_err(Problem::from),
        }
    });
    let mut at: Vec<(ResourceId, Vec<String>)> = Vec::new();
    for list in join_all(lists).await {
        for assignment in list? {
            let Some(scope) = assignment["properties"]["scope"].as_str().and_then(|s| s.parse::<ResourceId>().ok()) else { continue };
            // What is held at a group or a subscription leads to nothing in particular.
            if scope.arm_type().is_empty() {
                continue;
            }
            let (top, role) = (scope.top(), role_guid(assignment["properties"]["roleDefinitionId"].as_str().unwrap_or_default()));
            match at.iter_mut().find(|(id, _)| *id == top) {
                Some((_, roles)) => roles.push(role),
                None => at.push((top, vec![role])),
            }
        }
    }
    let mut found = Vec::new();
    for (id, roles) in at {
        let of_type: Vec<&'static Service> = catalogue::of_type(&id.arm_type()).collect();
        let Some(first) = of_type.first() else { continue };
        let Some(target) = locate::read_target(session, first, &id).await? else { continue };
        let fits = |service: &&&'static Service| {
            let grants = Access::ALL.iter().flat_map(|level| (service.grants)(&target, *level));
            grants.into_iter().any(|g| matches!(g, Grant::Role(role) if roles.contains(&role.id)))
        };
        let mut fitting: Vec<&'static Service> = of_type.iter().filter(fits).copied().collect();
        if fitting.is_empty() && of_type.len() == 1 {
            fitting.push(first);
        }
        found.extend(fitting.into_iter().map(|service| (service, target.clone())));
    }
    Ok(found)
}

/// Whether a record holds it already. One whose writing was cut off does not count: the same command goes on with it.
fn is_taken(candidate: &Candidate, records: &[Stored], namespace: &str) -> bool {
    let records = records.iter().map(|s| &s.record).filter(|r| r.namespace == namespace);
    let done = records.filter(|r| r.origin.is_ours() || r.phase != Phase::Applying);
    let mut holding = done.filter(|r| match &candidate.secret {
        Some(secret) => r.secret().is_some_and(|s| s.name == *secret),
        None => {
            r.target == candidate.target.id
                && r.service == candidate.service.name
                && r.service_account().map(|a| &a.name) == candidate.account.as_ref()
                && r.workload.as_ref().is_none_or(|w| candidate.workloads.contains(w))
        }
    });
    holding.next().is_some()
}

/// Where two are called the same, the workload's name goes behind.
fn tell_apart(candidates: &mut [Candidate]) {
    let names: Vec<String> = candidates.iter().map(|c| c.name.clone()).collect();
    for candidate in candidates {
        let twins = names.iter().filter(|n| **n == candidate.name).count();
        if let (true, Some(workload)) = (twins > 1, candidate.workloads.first()) {
            let workload = workload.rsplit('/').next().unwrap_or_default();
            candidate.name = crate::model::names::connection(&candidate.name, workload);
        }
    }
}

/// The candidate of a name.
///
/// # Errors
/// There is none, with those that there are.
pub fn choose<'a>(found: &'a Found, name: &str, namespace: &str) -> Result<&'a Candidate> {
    // The name that Service Connector knows it by does as well.
    let by_connector = connector::secret_of(name);
    let called = |c: &&Candidate| c.name == name || c.secret.as_ref() == Some(&by_connector);
    if let Some(candidate) = found.candidates.iter().find(called) {
        return Ok(candidate);
    }
    let problem =
        Problem::new(Kind::NotFound, "KC1206", format!("there is nothing called `{name}` to take over in namespace `{namespace}`"));
    let mut names: Vec<&str> = found.candidates.iter().map(|c| c.name.as_str()).collect();
    names.sort_by_key(|n| strsim::damerau_levenshtein(n, name));
    let problem = match found.passed_over.iter().find(|p| p.starts_with(&format!("{name}:"))) {
        Some(why) => problem.why(why.clone()),
        None => problem,
    };
    Err(match names.is_empty() {
        true => problem.fix("see what there is, and why something is not: kubectl connect adopt"),
        false => problem.fix(format!("there is {}", names.iter().take(5).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))),
    })
}
