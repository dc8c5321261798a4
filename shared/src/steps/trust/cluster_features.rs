//! OIDC issuer, workload identity and the Key Vault add-on on the cluster. This is the riskiest write: a PATCH can
//! change only tags, so AKS requires a PUT of the whole cluster. All features are enabled in one update: GET, change
//! the untyped JSON, remove read-only properties, PUT with the ETag. If the body would change anything else, nothing
//! is sent.
//!
//! Never undone: the issuer can't be disabled again, and other workloads may rely on it.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::azure::api_versions;
use crate::model::{Kind, Problem, ResourceId, Result};
use crate::plan::change::{Action, Change, Goal, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Spec;
use crate::plan::spec::trust::{ClusterFeatures, Identity};
use crate::steps::context::Cx;
use crate::steps::marks::done;
use crate::steps::outputs::Output;
use crate::steps::ownership;
use crate::steps::step::{Examined, Right, Step};

/// Read-only properties of a managed cluster (official description, 2025-07-01; `*` is any key or element). Absent
/// properties are ignored.
const READ_ONLY: &[&str] = &[
    "id",
    "name",
    "type",
    "systemData",
    "eTag",
    "identity/principalId",
    "identity/tenantId",
    "identity/userAssignedIdentities/*/principalId",
    "identity/userAssignedIdentities/*/clientId",
    "properties/provisioningState",
    "properties/powerState",
    "properties/status",
    "properties/maxAgentPools",
    "properties/currentKubernetesVersion",
    "properties/fqdn",
    "properties/privateFQDN",
    "properties/azurePortalFQDN",
    "properties/resourceUID",
    "properties/oidcIssuerProfile/issuerURL",
    "properties/addonProfiles/*/identity",
    "properties/agentPoolProfiles/*/eTag",
    "properties/agentPoolProfiles/*/currentOrchestratorVersion",
    "properties/agentPoolProfiles/*/nodeImageVersion",
    "properties/agentPoolProfiles/*/provisioningState",
    "properties/agentPoolProfiles/*/status",
    "properties/networkProfile/loadBalancerProfile/effectiveOutboundIPs",
    "properties/networkProfile/natGatewayProfile/effectiveOutboundIPs",
    "properties/ingressProfile/webAppRouting/identity",
    "properties/podIdentityProfile/userAssignedIdentities/*/provisioningState",
    "properties/podIdentityProfile/userAssignedIdentities/*/provisioningInfo",
];

/// A feature: its name for users and its path in the cluster's body.
struct Switch {
    name: &'static str,
    path: &'static [&'static str],
}

const FEDERATION: [Switch; 2] = [
    Switch { name: "oidcIssuer", path: &["properties", "oidcIssuerProfile", "enabled"] },
    Switch { name: "workloadIdentity", path: &["properties", "securityProfile", "workloadIdentity", "enabled"] },
];

/// The Key Vault add-on: the secrets store CSI driver with Azure's provider.
const ADDON: Switch =
    Switch { name: "azureKeyvaultSecretsProvider", path: &["properties", "addonProfiles", "azureKeyvaultSecretsProvider", "enabled"] };

impl Switch {
    fn is_on(&self, cluster: &Value) -> bool {
        self.path.iter().fold(cluster, |at, key| &at[*key]) == &json!(true)
    }
}

