//! The stand-in's rules on which the product relies most, without recordings, so that these tests run on every
//! machine.

use std::time::Duration;

use serde_json::{Value, json};
use stand_in::http::{Body, Request};
use stand_in::keys::{RsaKey, verify_jwt};
use stand_in::kube::{KubeCluster, KubeOptions, UserInfo};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/shop/deployments";
const TOOL: &str = "kubectl-connect/my-vault";

fn cluster() -> KubeCluster {
    let mut options = KubeOptions::new("cluster.example", "https://issuer.example/one/", RsaKey::pooled(1));
    options.tokens.insert("admin".into(), UserInfo::new("admin", &["system:masters"]));
    options.tokens.insert("dev".into(), UserInfo::new("dev@contoso.example", &["developers"]));
    let cluster = KubeCluster::new(options);
    cluster.apply_object("", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    cluster.apply_object(
        "",
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "app", "image": "nginx:1", "env": [{"name": "LOG", "value": "info"}]}]},
                },
            },
        }),
    );
    cluster
}

async fn send(cluster: &KubeCluster, method: &str, target: &str, kind: &str, body: &Value) -> (u16, Value) {
    send_as("admin", cluster, method, target, kind, body).await
}

async fn send_as(token: &str, cluster: &KubeCluster, method: &str, target: &str, kind: &str, body: &Value) -> (u16, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        method: method.into(),
        host: "cluster.example".into(),
        path: path.into(),
        query: stand_in::http::parse_pairs(query),
        headers: vec![
            ("authorization".into(), format!("Bearer {token}")),
            ("content-type".into(), kind.into()),
            ("user-agent".into(), "tests/1".into()),
        ],
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
    };
    let response = cluster.handle(request).await;
    let status = response.status;
    match response.body {
        Body::Bytes(bytes) => (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)),
        Body::Stream(_) | Body::Socket(_) => (status, Value::Null),
    }
}

async fn get(cluster: &KubeCluster, target: &str) -> (u16, Value) {
    send(cluster, "GET", target, "", &Value::Null).await
}

async fn apply(cluster: &KubeCluster, spec: Value) -> (u16, Value) {
    let mut body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}});
    if !spec.is_null() {
        body["spec"] = spec;
    }
    let target = format!("{DEPLOYMENTS}/web?fieldManager={TOOL}");
    send(cluster, "PATCH", &target, "application/apply-patch+yaml", &body).await
}

fn connection() -> Value {
    json!({"template": {
        "metadata": {"labels": {"azure.workload.identity/use": "true"}},
        "spec": {
            "serviceAccountName": "web", "serviceAccount": "web",
            "containers": [{"name": "app", "env": [{"name": "URL", "valueFrom": {"secretKeyRef": {"name": "s", "key": "URL"}}}]}],
        },
    }})
}

/// Waits by the runtime's clock, which advances when nothing else can run.
async fn until(cluster: &KubeCluster, target: &str, fits: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..200 {
        let (_, found) = get(cluster, target).await;
        if fits(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{target} never came to the state that was waited for");
}

#[tokio::test(start_paused = true)]
async fn letting_go_gives_back_the_former_spec() {
    let cluster = cluster();
    let (_, before) = get(&cluster, &format!("{DEPLOYMENTS}/web")).await;
    let (status, changed) = apply(&cluster, connection()).await;
    assert_eq!(status, 200);
    assert_eq!(changed["metadata"]["generation"], 2);
    assert_eq!(changed["spec"]["template"]["spec"]["containers"][0]["env"].as_array().map(Vec::len), Some(2));
    let (_, again) = apply(&cluster, connection()).await;
    assert_eq!(again["metadata"]["generation"], 2);
    let (_, after) = apply(&cluster, Value::Null).await;
    assert_eq!(after["spec"], before["spec"]);
}

#[tokio::test(start_paused = true)]
async fn a_value_of_the_users_is_a_conflict_that_names_him() {
    let cluster = cluster();
    let spec = json!({"template": {"spec": {"containers": [{"name": "app", "env": [{"name": "LOG", "value": "debug"}]}]}}});
    let (status, refused) = apply(&cluster, spec).await;
    assert_eq!(status, 409);
    let cause = &refused["details"]["causes"][0];
    assert_eq!(cause["field"], ".spec.template.spec.containers[name=\"app\"].env[name=\"LOG\"].value");
    assert_eq!(cause["message"], "conflict with \"kubectl-client-side-apply\" using apps/v1");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_cannot_be_mistaken_for_done_too_early() {
    let cluster = cluster();
    cluster.apply_object("", json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "shop"}}));
    let (_, answer) = apply(&cluster, connection()).await;
    assert_eq!(answer["status"]["observedGeneration"], 1, "the answer still shows the old, healthy status");
    let target = format!("{DEPLOYMENTS}/web");
    let moving = until(&cluster, &target, |d| d["status"]["observedGeneration"] == 2).await;
    assert_ne!(moving["status"]["updatedReplicas"], 2);
    let done = until(&cluster, &target, |d| d["status"]["updatedReplicas"] == 2 && d["status"]["replicas"] == 2).await;
    assert_eq!(done["spec"]["replicas"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_missing_service_account_stops_the_rollout_until_it_appears() {
    let cluster = cluster();
    apply(&cluster, connection()).await;
    let failed = |d: &Value| d["status"]["conditions"].to_string().contains("FailedCreate");
    let target = format!("{DEPLOYMENTS}/web");
    let stuck = until(&cluster, &target, failed).await;
    assert_eq!(stuck["status"]["availableReplicas"], 2, "the old pods go on");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}});
    send(&cluster, "POST", "/api/v1/namespaces/shop/serviceaccounts", "application/json", &account).await;
    until(&cluster, &target, |d| d["status"]["updatedReplicas"] == 2 && !failed(d)).await;
}

