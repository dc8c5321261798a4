//! Grants of data planes that don't use Azure roles: role assignments of a Cosmos DB account, access policy
//! assignments of a cache. Writes are operations, and an account accepts one at a time.

use serde_json::{Value, json};

use crate::azure::errors::{bad_request, error, not_allowed};
use crate::azure::operations::Operation;
use crate::azure::path::Path;
use crate::azure::router::{stored, stored_parent};
use crate::azure::services::all;
use crate::azure::{Azure, Resource, Store, covers};
use crate::http::{Request, Response};

const COSMOS: &str = "microsoft.documentdb/databaseaccounts/sqlroleassignments";
const REDIS: &str = "microsoft.cache/redis/accesspolicyassignments";
/// Types served by this file; two can be written, two only read.
pub(crate) const KINDS: &[&str] = &[
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions",
    "Microsoft.Cache/Redis/accessPolicyAssignments",
    "Microsoft.Cache/Redis/accessPolicies",
];

/// Whether this file serves a type.
pub(crate) fn serves(kind: &str) -> bool {
    KINDS.iter().any(|own| own.eq_ignore_ascii_case(kind))
}

/// Whether an operation belongs to this file. Its end needs no further work.
pub(crate) fn owns(operation: &Operation) -> bool {
    operation.resource.contains("/microsoft.documentdb/") || operation.resource.contains("/microsoft.cache/")
}

pub(crate) fn handle(azure: &Azure, path: &Path, request: &Request) -> Response {
    if let Err(missing) = stored_parent(&azure.store(), path) {
        return missing;
    }
    if path.is_list() {
        return if request.method == "GET" { all(azure, &path.kind, &path.parent()) } else { not_allowed(&request.method) };
    }
    match (request.method.as_str(), path.kind.as_str()) {
        ("GET", _) => stored(&azure.store(), path).map_or_else(|missing| missing, |body| Response::json(200, &body)),
        ("PUT", COSMOS) => put_cosmos(azure, path, request),
        ("PUT", REDIS) => put_redis(azure, path, request),
        ("DELETE", COSMOS | REDIS) => delete(azure, path),
        _ => not_allowed(&request.method),
    }
}

fn put_cosmos(azure: &Azure, path: &Path, request: &Request) -> Response {
    let sent = request.json().unwrap_or_default();
    let text = |name: &str| sent["properties"][name].as_str().unwrap_or_default();
    let (definition, scope, principal) = (text("roleDefinitionId"), text("scope"), text("principalId"));
    let mut store = azure.store();
    let account = path.parent();
    if uuid::Uuid::parse_str(path.name()).is_err() {
        return bad_request("The role assignment's name must be a GUID.");
    }
    if !store.resources.contains_key(&definition.to_ascii_lowercase()) || !covers(&account, definition) {
        return bad_request(&format!("The role definition '{definition}' does not exist in this account."));
    }
    if !covers(&account, scope) {
        return bad_request(&format!("The scope '{scope}' is outside this account."));
    }
    if azure.principal_type(&store, principal).is_none() {
        let tenant = &azure.world.tenant;
        return bad_request(&format!(
            "The provided principal ID [{principal}] was not found in the AAD tenant(s) [{tenant}] associated with the customer's subscription."
        ));
    }
    if let Some(busy) = refuse_busy(&store, &account) {
        return busy;
    }
    let body = json!({
        "id": path.id, "name": path.name(), "type": KINDS[0],
        "properties": {"roleDefinitionId": definition, "scope": scope, "principalId": principal},
    });
    insert(azure, &mut store, path, body);
    let operation = start(azure, &mut store, &account, "Microsoft.DocumentDB", "2025-04-15");
    // The documented answer has no body.
    Response::empty(202).with("azure-asyncoperation", operation)
}

