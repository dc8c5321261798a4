//! Field managers: who owns which field, what an apply may take, and what a release removes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::fields::{self, Element, Set};
use super::merge::{self, At};
use super::status::{Failure, Outcome};

/// The owner of a set of fields. The time is not part of its identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    pub name: String,
    pub apply: bool,
    pub api_version: String,
    pub subresource: String,
}

impl Manager {
    fn show(&self) -> String {
        let mut text = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if !self.apply {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    pub set: Set,
    pub time: String,
}

pub type Managed = BTreeMap<Manager, Owned>;

/// Parses `metadata.managedFields`.
pub fn decode(object: &Value) -> Managed {
    let mut out = Managed::new();
    for entry in object["metadata"]["managedFields"].as_array().into_iter().flatten() {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_string();
        let manager = Manager {
            name: text("manager"),
            apply: entry["operation"] == "Apply",
            api_version: text("apiVersion"),
            subresource: text("subresource"),
        };
        out.insert(manager, Owned { set: Set::from_json(&entry["fieldsV1"]), time: text("time") });
    }
    out
}

/// Writes `metadata.managedFields`: appliers first, then by time.
pub fn encode(object: &mut Value, managed: &Managed) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let mut order: Vec<(&Manager, &Owned)> = managed.iter().filter(|(_, owned)| !owned.set.is_empty()).collect();
    order.sort_by_key(|(manager, owned)| (!manager.apply, owned.time.clone(), manager.name.clone()));
    if order.is_empty() {
        metadata.remove("managedFields");
        return;
    }
    let list = order
        .into_iter()
        .map(|(manager, owned)| {
            let mut entry = Map::new();
            entry.insert("manager".into(), json!(manager.name));
            entry.insert("operation".into(), json!(if manager.apply { "Apply" } else { "Update" }));
            entry.insert("apiVersion".into(), json!(manager.api_version));
            if !owned.time.is_empty() {
                entry.insert("time".into(), json!(owned.time));
            }
            entry.insert("fieldsType".into(), json!("FieldsV1"));
            entry.insert("fieldsV1".into(), owned.set.to_json());
            if !manager.subresource.is_empty() {
                entry.insert("subresource".into(), json!(manager.subresource));
            }
            Value::Object(entry)
        })
        .collect();
    metadata.insert("managedFields".into(), Value::Array(list));
}

/// Removes fields that nobody can own, and fields that this endpoint's callers may not write.
fn strip(set: &mut Set, ignored: &[&str]) {
    for field in ["apiVersion", "kind"] {
        set.cut(&[Element::field(field)]);
    }
    set.remove(&[Element::field("metadata")]);
    for field in
        ["name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields", "resourceVersion"]
    {
        set.cut(&[Element::field("metadata"), Element::field(field)]);
    }
    for field in ignored {
        set.cut(&[Element::field(field)]);
    }
}

/// Removes from every manager except `mine` the fields that `live → new` changes or removes.
fn take(managed: &mut Managed, mine: Option<&Manager>, live: &Value, new: &Value, force: bool) -> Outcome<merge::Comparison> {
    let comparison = merge::compare(live, new);
    let changed = comparison.modified.union(&comparison.added);
    let mut conflicts: Vec<(Manager, Vec<Element>)> = Vec::new();
    for (manager, owned) in managed.iter() {
        if Some(manager) == mine {
            continue;
        }
        let both = owned.set.intersection(&changed);
        conflicts.extend(both.paths().into_iter().map(|path| (manager.clone(), path)));
    }
    if !force && !conflicts.is_empty() {
        return Err(refuse(&conflicts));
    }
    for (manager, owned) in managed.iter_mut() {
        if Some(manager) == mine {
            continue;
        }
        owned.set = owned.set.difference(&owned.set.intersection(&changed)).difference(&comparison.removed);
    }
    managed.retain(|_, owned| !owned.set.is_empty());
    Ok(comparison)
}

fn refuse(conflicts: &[(Manager, Vec<Element>)]) -> Box<Failure> {
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|(manager, path)| {
            json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {}", manager.show()),
                "field": fields::show(path),
            })
        })
        .collect();
    let message = if let [(manager, path)] = conflicts {
        format!("Apply failed with 1 conflict: conflict with {}: {}", manager.show(), fields::show(path))
    } else {
        let mut lines = Vec::new();
        let mut last = None;
        for (manager, path) in conflicts {
            if last != Some(manager) {
                lines.push(format!("conflicts with {}:", manager.show()));
                last = Some(manager);
            }
            lines.push(format!("- {}", fields::show(path)));
        }
        format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
    };
    Failure::new(409, Some("Conflict"), message).with(json!({"causes": causes}))
}

