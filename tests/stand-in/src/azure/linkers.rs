//! Service Connector: connections of a cluster as `az aks connection` creates, shows and deletes them. Every change
//! and every validation is an operation, and a cluster runs one at a time.

use serde_json::{Value, json};

use crate::azure::errors::{bad_request, error, not_allowed};
use crate::azure::operations::Operation;
use crate::azure::path::Path;
use crate::azure::router::stored;
use crate::azure::{Azure, Resource, Store, covers, lists};
use crate::entra::Caller;
use crate::http::{Request, Response};

mod effects;

pub(crate) const KIND: &str = "microsoft.servicelinker/linkers";
/// Suffix of the linker's id in a validation operation.
const LOOKING: &str = "/validatelinker";

pub(crate) fn handle(azure: &Azure, caller: &Caller, path: &Path, request: &Request) -> Response {
    let store = azure.store();
    let Some(cluster) = store.resources.get(&path.scope.to_ascii_lowercase()).map(|one| one.body.clone()) else {
        return error(404, "ResourceNotFound", &format!("The source resource '{}' was not found.", path.scope));
    };
    drop(store);
    if path.is_list() {
        return if request.method == "GET" { lists::answer(azure, KIND, &path.scope) } else { not_allowed(&request.method) };
    }
    match (request.method.as_str(), path.action.as_deref()) {
        ("GET", None) => stored(&azure.store(), path).map_or_else(|_| not_found(path), |body| Response::json(200, &body)),
        ("PUT", None) => put(azure, caller, path, request, &cluster),
        ("DELETE", None) => delete(azure, path, &cluster),
        ("POST", Some("listconfigurations")) => configurations(azure, path),
        ("POST", Some("validatelinker")) => validate(azure, path, &cluster),
        _ => not_allowed(&request.method),
    }
}

fn not_found(path: &Path) -> Response {
    error(404, "ResourceNotFound", &format!("The connection '{}' was not found.", path.name()))
}

fn configurations(azure: &Azure, path: &Path) -> Response {
    let store = azure.store();
    let Ok(body) = stored(&store, path) else {
        return not_found(path);
    };
    let all: Vec<Value> = effects::configurations(azure, &store, &body)
        .into_iter()
        .map(|(name, value)| {
            // Credentials are stored only in the cluster; here they are empty, as recorded.
            let value = if body["properties"]["authInfo"]["authType"] == "secret" { String::new() } else { value };
            json!({"name": name, "value": value, "configType": "Default", "keyVaultReferenceIdentity": null, "description": ""})
        })
        .collect();
    Response::json(200, &json!({"configurations": all}))
}

fn put(azure: &Azure, caller: &Caller, path: &Path, request: &Request, cluster: &Value) -> Response {
    let sent = request.json().unwrap_or_default();
    let properties = &sent["properties"];
    let name = path.name();
    if name.is_empty() || !name.chars().all(|one| one.is_ascii_alphanumeric() || one == '.' || one == '_') {
        return bad_request(&format!("The connection name '{name}' may hold letters, digits, dots and underscores only."));
    }
    let Some(target) = properties["targetService"]["id"].as_str() else {
        return bad_request("targetService.id is required.");
    };
    let Some(auth) = properties["authInfo"]["authType"].as_str() else {
        return bad_request("authInfo.authType is required.");
    };
    let mut store = azure.store();
    if let Some(refusal) = refuse_busy(&store, path) {
        return refusal;
    }
    if effects::target(&store, target).is_none() {
        return bad_request(&format!("The target resource '{target}' was not found."));
    }
    let key = path.id.to_ascii_lowercase();
    let before = store.resources.get(&key).map(|one| (one.created, one.body["systemData"].clone()));
    let stamp = azure.timestamp();
    let mut system = before
        .as_ref()
        .map_or_else(|| json!({"createdBy": caller.name, "createdByType": "User", "createdAt": stamp}), |(_, system)| system.clone());
    system["lastModifiedBy"] = caller.name.clone().into();
    system["lastModifiedByType"] = "User".into();
    system["lastModifiedAt"] = stamp.into();
    let body = json!({
        "id": path.id, "name": name, "type": KIND, "systemData": system,
        "properties": {
            "publicNetworkSolution": filled(&properties["publicNetworkSolution"], &["firewallRules", "deleteOrUpdateBehavior", "action"]),
            "configurationInfo": {
                "customizedKeys": properties["configurationInfo"]["customizedKeys"],
                "configurationStore": filled(&properties["configurationInfo"]["configurationStore"], &["appConfigurationId"]),
                "additionalConfigurations": null, "additionalConnectionStringProperties": null, "deleteOrUpdateBehavior": null,
                "action": properties["configurationInfo"]["action"], "daprProperties": null,
            },
            "provisioningState": "Accepted",
            "targetService": filled(&properties["targetService"], &["id", "resourceProperties", "type"]),
            "authInfo": auth_info(auth, &properties["authInfo"]),
            "vNetSolution": properties["vNetSolution"],
            "clientType": properties["clientType"].as_str().unwrap_or("none"),
            "secretStore": filled(&properties["secretStore"], &["keyVaultId", "keyVaultSecretName"]),
            "scope": properties["scope"].as_str().unwrap_or("default"),
        },
    });
    let created = before.as_ref().map_or_else(|| azure.control.now(), |(created, _)| *created);
    store.resources.insert(key.clone(), Resource { body: body.clone(), created });
    let answer = start(azure, &mut store, key, path, cluster);
    // Recorded: 201 for a new connection and for a changed one.
    Response::json(201, &body).with("azure-asyncoperation", answer)
}