fn put_redis(azure: &Azure, path: &Path, request: &Request) -> Response {
    let sent = request.json().unwrap_or_default();
    let properties = &sent["properties"];
    let text = |name: &str| properties[name].as_str().unwrap_or_default();
    let (policy, principal) = (text("accessPolicyName"), text("objectId"));
    let mut store = azure.store();
    let cache = path.parent();
    if !store.resources.contains_key(&format!("{cache}/accessPolicies/{policy}").to_ascii_lowercase()) {
        return bad_request(&format!("The access policy '{policy}' does not exist in this cache."));
    }
    if text("objectIdAlias").is_empty() || uuid::Uuid::parse_str(principal).is_err() {
        return bad_request("objectId must be a GUID, and objectIdAlias is required.");
    }
    if let Some(busy) = refuse_busy(&store, &cache) {
        return busy;
    }
    let mut kept = properties.clone();
    kept["provisioningState"] = json!("Succeeded");
    let body = json!({"id": path.id, "name": path.name(), "type": KINDS[2], "properties": kept});
    let mut answer = body.clone();
    answer["properties"]["provisioningState"] = json!("Updating");
    insert(azure, &mut store, path, body);
    let operation = start(azure, &mut store, &cache, "Microsoft.Cache", "2024-11-01");
    Response::json(201, &answer).with("azure-asyncoperation", operation)
}

fn insert(azure: &Azure, store: &mut Store, path: &Path, body: Value) {
    let created = azure.control.now();
    store.resources.insert(path.id.to_ascii_lowercase(), Resource { body, created });
}

fn delete(azure: &Azure, path: &Path) -> Response {
    let mut store = azure.store();
    let owner = path.parent();
    if let Some(busy) = refuse_busy(&store, &owner) {
        return busy;
    }
    if store.resources.remove(&path.id.to_ascii_lowercase()).is_none() {
        return Response::empty(204);
    }
    let (provider, version) = if path.kind == COSMOS { ("Microsoft.DocumentDB", "2025-04-15") } else { ("Microsoft.Cache", "2024-11-01") };
    let operation = start(azure, &mut store, &owner, provider, version);
    Response::empty(202).with("azure-asyncoperation", operation)
}

fn refuse_busy(store: &Store, owner: &str) -> Option<Response> {
    let owner = owner.to_ascii_lowercase();
    let busy = store.operations.values().any(|one| !one.settled && one.resource == owner);
    busy.then(|| error(409, "Conflict", "Another write to this account is under way. Try again when it has ended."))
}

fn start(azure: &Azure, store: &mut Store, owner: &str, provider: &str, version: &str) -> String {
    let id = uuid::Uuid::new_v4().to_string();
    let started = azure.control.now();
    let ends = started + azure.control.knobs(|knobs| knobs.data_role_write);
    let operation = Operation { id: id.clone(), resource: owner.to_ascii_lowercase(), started, ends, fails: None, settled: false };
    store.operations.insert(id.clone(), operation);
    let subscription = crate::azure::roles::subscription_of(owner);
    format!(
        "https://management.azure.com/subscriptions/{subscription}/providers/{provider}/locations/westeurope/operationsStatus/{id}?api-version={version}"
    )
}

/// Whether a Cosmos DB account's own roles allow a principal an action on the whole account.
pub(crate) fn cosmos_allows(azure: &Azure, store: &Store, account: &str, principal: &str, action: &str) -> bool {
    let delay = azure.control.knobs(|knobs| knobs.role_propagation);
    let prefix = format!("{}/sqlroleassignments/", account.to_ascii_lowercase());
    store.resources.iter().filter(|(id, one)| id.starts_with(&prefix) && azure.is_older(one.created, delay)).any(|(_, one)| {
        let text = |name: &str| one.body["properties"][name].as_str().unwrap_or_default();
        let role = store.resources.get(&text("roleDefinitionId").to_ascii_lowercase()).map(|role| &role.body["properties"]["permissions"]);
        let allows = |role: &Value| {
            let all = role.as_array().into_iter().flatten().filter_map(|one| one["dataActions"].as_array()).flatten();
            all.filter_map(Value::as_str).any(|pattern| crate::azure::roles::matches(pattern, action))
        };
        text("principalId").eq_ignore_ascii_case(principal) && text("scope").eq_ignore_ascii_case(account) && role.is_some_and(allows)
    })
}
