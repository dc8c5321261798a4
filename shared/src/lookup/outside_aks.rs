//! Clusters that Azure does not know: any that publishes the issuer of its tokens where Entra can read it, and runs the
//! workload identity webhook. Nothing is switched on there; where the identity goes must be said.

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::session::Session;
use crate::model::request::ConnectRequest;
use crate::model::{Auth, Kind, PREFIX, Problem, ResourceId, Result, names};
use crate::plan::record::Record;
use crate::plan::spec::Identity;

/// Ends of the API servers' names of AKS, in every cloud (product documentation of AKS and its national clouds).
const AKS: [&str; 4] = [".azmk8s.io", ".azk8s.cn", ".azk8s.us", ".cx.aks.containerservice.azure.us"];

/// Stands in ids for the group where nothing goes.
pub(crate) const NOWHERE: &str = "none";
/// api-version of `Microsoft.Resources/resourceGroups`.
const GROUPS: &str = "2025-04-01";
/// api-version of a subscription's locations.
const LOCATIONS: &str = "2022-12-01";

/// A cluster that Azure does not know.
#[derive(Clone, Debug)]
pub(crate) struct Anywhere {
    /// An id of our own, in the group where its identities go, so that records can name it.
    pub id: ResourceId,
    /// Its issuer, byte for byte; empty where nothing needs it.
    pub issuer: String,
    /// Region for its identities; empty where none is made.
    pub location: String,
}

