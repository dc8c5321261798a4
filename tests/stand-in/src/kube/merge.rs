//! Merging, comparing and pruning of objects according to their schema.
//!
//! The operations of the server's structured merge, including its behaviour in special cases: order of items when two
//! lists are merged, duplicate items, empty and absent values.

use serde_json::{Map, Value};

use super::fields::{Element, Set};
use super::schema::{self, Kind};

/// The place of a value: its field name and that of the object around it.
#[derive(Clone, Copy)]
pub struct At<'a> {
    parent: &'a str,
    name: &'a str,
}

impl<'a> At<'a> {
    pub const ROOT: At<'static> = At { parent: "", name: "" };

    fn down(self, name: &'a str) -> Self {
        At { parent: self.name, name }
    }

    fn kind(self, value: &Value) -> Kind {
        if self.name.is_empty() && value.is_object() {
            return Kind::Struct;
        }
        schema::kind(self.parent, self.name, value)
    }
}

fn empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn shape<'a>(left: Option<&'a Value>, right: Option<&'a Value>) -> Option<&'a Value> {
    right.filter(|v| !v.is_null()).or(left.filter(|v| !v.is_null()))
}

/// Merges `right` into `left`.
pub fn merge(left: Option<&Value>, right: Option<&Value>, at: At<'_>) -> Option<Value> {
    let Some(model) = shape(left, right) else { return right.or(left).cloned() };
    let kind = at.kind(model);
    let leaf = || right.or(left).cloned();
    if kind == Kind::Atomic || (empty(left) && empty(right)) {
        return leaf();
    }
    match kind {
        Kind::Struct | Kind::Map => {
            let nothing = Map::new();
            let l = left.and_then(Value::as_object).unwrap_or(&nothing);
            let r = right.and_then(Value::as_object).unwrap_or(&nothing);
            let mut out = Map::new();
            for (key, value) in l {
                if let Some(merged) = merge(Some(value), r.get(key), at.down(key)) {
                    out.insert(key.clone(), merged);
                }
            }
            for (key, value) in r {
                if !l.contains_key(key)
                    && let Some(merged) = merge(None, Some(value), at.down(key))
                {
                    out.insert(key.clone(), merged);
                }
            }
            Some(Value::Object(out))
        }
        _ => Some(Value::Array(merge_lists(list(left), list(right), kind, at))),
    }
}

/// Items keep the order of `left` unless `right` orders the shared ones differently; new items follow their
/// predecessors.
fn merge_lists(left: &[Value], right: &[Value], kind: Kind, at: At<'_>) -> Vec<Value> {
    let keys = |items: &[Value]| items.iter().map(|i| schema::item_element(kind, i)).collect::<Vec<_>>();
    let (lk, rk) = (keys(left), keys(right));
    let once = |element: &Element| -> Option<&Value> {
        let mut found = lk.iter().zip(left).filter(|(k, _)| *k == element);
        let first = found.next()?;
        // Duplicate items are not merged: the applied item replaces all of them.
        if found.next().is_some() { None } else { Some(first.1) }
    };
    let item = |l: Option<&Value>, r: Option<&Value>| -> Value {
        match kind {
            Kind::Keyed(_) => merge_item(l, r, at),
            _ => r.or(l).cloned().unwrap_or(Value::Null),
        }
    };
    let shared: Vec<&Element> = rk.iter().filter(|k| lk.contains(k)).collect();
    let mut next = 0;
    let mut merged: Vec<&Element> = Vec::new();
    let mut out = Vec::new();
    let (mut li, mut ri) = (0, 0);
    while li < left.len() || ri < right.len() {
        if li < left.len() && ri < right.len() {
            let pe = &lk[li];
            if *pe == rk[ri] {
                merged.push(pe);
                out.push(item(once(pe), Some(&right[ri])));
                li += 1;
                ri += 1;
                next += 1;
                continue;
            }
            if rk.contains(pe) && shared.get(next).is_some_and(|s| *s != pe) {
                li += 1;
                continue;
            }
        }
        if li < left.len() {
            let pe = &lk[li];
            if !rk.contains(pe) {
                out.push(left[li].clone());
                li += 1;
                continue;
            } else if merged.contains(&pe) {
                li += 1;
            }
        }
        if ri < right.len() {
            let pe = &rk[ri];
            merged.push(pe);
            out.push(item(once(pe), Some(&right[ri])));
            ri += 1;
            if shared.get(next).is_some_and(|s| *s == pe) {
                next += 1;
            }
        }
    }
    out
}