#[async_trait]
impl Step for ClusterFeatures {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let Some(cluster) = cx.arm.read(self.cluster.as_str(), api_versions::MANAGED_CLUSTERS, &[]).await? else {
            if goal == Goal::Absent {
                return Ok(self.kept(Goal::Absent, past, "the cluster no longer exists"));
            }
            return Err(Problem::new(Kind::NotFound, "KC1102", format!("there is no AKS cluster {}", self.cluster)));
        };
        if goal == Goal::Absent {
            self.learn(cx, &cluster);
            return Ok(self.kept(goal, past, "stays enabled: the issuer can't be disabled, and others may use it"));
        }
        let begun = past.is_some_and(|p| !p.done);
        let cluster = if begun && is_busy(&cluster) { self.settled(cx).await? } else { cluster };
        let issuer = self.learn(cx, &cluster) || !self.federation;
        let off: Vec<&Switch> = self.switches().filter(|switch| !switch.is_on(&cluster)).collect();
        if off.is_empty() && issuer {
            return Ok(self.kept(goal, past, ""));
        }
        self.can_be_updated(&cluster)?;
        let addon_alone = issuer && off.iter().all(|switch| switch.name == ADDON.name);
        let mut change = Change::new(self.id(), Layer::Azure, "managedCluster", self.cluster.name(), Action::Update)
            .resource(&self.cluster)
            .reason(if addon_alone {
                "installs the add-on's driver on every node (about 4 minutes); `delete` does not disable it"
            } else {
                "restarts the API server (about 4 minutes); the issuer can't be disabled again"
            });
        for switch in off {
            change = change.detail(switch.name, Some("off"), Some("on"));
        }
        change.needs_consent = true;
        let right = Right::Arm { scope: self.cluster.to_string(), action: "Microsoft.ContainerService/managedClusters/write" };
        let intent = Receipt::intent(Ownership::Adopted, self.cluster.as_str());
        Ok(Examined { change, goal, intent, rights: vec![right] })
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        if examined.change.action == Action::Update {
            let current = cx.arm.get(self.cluster.as_str(), api_versions::MANAGED_CLUSTERS).await?.unwrap_or_default();
            let body = enabled(&current, &self.switches().collect::<Vec<_>>())?;
            let etag = current["eTag"].as_str();
            let what: Vec<&str> = examined.change.details.iter().map(|d| d.name.as_str()).collect();
            let mut wait = cx.wait("cluster", format!("waiting for AKS to enable {} (about 4 minutes)", what.join(", ")));
            let update = cx.arm.put(self.cluster.as_str(), api_versions::MANAGED_CLUSTERS, &body, etag);
            let mut cluster = wait.during(update).await?.body;
            // The answer to the write may be older than the add-on's identity.
            let told = |cluster: &Value| self.learn(cx, cluster) || !self.federation;
            if !told(&cluster) || (self.secrets_provider && addon_identity(&cluster).is_none()) {
                cluster = cx.arm.get(self.cluster.as_str(), api_versions::MANAGED_CLUSTERS).await?.unwrap_or_default();
                if !told(&cluster) {
                    return Err(Problem::new(
                        Kind::Failed,
                        "KC4605",
                        format!("cluster `{}` was updated but shows no issuer", self.cluster.name()),
                    )
                    .fix("run the same command again in a minute"));
                }
            }
            if self.secrets_provider && !self.federation {
                learn_addon(cx, &cluster);
            }
        }
        Ok(done(&examined.intent))
    }
}

