//! The changes made by a command, object by object.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use stand_in::Sandbox;

/// Longer values are cut in the report.
const VALUE_WIDTH: usize = 100;

/// Every object of Azure and the clusters by a readable name.
pub(crate) fn everything(sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let state = sandbox.control().state();
    for part in ["resources", "roleAssignments"] {
        for (id, body) in state[part].as_object().into_iter().flatten() {
            let kind = if part == "resources" { "azure" } else { "role " };
            all.insert(format!("{kind} {id}"), body.clone());
        }
    }
    for name in ["aks-shop", "aks-ready"] {
        let objects = sandbox.cluster(name).map(stand_in::kube::KubeCluster::snapshot).unwrap_or_default();
        for object in objects.as_array().into_iter().flatten() {
            let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
            let key = format!("kube  {name} {} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
            all.insert(key, object.clone());
        }
    }
    all
}

/// One line per added or removed object, and per changed value.
pub(crate) fn between(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> String {
    let mut report = String::new();
    for (name, new) in after {
        match before.get(name) {
            None => _ = writeln!(report, "+ {name}"),
            Some(old) if old != new => {
                _ = writeln!(report, "~ {name}");
                differences(&mut report, "", old, new);
            }
            Some(_) => {}
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        _ = writeln!(report, "- {name}");
    }
    if report.is_empty() { "sandbox: nothing changed".to_owned() } else { format!("sandbox: what changed\n{}", report.trim_end()) }
}

fn differences(report: &mut String, at: &str, old: &Value, new: &Value) {
    if old == new {
        return;
    }
    if let (Some(a), Some(b)) = (old.as_object(), new.as_object()) {
        for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
            differences(report, &format!("{at}.{key}"), &old[key.as_str()], &new[key.as_str()]);
        }
        return;
    }
    if let (Some(a), Some(b)) = (old.as_array(), new.as_array())
        && a.len() == b.len()
    {
        for (number, (old, new)) in a.iter().zip(b).enumerate() {
            let name = new["name"].as_str().map_or_else(|| number.to_string(), ToOwned::to_owned);
            differences(report, &format!("{at}[{name}]"), old, new);
        }
        return;
    }
    _ = writeln!(report, "    {}: {} → {}", at.trim_start_matches('.'), short(old), short(new));
}

fn short(value: &Value) -> String {
    if value.is_null() {
        return "(none)".into();
    }
    let text = value.to_string();
    if text.chars().count() <= VALUE_WIDTH { text } else { format!("{}…", text.chars().take(VALUE_WIDTH).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn goes_into_lists_by_name() {
        let with = |image: &str| BTreeMap::from([("a".to_owned(), json!({"containers": [{"name": "app", "image": image}]}))]);
        assert_eq!(between(&with("x"), &with("y")), "sandbox: what changed\n~ a\n    containers[app].image: \"x\" → \"y\"");
    }

    #[test]
    fn tells_what_came_what_went_and_what_is_different() {
        let before = BTreeMap::from([("a".to_owned(), json!({"x": 1, "y": 2})), ("b".to_owned(), json!(1))]);
        let after = BTreeMap::from([("a".to_owned(), json!({"x": 1, "z": 3})), ("c".to_owned(), json!(1))]);
        assert_eq!(between(&before, &after), "sandbox: what changed\n~ a\n    y: 2 → (none)\n    z: (none) → 3\n+ c\n- b");
        assert_eq!(between(&before, &before), "sandbox: nothing changed");
    }
}
