//! Admission of pods: the service account plugin, and the workload identity webhook as v1.5.1 mutates pods.

use serde_json::{Value, json};

use super::State;
use super::resources::Resource;
use super::status::{Failure, Outcome};
use super::store::{metadata, random_tail, text};

const WEBHOOK: &str = "azure-wi-webhook-mutating-webhook-configuration";
const USE: &str = "azure.workload.identity/use";
const TOKEN_FILE: &str = "azure-identity-token";
const MOUNT: &str = "/var/run/secrets/azure/tokens";

/// Runs admission on a pod that is being created.
pub fn admit(state: &mut State, resource: &Resource, namespace: &str, pod: &mut Value) -> Outcome<()> {
    webhook(state, namespace, pod)?;
    if state.has_controllers() {
        service_account(state, resource, namespace, pod)?;
    }
    let spec = &mut pod["spec"];
    if spec["tolerations"].is_null() {
        let one = |key: &str| {
            json!({
                "key": format!("node.kubernetes.io/{key}"), "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": 300,
            })
        };
        spec["tolerations"] = json!([one("not-ready"), one("unreachable")]);
    }
    spec["priority"] = json!(0);
    spec["enableServiceLinks"] = json!(true);
    spec["preemptionPolicy"] = json!("PreemptLowerPriority");
    Ok(())
}

fn service_account(state: &State, resource: &Resource, namespace: &str, pod: &mut Value) -> Outcome<()> {
    let name = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default").to_string();
    let found = state.store.known("", "serviceaccounts").and_then(|r| state.store.get(&r, namespace, &name));
    let Some(account) = found else {
        let why = format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found");
        let shown = match text(pod, "generateName") {
            "" => text(pod, "name"),
            prefix => prefix,
        };
        return Err(Failure::forbidden(resource, shown, &why));
    };
    let off = |value: &Value| value == &json!(false);
    let token = match pod["spec"].get("automountServiceAccountToken") {
        Some(value) => !off(value),
        None => !account.get("automountServiceAccountToken").is_some_and(off),
    };
    pod["spec"]["serviceAccountName"] = json!(name);
    pod["spec"]["serviceAccount"] = json!(name);
    if !token {
        return Ok(());
    }
    let volume = format!("kube-api-access-{}", random_tail(5));
    let mount = json!({"name": volume, "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
    each_container(pod, |container| push(container, "volumeMounts", mount.clone()));
    let sources = json!([
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
        ]}},
    ]);
    push(&mut pod["spec"], "volumes", json!({"name": volume, "projected": {"sources": sources, "defaultMode": 420}}));
    Ok(())
}

fn push(object: &mut Value, key: &str, item: Value) {
    if !object[key].is_array() {
        object[key] = json!([]);
    }
    if let Some(list) = object[key].as_array_mut() {
        list.push(item);
    }
}

fn each_container(pod: &mut Value, mut change: impl FnMut(&mut Value)) {
    for key in ["initContainers", "containers"] {
        for container in pod["spec"].get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            change(container);
        }
    }
}

/// Whether the webhook is registered and applies to this pod.
fn concerns(state: &State, pod: &Value) -> bool {
    let labelled = pod["metadata"]["labels"].get(USE) == Some(&json!("true"));
    labelled
        && state.store.list("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "").any(|hook| text(hook, "name") == WEBHOOK)
}

fn webhook(state: &State, namespace: &str, pod: &mut Value) -> Outcome<()> {
    if !concerns(state, pod) {
        return Ok(());
    }
    let Some(tenant) = state.webhook.clone().filter(|_| !state.webhook_down) else {
        let message = "failed calling webhook \"mutation.azure-workload-identity.io\": failed to call webhook: Post \
                       \"https://azure-wi-webhook-webhook-service.kube-system.svc:443/mutate-v1-pod?timeout=10s\": \
                       service \"azure-wi-webhook-webhook-service\" not found";
        return Err(Failure::new(500, Some("InternalError"), format!("Internal error occurred: {message}"))
            .with(json!({"causes": [{"message": message}]})));
    };
    let refuse = |why: String| {
        let message = format!("admission webhook \"mutation.azure-workload-identity.io\" denied the request: {why}");
        // The webhook answers 400 without a reason, and the API server passes that on.
        Failure::new(400, None, message)
    };
    let name = pod["spec"]["serviceAccountName"].as_str().filter(|n| !n.is_empty()).unwrap_or("default").to_string();
    let found = state.store.known("", "serviceaccounts").and_then(|r| state.store.get(&r, namespace, &name));
    let Some(account) = found else {
        return Err(refuse(format!("serviceaccounts {name:?} not found")));
    };
    let annotation = |object: &Value, key: &str| -> Option<String> {
        let key = format!("azure.workload.identity/{key}");
        object["metadata"]["annotations"].get(&key).and_then(Value::as_str).map(str::to_string)
    };
    let lifetime = annotation(pod, "service-account-token-expiration").or(annotation(account, "service-account-token-expiration"));
    let lifetime = match lifetime {
        None => 3600,
        Some(text) => match text.parse::<i64>() {
            Ok(seconds) if (3600..=86400).contains(&seconds) => seconds,
            _ => return Err(refuse(format!("token expiration {text} not valid. Expected value to be between 3600 and 86400"))),
        },
    };
    let client = annotation(account, "client-id").unwrap_or_default();
    let tenant = annotation(account, "tenant-id").unwrap_or(tenant);
    let skipped: Vec<String> = annotation(pod, "skip-containers").unwrap_or_default().split(';').map(|n| n.trim().to_string()).collect();
    let variables = [
        ("AZURE_CLIENT_ID", client),
        ("AZURE_TENANT_ID", tenant),
        ("AZURE_FEDERATED_TOKEN_FILE", format!("{MOUNT}/{TOKEN_FILE}")),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/".to_string()),
    ];
    each_container(pod, |container| {
        if skipped.iter().any(|s| container["name"] == s.as_str()) {
            return;
        }
        for (name, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
            let there = container["env"].as_array().is_some_and(|env| env.iter().any(|e| e["name"] == *name));
            if !there {
                push(container, "env", json!({"name": name, "value": value}));
            }
        }
        let mounted = container["volumeMounts"].as_array().is_some_and(|m| m.iter().any(|m| m["name"] == TOKEN_FILE));
        if !mounted {
            push(container, "volumeMounts", json!({"name": TOKEN_FILE, "readOnly": true, "mountPath": MOUNT}));
        }
    });
    let there = pod["spec"]["volumes"].as_array().is_some_and(|v| v.iter().any(|v| v["name"] == TOKEN_FILE));
    if !there {
        let token = json!({"audience": "api://AzureADTokenExchange", "expirationSeconds": lifetime, "path": TOKEN_FILE});
        let volume = json!({"name": TOKEN_FILE, "projected": {"sources": [{"serviceAccountToken": token}], "defaultMode": 420}});
        push(&mut pod["spec"], "volumes", volume);
    }
    metadata(pod);
    Ok(())
}