fn merge_item(left: Option<&Value>, right: Option<&Value>, at: At<'_>) -> Value {
    let nothing = Map::new();
    let l = left.and_then(Value::as_object).unwrap_or(&nothing);
    let r = right.and_then(Value::as_object).unwrap_or(&nothing);
    let mut out = Map::new();
    for key in l.keys().chain(r.keys().filter(|k| !l.contains_key(*k))) {
        if let Some(value) = merge(l.get(key), r.get(key), At { parent: at.name, name: key }) {
            out.insert(key.clone(), value);
        }
    }
    Value::Object(out)
}

/// The differences between two objects.
#[derive(Debug, Default)]
pub struct Comparison {
    pub added: Set,
    pub modified: Set,
    pub removed: Set,
}

pub fn compare(left: &Value, right: &Value) -> Comparison {
    let mut out = Comparison::default();
    compare_at(Some(left), Some(right), At::ROOT, &mut Vec::new(), &mut out);
    out
}

fn compare_at(l: Option<&Value>, r: Option<&Value>, at: At<'_>, path: &mut Vec<Element>, out: &mut Comparison) {
    let kind = shape(l, r).map_or(Kind::Atomic, |v| at.kind(v));
    if kind == Kind::Atomic || (empty(l) && empty(r)) {
        match (l, r) {
            (None, Some(_)) => out.added.insert(path),
            (Some(_), None) => out.removed.insert(path),
            (Some(a), Some(b)) if a != b => {
                out.modified.insert(path);
            }
            _ => {}
        }
        return;
    }
    match kind {
        Kind::Struct | Kind::Map => compare_maps(l, r, at, path, out),
        _ => compare_lists(list(l), list(r), kind, at, path, out),
    }
    match (l, r) {
        (None, _) => out.added.insert(path),
        (_, None) => out.removed.insert(path),
        _ => {}
    }
}

fn compare_maps(l: Option<&Value>, r: Option<&Value>, at: At<'_>, path: &mut Vec<Element>, out: &mut Comparison) {
    let nothing = Map::new();
    let lm = l.and_then(Value::as_object).unwrap_or(&nothing);
    let rm = r.and_then(Value::as_object).unwrap_or(&nothing);
    for key in lm.keys().chain(rm.keys().filter(|k| !lm.contains_key(*k))) {
        path.push(Element::field(key));
        compare_at(lm.get(key), rm.get(key), at.down(key), path, out);
        path.pop();
    }
}

fn compare_lists(l: &[Value], r: &[Value], kind: Kind, at: At<'_>, path: &mut Vec<Element>, out: &mut Comparison) {
    let mut all: Vec<Element> = Vec::new();
    for item in l.iter().chain(r) {
        let element = schema::item_element(kind, item);
        if !all.contains(&element) {
            all.push(element);
        }
    }
    for element in all {
        let of =
            |items: &'_ [Value]| -> Vec<Value> { items.iter().filter(|i| schema::item_element(kind, i) == element).cloned().collect() };
        let (lv, rv) = (of(l), of(r));
        path.push(element.clone());
        match (lv.len(), rv.len()) {
            (0 | 1, 0 | 1) => compare_item(lv.first(), rv.first(), kind, at, path, out),
            (2.., 2..) => {
                if lv != rv {
                    out.modified.insert(path);
                }
            }
            (2.., _) => {
                if let Some(one) = rv.first() {
                    compare_item(None, Some(one), kind, at, path, out);
                }
                out.removed.insert(path);
            }
            (_, _) => {
                if let Some(one) = lv.first() {
                    compare_item(Some(one), None, kind, at, path, out);
                }
                out.added.insert(path);
            }
        }
        path.pop();
    }
}