impl Anywhere {
    /// What Azure would say of it, had it both features on: the part that planning and judging read.
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

/// Whether an API server of this name is one of AKS.
pub(crate) fn is_aks(host: &str) -> bool {
    AKS.iter().any(|end| host.ends_with(end))
}

/// Whether an id is one of ours for a cluster that Azure does not know.
pub(crate) fn is_one(cluster: &ResourceId) -> bool {
    cluster.is_a(&arm_type())
}

fn arm_type() -> String {
    format!("{PREFIX}/clusters")
}

/// The id of a cluster by its issuer; `group` is where its identities go.
pub(crate) fn id(subscription: &str, group: &str, issuer: &str) -> ResourceId {
    ResourceId::resource(subscription, group, &arm_type(), &names::cluster(issuer))
}

/// Where the identities of a cluster go.
struct Place {
    subscription: String,
    group: String,
    location: String,
}

/// The cluster of the context, with where its identities go as the request says, or as they went before: `records` are
/// those of the namespace, `connection` is the name of the one that is to be made.
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
        // Keys and passwords need neither trust nor a place for an identity.
        let group = request.resource_group.as_deref().unwrap_or(NOWHERE);
        let id = id(&subscription, group, session.kube.host());
        return Ok(Anywhere { id, issuer: String::new(), location: String::new() });
    }
    let place = match (&request.resource_group, &request.location) {
        (Some(group), Some(location)) => Place { subscription, group: group.clone(), location: location.clone() },
        // An identity that was named is used where it is.
        _ if request.identity.is_some() => Place { subscription, group: NOWHERE.into(), location: String::new() },
        (_, asked) => {
            // The survey that reads them may have failed, and then says so itself.
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

/// Where the connection itself put its identity, or another one of the same workload: they share it.
fn former(records: &[Record], connection: &str, workload: Option<&str>) -> Option<Place> {
    let same = |r: &&Record| r.name == connection;
    let shares = |r: &&Record| workload.is_some() && r.workload.as_deref() == workload;
    let placed = |r: &Record| {
        let made = r.steps.iter().filter_map(Identity::of).find(|identity| identity.create)?;
        let (subscription, group) = (r.cluster.subscription().to_owned(), r.cluster.resource_group().to_owned());
        (is_one(&r.cluster) && group != NOWHERE).then(|| Place { subscription, group, location: made.location.clone() })
    };
    records.iter().filter(same).chain(records.iter().filter(shares)).find_map(placed)
}

/// The region that was asked for, as Azure spells it. Identities would be refused there only after the record was written.
async fn region(session: &Session, subscription: &str, asked: Option<&str>) -> Result<Option<String>> {
    let Some(asked) = asked else { return Ok(None) };
    let Ok(all) = session.arm.list(&format!("/subscriptions/{subscription}/locations"), LOCATIONS, &[]).await else {
        // Who may not look may be right all the same.
        return Ok(Some(asked.to_owned()));
    };
    // `West Europe` and `westeurope` are one.
    let plain = |text: &str| text.replace(' ', "").to_lowercase();
    let mut names: Vec<&str> = all.iter().filter(|l| l["metadata"]["regionType"] != "Logical").filter_map(|l| l["name"].as_str()).collect();
    if let Some(name) = names.iter().find(|name| plain(name) == plain(asked)) {
        return Ok(Some((*name).to_owned()));
    }
    names.sort_by_key(|name| strsim::damerau_levenshtein(name, &plain(asked)));
    let near: Vec<String> = names.iter().take(3).map(|name| format!("`{name}`")).collect();
    let problem = Problem::new(Kind::Usage, "KC1112", format!("there is no region `{asked}` in subscription {subscription}"));
    let problem = if near.is_empty() { problem } else { problem.fix(format!("did you mean {}?", near.join(", "))) };
    Err(problem.fix("az account list-locations -o table"))
}

fn unplaced(session: &Session) -> Problem {
    Problem::new(Kind::Usage, "KC1107", format!("context `{}` is no AKS cluster", session.kube.context()))
        .why(format!("its API server is {}; for a cluster elsewhere, where the identity goes must be said", session.kube.host()))
        .fix("say it: --resource-group GROUP --location REGION")
        .fix("or use one that there is: --identity NAME")
        .fix("or, where it is an AKS cluster behind another name: --aks-id /subscriptions/…/managedClusters/NAME")
}

/// A group that is not there would stop the run after the record was written.
async fn exists(session: &Session, subscription: &str, group: &str) -> Result<()> {
    if group == NOWHERE {
        return Ok(());
    }
    match session.arm.read(&format!("/subscriptions/{subscription}/resourcegroups/{group}"), GROUPS, &[]).await {
        // Who may not read the group may still be let make an identity in it.
        Ok(Some(_)) => Ok(()),
        Err(failure) if failure.status() == Some(403) => Ok(()),
        Ok(None) => {
            Err(Problem::new(Kind::NotFound, "KC1111", format!("there is no resource group `{group}` in subscription {subscription}"))
                .fix(format!("az group create --name {group} --location REGION"))
                .fix("or choose another: az group list -o table, and --subscription NAME where it is in another subscription"))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// A location has a meaning only where Azure does not know the cluster.
pub(crate) fn refuse_location(session: &Session, request: &ConnectRequest) -> Result<()> {
    if request.location.is_none() {
        return Ok(());
    }
    Err(Problem::new(Kind::Usage, "KC1109", format!("context `{}` is an AKS cluster", session.kube.context()))
        .why("its identities go into its own group and region")
        .fix("leave --location away"))
}

/// The issuer that the API server names, once it is known that Entra can read it.
pub(crate) async fn public_issuer(session: &Session) -> Result<String> {
    let issuer = issuer(session).await?;
    let closed = |why: String| {
        Problem::new(Kind::Failed, "KC1108", format!("Entra can't check the tokens of context `{}`", session.kube.context()))
            .why(why)
            .fix("publish the issuer's two documents over https and start the API server with --service-account-issuer set to that address: https://azure.github.io/azure-workload-identity/docs/installation/self-managed-clusters/oidc-issuer.html")
    };
    if !issuer.starts_with("https://") {
        return Err(closed(format!("its issuer {issuer} is no https address")));
    }
    match session.arm.issuer_fault(&issuer).await {
        None => Ok(issuer),
        Some(fault) => Err(closed(format!("its issuer {issuer} can't be read from outside: {fault}"))),
    }
}

/// The issuer that the API server names.
pub(crate) async fn issuer(session: &Session) -> Result<String> {
    let document = match session.kube.issuer_document().await {
        Ok(document) => document,
        Err(failure) if matches!(failure.status(), Some(403 | 404)) => {
            return Err(Problem::new(Kind::Failed, "KC1110", format!("context `{}` does not tell its issuer", session.kube.context()))
                .why(format!("its API server answers HTTP {} to /.well-known/openid-configuration", failure.status().unwrap_or_default()))
                .fix(
                    "ask for the cluster role system:service-account-issuer-discovery: kubectl get --raw /.well-known/openid-configuration",
                ));
        }
        Err(failure) => return Err(failure.into()),
    };
    Ok(document["issuer"].as_str().unwrap_or_default().to_owned())
}

/// How the webhook comes into a cluster that AKS does not run (its installation guide).
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
    fn an_id_is_known_again_after_the_record_was_read() {
        let made = id("s", "rg-edge", "https://oidc.example/edge/");
        let read: ResourceId = serde_json::from_value(json!(made)).unwrap();
        assert!(is_one(&read) && !is_one(&ResourceId::resource("s", "g", crate::lookup::resources::CLUSTERS, "c")));
        assert_eq!((read.resource_group(), read.subscription()), ("rg-edge", "s"));
        assert!(read.name().starts_with("oidc-example-edge-"), "{read}");
    }

    #[test]
    fn hosts_of_aks_are_known_in_every_cloud() {
        assert!(is_aks("shop-dns-1a2b.hcp.westeurope.azmk8s.io") && is_aks("x.privatelink.westeurope.azmk8s.io"));
        assert!(is_aks("x.hcp.chinanorth3.cx.prod.service.azk8s.cn") && is_aks("x.hcp.usgovvirginia.cx.aks.containerservice.azure.us"));
        assert!(!is_aks("kube.contoso.example") && !is_aks("127.0.0.1"));
    }
}