impl ClusterFeatures {
    fn switches(&self) -> impl Iterator<Item = &'static Switch> {
        FEDERATION.iter().filter(|_| self.federation).chain(self.secrets_provider.then_some(&ADDON))
    }

    fn kept(&self, goal: Goal, past: Option<&Receipt>, why: &str) -> Examined {
        let mut change = Change::new(self.id(), Layer::Azure, "managedCluster", self.cluster.name(), Action::NoOp).resource(&self.cluster);
        if !why.is_empty() {
            change = change.reason(why);
        }
        let intent = ownership::recorded(past, self.cluster.as_str());
        Examined { change, goal, intent, rights: vec![] }
    }

    /// Waits for an update that a killed run began.
    async fn settled(&self, cx: &Cx) -> Result<Value> {
        let mut wait = cx.wait("cluster", "waiting for the cluster update of an earlier run");
        loop {
            let cluster = cx.arm.get(self.cluster.as_str(), api_versions::MANAGED_CLUSTERS).await?.unwrap_or_default();
            if !is_busy(&cluster) {
                cx.arm.forget(self.cluster.as_str());
                return Ok(cluster);
            }
            if wait.elapsed() > cx.timeout {
                return Err(Problem::new(Kind::TimedOut, "KC4606", format!("cluster `{}` is still being updated", self.cluster.name()))
                    .fix("run the same command again later"));
            }
            wait.pause(std::time::Duration::from_secs(1)).await;
        }
    }

    /// Stores the issuer, byte for byte. Returns whether there is one.
    fn learn(&self, cx: &Cx, cluster: &Value) -> bool {
        let issuer = cluster["properties"]["oidcIssuerProfile"]["issuerURL"].as_str().filter(|i| !i.is_empty());
        if let Some(issuer) = issuer {
            cx.outputs.learn(self.thing(), Output::Issuer, issuer);
        }
        issuer.is_some()
    }

    fn can_be_updated(&self, cluster: &Value) -> Result<()> {
        let name = self.cluster.name();
        if is_busy(cluster) {
            let state = cluster["properties"]["provisioningState"].as_str().unwrap_or("Updating");
            return Err(Problem::new(Kind::Failed, "KC1104", format!("cluster `{name}` is busy: {state}"))
                .why("AKS refuses changes while another change is running")
                .fix(format!(
                    "wait until it has ended: az aks wait --updated --name {name} --resource-group {}",
                    self.cluster.resource_group()
                )));
        }
        Ok(())
    }
}

/// Whether an operation on the cluster or one of its node pools is running.
pub(crate) fn is_busy(cluster: &Value) -> bool {
    let terminal = |state: &Value| matches!(state.as_str(), None | Some("Succeeded" | "Failed" | "Canceled"));
    let pools = cluster["properties"]["agentPoolProfiles"].as_array();
    !terminal(&cluster["properties"]["provisioningState"]) || pools.into_iter().flatten().any(|p| !terminal(&p["provisioningState"]))
}

/// Client id, object id and resource id of the Key Vault add-on's identity, once it exists.
pub(crate) fn addon_identity(cluster: &Value) -> Option<(&str, &str, &str)> {
    let identity = &cluster["properties"]["addonProfiles"]["azureKeyvaultSecretsProvider"]["identity"];
    Some((identity["clientId"].as_str()?, identity["objectId"].as_str()?, identity["resourceId"].as_str()?))
}

/// Stores the ids of the add-on's identity, for connections whose driver uses it. Returns whether there is one.
pub(crate) fn learn_addon(cx: &Cx, cluster: &Value) -> bool {
    let Some((client_id, object_id, id)) = addon_identity(cluster) else { return false };
    let Ok(id) = id.parse::<ResourceId>() else { return false };
    cx.outputs.learn(Identity::key(&id), Output::ClientId, client_id);
    cx.outputs.learn(Identity::key(&id), Output::PrincipalId, object_id);
    true
}

/// The body of the update: the current cluster without read-only properties, with these features enabled.
///
/// # Errors
/// If the body differs from the cluster in anything else. Then nothing is sent.
fn enabled(cluster: &Value, switches: &[&Switch]) -> Result<Value> {
    let mut body = cluster.clone();
    for path in READ_ONLY {
        remove(&mut body, &path.split('/').collect::<Vec<_>>());
    }
    drop_nulls(&mut body);
    let unchanged = body.clone();
    // A profile may be null or absent.
    switches.iter().for_each(|switch| set(&mut body, switch.path));
    let (mut before, mut after) = (unchanged, body.clone());
    for value in [&mut before, &mut after] {
        switches.iter().for_each(|switch| set(value, switch.path));
    }
    if before != after || !body["location"].is_string() {
        return Err(Problem::new(Kind::Failed, "KC4607", "the cluster update would change more than intended")
            .fix("enable the features with: az aks update --enable-oidc-issuer --enable-workload-identity, then run this command again")
            .fix("and the add-on with: az aks enable-addons --addons azure-keyvault-secrets-provider"));
    }
    Ok(body)
}

