//! The Azure half of the look-up: the AKS cluster of the API server's host name, the target and, if the request names
//! one, the identity. One Resource Graph query finds all of them. Then each is read from ARM, because Resource Graph
//! lags behind.

use futures::future::{join, join_all};
use serde_json::Value;
use tokio::sync::oneshot;

use super::given_ids::Named;
use super::outside_aks::{self, Anywhere};
use super::resources::{CLUSTERS, IDENTITIES, ids_of, ids_of_all, list_everywhere, quoted, read_target, subscription};
use super::session::Session;
use crate::azure::api_versions;
use crate::catalogue::Service;
use crate::model::request::ConnectRequest;
use crate::model::target::Target;
use crate::model::{Auth, Kind, Problem, ResourceId, Result};
use crate::plan::record::Record;

/// The resources that the request's names stand for.
pub(crate) struct Found {
    /// The cluster's id, as Azure spells it.
    pub cluster: ResourceId,
    /// The target's id.
    pub target: ResourceId,
    /// The identity that the user named.
    pub identity: Option<ResourceId>,
    /// The cluster in Resource Graph; null if it was not queried.
    pub cluster_seen: Value,
    /// The target in Resource Graph; null if it was not queried.
    pub target_seen: Value,
    /// The cluster, if it is outside AKS.
    pub anywhere: Option<Anywhere>,
}

/// The resources as read from ARM.
pub(crate) struct Located {
    /// The cluster's id, as Azure spells it.
    pub cluster: ResourceId,
    /// The cluster's body.
    pub cluster_body: Value,
    /// Issuer of a cluster outside AKS.
    pub issuer: Option<String>,
    /// Tenant of the cluster's subscription.
    pub tenant: String,
    /// The target.
    pub target: Target,
}

/// Finds everything in Azure that the request names. `records` arrive from the cluster meanwhile.
pub(crate) async fn search(
    session: &Session,
    service: &Service,
    request: &ConnectRequest,
    auth: Auth,
    records: oneshot::Receiver<Vec<Record>>,
) -> Result<Found> {
    let named = Named::from(session, service, request)?;
    let rows = if named.is_complete(service) { Vec::new() } else { graph(session, service, request, &named).await? };
    let behind = named.cluster.clone().or_else(|| ids_of(&rows, CLUSTERS).into_iter().next());
    let anywhere = match &behind {
        None if !outside_aks::is_aks(session.kube.host()) => {
            let target = named.target.as_ref().map_or(request.target.as_str(), ResourceId::name);
            let connection = request.name.clone().unwrap_or_else(|| service.connection_name(target));
            Some(outside_aks::find(session, request, auth, &connection, records).await?)
        }
        _ => outside_aks::refuse_location(session, request).map(|()| None)?,
    };
    let cluster = match (behind, &anywhere) {
        (Some(id), _) => id,
        (None, Some(anywhere)) => anywhere.id.clone(),
        (None, None) => cluster_of(session, &rows).await?,
    };
    let target = match named.target {
        Some(id) => id,
        None if service.is_outside() => outside(service, request, &cluster),
        None => target_of(session, service, request, &rows).await?,
    };
    let identity = match (named.identity, &request.identity) {
        (Some(id), _) => Some(id),
        (None, Some(asked)) => Some(identity_of(&rows, asked)?),
        (None, None) => None,
    };
    let seen = |id: &ResourceId| {
        let same = |row: &&Value| row["id"].as_str().and_then(|id| id.parse().ok()).is_some_and(|other: ResourceId| other == *id);
        rows.iter().find(same).cloned().unwrap_or_default()
    };
    let (cluster_seen, target_seen) = (seen(&cluster), seen(&target));
    Ok(Found { cluster, target, identity, cluster_seen, target_seen, anywhere })
}

/// Reads the found resources from ARM. Everything else that planning will read from Azure is requested concurrently;
/// the answers are cached.
pub(crate) async fn read(
    session: &Session,
    service: &Service,
    found: &Found,
    identity: Option<&ResourceId>,
    former: Option<&Record>,
) -> Result<Located> {
    let (cluster, target, anywhere) = (found.cluster.clone(), found.target.clone(), &found.anywhere);
    let group = cluster.group_id();
    // The placeholder group does not exist, so its permissions are not read.
    let scopes = [Some(target.as_str()), Some(group.as_str()).filter(|g| !g.ends_with(&format!("/{}", outside_aks::NO_GROUP)))];
    let early = join(
        join_all(scopes.into_iter().flatten().map(|scope| async move { super::permissions::permissions(session, scope).await.is_ok() })),
        ask_early(session, &target, identity, former),
    );
    let read_cluster = async {
        match &anywhere {
            Some(anywhere) => Ok(Some(anywhere.body())),
            None => session.arm.read(cluster.as_str(), api_versions::MANAGED_CLUSTERS, &[]).await,
        }
    };
    let reads = join(read_cluster, read_target(session, service, &target));
    let ((cluster_body, target_body), _) = join(reads, early).await;
    let cluster_body = cluster_body?
        .ok_or_else(|| Problem::new(Kind::NotFound, "KC1102", format!("there is no AKS cluster {cluster}")).fix("az aks list -o table"))?;
    let target = target_body?.ok_or_else(|| {
        Problem::new(Kind::NotFound, "KC1301", format!("there is no {} {target}", service.noun))
            .fix("check the resource id, or give only the name")
    })?;
    let tenant = session.profile.tenant_of(cluster.subscription()).or_else(|| session.profile.active().map(|s| s.tenant.as_str()));
    let tenant = tenant.map(str::to_owned).or_else(|| tenant_of(&cluster_body)).unwrap_or_default();
    Ok(Located { tenant, target, cluster, cluster_body, issuer: anywhere.as_ref().map(|a| a.issuer.clone()) })
}

