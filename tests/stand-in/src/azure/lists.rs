//! Lists of resources: by group, subscription or parent, or of all types.

use serde_json::{Value, json};

use crate::azure::errors::bad_request;
use crate::azure::roles::quoted_equals;
use crate::azure::{Azure, Store, covers};
use crate::http::{Request, Response};

/// Every resource of a type (lower case) under a scope.
pub(crate) fn under<'a>(store: &'a Store, kind: &'a str, scope: &'a str) -> impl Iterator<Item = &'a Value> {
    store
        .resources
        .iter()
        .filter(move |(id, one)| covers(scope, id) && one.body["type"].as_str().is_some_and(|is| is.eq_ignore_ascii_case(kind)))
        .map(|(_, one)| &one.body)
}

/// A list answer. Several providers send `null` as the next link of the last page.
pub(crate) fn answer(azure: &Azure, kind: &str, scope: &str) -> Response {
    let store = azure.store();
    let value: Vec<&Value> = under(&store, kind, scope).collect();
    Response::json(200, &json!({"value": value, "nextLink": null}))
}

/// All resources under a scope, of any type. Child resources are only in the lists of their parents.
pub(crate) fn every_type(azure: &Azure, scope: &str, request: &Request) -> Response {
    let mut wanted = Vec::new();
    for term in request.q("$filter").unwrap_or_default().split(" and ").map(str::trim).filter(|term| !term.is_empty()) {
        match quoted_equals(term) {
            Some((field, value)) if ["resourceType", "name", "location"].contains(&field.as_str()) => {
                wanted.push((if field == "resourceType" { "type".to_owned() } else { field }, value));
            }
            _ => return bad_request(&format!("The filter '{term}' is not supported.")),
        }
    }
    let fits = |body: &Value| {
        let top = body["type"].as_str().is_some_and(|kind| kind.matches('/').count() == 1);
        let equal = |field: &str, value: &str| body[field].as_str().is_some_and(|own| own.eq_ignore_ascii_case(value));
        top && wanted.iter().all(|(field, value)| equal(field, value))
    };
    let value: Vec<Value> = azure
        .store()
        .resources
        .iter()
        .filter(|(id, one)| covers(scope, id) && id.contains("/providers/") && fits(&one.body))
        .map(|(_, one)| {
            ["id", "name", "type", "location", "tags"].map(|field| (field.to_owned(), one.body[field].clone())).into_iter().collect()
        })
        .collect();
    Response::json(200, &json!({"value": value}))
}
