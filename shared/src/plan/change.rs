//! Changes, and the plan they form: values that can be printed, serialised and compared.

use serde::Serialize;
use serde_json::{Value, json};

use super::spec::StepId;

/// The intended state of a step's object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Goal {
    /// It exists as specified.
    Present,
    /// It does not exist, provided that this tool created it.
    Absent,
}

/// Kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Creates an object.
    Create,
    /// Updates an object in place.
    Update,
    /// Deletes an object that this tool created.
    Delete,
    /// No change: the object is as it should be, or this tool may not delete it.
    NoOp,
}

/// The side on which the change happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Azure.
    Azure,
    /// The Kubernetes cluster.
    Cluster,
}

/// One attribute of a change, with its old and new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Name of the attribute.
    pub name: String,
    /// Old value, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// New value; `(known after apply)` if another step produces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Shown for values that another step produces.
pub const KNOWN_AFTER_APPLY: &str = "(known after apply)";

/// The change that a step would make.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The step.
    pub id: StepId,
    /// Side on which the change happens.
    pub layer: Layer,
    /// Kind of the object: `managedIdentity`, `Deployment`.
    pub kind: &'static str,
    /// Name of the object, with its namespace if it has one.
    pub name: String,
    /// Kind of change.
    pub action: Action,
    /// Attributes that change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
    /// Why the object is left unchanged, or what the user should know about the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Needs separate consent of the user, since it can't be undone and affects others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub needs_consent: bool,
}

impl Change {
    /// A change without details.
    pub fn new(id: StepId, layer: Layer, kind: &'static str, name: impl Into<String>, action: Action) -> Self {
        Change { id, layer, kind, name: name.into(), action, details: Vec::new(), reason: None, needs_consent: false }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn detail(mut self, name: &str, from: Option<&str>, to: Option<&str>) -> Self {
        self.details.push(Detail { name: name.into(), from: from.map(Into::into), to: to.map(Into::into) });
        self
    }

    /// Adds a note for the user.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Whether the change writes anything.
    pub fn writes(&self) -> bool {
        self.action != Action::NoOp
    }
}

/// All changes that a command would make.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whether a connection is made or undone.
    pub goal: Goal,
    /// Name of the connection.
    pub connection: String,
    /// Namespace.
    pub namespace: String,
    /// The changes, in display order.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether applying the plan writes anything.
    pub fn writes(&self) -> bool {
        self.changes.iter().any(Change::writes)
    }

    /// How many objects are added, changed and deleted.
    pub fn summary(&self) -> (usize, usize, usize) {
        let count = |action| self.changes.iter().filter(|c| c.action == action).count();
        (count(Action::Create), count(Action::Update), count(Action::Delete))
    }

    /// The plan as JSON. `formatVersion` rises when a field changes its meaning.
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