/// A target outside Azure Resource Manager gets a synthetic id in the cluster's resource group, so that records can
/// name it.
fn outside(service: &Service, request: &ConnectRequest, cluster: &ResourceId) -> ResourceId {
    ResourceId::resource(cluster.subscription(), cluster.resource_group(), service.arm_type, &request.target)
}

/// Reads the identity and, if a record says that it exists, its credentials and assignments. Errors are ignored here;
/// the step reports them.
async fn ask_early(session: &Session, target: &ResourceId, identity: Option<&ResourceId>, former: Option<&Record>) {
    let Some(identity) = identity else { return };
    let exists = async {
        let _ = session.arm.read(identity.as_str(), api_versions::MANAGED_IDENTITY, &[]).await;
    };
    let hangs_on_it = async {
        let Some(principal) = former.and_then(|f| f.principal_id.as_deref()) else { return };
        let credentials = format!("{identity}/federatedIdentityCredentials");
        let (path, filter) = crate::azure::role_assignments_of(target, principal);
        let roles = [("$filter", filter.as_str())];
        let _ = join(
            session.arm.list(&credentials, api_versions::MANAGED_IDENTITY, &[]),
            session.arm.list(&path, api_versions::AUTHORIZATION, &roles),
        )
        .await;
    };
    join(exists, hangs_on_it).await;
}

/// The tenant from the cluster's own managed identity, for subscriptions that az's profile does not contain.
fn tenant_of(cluster: &Value) -> Option<String> {
    cluster["identity"]["tenantId"].as_str().map(str::to_owned)
}

