//! Custom resources: pruning and type checks by the schema of their definition.

use serde_json::{Value, json};

use super::State;
use super::decode::Strictness;
use super::resources::Resource;
use super::status::{Cause, Failure, Outcome};
use super::store::now;

/// Sets the fields that API extension controllers fill in: accepted names and the Established condition.
pub fn accept(definition: &mut Value) {
    let stored: Vec<Value> = definition["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|v| v["storage"] == true)
        .map(|v| v["name"].clone())
        .collect();
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now(), "reason": reason, "message": message});
    definition["status"] = json!({
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": stored,
    });
}

/// The status of a definition in the answer to its creation.
pub fn fresh(definition: &mut Value) {
    accept(definition);
    definition["status"]["conditions"] = Value::Null;
    definition["status"]["acceptedNames"] = json!({"plural": "", "kind": ""});
}

/// Sets the status of a definition that was just marked for deletion.
pub fn ending(definition: &mut Value) {
    if let Some(list) = definition["status"]["conditions"].as_array_mut() {
        list.push(json!({
            "type": "Terminating", "status": "True", "lastTransitionTime": now(), "reason": "InstanceDeletionPending",
            "message":
                "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        }));
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_i64() || n.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

fn prune(schema: &Value, value: &mut Value, path: &str, gone: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let fields = schema["properties"].as_object();
            let free = schema.get("additionalProperties").is_some() || schema["x-kubernetes-preserve-unknown-fields"] == true;
            let known = |key: &str| {
                fields.is_some_and(|f| f.contains_key(key))
                    || free
                    || (path.is_empty() && matches!(key, "apiVersion" | "kind" | "metadata"))
            };
            gone.extend(map.keys().filter(|key| !known(key)).map(|key| join(path, key)));
            map.retain(|key, _| known(key));
            for (key, inner) in map.iter_mut().filter(|(key, _)| !(path.is_empty() && *key == "metadata")) {
                if let Some(schema) = fields.and_then(|f| f.get(key)) {
                    prune(schema, inner, &join(path, key), gone);
                }
            }
        }
        Value::Array(list) => {
            for (at, inner) in list.iter_mut().enumerate() {
                prune(&schema["items"], inner, &format!("{path}[{at}]"), gone);
            }
        }
        _ => {}
    }
}

fn check(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let wanted = schema["type"].as_str().unwrap_or_default();
    let found = type_of(value);
    let number = wanted == "number" && found == "integer";
    if !wanted.is_empty() && found != wanted && !number && found != "null" {
        causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            field: path.into(),
            message: format!("Invalid value: \"{found}\": {path} in body must be of type {wanted}: \"{found}\""),
        });
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let below = schema["properties"].get(key).or(schema.get("additionalProperties").filter(|a| a.is_object()));
                if let Some(below) = below {
                    check(below, inner, &join(path, key), causes);
                }
            }
        }
        Value::Array(list) => {
            for (at, inner) in list.iter().enumerate() {
                check(&schema["items"], inner, &format!("{path}[{at}]"), causes);
            }
        }
        _ => {}
    }
}

impl State {
    fn custom_schema(&self, resource: &Resource) -> Option<Value> {
        if !resource.custom {
            return None;
        }
        let definitions = self.store.list("apiextensions.k8s.io", "customresourcedefinitions", "");
        let definition = definitions
            .into_iter()
            .find(|d| d["spec"]["group"] == resource.group.as_str() && d["spec"]["names"]["plural"] == resource.plural.as_str())?;
        let version = definition["spec"]["versions"].as_array()?.iter().find(|v| v["name"] == resource.version.as_str())?;
        Some(version["schema"]["openAPIV3Schema"].clone())
    }

    /// The deprecation warning of a served version.
    pub fn custom_warning(&self, resource: &Resource) -> Option<String> {
        if !resource.custom {
            return None;
        }
        let mut definitions = self.store.list("apiextensions.k8s.io", "customresourcedefinitions", "");
        let definition = definitions
            .find(|d| d["spec"]["group"] == resource.group.as_str() && d["spec"]["names"]["plural"] == resource.plural.as_str())?;
        let version = definition["spec"]["versions"].as_array()?.iter().find(|v| v["name"] == resource.version.as_str())?;
        (version["deprecated"] == true).then(|| version["deprecationWarning"].as_str().unwrap_or_default().to_string())
    }

    /// Removes fields that the schema lacks, and reports them as `strictness` demands.
    pub fn prune_custom(&self, resource: &Resource, object: &mut Value, strictness: Strictness, patch: bool) -> Outcome<Vec<String>> {
        let Some(schema) = self.custom_schema(resource) else { return Ok(Vec::new()) };
        let mut gone = Vec::new();
        prune(&schema, object, "", &mut gone);
        let faults: Vec<String> = gone.iter().map(|path| format!("unknown field {path:?}")).collect();
        match strictness {
            Strictness::Strict if !faults.is_empty() && !patch => Err(Failure::bad_request(format!(
                "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
                resource.kind,
                resource.version,
                resource.kind,
                faults.join(", ")
            ))),
            Strictness::Ignore => Ok(Vec::new()),
            _ => Ok(faults),
        }
    }

    pub fn check_custom_applied(&self, resource: &Resource, namespace: &str, name: &str, config: &Value) -> Outcome<()> {
        let Some(schema) = self.custom_schema(resource) else { return Ok(()) };
        let mut gone = Vec::new();
        prune(&schema, &mut config.clone(), "", &mut gone);
        match gone.first() {
            Some(path) => Err(Failure::internal(format!(
                "failed to create typed patch object ({namespace}/{name}; {}, Kind={}): .{path}: field not declared in \
                 schema",
                resource.api_version(),
                resource.kind
            ))),
            None => Ok(()),
        }
    }

    pub fn custom_causes(&self, resource: &Resource, object: &Value) -> Vec<Cause> {
        let mut causes = Vec::new();
        if let Some(schema) = self.custom_schema(resource) {
            check(&schema, object, "", &mut causes);
        }
        causes
    }
}