/// Removes nulls. A GET returns null for unset properties; the official description allows no null in a PUT, where an
/// absent property means the same.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, inner| !inner.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn remove(value: &mut Value, path: &[&str]) {
    let [first, rest @ ..] = path else { return };
    match value {
        Value::Object(map) if *first == "*" => map.values_mut().for_each(|inner| remove(inner, rest)),
        Value::Array(items) if *first == "*" => items.iter_mut().for_each(|inner| remove(inner, rest)),
        Value::Object(map) if rest.is_empty() => {
            map.shift_remove(*first);
        }
        Value::Object(map) => {
            if let Some(inner) = map.get_mut(*first) {
                remove(inner, rest);
            }
        }
        _ => {}
    }
}

fn set(value: &mut Value, path: &[&str]) {
    let mut at = value;
    for key in path {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[*key];
    }
    *at = json!(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Value {
        json!({
            "id": "/subscriptions/s/…/aks", "name": "aks", "type": "t", "eTag": "abc", "location": "westeurope", "tags": {"a": "b"},
            "identity": {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"},
            "newTopLevelField": {"x": 1},
            "properties": {
                "provisioningState": "Succeeded", "powerState": {"code": "Running"}, "fqdn": "f", "kubernetesVersion": "1.33",
                "oidcIssuerProfile": null, "securityProfile": {"defender": {"x": 1}}, "fieldOfTomorrow": [1, {"provisioningState": "keep"}],
                "agentPoolProfiles": [{"name": "np", "count": 2, "provisioningState": "Succeeded", "eTag": "e"}],
                "addonProfiles": {"x": {"enabled": true, "identity": {"clientId": "c"}}},
            },
        })
    }

    #[test]
    fn the_update_keeps_everything_but_read_only_fields() {
        let body = enabled(&cluster(), &FEDERATION.iter().collect::<Vec<_>>()).unwrap();
        let expected = json!({
            "location": "westeurope", "tags": {"a": "b"}, "identity": {"type": "SystemAssigned"}, "newTopLevelField": {"x": 1},
            "properties": {
                "kubernetesVersion": "1.33", "oidcIssuerProfile": {"enabled": true},
                "securityProfile": {"defender": {"x": 1}, "workloadIdentity": {"enabled": true}}, "fieldOfTomorrow": [1, {"provisioningState": "keep"}],
                "agentPoolProfiles": [{"name": "np", "count": 2}], "addonProfiles": {"x": {"enabled": true}},
            },
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn the_add_on_is_added_to_existing_add_ons() {
        let body = enabled(&cluster(), &[&ADDON]).unwrap();
        let addons = json!({"x": {"enabled": true}, "azureKeyvaultSecretsProvider": {"enabled": true}});
        assert_eq!((&body["properties"]["addonProfiles"], body["properties"].get("oidcIssuerProfile")), (&addons, None));
        let mut disabled = cluster();
        disabled["properties"]["addonProfiles"]["azureKeyvaultSecretsProvider"] = json!({"enabled": false, "config": {"a": "b"}});
        let kept = json!({"enabled": true, "config": {"a": "b"}});
        assert_eq!(enabled(&disabled, &[&ADDON]).unwrap()["properties"]["addonProfiles"]["azureKeyvaultSecretsProvider"], kept);
    }

    #[test]
    fn an_incomplete_answer_is_never_sent_back() {
        assert!(enabled(&json!({}), &[&ADDON]).is_err());
    }

    #[test]
    fn a_busy_pool_makes_the_cluster_busy() {
        let mut cluster = cluster();
        assert!(!is_busy(&cluster));
        cluster["properties"]["agentPoolProfiles"][0]["provisioningState"] = json!("Scaling");
        assert!(is_busy(&cluster));
    }
}
