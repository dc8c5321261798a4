//! User-assigned identities.

use serde_json::{Map, Value, json};

use crate::azure::errors::{bad_request, error, not_allowed};
use crate::azure::path::Path;
use crate::azure::router::stored;
use crate::azure::{Azure, Resource, covers, lists};
use crate::http::{Request, Response};

const KIND: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

pub(crate) fn handle(azure: &Azure, path: &Path, request: &Request) -> Response {
    if path.is_list() {
        return if request.method == "GET" { lists::answer(azure, KIND, &path.scope) } else { not_allowed(&request.method) };
    }
    match (request.method.as_str(), path.action.as_deref()) {
        ("GET", None) => get(azure, path),
        ("PUT", None) => put(azure, path, request),
        ("PATCH", None) => patch(azure, path, request),
        ("DELETE", None) => delete(azure, path),
        ("POST", Some("listassociatedresources")) => Response::json(200, &json!({"totalCount": 0, "value": []})),
        _ => not_allowed(&request.method),
    }
}

fn get(azure: &Azure, path: &Path) -> Response {
    let unreadable = azure.control.knobs(|knobs| knobs.identity_unreadable);
    let mut store = azure.store();
    let key = path.id.to_ascii_lowercase();
    if store.resources.get(&key).is_some_and(|one| !azure.is_older(one.created, unreadable)) {
        // The request reaches a region to which the new identity has not replicated.
        let hidden = store.resources.remove(&key);
        let answer = stored(&store, path);
        store.resources.extend(hidden.map(|one| (key, one)));
        return answer.map_or_else(|missing| missing, |body| Response::json(200, &body));
    }
    stored(&store, path).map_or_else(|missing| missing, |body| Response::json(200, &body))
}

fn put(azure: &Azure, path: &Path, request: &Request) -> Response {
    let Some(Value::Object(sent)) = request.json() else {
        return bad_request("The body must be a JSON object.");
    };
    if let Some(refusal) = refuse_foreign(&sent, &["location", "tags", "properties"]) {
        return refusal;
    }
    let Some(location) = sent.get("location").and_then(Value::as_str) else {
        return error(400, "LocationRequired", "The location property is required for this definition.");
    };
    let valid = path.name().len() >= 3
        && path.name().len() <= 128
        && path.name().starts_with(|first: char| first.is_ascii_alphanumeric())
        && path.name().chars().all(|one| one.is_ascii_alphanumeric() || one == '-' || one == '_');
    if !valid {
        return bad_request(&format!("The identity name '{}' is not valid.", path.name()));
    }
    let mut store = azure.store();
    let key = path.id.to_ascii_lowercase();
    let tags = sent.get("tags").filter(|tags| !tags.is_null()).cloned().unwrap_or_else(|| json!({}));
    if let Some(found) = store.resources.get_mut(&key) {
        if found.body["location"].as_str().is_some_and(|is| !is.eq_ignore_ascii_case(location)) {
            return error(409, "InvalidResourceLocation", &format!("The identity '{}' exists in another location.", path.name()));
        }
        found.body["tags"] = tags;
        return Response::json(200, &found.body);
    }
    // Recorded: the id is returned with `resourcegroups` in lower case, and the Location header names the identity,
    // not an operation.
    let id = format!("/subscriptions/{}/resourcegroups/{}/providers/{KIND}/{}", path.subscription(), path.group(), path.name());
    let body = json!({
        "id": id, "name": path.name(), "type": KIND, "location": location, "tags": tags,
        "properties": {
            "isolationScope": "None",
            "tenantId": azure.world.tenant,
            "principalId": uuid::Uuid::new_v4().to_string(),
            "clientId": uuid::Uuid::new_v4().to_string(),
        },
    });
    store.resources.insert(key, Resource { body: body.clone(), created: azure.control.now() });
    Response::json(201, &body).with("location", id)
}

fn patch(azure: &Azure, path: &Path, request: &Request) -> Response {
    let Some(Value::Object(sent)) = request.json() else {
        return bad_request("The body must be a JSON object.");
    };
    if let Some(refusal) = refuse_foreign(&sent, &["location", "tags", "properties"]) {
        return refusal;
    }
    let mut store = azure.store();
    if let Err(missing) = stored(&store, path) {
        return missing;
    }
    let Some(found) = store.resources.get_mut(&path.id.to_ascii_lowercase()) else {
        return Response::empty(404);
    };
    if let Some(tags) = sent.get("tags") {
        found.body["tags"] = tags.clone();
    }
    Response::json(200, &found.body)
}

fn delete(azure: &Azure, path: &Path) -> Response {
    let mut store = azure.store();
    let key = path.id.to_ascii_lowercase();
    if store.resources.remove(&key).is_none() {
        return Response::empty(204);
    }
    // Its credentials are deleted too. Role assignments remain, for a principal that no longer exists, as in the real
    // directory.
    store.resources.retain(|id, _| !covers(&key, id));
    Response::empty(200)
}

/// Refuses fields that clients may not set.
pub(crate) fn refuse_foreign(sent: &Map<String, Value>, known: &[&str]) -> Option<Response> {
    if let Some(field) = sent.keys().find(|key| !known.contains(&key.as_str())) {
        return Some(error(400, "InvalidRequestContent", &format!("The member '{field}' is not taken in the request body.")));
    }
    let readonly = ["clientId", "principalId", "tenantId"];
    let properties = sent.get("properties").and_then(Value::as_object);
    let field = properties.into_iter().flat_map(Map::keys).find(|key| readonly.contains(&key.as_str()))?;
    Some(error(400, "InvalidRequestContent", &format!("The property '{field}' is read-only.")))
}
