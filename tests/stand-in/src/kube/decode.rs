//! Decoding of bodies: structure, unknown fields, wrong types.
//!
//! The known fields of a kind come from the typed API definitions by a round trip: a field that does not survive it
//! is unknown.

use k8s_openapi::api;
use serde_json::Value;

use super::fields::{self, Element};
use super::resources::Resource;
use super::schema::{self, Kind};
use super::status::{Failure, Outcome};

/// The value of `fieldValidation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    Ignore,
    Warn,
    Strict,
}

fn trip<T: serde::de::DeserializeOwned + serde::Serialize>(value: &Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(value.clone()).map_err(|e| e.to_string())?;
    serde_json::to_value(&typed).map_err(|e| e.to_string())
}

/// Converts an object to its type and back; `None` for kinds without a type here.
fn round_trip(kind: &str, value: &Value) -> Option<Result<Value, String>> {
    Some(match kind {
        "ConfigMap" => trip::<api::core::v1::ConfigMap>(value),
        "Namespace" => trip::<api::core::v1::Namespace>(value),
        "Node" => trip::<api::core::v1::Node>(value),
        "Pod" => trip::<api::core::v1::Pod>(value),
        "ResourceQuota" => trip::<api::core::v1::ResourceQuota>(value),
        "Secret" => trip::<api::core::v1::Secret>(value),
        "Service" => trip::<api::core::v1::Service>(value),
        "ServiceAccount" => trip::<api::core::v1::ServiceAccount>(value),
        "Deployment" => trip::<api::apps::v1::Deployment>(value),
        "StatefulSet" => trip::<api::apps::v1::StatefulSet>(value),
        "DaemonSet" => trip::<api::apps::v1::DaemonSet>(value),
        "ReplicaSet" => trip::<api::apps::v1::ReplicaSet>(value),
        "Job" => trip::<api::batch::v1::Job>(value),
        "CronJob" => trip::<api::batch::v1::CronJob>(value),
        "Lease" => trip::<api::coordination::v1::Lease>(value),
        "Role" => trip::<api::rbac::v1::Role>(value),
        "ClusterRole" => trip::<api::rbac::v1::ClusterRole>(value),
        "RoleBinding" => trip::<api::rbac::v1::RoleBinding>(value),
        "ClusterRoleBinding" => trip::<api::rbac::v1::ClusterRoleBinding>(value),
        _ => return None,
    })
}

/// The paths of fields that the kind does not have.
fn unknown_in(sent: &Value, known: &Value, path: &mut Vec<Element>, out: &mut Vec<Vec<Element>>) {
    match (sent, known) {
        (Value::Object(sent), Value::Object(known)) => {
            for (key, value) in sent {
                path.push(Element::field(key));
                match known.get(key) {
                    Some(kept) => unknown_in(value, kept, path, out),
                    None if !value.is_null() => out.push(path.clone()),
                    None => {}
                }
                path.pop();
            }
        }
        (Value::Array(sent), Value::Array(known)) => {
            for (at, (value, kept)) in sent.iter().zip(known).enumerate() {
                path.push(Element::Item(at.to_string()));
                unknown_in(value, kept, path, out);
                path.pop();
            }
        }
        _ => {}
    }
}