/// One query for everything to be found.
pub(crate) async fn graph(session: &Session, service: &Service, request: &ConnectRequest, named: &Named) -> Result<Vec<Value>> {
    let mut wanted = Vec::new();
    if named.cluster.is_none() {
        let host = quoted(session.kube.host());
        let hosts = ["fqdn", "privateFQDN", "azurePortalFQDN"].map(|field| format!("properties.{field} =~ {host}")).join(" or ");
        wanted.push(format!("(type =~ '{CLUSTERS}' and ({hosts}))"));
    }
    if named.target.is_none() && !service.is_outside() {
        let mut clause = format!("type =~ '{}' and name =~ {}", service.arm_type, quoted(&request.target));
        if let Some(group) = request.target_group() {
            clause += &format!(" and resourceGroup =~ {}", quoted(group));
        }
        if let Some(subscription) = subscription(session, request)? {
            clause += &format!(" and subscriptionId =~ {}", quoted(&subscription));
        }
        wanted.push(format!("({clause})"));
    }
    if let (None, Some(asked)) = (&named.identity, &request.identity) {
        let asked = quoted(asked);
        wanted.push(format!(
            "(type =~ '{IDENTITIES}' and (name =~ {asked} or properties.clientId =~ {asked} or properties.principalId =~ {asked}))"
        ));
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let query = format!(
        "resources | where {} | project id, name, type, kind, location, resourceGroup, subscriptionId, properties",
        wanted.join(" or ")
    );
    match session.arm.graph(&query, &[]).await {
        Ok(rows) => Ok(rows),
        // If the query is forbidden, each resource is searched in the slower lists of its provider.
        Err(failure) if failure.status() == Some(403) => Ok(Vec::new()),
        Err(failure) => Err(failure.into()),
    }
}

/// The AKS cluster of the kube context.
pub(crate) async fn cluster_behind(session: &Session) -> Result<ResourceId> {
    let host = quoted(session.kube.host());
    let hosts = ["fqdn", "privateFQDN", "azurePortalFQDN"].map(|field| format!("properties.{field} =~ {host}")).join(" or ");
    let query = format!("resources | where type =~ '{CLUSTERS}' and ({hosts}) | project id, type");
    let rows = session.arm.graph(&query, &[]).await.unwrap_or_default();
    cluster_of(session, &rows).await
}

async fn cluster_of(session: &Session, rows: &[Value]) -> Result<ResourceId> {
    if let Some(id) = ids_of(rows, CLUSTERS).into_iter().next() {
        return Ok(id);
    }
    let host = session.kube.host();
    let unseen = || {
        let seen = session.profile.active().map_or_else(String::new, |s| format!(" in the tenant of subscription `{}`", s.name));
        Problem::new(Kind::NotFound, "KC1101", format!("context `{}` is not an AKS cluster that you can see", session.kube.context()))
            .why(format!("no managed cluster has the API server {host}{seen}"))
            .fix("select the right context: kubectl config get-contexts, then --context NAME")
            .fix("select the right subscription: az account set --subscription NAME")
            .fix("or name the cluster: --aks-id /subscriptions/…/managedClusters/NAME")
    };
    // Only AKS uses these host names, so a search in the lists can't find this cluster.
    if !outside_aks::is_aks(host) {
        return Err(unseen());
    }
    let listed = list_everywhere(session, CLUSTERS, api_versions::MANAGED_CLUSTERS).await?;
    let behind = |cluster: &&Value| {
        ["fqdn", "privateFQDN", "azurePortalFQDN"]
            .iter()
            .any(|f| cluster["properties"][*f].as_str().is_some_and(|h| h.eq_ignore_ascii_case(host)))
    };
    let found = listed.iter().find(behind).and_then(|c| c["id"].as_str()?.parse().ok());
    found.ok_or_else(unseen)
}

async fn target_of(session: &Session, service: &Service, request: &ConnectRequest, rows: &[Value]) -> Result<ResourceId> {
    let mut found = ids_of(rows, service.arm_type);
    let name = &request.target;
    let mut everything = Vec::new();
    if found.is_empty() {
        everything = list_everywhere(session, service.arm_type, service.api_version).await?;
        let matches = |id: &ResourceId| {
            id.name().eq_ignore_ascii_case(name) && request.target_group().is_none_or(|g| id.resource_group().eq_ignore_ascii_case(g))
        };
        let wanted = subscription(session, request)?;
        found = ids_of_all(&everything)
            .into_iter()
            .filter(matches)
            .filter(|id| wanted.as_deref().is_none_or(|s| id.subscription() == s))
            .collect();
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(no_such_target(service, request, &everything)),
        _ => {
            let mut problem = Problem::new(Kind::Usage, "KC1308", format!("{} {}s are called `{name}`", found.len(), service.noun));
            problem = problem.why("select one with --resource-group, --subscription or its resource id");
            found.sort_by(|a, b| a.as_str().cmp(b.as_str()));
            Err(found.iter().fold(problem, |p, id| p.fix(format!("kubectl connect {} {id}", service.name))))
        }
    }
}

fn no_such_target(service: &Service, request: &ConnectRequest, everything: &[Value]) -> Problem {
    let asked = &request.target;
    let mut names: Vec<String> = ids_of_all(everything).iter().map(|id| id.name().to_owned()).collect();
    names.sort();
    names.dedup();
    let mut near: Vec<(usize, &String)> =
        names.iter().map(|n| (strsim::damerau_levenshtein(&n.to_lowercase(), &asked.to_lowercase()), n)).collect();
    near.sort();
    let close: Vec<&str> = near.iter().filter(|(d, n)| *d <= 3 || n.contains(asked.as_str())).take(3).map(|(_, n)| n.as_str()).collect();
    let mut problem = Problem::new(Kind::NotFound, "KC1301", format!("there is no {} `{asked}` that you can see", service.noun));
    let narrowed = match (request.target_group(), &request.subscription) {
        (Some(group), _) => format!(" in resource group `{group}`"),
        (None, Some(subscription)) => format!(" in subscription `{subscription}`"),
        (None, None) => " in any subscription of this tenant".into(),
    };
    problem = problem.why(format!("there is none of that name{narrowed}"));
    if !close.is_empty() {
        problem = problem.fix(format!("did you mean {}?", close.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")));
    }
    problem.fix(format!("list them: az resource list --resource-type {} -o table", service.arm_type))
}

fn identity_of(rows: &[Value], asked: &str) -> Result<ResourceId> {
    let mut found = ids_of(rows, IDENTITIES);
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Problem::new(Kind::NotFound, "KC1302", format!("there is no managed identity `{asked}` that you can see"))
            .why("no name, client id or object id in any subscription of this tenant matches")
            .fix("omit --identity to create one, or list the existing ones: az identity list -o table")),
        _ => {
            let problem = Problem::new(Kind::Usage, "KC1309", format!("{} managed identities are called `{asked}`", found.len()));
            Err(found.iter().fold(problem, |p, id| p.fix(format!("--identity {id}"))))
        }
    }
}
