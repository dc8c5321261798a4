//! Changes that the server makes to a written object: initial status, labels, generation, and warnings.

use serde_json::{Map, Value, json};

use super::resources::Resource;
use super::store::{metadata, text};

pub fn create(resource: &Resource, object: &mut Value, uid: &str) {
    let name = text(object, "name").to_string();
    match resource.kind.as_str() {
        "Deployment" => object["status"] = json!({}),
        "StatefulSet" => object["status"] = json!({"replicas": 0, "availableReplicas": 0}),
        "DaemonSet" => {
            object["status"] = json!({
                "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
            });
        }
        "ReplicaSet" => object["status"] = json!({"replicas": 0}),
        "CronJob" => object["status"] = json!({}),
        "Job" => {
            object["status"] = json!({});
            if object["spec"]["manualSelector"] != true {
                object["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
                let labels = &mut object["spec"]["template"]["metadata"]["labels"];
                if !labels.is_object() {
                    *labels = json!({});
                }
                for (key, value) in [
                    ("batch.kubernetes.io/controller-uid", uid),
                    ("batch.kubernetes.io/job-name", &name),
                    ("controller-uid", uid),
                    ("job-name", &name),
                ] {
                    labels[key] = json!(value);
                }
            }
        }
        "Pod" => object["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"}),
        "CustomResourceDefinition" => super::custom::fresh(object),
        "Node" => {
            object["spec"]["taints"] = json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]);
            object["status"] = json!({
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
                "nodeInfo": {
                    "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "", "osImage": "",
                    "containerRuntimeVersion": "", "kubeletVersion": "", "kubeProxyVersion": "", "operatingSystem": "",
                    "architecture": "",
                },
            });
        }
        _ => {}
    }
}

pub fn update(resource: &Resource, old: &Value, object: &mut Value) {
    if !resource.generation {
        return;
    }
    if resource.kind == "DaemonSet" && old["spec"]["template"] != object["spec"]["template"] {
        let key = "deprecated.daemonset.template.generation";
        let before = old["metadata"]["annotations"][key].as_str().and_then(|v| v.parse::<i64>().ok()).unwrap_or(1);
        object["metadata"]["annotations"][key] = json!((before + 1).to_string());
    }
    let rest = |value: &Value| -> Map<String, Value> {
        let keep = |key: &str| !matches!(key, "metadata" | "status" | "apiVersion" | "kind");
        value.as_object().into_iter().flatten().filter(|(k, _)| keep(k)).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    // Only for Deployments do annotations count: their controller copies them to ReplicaSets.
    let annotated = resource.kind == "Deployment" && old["metadata"].get("annotations") != object["metadata"].get("annotations");
    if rest(old) != rest(object) || annotated {
        let next = old["metadata"]["generation"].as_i64().unwrap_or_default() + 1;
        metadata(object).insert("generation".into(), json!(next));
    }
}

pub fn create_warning(resource: &Resource, object: &Value) -> Option<String> {
    let asks = resource.kind == "CSIDriver" && object["spec"]["tokenRequests"].is_array();
    (asks && object["spec"].get("serviceAccountTokenInSecrets").is_none()).then(|| {
        "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible \
         logging of tokens in volume attributes"
            .to_string()
    })
}

/// The warning about a variable that is defined twice.
pub fn hidden_variables(resource: &Resource, object: &Value) -> Vec<String> {
    let Some(path) = resource.template_path() else { return Vec::new() };
    let pod = path.iter().fold(object, |value, key| &value[*key]);
    let mut out = Vec::new();
    for kind in ["initContainers", "containers"] {
        for (at, container) in pod["spec"][kind].as_array().into_iter().flatten().enumerate() {
            let env = container["env"].as_array().map(Vec::as_slice).unwrap_or_default();
            for (index, item) in env.iter().enumerate() {
                if env[..index].iter().any(|e| e["name"] == item["name"]) {
                    let place: String = path.iter().map(|p| format!("{p}.")).collect();
                    out.push(format!(
                        "{place}spec.{kind}[{at}].env[{index}]: hides previous definition of {}, which may be dropped \
                         when using apply",
                        item["name"]
                    ));
                }
            }
        }
    }
    out
}
