//! Lists of resources: by group, by subscription, by parent.

use serde_json::{Value, json};

use crate::azure::{Azure, Store, covers};
use crate::http::Response;

/// Every resource of a type (lower case) under a scope.
pub(crate) fn under<'a>(store: &'a Store, kind: &'a str, scope: &'a str) -> impl Iterator<Item = &'a Value> {
    store
        .resources
        .iter()
        .filter(move |(id, one)| covers(scope, id) && one.body["type"].as_str().is_some_and(|is| is.eq_ignore_ascii_case(kind)))
        .map(|(_, one)| &one.body)
}

/// A list answer. `null` for the next page is what several providers send for the last one.
pub(crate) fn answer(azure: &Azure, kind: &str, scope: &str) -> Response {
    let store = azure.store();
    let value: Vec<&Value> = under(&store, kind, scope).collect();
    Response::json(200, &json!({"value": value, "nextLink": null}))
}
