//! OIDC issuer and workload identity on the cluster: the riskiest write, because AKS takes the whole cluster or nothing
//! (PATCH changes tags only). So: GET, change untyped JSON, drop what is read-only, PUT guarded by the eTag, and refuse
//! when anything but the asked change would be sent. Never undone: the issuer can't be switched off again, and other
//! workloads may have begun to rely on it.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Cx, Examined, Right, Step, api, done};
use crate::model::{Kind, Problem, Result};
use crate::plan::change::{Action, Change, Goal, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::ClusterFeatures;

/// Read-only properties of a managed cluster (official description, 2025-07-01; `*` is any key or element). What is not
/// in the object is no matter.
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

/// The two switches, as pointers into the cluster.
const SWITCHES: [(&str, &str); 2] =
    [("oidcIssuer", "/properties/oidcIssuerProfile/enabled"), ("workloadIdentity", "/properties/securityProfile/workloadIdentity/enabled")];

#[async_trait]
impl Step for ClusterFeatures {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let Some(cluster) = cx.arm.read(self.cluster.as_str(), api::MANAGED_CLUSTERS, &[]).await? else {
            if goal == Goal::Absent {
                return Ok(self.kept(Goal::Absent, past, "the cluster is gone"));
            }
            return Err(Problem::new(Kind::NotFound, "KC1102", format!("there is no AKS cluster {}", self.cluster)));
        };
        if goal == Goal::Absent {
            learn(cx, &cluster);
            return Ok(self.kept(goal, past, "stays on: the issuer can't be switched off, and others may use it"));
        }
        let begun = past.is_some_and(|p| !p.done);
        let cluster = if begun && is_busy(&cluster) { self.settled(cx).await? } else { cluster };
        let issuer = learn(cx, &cluster);
        let off: Vec<&str> = SWITCHES.iter().filter(|(_, at)| cluster.pointer(at) != Some(&json!(true))).map(|(name, _)| *name).collect();
        if off.is_empty() && issuer {
            return Ok(self.kept(goal, past, ""));
        }
        self.can_be_updated(&cluster)?;
        let mut change = Change::new("cluster".into(), Layer::Azure, "managedCluster", self.cluster.name(), Action::Update)
            .reason("restarts the API server, takes about 4 minutes, the issuer can't be switched off again");
        for name in off {
            change = change.detail(name, Some("off"), Some("on"));
        }
        change.needs_consent = true;
        let right = Right::Arm { scope: self.cluster.to_string(), action: "Microsoft.ContainerService/managedClusters/write" };
        let intent = Receipt::intent(Ownership::Adopted, self.cluster.as_str());
        Ok(Examined { change, goal, intent, rights: vec![right] })
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        if examined.change.action == Action::Update {
            let current = cx.arm.get(self.cluster.as_str(), api::MANAGED_CLUSTERS).await?.unwrap_or_default();
            let body = enabled(&current)?;
            let etag = current["eTag"].as_str();
            cx.waiting("cluster", "waiting for AKS to switch on the OIDC issuer and workload identity (about 4 minutes)");
            let written = cx.arm.put(self.cluster.as_str(), api::MANAGED_CLUSTERS, &body, etag).await?;
            if !learn(cx, &written.body) {
                let cluster = cx.arm.get(self.cluster.as_str(), api::MANAGED_CLUSTERS).await?.unwrap_or_default();
                if !learn(cx, &cluster) {
                    return Err(Problem::new(
                        Kind::Failed,
                        "KC4605",
                        format!("cluster `{}` was updated but shows no issuer", self.cluster.name()),
                    )
                    .fix("run the same command again in a minute"));
                }
            }
        }
        Ok(done(&examined.intent))
    }
}

impl ClusterFeatures {
    fn kept(&self, goal: Goal, past: Option<&Receipt>, why: &str) -> Examined {
        let mut change = Change::new("cluster".into(), Layer::Azure, "managedCluster", self.cluster.name(), Action::NoOp);
        if !why.is_empty() {
            change = change.reason(why);
        }
        let intent = past.cloned().unwrap_or_else(|| Receipt::intent(Ownership::Adopted, self.cluster.as_str()));
        Examined { change, goal, intent, rights: vec![] }
    }

