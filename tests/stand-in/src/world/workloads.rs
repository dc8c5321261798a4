//! The workloads in the clusters: one of every kind, as created by `kubectl apply`.

use serde_json::{Value, json};

/// The objects of every cluster, parents first.
#[must_use]
pub fn workloads() -> Vec<Value> {
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        account("default", "default"),
        account("kube-system", "default"),
        account("kube-public", "default"),
        account("kube-node-lease", "default"),
        account("shop", "default"),
        account("shop", "api"),
    ];
    objects.push(controller(
        "Deployment",
        "web",
        2,
        pod("web", None, vec![container("app", "nginx:1.29"), container("sidecar", "envoyproxy/envoy:v1.36.0")]),
    ));
    objects.push(controller("Deployment", "api", 1, pod("api", Some("api"), vec![container("api", "contoso.azurecr.io/api:2.4.1")])));
    let mut set = controller("StatefulSet", "db", 1, pod("db", None, vec![container("db", "postgres:18")]));
    set["spec"]["serviceName"] = json!("db");
    objects.push(set);
    let mut agent = controller("DaemonSet", "agent", 1, pod("agent", None, vec![container("agent", "contoso.azurecr.io/agent:1.0.0")]));
    if let Some(spec) = agent["spec"].as_object_mut() {
        spec.remove("replicas");
    }
    objects.push(agent);
    let mut once = pod("migrate", None, vec![container("migrate", "contoso.azurecr.io/migrate:7")]);
    once["spec"]["restartPolicy"] = json!("Never");
    objects.push(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta("migrate"), "spec": {"template": once}}));
    let mut nightly = pod("report", None, vec![container("report", "contoso.azurecr.io/report:7")]);
    nightly["spec"]["restartPolicy"] = json!("OnFailure");
    objects.push(json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta("report"),
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": nightly}}},
    }));
    objects
}

fn meta(name: &str) -> Value {
    json!({"name": name, "namespace": "shop", "labels": {"app": name}})
}

fn account(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
}

fn container(name: &str, image: &str) -> Value {
    json!({"name": name, "image": image})
}

fn pod(name: &str, account: Option<&str>, containers: Vec<Value>) -> Value {
    let mut template = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}});
    if let Some(account) = account {
        template["spec"]["serviceAccountName"] = json!(account);
    }
    template
}

fn controller(kind: &str, name: &str, replicas: u8, template: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": meta(name),
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    })
}