/// Records the ownership of a plain write: the writer owns the fields that it added or changed, besides those that it
/// owned before.
pub fn update(mut managed: Managed, live: &Value, new: &Value, writer: Manager, ignored: &[&str], now: &str) -> Managed {
    // With force this never fails.
    let Ok(comparison) = take(&mut managed, None, live, new, true) else { return managed };
    let mut gained = comparison.modified.union(&comparison.added);
    strip(&mut gained, ignored);
    if !gained.is_empty() {
        let set = match managed.get(&writer) {
            Some(owned) => owned.set.union(&gained),
            None => gained,
        };
        managed.insert(writer, Owned { set, time: now.to_string() });
    }
    managed
}

/// Merges an applied configuration into the live object, removes the fields that its manager no longer names, and
/// records the ownership.
pub fn apply(
    mut managed: Managed,
    live: &Value,
    config: &Value,
    writer: &Manager,
    ignored: &[&str],
    force: bool,
    now: &str,
) -> Outcome<(Value, Managed)> {
    let before = managed.clone();
    let merged = merge::merge(Some(live), Some(config), At::ROOT).unwrap_or(Value::Null);
    let last = managed.get(writer).cloned();
    let mut set = merge::field_set(config);
    strip(&mut set, ignored);
    managed.insert(writer.clone(), Owned { set, time: now.to_string() });
    let new = match &last {
        Some(owned) if !owned.set.is_empty() => prune(&merged, &managed, &owned.set),
        _ => merged,
    };
    take(&mut managed, Some(writer), live, &new, force)?;
    managed.retain(|_, owned| !owned.set.is_empty());
    if &new == live
        && let Some(owned) = managed.get_mut(writer)
    {
        // An apply that changes no value keeps its time; a new co-owner has none.
        owned.time = before.get(writer).map(|then| then.time.clone()).unwrap_or_default();
    }
    Ok((new, managed))
}

fn prune(merged: &Value, managed: &Managed, last: &Set) -> Value {
    let mut last = merge::with_named_fields(last);
    // These contain name and version, which nobody owns.
    last.members.remove(&Element::field("metadata"));
    let pruned = merge::remove(merged, &last, At::ROOT);
    let pruned = add_back_owned(merged, &pruned, managed);
    // Keep fields that the last configuration did not name, even if pruning removed them.
    let kept = merge::with_named_fields(&merge::field_set(&pruned));
    let all = merge::with_named_fields(&merge::field_set(merged));
    merge::remove(merged, &all.difference(&kept).intersection(&last), At::ROOT)
}

fn add_back_owned(merged: &Value, pruned: &Value, managed: &Managed) -> Value {
    let mut pruned = pruned.clone();
    let mut versions: BTreeMap<&str, Set> = BTreeMap::new();
    for (manager, owned) in managed {
        let set = versions.entry(&manager.api_version).or_default();
        *set = set.union(&owned.set);
    }
    for owned in versions.values() {
        let all = merge::with_named_fields(&merge::field_set(merged));
        let kept = merge::with_named_fields(&merge::field_set(&pruned));
        let owned = merge::with_named_fields(owned);
        pruned = merge::remove(merged, &all.difference(&kept.union(&owned)), At::ROOT);
    }
    pruned
}