    /// The update that a killed run of ours began is waited for.
    async fn settled(&self, cx: &Cx) -> Result<Value> {
        let until = std::time::Instant::now() + cx.timeout;
        loop {
            let cluster = cx.arm.get(self.cluster.as_str(), api::MANAGED_CLUSTERS).await?.unwrap_or_default();
            if !is_busy(&cluster) {
                cx.arm.forget(self.cluster.as_str());
                return Ok(cluster);
            }
            if std::time::Instant::now() > until {
                return Err(Problem::new(Kind::TimedOut, "KC4606", format!("cluster `{}` is still being updated", self.cluster.name()))
                    .fix("run the same command again later"));
            }
            cx.waiting("cluster", "waiting for the update of the cluster that an earlier run began");
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }

    fn can_be_updated(&self, cluster: &Value) -> Result<()> {
        let name = self.cluster.name();
        if is_busy(cluster) {
            let state = cluster["properties"]["provisioningState"].as_str().unwrap_or("Updating");
            return Err(Problem::new(Kind::Failed, "KC1104", format!("cluster `{name}` is busy: {state}"))
                .why("AKS refuses a change while another one is running")
                .fix(format!("wait for it: az aks wait --updated --name {name} --resource-group {}", self.cluster.resource_group())));
        }
        Ok(())
    }
}

/// Whether the cluster or one of its pools is in the middle of something.
pub(crate) fn is_busy(cluster: &Value) -> bool {
    let terminal = |state: &Value| matches!(state.as_str(), None | Some("Succeeded" | "Failed" | "Canceled"));
    let pools = cluster["properties"]["agentPoolProfiles"].as_array();
    !terminal(&cluster["properties"]["provisioningState"]) || pools.into_iter().flatten().any(|p| !terminal(&p["provisioningState"]))
}

/// Takes over the issuer, byte for byte; whether there is one.
fn learn(cx: &Cx, cluster: &Value) -> bool {
    let issuer = cluster["properties"]["oidcIssuerProfile"]["issuerURL"].as_str().filter(|i| !i.is_empty()).map(str::to_owned);
    let found = issuer.is_some();
    if found {
        cx.outputs.learn(|known| known.issuer = issuer);
    }
    found
}

/// The body of the update: the cluster as it is, without what is read-only, with both switches on.
///
/// # Errors
/// When it would differ from the cluster in anything else: then nothing is sent.
fn enabled(cluster: &Value) -> Result<Value> {
    let mut body = cluster.clone();
    for path in READ_ONLY {
        remove(&mut body, &path.split('/').collect::<Vec<_>>());
    }
    drop_nulls(&mut body);
    let unchanged = body.clone();
    // A null profile is as usual as an absent one.
    set(&mut body, &["properties", "oidcIssuerProfile", "enabled"]);
    set(&mut body, &["properties", "securityProfile", "workloadIdentity", "enabled"]);
    let (mut before, mut after) = (unchanged, body.clone());
    for value in [&mut before, &mut after] {
        set(value, &["properties", "oidcIssuerProfile", "enabled"]);
        set(value, &["properties", "securityProfile", "workloadIdentity", "enabled"]);
    }
    if before != after || !body["location"].is_string() {
        return Err(Problem::new(Kind::Failed, "KC4607", "the update of the cluster would change more than was asked for")
            .fix("switch the features on with: az aks update --enable-oidc-issuer --enable-workload-identity, then run this again"));
    }
    Ok(body)
}

/// A GET answers null for what is not set; the official description takes no null in a PUT, and absent means the same.
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
        let body = enabled(&cluster()).unwrap();
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
    fn an_answer_that_is_no_cluster_is_never_sent_back() {
        assert!(enabled(&json!({})).is_err());
    }

    #[test]
    fn busy_pools_count() {
        let mut cluster = cluster();
        assert!(!is_busy(&cluster));
        cluster["properties"]["agentPoolProfiles"][0]["provisioningState"] = json!("Scaling");
        assert!(is_busy(&cluster));
    }
}
