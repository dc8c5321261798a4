//! Labels that this tool puts on objects, and how an object is written that bears them.

use serde_json::{Value, json};

use super::step::Examined;
use crate::kube::Apply;
use crate::model::PREFIX;
use crate::plan::change::Action;
use crate::plan::record::{Ownership, Receipt};

/// Labels of every object that we create.
pub(crate) fn labels(connection: Option<&str>) -> Value {
    let mut labels = json!({"app.kubernetes.io/managed-by": "kubectl-connect"});
    if let Some(connection) = connection {
        labels[format!("{PREFIX}/connection")] = json!(connection);
    }
    labels
}

/// Whether we made this object.
pub(crate) fn is_ours(object: &Value) -> bool {
    object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "kubectl-connect"
}

/// How to write an object: one that this connection made is its own, so what somebody changed in it by hand is taken back,
/// as the plan has shown. Its uid goes into the body, so that it can't be another object of that name by then.
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

/// `receipt`, done now.
pub(crate) fn done(intent: &Receipt) -> Receipt {
    Receipt { done: true, at: jiff::Timestamp::now().to_string(), ..intent.clone() }
}
