//! Clusters outside AKS: any cluster whose issuer is readable for Entra and which runs the workload identity webhook.
//! This tool enables no features there, and the user must say where the identity is created.

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::session::Session;
use crate::model::request::ConnectRequest;
use crate::model::{Auth, Kind, PREFIX, Problem, ResourceId, Result, names};
use crate::plan::record::Record;
use crate::plan::spec::Identity;

/// Suffixes of the host names of AKS API servers, in every cloud (product documentation of AKS and its national
/// clouds).
const AKS: [&str; 4] = [".azmk8s.io", ".azk8s.cn", ".azk8s.us", ".cx.aks.containerservice.azure.us"];

/// Placeholder resource group in the synthetic id of a cluster outside AKS when nothing is created in Azure.
pub(crate) const NO_GROUP: &str = "none";
/// api-version of `Microsoft.Resources/resourceGroups`.
const GROUPS: &str = "2025-04-01";
/// api-version of a subscription's locations.
const LOCATIONS: &str = "2022-12-01";

/// A cluster outside AKS.
#[derive(Clone, Debug)]
pub(crate) struct Anywhere {
    /// Synthetic id, in the resource group of its identities, so that records can name the cluster.
    pub id: ResourceId,
    /// Issuer, byte for byte; empty if nothing needs it.
    pub issuer: String,
    /// Region of its identities; empty if none is created.
    pub location: String,
}

impl Anywhere {
    /// The body that Azure would return for an AKS cluster with both features enabled, limited to what planning and
    /// checks read.
    pub fn body(&self) -> Value {
        body(&self.issuer, &self.location)
    }
}

pub(crate) fn body(issuer: &str, location: &str) -> Value {
    json!({
        "location": location,
        "properties": {
            "oidcIssuerProfile": {"enabled": true, "issuerURL": issuer},
            "securityProfile": {"workloadIdentity": {"enabled": true}},
        },
    })
}

/// Whether a host name belongs to an AKS API server.
pub(crate) fn is_aks(host: &str) -> bool {
    AKS.iter().any(|end| host.ends_with(end))
}

/// Whether an id is a synthetic id of a cluster outside AKS.
pub(crate) fn is_one(cluster: &ResourceId) -> bool {
    cluster.is_a(&arm_type())
}

fn arm_type() -> String {
    format!("{PREFIX}/clusters")
}

/// The synthetic id of a cluster with this issuer; `group` is the resource group of its identities.
pub(crate) fn id(subscription: &str, group: &str, issuer: &str) -> ResourceId {
    ResourceId::resource(subscription, group, &arm_type(), &names::cluster(issuer))
}

/// Where the identities of a cluster are created.
struct Place {
    subscription: String,
    group: String,
    location: String,
}

/// The cluster of the context. The place of its identities comes from the request, or else from earlier records:
/// `records` are those of the namespace, `connection` is the name of the new connection.
pub(crate) async fn find(
    session: &Session,
    request: &ConnectRequest,
    auth: Auth,
    connection: &str,
    records: oneshot::Receiver<Vec<Record>>,
) -> Result<Anywhere> {
    let subscription = crate::lookup::resources::subscription(session, request)?.or_else(|| session.profile.active().map(|s| s.id.clone()));
    let subscription = subscription.ok_or_else(|| {
        Problem::new(Kind::NotSignedIn, "KC2008", "no subscription is active").fix("az login").fix("az account set --subscription NAME")
    })?;
    if !auth.has_identity() {
        // Keys and passwords need neither a trust nor an identity.
        let group = request.resource_group.as_deref().unwrap_or(NO_GROUP);
        let id = id(&subscription, group, session.kube.host());
        return Ok(Anywhere { id, issuer: String::new(), location: String::new() });
    }
    let place = match (&request.resource_group, &request.location) {
        (Some(group), Some(location)) => Place { subscription, group: group.clone(), location: location.clone() },
        // An existing identity is used where it is.
        _ if request.identity.is_some() => Place { subscription, group: NO_GROUP.into(), location: String::new() },
        (_, asked) => {
            // If reading the records failed, the survey reports the error.
            let records = records.await.unwrap_or_default();
            let former = former(&records, connection, request.workload.as_deref()).ok_or_else(|| unplaced(session))?;
            Place { location: asked.clone().unwrap_or(former.location), ..former }
        }
    };
    let region = region(session, &place.subscription, request.location.as_deref());
    let (issuer, there, region) =
        futures::future::join3(public_issuer(session), exists(session, &place.subscription, &place.group), region).await;
    let issuer = issuer?;
    there?;
    let location = region?.unwrap_or(place.location);
    Ok(Anywhere { id: id(&place.subscription, &place.group, &issuer), issuer, location })
}

