//! The type information for merging: which lists are keyed, which objects are atomic, which are maps.
//!
//! The real server takes this from its OpenAPI schema. In the served kinds the field names are unambiguous enough for
//! a table of names. A name that is not in the table is a granular struct, an atomic list or a scalar.

use serde_json::{Value, json};

use super::fields::Element;

/// How a value merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Declared fields, merged one by one.
    Struct,
    /// Free keys, merged one by one; each key is owned separately.
    Map,
    /// Replaced as a whole.
    Atomic,
    /// A list keyed by these fields; with the default of a key that may be omitted.
    Keyed(&'static [(&'static str, Option<&'static str>)]),
    /// A list of distinct scalars.
    Values,
}

const BY_NAME: Kind = Kind::Keyed(&[("name", None)]);

/// The kind of the field `name` in an object which is itself the field `parent` (or an item of it).
pub fn kind(parent: &str, name: &str, value: &Value) -> Kind {
    match value {
        Value::Object(_) => match name {
            "labels" | "annotations" | "data" | "stringData" | "binaryData" | "limits" | "requests" | "volumeAttributes" | "parameters"
            | "hard" | "used" | "allocatable" | "capacity" => Kind::Map,
            "selector"
            | "labelSelector"
            | "namespaceSelector"
            | "objectSelector"
            | "podSelector"
            | "nodeSelector"
            | "secretKeyRef"
            | "configMapKeyRef"
            | "fieldRef"
            | "resourceFieldRef"
            | "involvedObject"
            | "roleRef"
            | "nodePublishSecretRef"
            | "claimRef"
            | "regarding"
            | "requiredDuringSchedulingIgnoredDuringExecution" => Kind::Atomic,
            _ => Kind::Struct,
        },
        Value::Array(_) => match (parent, name) {
            (_, "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env" | "imagePullSecrets")
            | (_, "schedulingGates" | "webhooks")
            | ("", "secrets") => BY_NAME,
            ("containers" | "initContainers", "ports") => Kind::Keyed(&[("containerPort", None), ("protocol", Some("\"TCP\""))]),
            ("spec", "ports") => Kind::Keyed(&[("port", None), ("protocol", Some("\"TCP\""))]),
            (_, "volumeMounts") => Kind::Keyed(&[("mountPath", None)]),
            (_, "volumeDevices") => Kind::Keyed(&[("devicePath", None)]),
            (_, "hostAliases" | "podIPs" | "hostIPs") => Kind::Keyed(&[("ip", None)]),
            (_, "topologySpreadConstraints") => Kind::Keyed(&[("topologyKey", None), ("whenUnsatisfiable", None)]),
            ("status", "conditions") if is_job_conditions(value) => Kind::Atomic,
            ("status", "conditions" | "addresses") => Kind::Keyed(&[("type", None)]),
            ("metadata", "ownerReferences") => Kind::Keyed(&[("uid", None)]),
            ("metadata" | "spec", "finalizers") | (_, "volumeLifecycleModes") => Kind::Values,
            _ => Kind::Atomic,
        },
        _ => Kind::Atomic,
    }
}

/// Only a Job's conditions are replaced as a whole; they are recognised by their types.
fn is_job_conditions(value: &Value) -> bool {
    let of_job = |c: &Value| {
        let kind = c["type"].as_str().unwrap_or_default();
        matches!(kind, "Complete" | "Failed" | "SuccessCriteriaMet" | "FailureTarget" | "Suspended")
    };
    value.as_array().is_some_and(|list| list.iter().any(of_job))
}

/// Whether an object has free keys. Only maps list their keys as separate items.
pub fn is_map_field(name: &str) -> bool {
    kind("", name, &json!({})) == Kind::Map
}

/// Items that are replaced as a whole although their list is keyed.
pub fn atomic_items(name: &str) -> bool {
    name == "ownerReferences"
}

/// The path element of an item of a keyed list.
pub fn item_element(kind: Kind, item: &Value) -> Element {
    match kind {
        Kind::Keyed(keys) => {
            let mut pairs: Vec<(String, String)> = keys
                .iter()
                .filter_map(|(key, default)| {
                    let text = item.get(*key).map(Value::to_string).or_else(|| default.map(str::to_string))?;
                    Some(((*key).to_string(), text))
                })
                .collect();
            pairs.sort();
            Element::Key(pairs)
        }
        _ => Element::Item(item.to_string()),
    }
}

/// The merge key of a strategic merge patch; there, lists have only one key.
pub fn strategic_key(parent: &str, name: &str) -> Option<&'static str> {
    match (parent, name) {
        (_, "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env" | "imagePullSecrets" | "webhooks")
        | ("", "secrets") => Some("name"),
        ("containers" | "initContainers", "ports") => Some("containerPort"),
        ("spec", "ports") => Some("port"),
        (_, "volumeMounts") => Some("mountPath"),
        (_, "volumeDevices") => Some("devicePath"),
        (_, "hostAliases" | "podIPs" | "hostIPs") => Some("ip"),
        (_, "topologySpreadConstraints") => Some("topologyKey"),
        ("status", "conditions" | "addresses") => Some("type"),
        ("metadata", "ownerReferences") => Some("uid"),
        _ => None,
    }
}

/// The object before a create: an empty object as the server's types serialise it.
///
/// Fields that are serialised even when empty don't count as added by the creator. That is why the recorded
/// `fieldsV1` of a create has `.` under `f:env` but not under `f:containers`.
pub fn empty_object(kind: &str) -> Value {
    let template = json!({"metadata": {}, "spec": {"containers": null}});
    match kind {
        "Deployment" => {
            json!({"metadata": {}, "spec": {"selector": null, "strategy": {}, "template": template}, "status": {}})
        }
        "StatefulSet" | "DaemonSet" => json!({
            "metadata": {}, "spec": {"selector": null, "template": template, "updateStrategy": {}}, "status": {},
        }),
        "ReplicaSet" => {
            json!({"metadata": {}, "spec": {"selector": null, "template": template}, "status": {"replicas": 0}})
        }
        "Job" => json!({"metadata": {}, "spec": {"template": template}, "status": {}}),
        "CronJob" => json!({
            "metadata": {}, "status": {},
            "spec": {"schedule": "", "jobTemplate": {"metadata": {}, "spec": {"template": template}}},
        }),
        "Pod" => json!({"metadata": {}, "spec": {"containers": null}, "status": {}}),
        "Event" => json!({
            "metadata": {}, "involvedObject": {}, "source": {}, "firstTimestamp": null, "lastTimestamp": null,
            "eventTime": null, "reportingComponent": "", "reportingInstance": "",
        }),
        "CustomResourceDefinition" => json!({
            "metadata": {}, "spec": {"group": "", "names": {"plural": "", "kind": ""}, "scope": "", "versions": null},
            "status": {"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": null},
        }),
        "Role" | "ClusterRole" => json!({"metadata": {}, "rules": null}),
        "RoleBinding" | "ClusterRoleBinding" => {
            json!({"metadata": {}, "roleRef": {"apiGroup": "", "kind": "", "name": ""}})
        }
        "Namespace" | "Node" | "Service" | "Lease" | "CSIDriver" | "ResourceQuota" => {
            json!({"metadata": {}, "spec": {}, "status": {}})
        }
        _ => json!({"metadata": {}}),
    }
}
