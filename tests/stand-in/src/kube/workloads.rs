//! Common parts of the workload controllers: creating pods, reporting failures, counts and conditions.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::shape;
use super::status::Failure;
use super::store::{Key, metadata, new_uid, random_tail, text};
use super::{State, pods, timestamp};

/// Finalizer that keeps a Job's pod until it has been counted.
const JOB_TRACKING: &str = "batch.kubernetes.io/job-tracking";

pub fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// A short hash of a template, in the server's alphabet.
pub fn hash(template: &Value) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let digest = Sha256::digest(template.to_string().as_bytes());
    digest.iter().take(10).map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()])).collect()
}

pub fn is_ready(pod: &Value) -> bool {
    let ready = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
    pod["status"]["conditions"].as_array().is_some_and(|list| list.iter().any(ready)) && pod["metadata"].get("deletionTimestamp").is_none()
}

pub fn owner_reference(owner: &Value) -> Value {
    json!([{
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    }])
}

/// Sets, moves or removes a condition. The transition time is kept as long as the status is the same.
pub fn set_condition(status: &mut Value, mut condition: Value) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(list) = status["conditions"].as_array_mut() else { return };
    match list.iter_mut().find(|c| c["type"] == condition["type"]) {
        Some(old) => {
            if old["status"] == condition["status"] {
                condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
                if old["reason"] == condition["reason"] && old["message"] == condition["message"] {
                    return;
                }
            }
            *old = condition;
        }
        None => list.push(condition),
    }
}

pub fn drop_condition(status: &mut Value, kind: &str) {
    if let Some(list) = status.get_mut("conditions").and_then(Value::as_array_mut) {
        list.retain(|c| c["type"] != kind);
        if list.is_empty()
            && let Some(map) = status.as_object_mut()
        {
            map.shift_remove("conditions");
        }
    }
}

/// Sets a count; zero is omitted.
pub fn set_count(status: &mut Value, key: &str, count: i64) {
    if count != 0 {
        status[key] = json!(count);
    } else if let Some(map) = status.as_object_mut() {
        map.shift_remove(key);
    }
}

/// A change of the spec by a controller.
pub fn bump(object: &mut Value) {
    let next = number(&object["metadata"]["generation"]) + 1;
    metadata(object).insert("generation".into(), json!(next));
}

impl State {
    /// Creates a pod from a template.
    pub(super) fn make_pod(&mut self, owner: &Value, template: &Value, name: Option<&str>) -> Result<(), Box<Failure>> {
        let Some(resource) = self.store.known("", "pods") else { return Ok(()) };
        let namespace = text(owner, "namespace").to_string();
        let mut pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": template["metadata"], "spec": template["spec"]});
        let prefix = format!("{}-", text(owner, "name"));
        let meta = metadata(&mut pod);
        match name {
            Some(name) => {
                meta.insert("name".into(), json!(name));
            }
            None => {
                meta.insert("name".into(), json!(format!("{prefix}{}", random_tail(5))));
            }
        }
        meta.insert("generateName".into(), json!(prefix));
        meta.insert("namespace".into(), json!(namespace));
        meta.insert("ownerReferences".into(), owner_reference(owner));
        if owner["kind"] == "Job" {
            metadata(&mut pod).insert("finalizers".into(), json!([JOB_TRACKING]));
        }
        shape::complete(&resource, &mut pod);
        let empty = super::schema::empty_object("Pod");
        let writer = super::managers::Manager {
            name: "kube-controller-manager".into(),
            apply: false,
            api_version: "v1".into(),
            subresource: String::new(),
        };
        let managed = super::managers::update(super::managers::Managed::new(), &empty, &pod, writer, &["status"], &timestamp());
        pods::admit(self, &resource, &namespace, &mut pod)?;
        pod["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
        let meta = metadata(&mut pod);
        meta.insert("uid".into(), json!(new_uid()));
        meta.insert("creationTimestamp".into(), json!(timestamp()));
        meta.insert("generation".into(), json!(1));
        super::managers::encode(&mut pod, &managed);
        let key = Key::of(&resource, &namespace, text(&pod, "name"));
        self.store.put(key, pod);
        Ok(())
    }

    pub(super) fn drop_pod(&mut self, pod: &Value) {
        if let Some(resource) = self.store.known("", "pods") {
            self.store.remove(&Key::of(&resource, text(pod, "namespace"), text(pod, "name")));
        }
    }

    /// Adds a controller's event; a repetition only increases its count.
    pub(super) fn event(&mut self, about: &Value, component: &str, kind: &str, reason: &str, message: &str) {
        let Some(resource) = self.store.known("", "events") else { return };
        let uid = about["metadata"]["uid"].clone();
        let there = self
            .store
            .list("", "events", text(about, "namespace"))
            .any(|e| e["involvedObject"]["uid"] == uid && e["reason"] == reason && e["message"] == message);
        if there {
            return;
        }
        let now = timestamp();
        // On the real server the name contains the time, so events are listed in the order of their creation.
        let tail = format!("18{:014x}", self.store.version);
        let event = json!({
            "kind": "Event", "apiVersion": "v1",
            "metadata": {"name": format!("{}.{tail}", text(about, "name")), "namespace": about["metadata"]["namespace"]},
            "involvedObject": {
                "kind": about["kind"], "namespace": about["metadata"]["namespace"], "name": about["metadata"]["name"],
                "uid": uid, "apiVersion": about["apiVersion"], "resourceVersion": about["metadata"]["resourceVersion"],
            },
            "reason": reason, "message": message, "source": {"component": component}, "firstTimestamp": now,
            "lastTimestamp": now, "count": 1, "type": kind, "eventTime": null, "reportingComponent": component,
            "reportingInstance": "",
        });
        self.write_main(&resource, event);
    }
}