/// The place from the record of this connection, or of another connection of the same workload, which shares its
/// identity.
fn former(records: &[Record], connection: &str, workload: Option<&str>) -> Option<Place> {
    let same = |r: &&Record| r.name == connection;
    let shares = |r: &&Record| workload.is_some() && r.workload.as_deref() == workload;
    let placed = |r: &Record| {
        let made = r.steps.iter().filter_map(Identity::of).find(|identity| identity.create)?;
        let (subscription, group) = (r.cluster.subscription().to_owned(), r.cluster.resource_group().to_owned());
        (is_one(&r.cluster) && group != NO_GROUP).then(|| Place { subscription, group, location: made.location.clone() })
    };
    records.iter().filter(same).chain(records.iter().filter(shares)).find_map(placed)
}

/// The requested region as Azure spells it. Checked here, since creating an identity would fail only after the record
/// was written.
async fn region(session: &Session, subscription: &str, asked: Option<&str>) -> Result<Option<String>> {
    let Some(asked) = asked else { return Ok(None) };
    let Ok(all) = session.arm.list(&format!("/subscriptions/{subscription}/locations"), LOCATIONS, &[]).await else {
        // The user may not list regions: assume that the region exists.
        return Ok(Some(asked.to_owned()));
    };
    // `West Europe` and `westeurope` are the same region.
    let plain = |text: &str| text.replace(' ', "").to_lowercase();
    let mut names: Vec<&str> = all.iter().filter(|l| l["metadata"]["regionType"] != "Logical").filter_map(|l| l["name"].as_str()).collect();
    if let Some(name) = names.iter().find(|name| plain(name) == plain(asked)) {
        return Ok(Some((*name).to_owned()));
    }
    names.sort_by_key(|name| strsim::damerau_levenshtein(name, &plain(asked)));
    let near: Vec<String> = names.iter().take(3).map(|name| format!("`{name}`")).collect();
    let problem = Problem::new(Kind::Usage, "KC1112", format!("region `{asked}` does not exist in subscription {subscription}"));
    let problem = if near.is_empty() { problem } else { problem.fix(format!("did you mean {}?", near.join(", "))) };
    Err(problem.fix("az account list-locations -o table"))
}

fn unplaced(session: &Session) -> Problem {
    Problem::new(Kind::Usage, "KC1107", format!("context `{}` is not an AKS cluster", session.kube.context()))
        .why(format!("its API server is {}; for a cluster outside AKS, say where to create the identity", session.kube.host()))
        .fix("--resource-group GROUP --location REGION")
        .fix("or use an existing identity: --identity NAME")
        .fix("or, if it is an AKS cluster with another host name: --aks-id /subscriptions/…/managedClusters/NAME")
}

