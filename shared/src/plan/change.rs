//! Changes and the plan that they make up: values that print, serialise and compare.

use serde::Serialize;
use serde_json::{Value, json};

use super::spec::StepId;

/// What a step is to bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Goal {
    /// The thing is there as specified.
    Present,
    /// The thing is gone, if it is ours.
    Absent,
}

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Makes something new.
    Create,
    /// Changes something in place.
    Update,
    /// Deletes something of ours.
    Delete,
    /// Nothing: it is as it should be, or it is not ours to delete.
    NoOp,
}

/// On which side the change happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Azure.
    Azure,
    /// The Kubernetes cluster.
    Cluster,
}

/// One attribute of a change: from what to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Name of the attribute.
    pub name: String,
    /// Former value, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Value to come; `(known after apply)` where another step makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Printed for values that another step makes.
pub const KNOWN_AFTER_APPLY: &str = "(known after apply)";

/// What a step would do.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The step.
    pub id: StepId,
    /// Where it happens.
    pub layer: Layer,
    /// Kind of the thing: `managedIdentity`, `Deployment`.
    pub kind: &'static str,
    /// Name of the thing, with its namespace where it has one.
    pub name: String,
    /// What is done.
    pub action: Action,
    /// Attributes that change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
    /// Why it is left alone, or what the user should know about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The user must agree to this one separately: it can't be undone and others will notice.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub needs_consent: bool,
}

impl Change {
    /// A change of `action` without details.
    pub fn new(id: StepId, layer: Layer, kind: &'static str, name: impl Into<String>, action: Action) -> Self {
        Change { id, layer, kind, name: name.into(), action, details: Vec::new(), reason: None, needs_consent: false }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn detail(mut self, name: &str, from: Option<&str>, to: Option<&str>) -> Self {
        self.details.push(Detail { name: name.into(), from: from.map(Into::into), to: to.map(Into::into) });
        self
    }

    /// Adds what the user should know.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Whether anything is written.
    pub fn writes(&self) -> bool {
        self.action != Action::NoOp
    }
}

/// Everything that a command would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whether a connection is made or undone.
    pub goal: Goal,
    /// Name of the connection.
    pub connection: String,
    /// Its namespace.
    pub namespace: String,
    /// The changes, in the order in which they are shown.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether carrying it out would write anything.
    pub fn writes(&self) -> bool {
        self.changes.iter().any(Change::writes)
    }

    /// How many things are added, changed and deleted.
    pub fn summary(&self) -> (usize, usize, usize) {
        let count = |action| self.changes.iter().filter(|c| c.action == action).count();
        (count(Action::Create), count(Action::Update), count(Action::Delete))
    }

    /// The plan for programs; `formatVersion` rises when a field changes its meaning.
    pub fn to_json(&self) -> Value {
        let (add, change, delete) = self.summary();
        json!({
            "formatVersion": "1.0",
            "goal": self.goal,
            "connection": {"name": self.connection, "namespace": self.namespace},
            "changes": self.changes,
            "summary": {"add": add, "change": change, "delete": delete},
        })
    }
}