#[tokio::test(start_paused = true)]
async fn the_webhook_gives_new_pods_their_identity() {
    let cluster = cluster();
    cluster.install_webhook("tenant-1");
    cluster.apply_object(
        "",
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "web", "namespace": "shop", "annotations": {"azure.workload.identity/client-id": "client-1"}},
        }),
    );
    apply(&cluster, connection()).await;
    let pods = "/api/v1/namespaces/shop/pods?labelSelector=azure.workload.identity/use%3Dtrue";
    let found = until(&cluster, pods, |l| l["items"].as_array().is_some_and(|i| !i.is_empty())).await;
    let env = found["items"][0]["spec"]["containers"][0]["env"].as_array().cloned().unwrap_or_default();
    let value = |name: &str| env.iter().find(|e| e["name"] == name).map(|e| e["value"].clone());
    assert_eq!(value("AZURE_CLIENT_ID"), Some(json!("client-1")));
    assert_eq!(value("AZURE_TENANT_ID"), Some(json!("tenant-1")));
    assert_eq!(value("AZURE_FEDERATED_TOKEN_FILE"), Some(json!("/var/run/secrets/azure/tokens/azure-identity-token")));
}

#[tokio::test(start_paused = true)]
async fn with_the_webhook_down_only_labelled_pods_fail() {
    let cluster = cluster();
    cluster.install_webhook("tenant-1");
    cluster.webhook_down(true);
    let pod = |labels: Value| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "p-", "labels": labels},
               "spec": {"containers": [{"name": "a", "image": "i"}]}})
    };
    let target = "/api/v1/namespaces/shop/pods?dryRun=All";
    let (status, _) = send(&cluster, "POST", target, "application/json", &pod(json!({}))).await;
    assert_eq!(status, 201);
    let labelled = pod(json!({"azure.workload.identity/use": "true"}));
    let (status, refused) = send(&cluster, "POST", target, "application/json", &labelled).await;
    assert_eq!(status, 500);
    assert!(refused["message"].as_str().is_some_and(|m| m.contains("mutation.azure-workload-identity.io")));
}

#[tokio::test(start_paused = true)]
async fn tokens_verify_against_the_published_keys_and_follow_the_issuer() {
    let cluster = cluster();
    let ask = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["aud"]}});
    let target = "/api/v1/namespaces/shop/serviceaccounts/default/token";
    for issuer in ["https://issuer.example/one/", "https://issuer.example/two/"] {
        cluster.set_issuer(issuer);
        let (status, answer) = send(&cluster, "POST", target, "application/json", &ask).await;
        assert_eq!(status, 201);
        let claims = verify_jwt(&cluster.jwks(), answer["status"]["token"].as_str().unwrap_or_default()).expect("signed");
        assert_eq!(claims["iss"], issuer);
        assert_eq!(claims["sub"], "system:serviceaccount:shop:default");
        assert_eq!(cluster.discovery()["issuer"], issuer);
    }
}

#[tokio::test(start_paused = true)]
async fn a_right_taken_away_shows_in_the_call_and_in_the_review() {
    let cluster = cluster();
    cluster.deny("admin", "patch", "apps", "deployments", Some("shop"));
    let (status, refused) = apply(&cluster, connection()).await;
    assert_eq!(status, 403);
    let text = "deployments.apps \"web\" is forbidden: User \"admin\" cannot patch resource \"deployments\" in API group \"apps\" \
                in the namespace \"shop\"";
    assert_eq!(refused["message"], text);
    let review =
        json!({"spec": {"resourceAttributes": {"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "shop"}}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let (_, answer) = send(&cluster, "POST", path, "application/json", &review).await;
    assert_eq!(answer["status"]["allowed"], false);
    let (status, _) = send_as("dev", &cluster, "GET", DEPLOYMENTS, "", &Value::Null).await;
    assert_eq!(status, 403, "a user without any role");
    let (status, _) = send_as("nobody", &cluster, "GET", DEPLOYMENTS, "", &Value::Null).await;
    assert_eq!(status, 401);
}

#[tokio::test(start_paused = true)]
async fn an_old_version_ends_a_watch_with_410() {
    let cluster = cluster();
    cluster.forget_history();
    let request = Request {
        method: "GET".into(),
        path: DEPLOYMENTS.into(),
        query: stand_in::http::parse_pairs("watch=1&resourceVersion=1"),
        headers: vec![("authorization".into(), "Bearer admin".into())],
        ..Request::default()
    };
    let Body::Stream(mut lines) = cluster.handle(request).await.body else { panic!("a watch is a stream") };
    let event: Value = serde_json::from_slice(&lines.recv().await.expect("an event")).expect("JSON");
    assert_eq!(event["type"], "ERROR");
    assert_eq!(event["object"]["code"], 410);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_what_clients_left_and_nothing_else() {
    let cluster = cluster();
    let before = cluster.snapshot();
    apply(&cluster, connection()).await;
    assert_ne!(cluster.snapshot(), before);
    apply(&cluster, Value::Null).await;
    until(&cluster, &format!("{DEPLOYMENTS}/web"), |d| d["status"]["observedGeneration"] == 3).await;
    assert_eq!(cluster.snapshot(), before);
}
