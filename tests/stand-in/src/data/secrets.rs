//! Writes secrets: set, delete and recover. A deleted secret keeps its name until it is purged, so setting it again
//! is a conflict.

use serde_json::{Value, json};

use super::objects::{Item, bundle};
use super::vault::{error, refuse};
use crate::azure::Azure;
use crate::entra::Caller;
use crate::http::{Request, Response};

pub(super) fn write(azure: &Azure, request: &Request, vault: &Value, caller: &Caller, parts: &[&str]) -> Response {
    let (name, right, verb) = match (request.method.as_str(), parts) {
        ("PUT", ["secrets", name]) => (*name, "secrets/setSecret/action", "set"),
        ("DELETE", ["secrets", name]) => (*name, "secrets/delete", "delete"),
        ("POST", ["deletedsecrets", name, "recover"]) => (*name, "secrets/recover/action", "recover"),
        _ => return error(405, "MethodNotAllowed", "The sandbox writes nothing but secrets on this plane."),
    };
    let fits = !name.is_empty() && name.len() <= 127 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !fits {
        return error(400, "BadParameter", "The request URI contains an invalid name.");
    }
    let mut store = azure.store();
    if let Some(refusal) = refuse(azure, &store, vault, caller, ("secrets", name), (right, verb)) {
        return refusal;
    }
    let own = vault["name"].as_str().unwrap_or_default().to_owned();
    let missing = || error(404, "SecretNotFound", &format!("A secret with (name/id) {name} was not found in this key vault."));
    match verb {
        "set" => {
            if store.objects.get(&own, "secrets", name).is_some_and(|item| item.deleted) {
                let message = format!("Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused.");
                let inner = json!({"code": "ObjectIsDeletedButRecoverable"});
                return Response::json(409, &json!({"error": {"code": "Conflict", "message": message, "innererror": inner}}));
            }
            let sent = request.json().unwrap_or_default();
            let Some(value) = sent["value"].as_str() else {
                return error(400, "BadParameter", "Property value has invalid value.");
            };
            let version = uuid::Uuid::new_v4().simple().to_string();
            let content_type = sent["contentType"].as_str().map(str::to_owned);
            store.objects.set(
                &own,
                "secrets",
                name,
                Item { value: value.to_owned(), content_type, tags: sent["tags"].clone(), version, deleted: false },
            );
            store.objects.get(&own, "secrets", name).map_or_else(missing, |item| Response::json(200, &bundle(&own, "secrets", name, item)))
        }
        "delete" => match store.objects.get_mut(&own, "secrets", name).filter(|item| !item.deleted) {
            None => missing(),
            Some(item) => {
                item.deleted = true;
                Response::json(200, &told(&own, name, item))
            }
        },
        _ => match store.objects.get_mut(&own, "secrets", name).filter(|item| item.deleted) {
            None => missing(),
            Some(item) => {
                item.deleted = false;
                Response::json(200, &told(&own, name, item))
            }
        },
    }
}

/// A secret without its value.
fn told(vault: &str, name: &str, item: &Item) -> Value {
    let mut body = bundle(vault, "secrets", name, item);
    if let Some(fields) = body.as_object_mut() {
        fields.remove("value");
    }
    body
}