/// The given fields of the request body, with null for missing ones.
fn filled(sent: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), sent[*name].clone())).collect::<serde_json::Map<_, _>>().into()
}

/// Secrets are not returned.
fn auth_info(auth: &str, sent: &Value) -> Value {
    let names: &[&str] = match auth {
        "userAssignedIdentity" => &["subscriptionId", "clientId", "roles", "userName", "authType", "deleteOrUpdateBehavior", "authMode"],
        "servicePrincipalSecret" => &["clientId", "principalId", "roles", "userName", "authType", "deleteOrUpdateBehavior", "authMode"],
        _ => &["name", "authType", "authMode"],
    };
    filled(sent, names)
}

fn delete(azure: &Azure, path: &Path, cluster: &Value) -> Response {
    let mut store = azure.store();
    if let Some(refusal) = refuse_busy(&store, path) {
        return refusal;
    }
    let key = path.id.to_ascii_lowercase();
    let Some(found) = store.resources.get_mut(&key) else {
        return Response::empty(204);
    };
    found.body["properties"]["provisioningState"] = "Deleting".into();
    let address = start(azure, &mut store, key, path, cluster);
    accepted(&address)
}

fn validate(azure: &Azure, path: &Path, cluster: &Value) -> Response {
    let mut store = azure.store();
    if stored(&store, path).is_err() {
        return not_found(path);
    }
    let address = start(azure, &mut store, format!("{}{LOOKING}", path.id.to_ascii_lowercase()), path, cluster);
    accepted(&address)
}

fn accepted(address: &str) -> Response {
    Response::empty(202).with("azure-asyncoperation", address).with("location", address)
}

fn refuse_busy(store: &Store, path: &Path) -> Option<Response> {
    let busy = |one: &&Operation| !one.settled && covers(&path.scope, &one.resource) && !one.resource.ends_with(LOOKING);
    let running = store.operations.values().find(busy)?;
    let text = format!("Another operation ({}) is in progress on '{}'.", running.id, path.scope);
    Some(error(409, "Conflict", &text))
}

/// Starts an operation and returns its URL. It takes as long as a cluster update, since an agent works in the cluster
/// too.
fn start(azure: &Azure, store: &mut Store, resource: String, path: &Path, cluster: &Value) -> String {
    let started = azure.control.now();
    let ends = started + azure.control.knobs(|knobs| knobs.cluster_update);
    let id = format!("{}*{}", uuid::Uuid::new_v4(), uuid::Uuid::new_v4().simple().to_string().to_ascii_uppercase());
    let location = cluster["location"].as_str().unwrap_or_default().to_ascii_uppercase();
    let subscription = path.subscription();
    store.operations.insert(id.clone(), Operation { id: id.clone(), resource, started, ends, fails: None, settled: false });
    format!(
        "https://management.azure.com/subscriptions/{subscription}/providers/Microsoft.ServiceLinker/locations/{location}/operationStatuses/{id}?api-version=2021-01-01-privatepreview"
    )
}

/// Whether an operation belongs to this provider.
pub(crate) fn owns(operation: &Operation) -> bool {
    operation.resource.contains("/providers/microsoft.servicelinker/")
}

/// Applies a finished operation.
pub(crate) fn finish(azure: &Azure, store: &mut Store, operation: &Operation) {
    let Some(found) = store.resources.get_mut(&operation.resource) else {
        return;
    };
    if found.body["properties"]["provisioningState"] == "Deleting" {
        // Grants and objects in the cluster remain: only the user knows whether they are still needed.
        store.resources.remove(&operation.resource);
        return;
    }
    found.body["properties"]["provisioningState"] = "Succeeded".into();
    let body = found.body.clone();
    effects::carry_out(azure, store, &body);
}

/// The answer of an operation's URL: 202 during a deletion or validation, 200 otherwise.
pub(crate) fn status(azure: &Azure, path: &Path) -> Response {
    let store = azure.store();
    let Some(operation) = store.operations.values().find(|one| one.id.eq_ignore_ascii_case(path.name())) else {
        return error(404, "NotFound", &format!("The operation '{}' is not known.", path.name()));
    };
    let looking = operation.resource.ends_with(LOOKING);
    let id = operation.resource.trim_end_matches(LOOKING);
    let resource = store.resources.get(id).map(|one| &one.body);
    let deleting = resource.is_some_and(|body| body["properties"]["provisioningState"] == "Deleting");
    let word = match (operation.settled, deleting && !looking) {
        (true, _) => "Succeeded",
        (false, true) => "Deleting",
        (false, false) => "Accepted",
    };
    let mut body = json!({
        "id": path.id, "name": operation.id, "resourceId": resource.map_or(json!(id), |body| body["id"].clone()),
        "status": word, "startTime": crate::azure::timestamp(operation.started),
    });
    if operation.settled {
        body["endTime"] = crate::azure::timestamp(operation.ends).into();
        body["properties"] = match resource.filter(|_| looking) {
            Some(linker) => effects::report(&store, linker),
            None => Value::Null,
        };
    }
    let answer = Response::json(if !operation.settled && (deleting || looking) { 202 } else { 200 }, &body);
    let answer = if answer.status == 202 {
        let address = format!("https://management.azure.com{}?api-version=2021-01-01-privatepreview", path.id);
        answer.with("azure-asyncoperation", address.clone()).with("location", address)
    } else {
        answer
    };
    match azure.control.knobs(|knobs| knobs.retry_after).filter(|_| !operation.settled) {
        Some(seconds) => answer.with("retry-after", seconds.to_string()),
        None => answer,
    }
}
