//! A connection as JSON, in one format for `connect`, `show` and `list`.

use serde_json::{Value, json};

use crate::health::check::Check;
use crate::model::PREFIX;
use crate::plan::change::Plan;
use crate::plan::record::Record;

/// The connection as `kind: Connection`.
pub fn connection(record: &Record) -> Value {
    let account = record.service_account().map(|s| s.name.clone());
    let secret = record.secret().map(|s| (s.name.clone(), s.variables.iter().map(|v| v.name.clone()).collect::<Vec<_>>()));
    let (secret, variables) = secret.unzip();
    json!({
        "apiVersion": format!("{PREFIX}/v1alpha1"),
        "kind": "Connection",
        "metadata": {"name": record.name, "namespace": record.namespace, "creationTimestamp": record.created},
        "spec": {
            "service": record.service,
            "target": record.target,
            "workload": record.workload,
            "auth": record.auth,
            "access": record.access,
            "clientType": record.client.word(),
        },
        "status": {
            "phase": record.status(),
            "madeBy": record.origin,
            "cluster": record.cluster,
            "identity": record.identity(),
            "clientId": record.client_id,
            "serviceAccount": account,
            "secret": secret,
            "variables": variables.unwrap_or_default(),
            "verified": record.verified,
            "receipts": record.receipts,
        },
    })
}

/// Adds the result of a run to the connection.
pub fn with_run(mut connection: Value, plan: &Plan, checks: &[Check], patch: Option<&Value>) -> Value {
    connection["status"]["changes"] = json!(plan.changes);
    if !checks.is_empty() {
        connection["status"]["checks"] = json!(checks);
    }
    if let Some(patch) = patch {
        connection["status"]["patch"] = patch.clone();
    }
    connection
}