fn compare_item(l: Option<&Value>, r: Option<&Value>, kind: Kind, at: At<'_>, path: &mut Vec<Element>, out: &mut Comparison) {
    if schema::atomic_items(at.name) {
        if let (Some(a), Some(b)) = (l, r)
            && a != b
        {
            out.modified.insert(path);
        }
    } else if matches!(kind, Kind::Keyed(_)) {
        // Items of a keyed list are structs whose fields are below the list's name.
        compare_maps(l, r, at, path, out);
    }
    match (l, r) {
        (None, _) => out.added.insert(path),
        (_, None) => out.removed.insert(path),
        _ => {}
    }
}

/// All fields set in an object; an applier owns these.
pub fn field_set(value: &Value) -> Set {
    let mut out = Set::default();
    if let Some(map) = value.as_object() {
        set_of_map(map, At::ROOT, false, &mut Vec::new(), &mut out);
    }
    out
}

fn set_of(value: &Value, at: At<'_>, path: &mut Vec<Element>, out: &mut Set) {
    match (at.kind(value), value) {
        (kind @ (Kind::Struct | Kind::Map), Value::Object(map)) => set_of_map(map, at, kind == Kind::Map, path, out),
        (kind @ (Kind::Keyed(_) | Kind::Values), Value::Array(items)) => {
            for item in items {
                let element = schema::item_element(kind, item);
                let twice = items.iter().filter(|i| schema::item_element(kind, i) == element).count() > 1;
                path.push(element);
                let whole = twice || schema::atomic_items(at.name);
                if !whole && let (Kind::Keyed(_), Some(map)) = (kind, item.as_object()) {
                    set_of_map(map, at, false, path, out);
                }
                out.insert(path);
                path.pop();
            }
        }
        _ => out.insert(path),
    }
}

fn set_of_map(map: &Map<String, Value>, at: At<'_>, free: bool, path: &mut Vec<Element>, out: &mut Set) {
    for (key, value) in map {
        path.push(Element::field(key));
        set_of(value, at.down(key), path, out);
        if free || value.is_null() || value.as_object().is_some_and(Map::is_empty) {
            out.insert(path);
        }
        path.pop();
    }
}

/// The value without the paths of `gone`. A container that loses all its content becomes null, as in the server.
pub fn remove(value: &Value, gone: &Set, at: At<'_>) -> Value {
    match (at.kind(value), value) {
        (Kind::Struct | Kind::Map, Value::Object(map)) if !map.is_empty() => remove_fields(map, gone, at),
        (kind @ (Kind::Keyed(_) | Kind::Values), Value::Array(items)) if !items.is_empty() => {
            let mut out = Vec::new();
            for item in items {
                let element = schema::item_element(kind, item);
                if gone.members.contains(&element) {
                    continue;
                }
                match (gone.children.get(&element), item.as_object()) {
                    (Some(below), Some(map)) => out.push(remove_fields(map, below, at)),
                    _ => out.push(item.clone()),
                }
            }
            if out.is_empty() { Value::Null } else { Value::Array(out) }
        }
        _ => value.clone(),
    }
}

fn remove_fields(map: &Map<String, Value>, gone: &Set, at: At<'_>) -> Value {
    let mut out = Map::new();
    for (key, value) in map {
        let element = Element::field(key);
        if gone.members.contains(&element) {
            continue;
        }
        let kept = match gone.children.get(&element) {
            Some(below) => remove(value, below, at.down(key)),
            None => value.clone(),
        };
        out.insert(key.clone(), kept);
    }
    if out.is_empty() { Value::Null } else { Value::Object(out) }
}

/// `set` plus the structs on the way to its paths. Map keys and list items are not structs.
pub fn with_named_fields(set: &Set) -> Set {
    named(set, "")
}

fn named(set: &Set, name: &str) -> Set {
    let mut out = set.clone();
    let free = schema::is_map_field(name);
    for (element, child) in &set.children {
        let below = match element {
            Element::Field(field) => {
                if !free {
                    out.members.insert(element.clone());
                }
                named(child, field)
            }
            _ => named(child, name),
        };
        out.children.insert(element.clone(), below);
    }
    out
}
