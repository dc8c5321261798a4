//! The object store: takes the place of etcd and the watch cache.
//!
//! One counter gives every write its version. All writes are kept as events, so a watch can start at any version.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::resources::{self, Resource};
use super::select::Selection;

/// Group, plural, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub group: String,
    pub plural: String,
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn of(resource: &Resource, namespace: &str, name: &str) -> Self {
        let (group, plural) = resource.storage();
        Self { group, plural, namespace: namespace.into(), name: name.into() }
    }
}

/// One write, with the object before and after it.
#[derive(Clone, Debug)]
pub struct Event {
    pub version: u64,
    pub key: Key,
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// The object that watchers of a delete get: its last state, with the version of the delete.
    pub last: Value,
}

/// An open watch.
pub struct Watcher {
    pub resource: Arc<Resource>,
    pub selection: Selection,
    pub sender: UnboundedSender<Vec<u8>>,
    pub form: super::read::Form,
}

#[derive(Default)]
pub struct Store {
    pub resources: Vec<Arc<Resource>>,
    pub objects: BTreeMap<Key, Value>,
    pub version: u64,
    pub history: Vec<Event>,
    pub watchers: Vec<Watcher>,
    /// Watches from an older version get a 410.
    pub compacted: u64,
}

/// The current time of the runtime's clock. A test that advances this clock sees deadlines pass without waiting.
pub fn clock() -> jiff::Timestamp {
    static START: LazyLock<(jiff::Timestamp, tokio::time::Instant)> =
        LazyLock::new(|| (jiff::Timestamp::now(), tokio::time::Instant::now()));
    let (wall, instant) = *START;
    wall.saturating_add(instant.elapsed()).unwrap_or(wall)
}

/// A time in the server's format: `2026-01-01T00:00:00Z`.
pub fn now() -> String {
    clock().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub fn new_uid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Random suffix of a name, from the server's alphabet: without vowels, so that no words appear.
pub fn random_tail(length: usize) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let bytes = uuid::Uuid::new_v4().into_bytes();
    bytes.iter().cycle().take(length).map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()])).collect()
}

pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

pub fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    if !object.is_object() {
        *object = json!({});
    }
    let map = match object {
        Value::Object(map) => map,
        _ => unreachable!("made an object just above"),
    };
    let slot = map.entry("metadata").or_insert_with(|| json!({}));
    if !slot.is_object() {
        *slot = json!({});
    }
    match slot {
        Value::Object(inner) => inner,
        _ => unreachable!("made an object just above"),
    }
}

impl Store {
    pub fn new() -> Self {
        Self { resources: resources::builtin(), version: 1, ..Self::default() }
    }

    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        self.resources.iter().find(|r| r.group == group && r.version == version && r.plural == plural).cloned()
    }

    pub fn resource_of_kind(&self, api_version: &str, kind: &str) -> Option<Arc<Resource>> {
        self.resources.iter().find(|r| r.kind == kind && r.api_version() == api_version).cloned()
    }

    /// A built-in resource by its plural, for the stand-in's own writes.
    pub fn known(&self, group: &str, plural: &str) -> Option<Arc<Resource>> {
        self.resources.iter().find(|r| r.group == group && r.plural == plural).cloned()
    }

    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.get(&Key::of(resource, namespace, name))
    }

    /// All objects of a resource, ordered by namespace and name; an empty namespace means all.
    pub fn list<'a>(&'a self, group: &'a str, plural: &'a str, namespace: &'a str) -> impl Iterator<Item = &'a Value> {
        // Keys are ordered by resource and namespace, so the wanted objects are adjacent.
        let first = Key { group: group.into(), plural: plural.into(), namespace: namespace.into(), name: String::new() };
        self.objects
            .range(first..)
            .take_while(move |(k, _)| k.group == group && k.plural == plural && (namespace.is_empty() || k.namespace == namespace))
            .map(|(_, object)| object)
    }

    pub fn put(&mut self, key: Key, mut object: Value) -> Value {
        self.version += 1;
        metadata(&mut object).insert("resourceVersion".into(), json!(self.version.to_string()));
        let before = self.objects.insert(key.clone(), object.clone());
        self.publish(Event { version: self.version, key, before, after: Some(object.clone()), last: object.clone() });
        object
    }

    pub fn remove(&mut self, key: &Key) -> Option<Value> {
        let before = self.objects.remove(key)?;
        self.version += 1;
        let mut last = before.clone();
        metadata(&mut last).insert("resourceVersion".into(), json!(self.version.to_string()));
        self.publish(Event { version: self.version, key: key.clone(), before: Some(before), after: None, last: last.clone() });
        Some(last)
    }

    fn publish(&mut self, event: Event) {
        if event.key.plural == "customresourcedefinitions" {
            self.define(&event);
        }
        self.watchers.retain(|watcher| {
            let line = super::read::event_line(&event, &watcher.resource, &watcher.selection, watcher.form);
            match line {
                Some(line) => watcher.sender.send(line).is_ok(),
                None => !watcher.sender.is_closed(),
            }
        });
        self.history.push(event);
    }

    fn define(&mut self, event: &Event) {
        let spec = &event.last["spec"];
        self.resources.retain(|r| !(r.custom && spec["group"] == r.group.as_str() && spec["names"]["plural"] == r.plural.as_str()));
        if let Some(definition) = &event.after {
            self.resources.extend(resources::from_definition(definition));
        } else {
            let gone: Vec<Key> = self
                .objects
                .keys()
                .filter(|k| spec["group"] == k.group.as_str() && spec["names"]["plural"] == k.plural.as_str())
                .cloned()
                .collect();
            for key in gone {
                self.objects.remove(&key);
            }
        }
    }
}
