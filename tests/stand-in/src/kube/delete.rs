//! Deletes: preconditions, finalizers, propagation, and the format of the answer.

use serde_json::{Value, json};

use super::resources::Resource;
use super::status::{self, Failure, Outcome};
use super::store::{Key, metadata, now, text};
use super::write::{Written, has_finalizers};
use super::{Call, State, decode};

impl State {
    pub fn delete(&mut self, call: &Call<'_>) -> Outcome<Written> {
        let resource = call.resource()?;
        let sent = decode::parse(&call.request.body).unwrap_or(Value::Null);
        let Some(old) = self.store.get(resource, &call.namespace, &call.name).cloned() else {
            return Err(Failure::not_found(resource, &call.name));
        };
        let wanted = |key: &str| sent["preconditions"][key].as_str().map(str::to_string);
        if let Some(uid) = wanted("uid").filter(|uid| uid != text(&old, "uid")) {
            let why = format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been \
                 deleted and then recreated",
                text(&old, "uid")
            );
            return Err(Failure::precondition(resource, &call.name, &why));
        }
        if let Some(version) = wanted("resourceVersion").filter(|v| v != text(&old, "resourceVersion")) {
            let why = format!(
                "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). \
                 The object might have been modified",
                text(&old, "resourceVersion")
            );
            return Err(Failure::precondition(resource, &call.name, &why));
        }
        let dry = call.request.q("dryRun") == Some("All") || sent["dryRun"].as_array().is_some_and(|d| !d.is_empty());
        let policy = call.request.q("propagationPolicy").or(sent["propagationPolicy"].as_str()).unwrap_or_default();
        Ok(Written::new(200, self.erase(resource, &old, policy, dry)))
    }

    /// Deletes or marks one object, and returns the answer in the format for its kind.
    pub fn erase(&mut self, resource: &Resource, old: &Value, policy: &str, dry: bool) -> Value {
        let (namespace, name) = (text(old, "namespace"), text(old, "name"));
        let key = Key::of(resource, namespace, name);
        let finalizer = match policy {
            "Foreground" => Some("foregroundDeletion"),
            "Orphan" => Some("orphan"),
            _ => None,
        };
        let mut object = self.served(resource, old);
        let lingers =
            finalizer.is_some() || has_finalizers(old) || resource.kind == "Namespace" || resource.kind == "CustomResourceDefinition";
        if lingers {
            if old["metadata"].get("deletionTimestamp").is_some() {
                return object;
            }
            let meta = metadata(&mut object);
            meta.insert("deletionTimestamp".into(), json!(now()));
            if let Some(finalizer) = finalizer {
                let list = meta.entry("finalizers").or_insert_with(|| json!([]));
                if let Some(list) = list.as_array_mut().filter(|l| !l.contains(&json!(finalizer))) {
                    list.push(json!(finalizer));
                }
                meta.insert("deletionGracePeriodSeconds".into(), json!(0));
                if resource.generation {
                    let next = meta.get("generation").and_then(Value::as_i64).unwrap_or_default() + 1;
                    meta.insert("generation".into(), json!(next));
                }
            }
            if resource.kind == "CustomResourceDefinition" {
                meta.insert("finalizers".into(), json!(["customresourcecleanup.apiextensions.k8s.io"]));
                if !dry {
                    self.store.remove(&key);
                    self.store.version += 1;
                }
                super::custom::ending(&mut object);
                let version = self.store.version.to_string();
                metadata(&mut object).insert("resourceVersion".into(), json!(version));
                return object;
            }
            if resource.kind == "Namespace" {
                object["status"]["phase"] = json!("Terminating");
            }
            return if dry { object } else { self.store.put(key, object) };
        }
        let mut last = if dry { object } else { self.store.remove(&key).unwrap_or(object) };
        if resource.kind == "Pod" {
            let next = last["metadata"]["generation"].as_i64().unwrap_or_default() + 1;
            let meta = metadata(&mut last);
            meta.insert("generation".into(), json!(next));
            meta.insert("deletionTimestamp".into(), json!(now()));
            meta.insert("deletionGracePeriodSeconds".into(), json!(0));
        }
        if matches!(resource.kind.as_str(), "ServiceAccount" | "Pod" | "Service" | "ResourceQuota") {
            return last;
        }
        status::success(resource, name, text(old, "uid"))
    }

    pub fn delete_collection(&mut self, call: &Call<'_>) -> Outcome<Written> {
        let resource = call.resource()?;
        let selection = call.selection()?;
        let (group, plural) = resource.storage();
        let found: Vec<Value> = self.store.list(&group, &plural, &call.namespace).filter(|o| selection.matches(o)).cloned().collect();
        let policy = call.request.q("propagationPolicy").unwrap_or_default();
        for object in &found {
            self.erase(resource, object, policy, call.request.q("dryRun") == Some("All"));
        }
        Ok(Written::new(200, super::read::list_object(resource, found, &self.store.version.to_string())))
    }
}
