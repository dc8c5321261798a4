//! Sets of field paths: the fields that a manager owns.
//!
//! The same structure as in the real server's `metadata.managedFields[].fieldsV1`. The product reads it, and
//! ownership, conflicts and undoing by release follow from set operations on it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// One step of a path. Key values are kept as JSON text, which sorts and compares as in the server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    Field(String),
    Key(Vec<(String, String)>),
    Item(String),
}

impl Element {
    pub fn field(name: &str) -> Self {
        Self::Field(name.to_string())
    }

    fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Item(text) => format!("v:{text}"),
            Self::Key(pairs) => {
                let inner: Vec<String> = pairs.iter().map(|(k, v)| format!("{k:?}:{v}")).collect();
                format!("k:{{{}}}", inner.join(","))
            }
        }
    }

    fn decode(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest.to_string())),
            "v" => Some(Self::Item(rest.to_string())),
            "k" => {
                let map: Map<String, Value> = serde_json::from_str(rest).ok()?;
                let mut pairs: Vec<(String, String)> = map.into_iter().map(|(k, v)| (k, v.to_string())).collect();
                pairs.sort();
                Some(Self::Key(pairs))
            }
            _ => None,
        }
    }
}

/// A path in the format of conflict messages: `.spec.containers[name="app"].env`.
pub fn show(path: &[Element]) -> String {
    let mut text = String::new();
    for element in path {
        match element {
            Element::Field(name) => {
                text.push('.');
                text.push_str(name);
            }
            Element::Key(pairs) => {
                let inner: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
                text.push_str(&format!("[{}]", inner.join(",")));
            }
            Element::Item(value) => text.push_str(&format!("[={value}]")),
        }
    }
    text
}

/// A set of paths as a tree. A path is in the set if its last element is a member of its parent's node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    pub members: BTreeSet<Element>,
    pub children: BTreeMap<Element, Set>,
}

impl Set {
    pub fn insert(&mut self, path: &[Element]) {
        match path {
            [] => {}
            [last] => {
                self.members.insert(last.clone());
            }
            [first, rest @ ..] => self.children.entry(first.clone()).or_default().insert(rest),
        }
    }

    pub fn remove(&mut self, path: &[Element]) {
        match path {
            [] => {}
            [last] => {
                self.members.remove(last);
            }
            [first, rest @ ..] => {
                if let Some(child) = self.children.get_mut(first) {
                    child.remove(rest);
                    if child.is_empty() {
                        self.children.remove(first);
                    }
                }
            }
        }
    }

    /// Removes a path and everything below it.
    pub fn cut(&mut self, path: &[Element]) {
        match path {
            [] => {}
            [last] => {
                self.members.remove(last);
                self.children.remove(last);
            }
            [first, rest @ ..] => {
                if let Some(child) = self.children.get_mut(first) {
                    child.cut(rest);
                    if child.is_empty() {
                        self.children.remove(first);
                    }
                }
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.values().all(Set::is_empty)
    }

    pub fn union(&self, other: &Set) -> Set {
        let mut out = self.clone();
        out.members.extend(other.members.iter().cloned());
        for (element, child) in &other.children {
            let merged = match out.children.get(element) {
                Some(mine) => mine.union(child),
                None => child.clone(),
            };
            out.children.insert(element.clone(), merged);
        }
        out
    }

    pub fn difference(&self, other: &Set) -> Set {
        let mut out = Set { members: self.members.difference(&other.members).cloned().collect(), ..Set::default() };
        for (element, child) in &self.children {
            let rest = match other.children.get(element) {
                Some(theirs) => child.difference(theirs),
                None => child.clone(),
            };
            if !rest.is_empty() {
                out.children.insert(element.clone(), rest);
            }
        }
        out
    }

    pub fn intersection(&self, other: &Set) -> Set {
        let mut out = Set { members: self.members.intersection(&other.members).cloned().collect(), ..Set::default() };
        for (element, child) in &self.children {
            if let Some(theirs) = other.children.get(element) {
                let both = child.intersection(theirs);
                if !both.is_empty() {
                    out.children.insert(element.clone(), both);
                }
            }
        }
        out
    }

    /// All paths; a path comes before those below it.
    pub fn paths(&self) -> Vec<Vec<Element>> {
        let mut out = Vec::new();
        self.collect(&mut Vec::new(), &mut out);
        out
    }

    fn collect(&self, prefix: &mut Vec<Element>, out: &mut Vec<Vec<Element>>) {
        for member in &self.members {
            let mut path = prefix.clone();
            path.push(member.clone());
            out.push(path);
        }
        for (element, child) in &self.children {
            prefix.push(element.clone());
            child.collect(prefix, out);
            prefix.pop();
        }
    }

    pub fn to_json(&self) -> Value {
        let mut out: BTreeMap<String, Value> = BTreeMap::new();
        for member in &self.members {
            out.insert(member.encode(), json!({}));
        }
        for (element, child) in &self.children {
            if child.is_empty() {
                continue;
            }
            let mut node = Map::new();
            if self.members.contains(element) {
                node.insert(".".into(), json!({}));
            }
            if let Value::Object(inner) = child.to_json() {
                node.extend(inner);
            }
            out.insert(element.encode(), Value::Object(node));
        }
        Value::Object(out.into_iter().collect())
    }

    pub fn from_json(value: &Value) -> Set {
        let mut set = Set::default();
        let Some(map) = value.as_object() else { return set };
        for (key, inner) in map {
            let Some(element) = Element::decode(key) else { continue };
            let below = Set::from_json(inner);
            if below.is_empty() || inner.get(".").is_some() {
                set.members.insert(element.clone());
            }
            if !below.is_empty() {
                set.children.insert(element, below);
            }
        }
        set
    }
}
