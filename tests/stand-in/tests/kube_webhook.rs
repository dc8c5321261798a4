//! Compares the stand-in's webhook with recorded mutations of the real one.
//!
//! The recordings are not part of the repository; `CONNECT_REFERENCE_DATA` names their folder.
#![expect(clippy::expect_used, reason = "a test may end where its ground gives way")]

use std::path::PathBuf;

use serde_json::{Value, json};
use stand_in::http::Request;
use stand_in::keys::RsaKey;
use stand_in::kube::{Controllers, KubeCluster, KubeOptions, UserInfo};

/// The proxy sidecar is deprecated and not used by the product.
const NOT_SIMULATED: &[&str] = &["proxy \"false\"", "proxy hostNetwork"];

/// The parts that the webhook changes: variables and mounts of each container, and the token's volume without
/// defaulted fields.
fn touched(pod: &Value) -> Value {
    let containers = |key: &str| -> Vec<Value> {
        let list = pod["spec"][key].as_array().cloned().unwrap_or_default();
        let one = |c: &Value| {
            let list = |key: &str| c.get(key).cloned().unwrap_or(json!([]));
            json!({"name": c["name"], "env": list("env"), "mounts": list("volumeMounts")})
        };
        list.iter().map(one).collect()
    };
    let sources: Vec<Value> = pod["spec"]["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|v| json!({"name": v["name"], "sources": v["projected"]["sources"]}))
        .collect();
    json!({"init": containers("initContainers"), "containers": containers("containers"), "volumes": sources})
}

fn cluster(recorded: &Value) -> KubeCluster {
    let mut options = KubeOptions::new("cluster.example", "https://issuer.example/", RsaKey::pooled(1));
    options.tokens.insert("admin".into(), UserInfo::new("admin", &["system:masters"]));
    options.controllers = Controllers::None;
    let cluster = KubeCluster::new(options);
    cluster.apply_object("", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    for (name, account) in recorded["serviceAccounts"].as_object().expect("accounts") {
        let metadata = json!({"name": name, "namespace": "shop", "annotations": account["annotations"]});
        cluster.apply_object("", json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}));
    }
    cluster.install_webhook(recorded["clusterTenant"].as_str().expect("tenant"));
    cluster
}

#[tokio::test]
async fn recorded_mutations_come_out_again() {
    let Some(data) = std::env::var_os("CONNECT_REFERENCE_DATA").map(PathBuf::from) else {
        eprintln!("SKIPPED: CONNECT_REFERENCE_DATA is not set, so no recorded mutations were replayed");
        return;
    };
    let text = std::fs::read_to_string(data.join("webhook-mutations/wi-webhook-v1.5.1.json")).expect("recordings");
    let recorded: Value = serde_json::from_str(&text).expect("JSON");
    let cluster = cluster(&recorded);
    for case in recorded["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("name");
        if NOT_SIMULATED.contains(&name) {
            continue;
        }
        let mut pod = case["before"].clone();
        // The API server evaluates the selector; it was not part of the recording.
        pod["metadata"]["labels"]["azure.workload.identity/use"] = json!("true");
        let response = cluster
            .handle(Request {
                method: "POST".into(),
                path: "/api/v1/namespaces/shop/pods".into(),
                query: vec![("dryRun".into(), "All".into())],
                headers: vec![("authorization".into(), "Bearer admin".into()), ("content-type".into(), "application/json".into())],
                body: pod.to_string().into_bytes(),
                ..Request::default()
            })
            .await;
        let answer: Value = serde_json::from_slice(response.bytes()).expect("JSON");
        assert_eq!(response.status == 201, case["allowed"] == true, "{name}: {answer}");
        if case["allowed"] == true {
            assert_eq!(touched(&answer), touched(&case["after"]), "{name}");
        } else {
            let said = answer["message"].as_str().unwrap_or_default();
            assert!(said.ends_with(case["message"].as_str().expect("message")), "{name}: {said} against {case}");
        }
    }
}
