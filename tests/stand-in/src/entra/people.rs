//! The part of Microsoft Graph that other clients use: resolves object ids and names.

use serde_json::{Value, json};

use crate::azure::Azure;
use crate::azure::lists::under;
use crate::azure::roles::quoted_equals;
use crate::entra::check;
use crate::http::{Request, Response};

const AUDIENCES: &[&str] = &["https://graph.microsoft.com"];

pub(crate) fn handle(azure: &Azure, request: &Request) -> Response {
    let caller = match check(azure, request, AUDIENCES) {
        Ok(caller) => caller,
        Err(why) => return error(401, "InvalidAuthenticationToken", &format!("Access token validation failure: {why:?}.")),
    };
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').skip(1).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["me"]) => one(everyone(azure), "users", &caller.oid),
        ("GET", [kind @ ("users" | "servicePrincipals" | "groups" | "directoryObjects")]) => list(azure, kind, request),
        ("GET", [kind @ ("users" | "servicePrincipals" | "directoryObjects"), id]) => one(everyone(azure), kind, id),
        ("POST", ["directoryObjects", "getByIds"]) => by_ids(azure, request),
        _ => error(400, "BadRequest", &format!("Nothing is served at '{}' here.", request.path)),
    }
}

/// All principals with their kind: the user, applications, managed identities.
fn everyone(azure: &Azure) -> Vec<(&'static str, Value)> {
    let world = &azure.world;
    let mut all = vec![(
        "users",
        json!({
            "@odata.type": "#microsoft.graph.user", "id": world.user.object_id, "displayName": world.user.name,
            "userPrincipalName": world.user.name, "mail": world.user.name,
        }),
    )];
    let principal = |id: &str, app: &str, name: &str, kind: &str| {
        json!({
            "@odata.type": "#microsoft.graph.servicePrincipal", "id": id, "appId": app, "displayName": name, "appDisplayName": name,
            "servicePrincipalNames": [app], "servicePrincipalType": kind,
        })
    };
    all.extend(
        world.applications.iter().map(|one| ("servicePrincipals", principal(&one.object_id, &one.client_id, &one.name, "Application"))),
    );
    let store = azure.store();
    all.extend(under(&store, "Microsoft.ManagedIdentity/userAssignedIdentities", "/").map(|body| {
        let text = |at: &str| body.pointer(at).and_then(Value::as_str).unwrap_or_default();
        ("servicePrincipals", principal(text("/properties/principalId"), text("/properties/clientId"), text("/name"), "ManagedIdentity"))
    }));
    all
}

fn is(body: &Value, field: &str, wanted: &str) -> bool {
    body[field].as_str().is_some_and(|own| own.eq_ignore_ascii_case(wanted))
}

fn one(all: Vec<(&'static str, Value)>, kind: &str, id: &str) -> Response {
    let fits =
        |own: &str, body: &Value| (kind == "directoryObjects" || kind == own) && (is(body, "id", id) || is(body, "userPrincipalName", id));
    match all.into_iter().find(|(own, body)| fits(own, body)) {
        Some((_, body)) => Response::json(200, &body),
        None => error(
            404,
            "Request_ResourceNotFound",
            &format!("Resource '{id}' does not exist or one of its queried references is not present."),
        ),
    }
}

/// Supported filters: `field eq 'value'` and `servicePrincipalNames/any(c:c eq 'value')`, joined by `or`.
fn list(azure: &Azure, kind: &str, request: &Request) -> Response {
    let filter = request.q("$filter").unwrap_or_default();
    let mut wanted = Vec::new();
    for term in filter.split(" or ").map(str::trim).filter(|term| !term.is_empty()) {
        let inner = term.strip_prefix("servicePrincipalNames/any(").and_then(|rest| rest.strip_suffix(')'));
        let found = match inner.and_then(|rest| rest.split_once(':')) {
            Some((_, comparison)) => quoted_equals(comparison).map(|(_, value)| ("appId".to_owned(), value)),
            None => quoted_equals(term),
        };
        match found {
            Some(found) => wanted.push(found),
            None => return error(400, "Request_UnsupportedQuery", &format!("The filter '{term}' is not supported here.")),
        }
    }
    let fits = |body: &Value| wanted.is_empty() || wanted.iter().any(|(field, value)| is(body, field, value));
    let value: Vec<Value> = everyone(azure)
        .into_iter()
        .filter(|(own, body)| (kind == "directoryObjects" || kind == *own) && fits(body))
        .map(|(_, body)| body)
        .collect();
    Response::json(200, &json!({"@odata.context": format!("https://graph.microsoft.com/v1.0/$metadata#{kind}"), "value": value}))
}

fn by_ids(azure: &Azure, request: &Request) -> Response {
    let sent = request.json().unwrap_or_default();
    let Some(ids) = sent["ids"].as_array().filter(|ids| ids.len() <= 1000) else {
        return error(400, "Request_BadRequest", "ids is required, with at most 1000 of them.");
    };
    let asked = |body: &Value| ids.iter().filter_map(Value::as_str).any(|id| is(body, "id", id));
    let value: Vec<Value> = everyone(azure).into_iter().map(|(_, body)| body).filter(asked).collect();
    Response::json(200, &json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#directoryObjects", "value": value}))
}

fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(
        status,
        &json!({"error": {"code": code, "message": message, "innerError": {"request-id": uuid::Uuid::new_v4().to_string()}}}),
    )
}
