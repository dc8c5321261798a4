//! Manual set-ups: a workload identity set-up as users make it, with a fault.

use serde_json::{Value, json};
use stand_in::kube::KubeCluster;
use stand_in::world::{SUBSCRIPTION, TENANT, World};

use harness::{Case, Ran};

/// Client id of the planted identity `id-api`.
pub const CLIENT: &str = "66666666-aaaa-4bbb-8ccc-000000000071";
/// Object id of the identity.
pub const PRINCIPAL: &str = "66666666-aaaa-4bbb-8ccc-000000000072";

fn identity_id() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-api")
}

/// Issuer of the ready cluster.
pub fn issuer() -> String {
    World::planted().clusters.iter().find(|c| c.name == "aks-ready").unwrap().issuer.clone()
}

/// Subject of deployment/api's tokens.
pub const SUBJECT: &str = "system:serviceaccount:shop:api";

/// A federated credential of `id-api`.
pub fn credential(issuer: &str, subject: &str, audience: &str) -> Value {
    json!({
        "id": format!("{}/federatedIdentityCredentials/by-hand", identity_id()), "name": "by-hand",
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "properties": {"issuer": issuer, "subject": subject, "audiences": [audience]},
    })
}

/// Adds the identity, with a credential if one is given.
pub fn plant_identity(world: &mut World, credential: Option<Value>) {
    world.resources.push(json!({
        "id": identity_id(), "name": "id-api", "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "location": "westeurope", "tags": {},
        "properties": {"isolationScope": "None", "tenantId": TENANT, "principalId": PRINCIPAL, "clientId": CLIENT},
    }));
    world.resources.extend(credential);
}

/// The service account of deployment/api with these annotations.
pub fn account(annotations: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "api", "namespace": "shop", "annotations": annotations}})
}

/// deployment/api with a change merged into its manifest.
pub fn deployment(change: impl FnOnce(&mut Value)) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "shop", "labels": {"app": "api"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "api"}}, "template": {
            "metadata": {"labels": {"app": "api", "azure.workload.identity/use": "true"}},
            "spec": {"serviceAccountName": "api", "containers": [{"name": "api", "image": "contoso.azurecr.io/api:2.4.1"}]},
        }},
    });
    change(&mut object);
    object
}

/// A healthy manual set-up of deployment/api.
pub fn by_hand(cluster: &KubeCluster) {
    cluster.apply_object("", account(json!({"azure.workload.identity/client-id": CLIENT})));
    cluster.apply_object("", deployment(|_| {}));
}

/// Codes of all checks without success.
pub fn findings(ran: &Ran) -> Vec<String> {
    let checks = ran.json();
    let groups = checks["categories"].as_array().unwrap().iter();
    let all = groups.flat_map(|g| g["checks"].as_array().unwrap());
    all.filter(|c| c["result"] == "error" || c["result"] == "warning").map(|c| c["code"].as_str().unwrap().to_owned()).collect()
}

/// The fix of a finding.
pub fn fix(ran: &Ran, code: &str) -> String {
    let checks = ran.json();
    let groups = checks["categories"].as_array().unwrap().iter();
    let found = groups.flat_map(|g| g["checks"].as_array().unwrap()).find(|c| c["code"] == code);
    found.and_then(|c| c["fix"].as_str()).unwrap_or_default().to_owned()
}

/// A case with the identity and the healthy set-up in the ready cluster, after changes in Azure by `world`, and then
/// in the cluster by `plant`.
pub async fn healthy(world: impl FnOnce(&mut World)) -> Case {
    let case = Case::with("aks-ready", world).await;
    by_hand(case.cluster("aks-ready"));
    case
}

/// A planted object in a form that can be applied again.
pub fn object(case: &Case, kind: &str, name: &str) -> Value {
    let objects = case.cluster("aks-ready").objects();
    let mut found = objects.into_iter().find(|o| o["kind"] == kind && o["metadata"]["name"] == name).unwrap();
    for key in ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"] {
        found["metadata"].as_object_mut().unwrap().shift_remove(key);
    }
    found.as_object_mut().unwrap().shift_remove("status");
    found
}

/// Waits until the pods of a deployment are stable after a change.
pub async fn settled(case: &Case, cluster: &str, name: &str) {
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let objects = case.cluster(cluster).objects();
        let Some(found) = objects.iter().find(|o| o["kind"] == "Deployment" && o["metadata"]["name"] == name) else { continue };
        let status = &found["status"];
        let wanted = &found["spec"]["replicas"];
        if status["observedGeneration"] == found["metadata"]["generation"]
            && status["replicas"] == *wanted
            && status["readyReplicas"] == *wanted
            && status["updatedReplicas"] == *wanted
        {
            return;
        }
    }
}
