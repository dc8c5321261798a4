//! The labels of this tool's objects, and the options for writing such objects.

use serde_json::{Value, json};

use super::step::Examined;
use crate::clock;
use crate::kube::Apply;
use crate::model::PREFIX;
use crate::plan::change::Action;
use crate::plan::record::{Ownership, Receipt};

/// Labels of every object that this tool creates.
pub(crate) fn labels(connection: Option<&str>) -> Value {
    let mut labels = json!({"app.kubernetes.io/managed-by": "kubectl-connect"});
    if let Some(connection) = connection {
        labels[format!("{PREFIX}/connection")] = json!(connection);
    }
    labels
}

/// Labels as a plan shows them.
pub(crate) fn told_labels(labels: &Value) -> Vec<String> {
    let pairs = labels.as_object().into_iter().flatten();
    pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect()
}

/// Whether this tool created the object.
pub(crate) fn is_ours(object: &Value) -> bool {
    object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "kubectl-connect"
}

/// Options for applying an object. Objects created by this connection are applied with force, which reverts manual
/// edits (the plan shows them). The uid in the body makes the apply fail if the object was deleted and created again.
pub(crate) fn taking_back(examined: &Examined, how: Apply, body: &mut Value) -> Apply {
    let own = examined.change.action == Action::Update && examined.intent.ownership == Ownership::Created;
    let Some(uid) = examined.intent.uid.as_deref().filter(|_| own) else { return how };
    body["metadata"]["uid"] = json!(uid);
    Apply { force: true, ..how }
}

/// The object's uid.
pub(crate) fn uid(object: &Value) -> Option<String> {
    object["metadata"]["uid"].as_str().map(str::to_owned)
}

/// The receipt of a finished step, with the current time.
pub(crate) fn done(intent: &Receipt) -> Receipt {
    Receipt { done: true, at: clock::stamp(), ..intent.clone() }
}
