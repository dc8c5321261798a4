//! Checks as JSON.

use serde_json::{Value, json};

use super::check::{Check, is_success};
use crate::plan::record::Record;

/// The JSON of a verification: checks by category, as `doctor` prints them too.
pub fn checks(record: &Record, checks: &[Check]) -> Value {
    let mut value = categories(checks);
    value["connection"] = json!({"name": record.name, "namespace": record.namespace});
    value
}

/// The checks by part of the chain.
pub fn categories(checks: &[Check]) -> Value {
    let mut groups: Vec<(&str, Vec<&Check>)> = Vec::new();
    for check in checks {
        match groups.iter_mut().find(|(name, _)| *name == check.group) {
            Some((_, of_group)) => of_group.push(check),
            None => groups.push((check.group, vec![check])),
        }
    }
    let groups: Vec<Value> = groups.into_iter().map(|(name, checks)| json!({"name": name, "checks": checks})).collect();
    json!({"success": is_success(checks), "categories": groups})
}
