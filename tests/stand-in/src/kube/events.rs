//! Events have two APIs over one store; `core/v1` is the stored form.

use serde_json::{Map, Value};

use super::status::Outcome;

const NAMES: &[(&str, &str)] = &[
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

fn rename(object: &Value, to_core: bool) -> Value {
    let mut out = Map::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        let found = NAMES.iter().find(|(new, old)| key == if to_core { new } else { old });
        let name = match found {
            Some((new, old)) => (if to_core { old } else { new }).to_string(),
            None => key.clone(),
        };
        out.insert(name, value.clone());
    }
    Value::Object(out)
}

pub fn to_core(object: &mut Value) -> Outcome<()> {
    *object = rename(object, true);
    Ok(())
}

pub fn from_core(object: &Value) -> Value {
    let mut out = rename(object, false);
    if let Some(map) = out.as_object_mut() {
        map.retain(|key, value| !(key.starts_with("reporting") && value == ""));
    }
    out["apiVersion"] = Value::from("events.k8s.io/v1");
    out
}