fn plain_path(path: &[Element]) -> String {
    let mut text = String::new();
    for element in path {
        match element {
            Element::Item(at) => text.push_str(&format!("[{at}]")),
            Element::Field(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Element::Key(_) => {}
        }
    }
    text
}

fn cut(value: &mut Value, path: &[Element]) {
    match path {
        [Element::Field(name)] => {
            if let Some(map) = value.as_object_mut() {
                map.shift_remove(name);
            }
        }
        [Element::Field(name), rest @ ..] => {
            if let Some(inner) = value.get_mut(name) {
                cut(inner, rest);
            }
        }
        [Element::Item(at), rest @ ..] => {
            if let Some(inner) = at.parse::<usize>().ok().and_then(|at| value.get_mut(at)) {
                cut(inner, rest);
            }
        }
        _ => {}
    }
}

/// Removes unknown fields. Returns their paths, or the message about a wrong type.
pub fn drop_unknown(resource: &Resource, object: &mut Value) -> Result<Vec<String>, String> {
    if resource.custom {
        return Ok(Vec::new());
    }
    if let Some(data) = object.get("data").filter(|_| resource.kind == "ConfigMap" || resource.kind == "Secret") {
        for value in data.as_object().into_iter().flatten().map(|(_, v)| v) {
            let found = match value {
                Value::Number(_) => "number",
                Value::Bool(_) => "bool",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
                _ => continue,
            };
            return Err(format!("json: cannot unmarshal {found} into Go struct field {}.data of type string", resource.kind));
        }
    }
    match round_trip(&resource.kind, object) {
        None => Ok(Vec::new()),
        Some(Err(error)) => Err(error),
        Some(Ok(known)) => {
            let mut found = Vec::new();
            unknown_in(object, &known, &mut Vec::new(), &mut found);
            for path in &found {
                cut(object, path);
            }
            Ok(found.iter().map(|path| plain_path(path)).collect())
        }
    }
}

/// Keys that occur twice in one JSON object; the parsed value no longer shows them.
pub fn duplicates(text: &str) -> Vec<String> {
    struct Scan<'a> {
        path: Vec<String>,
        found: &'a mut Vec<String>,
    }
    impl<'de> serde::de::DeserializeSeed<'de> for Scan<'_> {
        type Value = ();
        fn deserialize<D: serde::Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
            d.deserialize_any(self)
        }
    }
    impl<'de> serde::de::Visitor<'de> for Scan<'_> {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("JSON")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut seen = std::collections::BTreeSet::new();
            while let Some(key) = map.next_key::<String>()? {
                let mut path = self.path.clone();
                path.push(key.clone());
                if !seen.insert(key) {
                    self.found.push(path.join("."));
                }
                map.next_value_seed(Scan { path, found: &mut *self.found })?;
            }
            Ok(())
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
            while seq.next_element_seed(Scan { path: self.path.clone(), found: &mut *self.found })?.is_some() {}
            Ok(())
        }
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
    }
    let mut found = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    let scan = Scan { path: Vec::new(), found: &mut found };
    // A body that is not JSON was refused before.
    let _ = serde::de::DeserializeSeed::deserialize(scan, &mut reader);
    found
}

/// Checks an applied configuration against the schema. This is the server's first check, and its error is always a
/// 500.
pub fn check_applied(resource: &Resource, namespace: &str, name: &str, config: &Value) -> Outcome<()> {
    let group_version = resource.api_version();
    let place = if namespace.is_empty() { format!("/{name}") } else { format!("{namespace}/{name}") };
    let refuse = |why: String| {
        Failure::internal(format!("failed to create typed patch object ({place}; {group_version}, Kind={}): {why}", resource.kind))
    };
    if let Some(why) = fault(config, "", "", &mut Vec::new()) {
        return Err(refuse(why));
    }
    let mut copy = config.clone();
    match drop_unknown(resource, &mut copy) {
        Ok(unknown) => match unknown.first() {
            Some(path) => Err(refuse(format!(".{path}: field not declared in schema"))),
            None => Ok(()),
        },
        Err(error) => Err(refuse(error)),
    }
}

fn fault(value: &Value, parent: &str, name: &str, path: &mut Vec<Element>) -> Option<String> {
    match value {
        Value::Object(map) => {
            let texts = matches!(name, "labels" | "annotations" | "stringData" | "data" | "matchLabels");
            for (key, inner) in map {
                path.push(Element::field(key));
                if texts && !inner.is_string() && !inner.is_null() {
                    let shown = match inner {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    return Some(format!("{}: expected string, got &value.valueUnstructured{{Value:{shown}}}", fields::show(path)));
                }
                if let Some(found) = fault(inner, name, key, path) {
                    return Some(found);
                }
                path.pop();
            }
            None
        }
        Value::Array(items) => {
            let kind = schema::kind(parent, name, value);
            let mut seen = Vec::new();
            for item in items {
                let element = schema::item_element(kind, item);
                if matches!(kind, Kind::Keyed(_) | Kind::Values) {
                    if seen.contains(&element) {
                        let key = fields::show(std::slice::from_ref(&element));
                        return Some(format!("{}: duplicate entries for key {key}", fields::show(path)));
                    }
                    seen.push(element.clone());
                }
                path.push(element);
                let found = fault(item, parent, name, path);
                if found.is_some() {
                    return found;
                }
                path.pop();
            }
            None
        }
        _ => None,
    }
}

/// Parses a JSON or YAML body.
pub fn parse(body: &[u8]) -> Option<Value> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Some(value);
    }
    let text = std::str::from_utf8(body).ok()?;
    let value: Value = serde_saphyr::from_str(text).ok()?;
    value.is_object().then_some(value)
}
