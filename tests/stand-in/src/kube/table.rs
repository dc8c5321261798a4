//! Tables, as requested by `kubectl get`.
//!
//! Without tables, kubectl prints only names and ages. With the columns of common kinds, its output looks as users
//! know it.

use serde_json::{Value, json};

use super::resources::Resource;
use super::store::text;

pub fn wanted(accept: &str) -> bool {
    accept.contains("as=Table")
}

fn column(name: &str, kind: &str, format: &str) -> Value {
    json!({"name": name, "type": kind, "format": format, "description": "", "priority": 0})
}

fn age(object: &Value) -> String {
    let Ok(then) = text(object, "creationTimestamp").parse::<jiff::Timestamp>() else { return "<unknown>".into() };
    let seconds = (super::store::clock().as_second() - then.as_second()).max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

pub fn of(resource: &Resource, objects: &[Value], meta: &Value) -> Value {
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    let mut columns = vec![column("Name", "string", "name")];
    let names: &[(&str, &str)] = match resource.kind.as_str() {
        "Deployment" => &[("Ready", "string"), ("Up-to-date", "string"), ("Available", "string")],
        "StatefulSet" => &[("Ready", "string")],
        "DaemonSet" | "ReplicaSet" => &[("Desired", "integer"), ("Current", "integer"), ("Ready", "integer")],
        "Pod" => &[("Ready", "string"), ("Status", "string"), ("Restarts", "string")],
        "ConfigMap" => &[("Data", "string")],
        "Secret" => &[("Type", "string"), ("Data", "string")],
        "ServiceAccount" => &[("Secrets", "string")],
        "Namespace" => &[("Status", "string")],
        "Lease" => &[("Holder", "string")],
        "Job" => &[("Status", "string"), ("Completions", "string")],
        "CronJob" => &[("Schedule", "string"), ("Suspend", "boolean"), ("Active", "integer")],
        "Event" => &[("Type", "string"), ("Reason", "string"), ("Object", "string"), ("Message", "string")],
        _ => &[],
    };
    columns.extend(names.iter().map(|(name, kind)| column(name, kind, "")));
    columns.push(column("Age", "string", ""));
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let (spec, status) = (&object["spec"], &object["status"]);
            let count = |key: &str| object[key].as_object().map_or(0, serde_json::Map::len);
            let ready = || format!("{}/{}", number(&status["readyReplicas"]), number(&spec["replicas"]));
            let middle: Vec<Value> = match resource.kind.as_str() {
                "Deployment" => vec![
                    json!(ready()),
                    json!(number(&status["updatedReplicas"]).to_string()),
                    json!(number(&status["availableReplicas"]).to_string()),
                ],
                "StatefulSet" => vec![json!(ready())],
                "DaemonSet" => {
                    vec![status["desiredNumberScheduled"].clone(), status["currentNumberScheduled"].clone(), status["numberReady"].clone()]
                }
                "ReplicaSet" => vec![spec["replicas"].clone(), json!(number(&status["replicas"])), json!(number(&status["readyReplicas"]))],
                "Pod" => {
                    let all = spec["containers"].as_array().map_or(0, Vec::len);
                    let up = status["containerStatuses"].as_array().into_iter().flatten().filter(|c| c["ready"] == true);
                    vec![json!(format!("{}/{all}", up.count())), status["phase"].clone(), json!("0")]
                }
                "ConfigMap" => vec![json!(count("data").to_string())],
                "Secret" => vec![object["type"].clone(), json!(count("data").to_string())],
                "ServiceAccount" => vec![json!(object["secrets"].as_array().map_or(0, Vec::len).to_string())],
                "Namespace" => vec![status["phase"].clone()],
                "Lease" => vec![json!(spec["holderIdentity"].as_str().unwrap_or_default())],
                "Job" => {
                    let done = number(&status["succeeded"]);
                    let word = if status["completionTime"].is_string() { "Complete" } else { "Running" };
                    vec![json!(word), json!(format!("{done}/{}", number(&spec["completions"])))]
                }
                "CronJob" => {
                    vec![spec["schedule"].clone(), spec["suspend"].clone(), json!(status["active"].as_array().map_or(0, Vec::len))]
                }
                "Event" => vec![
                    object["type"].clone(),
                    object["reason"].clone(),
                    json!(format!(
                        "{}/{}",
                        object["involvedObject"]["kind"].as_str().unwrap_or_default().to_lowercase(),
                        object["involvedObject"]["name"].as_str().unwrap_or_default()
                    )),
                    object["message"].clone(),
                ],
                _ => Vec::new(),
            };
            let mut cells = vec![object["metadata"]["name"].clone()];
            cells.extend(middle);
            cells.push(json!(age(object)));
            let partial = json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
            });
            json!({"cells": cells, "object": partial})
        })
        .collect();
    let version = meta["resourceVersion"].clone();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": version},
        "columnDefinitions": columns, "rows": rows,
    })
}