/// Checks that the resource group exists; otherwise the run would fail only after the record was written.
async fn exists(session: &Session, subscription: &str, group: &str) -> Result<()> {
    if group == NO_GROUP {
        return Ok(());
    }
    match session.arm.read(&format!("/subscriptions/{subscription}/resourcegroups/{group}"), GROUPS, &[]).await {
        // A user without read permission may still have permission to create an identity in the group.
        Ok(Some(_)) => Ok(()),
        Err(failure) if failure.status() == Some(403) => Ok(()),
        Ok(None) => {
            Err(Problem::new(Kind::NotFound, "KC1111", format!("resource group `{group}` does not exist in subscription {subscription}"))
                .fix(format!("az group create --name {group} --location REGION"))
                .fix("or choose another one: az group list -o table; if it is in another subscription, add --subscription NAME"))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Refuses a location for AKS clusters, where it has no meaning.
pub(crate) fn refuse_location(session: &Session, request: &ConnectRequest) -> Result<()> {
    if request.location.is_none() {
        return Ok(());
    }
    Err(Problem::new(Kind::Usage, "KC1109", format!("context `{}` is an AKS cluster", session.kube.context()))
        .why("its identities are created in its own resource group and region")
        .fix("omit --location"))
}

/// The issuer of the API server's tokens, after checking that Entra can read it.
pub(crate) async fn public_issuer(session: &Session) -> Result<String> {
    let issuer = issuer(session).await?;
    let closed = |why: String| {
        Problem::new(Kind::Failed, "KC1108", format!("Entra can't verify the tokens of context `{}`", session.kube.context()))
            .why(why)
            .fix("publish the issuer's two documents over https and start the API server with --service-account-issuer set to that address: https://azure.github.io/azure-workload-identity/docs/installation/self-managed-clusters/oidc-issuer.html")
    };
    if !issuer.starts_with("https://") {
        return Err(closed(format!("its issuer {issuer} is not an https URL")));
    }
    match session.arm.issuer_fault(&issuer).await {
        None => Ok(issuer),
        Some(fault) => Err(closed(format!("its issuer {issuer} can't be read from the internet: {fault}"))),
    }
}

/// The issuer in the API server's discovery document.
pub(crate) async fn issuer(session: &Session) -> Result<String> {
    let document = match session.kube.issuer_document().await {
        Ok(document) => document,
        Err(failure) if matches!(failure.status(), Some(403 | 404)) => {
            return Err(Problem::new(Kind::Failed, "KC1110", format!("the issuer of context `{}` can't be read", session.kube.context()))
                .why(format!("its API server answers HTTP {} to /.well-known/openid-configuration", failure.status().unwrap_or_default()))
                .fix(
                    "ask for the cluster role system:service-account-issuer-discovery: kubectl get --raw /.well-known/openid-configuration",
                ));
        }
        Err(failure) => return Err(failure.into()),
    };
    Ok(document["issuer"].as_str().unwrap_or_default().to_owned())
}

/// Command that installs the webhook in a cluster outside AKS (installation guide of the webhook).
pub(crate) fn install_webhook(session: &Session) -> String {
    let tenant = session.profile.active().map_or("TENANT", |s| s.tenant.as_str());
    format!(
        "helm install workload-identity-webhook workload-identity-webhook --repo https://azure.github.io/azure-workload-identity/charts \
         --namespace azure-workload-identity-system --create-namespace --set azureTenantID={tenant}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synthetic_id_is_recognised_after_a_round_trip_through_the_record() {
        let made = id("s", "rg-edge", "https://oidc.example/edge/");
        let read: ResourceId = serde_json::from_value(json!(made)).unwrap();
        assert!(is_one(&read) && !is_one(&ResourceId::resource("s", "g", crate::lookup::resources::CLUSTERS, "c")));
        assert_eq!((read.resource_group(), read.subscription()), ("rg-edge", "s"));
        assert!(read.name().starts_with("oidc-example-edge-"), "{read}");
    }

    #[test]
    fn aks_hosts_are_recognised_in_every_cloud() {
        assert!(is_aks("shop-dns-1a2b.hcp.westeurope.azmk8s.io") && is_aks("x.privatelink.westeurope.azmk8s.io"));
        assert!(is_aks("x.hcp.chinanorth3.cx.prod.service.azk8s.cn") && is_aks("x.hcp.usgovvirginia.cx.aks.containerservice.azure.us"));
        assert!(!is_aks("kube.contoso.example") && !is_aks("127.0.0.1"));
    }
}
