//! Long-running operations: a deadline on the sandbox's clock, and the change to apply then.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::azure::errors::error;
use crate::azure::{Azure, clusters, data_roles, linkers, timestamp};
use crate::http::Response;

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    /// Id, in lower case, of the resource being changed.
    pub(crate) resource: String,
    pub(crate) started: SystemTime,
    pub(crate) ends: SystemTime,
    /// Error code, if the operation will fail.
    pub(crate) fails: Option<String>,
    pub(crate) settled: bool,
}

/// Applies the operations that are due.
pub(crate) fn settle(azure: &Azure) {
    let now = azure.control.now();
    let mut store = azure.store();
    let due: Vec<Operation> = store
        .operations
        .values_mut()
        .filter(|one| !one.settled && one.ends <= now)
        .map(|one| {
            one.settled = true;
            one.clone()
        })
        .collect();
    for operation in due {
        if linkers::owns(&operation) {
            linkers::finish(azure, &mut store, &operation);
        } else if !data_roles::owns(&operation) {
            clusters::finish(azure, &mut store, &operation);
        }
    }
}

/// The answer of an operation's URL.
pub(crate) fn status(azure: &Azure, id: &str) -> Response {
    let store = azure.store();
    let Some(operation) = store.operations.get(&id.to_ascii_lowercase()) else {
        return error(404, "NotFound", &format!("The operation '{id}' is not known."));
    };
    let word = match (operation.settled, &operation.fails) {
        (false, _) => "InProgress",
        (true, None) => "Succeeded",
        (true, Some(_)) => "Failed",
    };
    let mut body = json!({"name": operation.id, "status": word, "startTime": timestamp(operation.started)});
    if operation.settled {
        body["endTime"] = Value::from(timestamp(operation.ends));
    }
    if let (true, Some(code)) = (operation.settled, &operation.fails) {
        body["error"] = json!({"code": code, "message": format!("The sandbox was told to fail this update with {code}.")});
    }
    let answer = Response::json(200, &body);
    match azure.control.knobs(|knobs| knobs.retry_after).filter(|_| !operation.settled) {
        Some(seconds) => answer.with("retry-after", seconds.to_string()),
        None => answer,
    }
}
