//! Managed clusters: the write of the whole object.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use stand_in::world::World;

use crate::support::{AKS, Answer, Bench, cluster, group};

/// The body that a careful client sends: the object as read, without read-only properties, with one change.
fn body_of(read: &Value) -> Value {
    let mut body = read.clone();
    for key in ["id", "name", "type", "systemData", "eTag"] {
        body.as_object_mut().unwrap().shift_remove(key);
    }
    let properties = body["properties"].as_object_mut().unwrap();
    for key in [
        "provisioningState",
        "powerState",
        "maxAgentPools",
        "currentKubernetesVersion",
        "fqdn",
        "privateFQDN",
        "azurePortalFQDN",
        "resourceUID",
    ] {
        properties.shift_remove(key);
    }
    properties["oidcIssuerProfile"].as_object_mut().unwrap().shift_remove("issuerURL");
    properties["networkProfile"]["loadBalancerProfile"].as_object_mut().unwrap().shift_remove("effectiveOutboundIPs");
    properties["addonProfiles"]["azurepolicy"].as_object_mut().unwrap().shift_remove("identity");
    let pool = properties["agentPoolProfiles"][0].as_object_mut().unwrap();
    for key in ["eTag", "currentOrchestratorVersion", "nodeImageVersion", "provisioningState"] {
        pool.shift_remove(key);
    }
    for key in ["principalId", "tenantId"] {
        body["identity"].as_object_mut().unwrap().shift_remove(key);
    }
    body
}

fn enabled(read: &Value) -> Value {
    let mut body = body_of(read);
    body["properties"]["oidcIssuerProfile"]["enabled"] = json!(true);
    body["properties"]["securityProfile"]["workloadIdentity"] = json!({"enabled": true});
    body
}

async fn put(bench: &Bench, body: &Value, etag: &str) -> Answer {
    bench.send(bench.arm_request(Method::PUT, &cluster("aks-shop"), AKS).header("if-match", etag).json(body)).await
}

async fn poll(bench: &Bench, answer: &Answer) -> Value {
    let url = answer.header("azure-asyncoperation").unwrap();
    bench.send(bench.http.get(url).bearer_auth(&bench.arm_token)).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_runs_ends_and_changes_only_what_was_asked() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.retry_after = Some(7));
    let before = bench.sandbox.control().state();
    let read = bench.get(&cluster("aks-shop"), AKS).await.json();
    let answer = put(&bench, &enabled(&read), read["eTag"].as_str().unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!((answer.header("retry-after").as_deref(), answer.header("location")), (Some("7"), None));
    assert_eq!(answer.json()["properties"]["provisioningState"], "Updating");
    assert_eq!(poll(&bench, &answer).await["status"], "InProgress");
    let busy = put(&bench, &enabled(&read), "*").await;
    assert_eq!(busy.refusal(), (409, "OperationNotAllowed".into()));
    assert!(busy.json()["error"].is_null(), "the AKS provider answers without the wrapper");

    bench.sandbox.control().advance(Duration::from_secs(2));
    assert_eq!(poll(&bench, &answer).await["status"], "Succeeded");
    let after = bench.sandbox.control().state();
    let id = World::planted().id_of("aks-shop").unwrap().to_lowercase();
    let mut expected = before["resources"][&id].clone();
    expected["properties"]["oidcIssuerProfile"] = json!({
        "enabled": true, "issuerURL": "https://westeurope.oic.prod-aks.azure.com/11111111-aaaa-4bbb-8ccc-000000000001/44444444-aaaa-4bbb-8ccc-000000000001/",
    });
    expected["properties"]["securityProfile"]["workloadIdentity"] = json!({"enabled": true});
    assert_eq!(after["resources"][&id], expected);
    let snapshot = bench.sandbox.cluster("aks-shop").unwrap().snapshot().to_string();
    assert!(snapshot.contains("azure-wi-webhook-mutating-webhook-configuration"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_the_body_leaves_out_is_gone() {
    let bench = Bench::start().await;
    let read = bench.get(&cluster("aks-shop"), AKS).await.json();
    let mut body = enabled(&read);
    body["properties"].as_object_mut().unwrap().shift_remove("tomorrowsProfile");
    assert_eq!(put(&bench, &body, "*").await.status, 200);
    assert!(bench.get(&cluster("aks-shop"), AKS).await.json()["properties"]["tomorrowsProfile"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_etag_is_refused() {
    let bench = Bench::start().await;
    let read = bench.get(&cluster("aks-shop"), AKS).await.json();
    let etag = read["eTag"].as_str().unwrap().to_owned();
    assert_eq!(put(&bench, &enabled(&read), &etag).await.status, 200);
    bench.sandbox.control().advance(Duration::from_secs(2));
    assert_eq!(put(&bench, &enabled(&read), &etag).await.refusal(), (412, "PreconditionFailed".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_fields_must_not_be_sent_and_the_issuer_stays() {
    let bench = Bench::start().await;
    let read = bench.get(&cluster("aks-ready"), AKS).await.json();
    let send = async |body: &Value| bench.put(&cluster("aks-ready"), AKS, body).await;
    assert_eq!(send(&read).await.refusal(), (400, "BadRequest".into()));
    let mut body = body_of(&read);
    body["properties"]["oidcIssuerProfile"]["enabled"] = json!(false);
    assert_eq!(send(&body).await.refusal(), (400, "OIDCIssuerFeatureCannotBeDisabled".into()));
    let mut body = body_of(&read);
    body["location"] = json!("northeurope");
    assert_eq!(send(&body).await.refusal(), (400, "InvalidResourceLocation".into()));
    assert_eq!(send(&body_of(&read)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_can_fail() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.cluster_update_fails = Some("ReconcileError".into()));
    let read = bench.get(&cluster("aks-shop"), AKS).await.json();
    let answer = put(&bench, &enabled(&read), "*").await;
    bench.sandbox.control().advance(Duration::from_secs(2));
    let status = poll(&bench, &answer).await;
    assert_eq!((&status["status"], &status["error"]["code"]), (&json!("Failed"), &json!("ReconcileError")));
    let read = bench.get(&cluster("aks-shop"), AKS).await.json();
    assert_eq!(read["properties"]["provisioningState"], "Failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_cluster_is_not_updated() {
    let mut world = World::planted();
    world.resource_mut("aks-shop").unwrap()["properties"]["powerState"]["code"] = json!("Stopped");
    let bench = Bench::with(world).await;
    let read = bench.get(&cluster("aks-shop"), AKS).await.json();
    assert_eq!(put(&bench, &enabled(&read), "*").await.refusal(), (409, "OperationNotAllowed".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_are_listed_and_tags_can_be_patched() {
    let bench = Bench::start().await;
    let list = bench.get(&format!("{}/providers/Microsoft.ContainerService/managedClusters", group("rg-shop")), "2026-05-01").await;
    assert_eq!(list.json()["value"].as_array().unwrap().len(), 2);
    let patch = bench.arm_request(Method::PATCH, &cluster("aks-shop"), AKS);
    assert_eq!(bench.send(patch.json(&json!({"tags": {"a": "b"}}))).await.status, 200);
    let patch = bench.arm_request(Method::PATCH, &cluster("aks-ready"), AKS);
    assert_eq!(bench.send(patch.json(&json!({"properties": {}}))).await.status, 400);
}
