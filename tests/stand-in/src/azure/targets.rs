//! Storage and AI accounts as targets: read them, change their tags and network settings, list keys.

use serde_json::{Map, Value, json};

use crate::azure::errors::{bad_request, error, not_allowed};
use crate::azure::path::{Path, spelled};
use crate::azure::router::{stored, stored_parent};
use crate::azure::{Azure, lists};
use crate::http::{Request, Response};

pub(crate) fn handle(azure: &Azure, path: &Path, request: &Request) -> Response {
    let child = path.kind.ends_with("/deployments");
    if child && let Err(missing) = stored_parent(&azure.store(), path) {
        return missing;
    }
    if path.is_list() {
        let scope = if child { path.parent() } else { path.scope.clone() };
        return if request.method == "GET" { lists::answer(azure, &spelled(&path.kind), &scope) } else { not_allowed(&request.method) };
    }
    let body = match stored(&azure.store(), path) {
        Ok(body) => body,
        Err(missing) => return missing,
    };
    match (request.method.as_str(), path.action.as_deref()) {
        ("GET", None) => Response::json(200, &body),
        ("PATCH", None) => patch(azure, path, request),
        ("POST", Some("listkeys")) => keys(azure, path, &body),
        _ => not_allowed(&request.method),
    }
}

fn patch(azure: &Azure, path: &Path, request: &Request) -> Response {
    let Some(Value::Object(sent)) = request.json() else {
        return bad_request("The body must be a JSON object.");
    };
    let mut store = azure.store();
    let Some(found) = store.resources.get_mut(&path.id.to_ascii_lowercase()) else {
        return Response::empty(404);
    };
    if let Some(tags) = sent.get("tags") {
        found.body["tags"] = tags.clone();
    }
    for (name, value) in sent.get("properties").and_then(Value::as_object).into_iter().flatten() {
        merge(&mut found.body["properties"][name.as_str()], value);
    }
    Response::json(200, &found.body)
}

fn merge(old: &mut Value, new: &Value) {
    match (old.as_object_mut(), new) {
        (Some(fields), Value::Object(changes)) => {
            for (name, value) in changes {
                merge(fields.entry(name.clone()).or_insert(Value::Object(Map::new())), value);
            }
        }
        _ => *old = new.clone(),
    }
}

/// The first key of an account after all its rotations.
pub(crate) fn first_key(azure: &Azure, account: &str) -> String {
    match azure.control.knobs(|knobs| knobs.rotated.iter().filter(|one| *one == account).count()) {
        0 => format!("planted-key-value-{account}-1"),
        times => format!("planted-key-value-{account}-rotated-{times}-1"),
    }
}

/// Planted keys; tests check that they appear nowhere.
fn keys(azure: &Azure, path: &Path, body: &Value) -> Response {
    let properties = &body["properties"];
    let first = first_key(azure, path.name());
    let name = first.strip_prefix("planted-key-value-").and_then(|rest| rest.strip_suffix("-1")).unwrap_or_default();
    if path.kind.starts_with("microsoft.storage/") {
        if properties["allowSharedKeyAccess"] == false {
            return error(409, "KeyBasedAuthenticationNotPermitted", "Shared keys are switched off on this account.");
        }
        let key = |n: u8| json!({"creationTime": "2025-03-01T09:00:00.0000000Z", "keyName": format!("key{n}"), "value": format!("planted-key-value-{name}-{n}"), "permissions": "Full"});
        return Response::json(200, &json!({"keys": [key(1), key(2)]}));
    }
    if properties["disableLocalAuth"] == true {
        return bad_request("Keys are switched off on this account.");
    }
    Response::json(200, &json!({"key1": format!("planted-key-value-{name}-1"), "key2": format!("planted-key-value-{name}-2")}))
}
