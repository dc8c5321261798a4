//! Routes a request to the file of its type, after the checks that ARM makes for all types: api-version, token,
//! existence of subscription and group, permissions, locks.

use serde_json::{Value, json};

use crate::azure::errors::{gateway, not_allowed, parent_not_found, resource_not_found};
use crate::azure::path::{Path, spelled};
use crate::azure::{
    Azure, Store, assignments, clusters, covers, credentials, data_roles, graph, identities, linkers, lists, operations, roles, services,
    targets, vaults, versions,
};
use crate::entra::{self, Caller};
use crate::http::{Request, Response};

/// Answers one request, with the headers of every ARM answer.
pub(crate) fn handle(azure: &Azure, request: &Request) -> Response {
    let response = route(azure, request);
    let id = uuid::Uuid::new_v4().to_string();
    let correlation = request.header("x-ms-correlation-request-id").unwrap_or(&id).to_owned();
    let remaining = if request.method == "GET" {
        "x-ms-ratelimit-remaining-subscription-reads"
    } else {
        "x-ms-ratelimit-remaining-subscription-writes"
    };
    let mut response = response
        .with("x-ms-request-id", id.clone())
        .with("x-ms-correlation-request-id", correlation)
        .with("x-ms-routing-request-id", format!("WESTEUROPE:SANDBOX:{id}"))
        .with("cache-control", "no-cache")
        .with(remaining, "199");
    if let (Some("true"), Some(client)) = (request.header("x-ms-return-client-request-id"), request.header("x-ms-client-request-id")) {
        response = response.with("x-ms-client-request-id", client);
    }
    response
}

fn route(azure: &Azure, request: &Request) -> Response {
    let path = Path::parse(request);
    if path.kind.is_empty() {
        return gateway(404, "InvalidResourceNamespace", &format!("No type is served at '{}'.", request.path));
    }
    let caller = match entra::check_arm(azure, request) {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    // A path with only a provider asks for its registration.
    let kind = if path.kind.contains('/') { path.kind.as_str() } else { "microsoft.resources/providers" };
    if let Err(refusal) = versions::check(azure, request, kind) {
        return refusal;
    }
    if kind == "microsoft.resourcegraph/resources" {
        return graph::handle(azure, &caller, request);
    }
    if let Err(refusal) = scope_exists(azure, &path) {
        return refusal;
    }
    if let Some(refusal) = refuse_unauthorised(azure, &caller, &path, request).or_else(|| refuse_locked(azure, &path, request)) {
        return refusal;
    }
    match kind {
        "microsoft.resources/providers"
        | "microsoft.resources/tenants"
        | "microsoft.resources/subscriptions"
        | "microsoft.resources/subscriptions/resourcegroups"
        | "microsoft.resources/resources" => plain(azure, kind, &path, request),
        "microsoft.containerservice/managedclusters" => clusters::handle(azure, &path, request),
        "microsoft.containerservice/locations/operations" => operations::status(azure, path.name()),
        "microsoft.servicelinker/linkers" => linkers::handle(azure, &caller, &path, request),
        "microsoft.servicelinker/locations/operationstatuses" => linkers::status(azure, &path),
        "microsoft.documentdb/locations/operationsstatus" | "microsoft.cache/locations/operationsstatus" => {
            operations::status(azure, path.name())
        }
        "microsoft.managedidentity/userassignedidentities" => identities::handle(azure, &path, request),
        "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials" => credentials::handle(azure, &path, request),
        "microsoft.keyvault/vaults" => vaults::handle(azure, &path, request),
        "microsoft.keyvault/vaults/accesspolicies" => vaults::access_policies(azure, &path, request),
        "microsoft.storage/storageaccounts"
        | "microsoft.cognitiveservices/accounts"
        | "microsoft.cognitiveservices/accounts/deployments" => targets::handle(azure, &path, request),
        "microsoft.authorization/roleassignments" => assignments::handle(azure, &caller, &path, request),
        "microsoft.authorization/roledefinitions" => roles::definitions(azure, &path, request),
        "microsoft.authorization/permissions" => assignments::permissions(azure, &caller, &path, request),
        "microsoft.authorization/locks" if request.method == "GET" => locks(azure, &path),
        // There are no managed HSMs; clients that search vaults of both kinds need an empty list.
        "microsoft.keyvault/managedhsms" if path.is_list() && request.method == "GET" => lists::answer(azure, kind, &path.scope),
        kind if services::serves(kind) => services::handle(azure, &path, request),
        kind if data_roles::serves(kind) => data_roles::handle(azure, &path, request),
        _ => gateway(404, "InvalidResourceType", &format!("The resource type '{kind}' is not served by the sandbox.")),
    }
}

fn scope_exists(azure: &Azure, path: &Path) -> Result<(), Response> {
    let subscription = path.subscription();
    if !subscription.is_empty() && !azure.world.subscriptions.iter().any(|one| one.id.eq_ignore_ascii_case(subscription)) {
        return Err(gateway(404, "SubscriptionNotFound", &format!("The subscription '{subscription}' could not be found.")));
    }
    let group = path.group();
    if !group.is_empty()
        && path.kind != "microsoft.resources/subscriptions/resourcegroups"
        && !has_group(&azure.store(), subscription, group)
    {
        return Err(gateway(404, "ResourceGroupNotFound", &format!("Resource group '{group}' could not be found.")));
    }
    Ok(())
}

fn has_group(store: &Store, subscription: &str, group: &str) -> bool {
    store.resources.contains_key(&format!("/subscriptions/{subscription}/resourcegroups/{group}").to_ascii_lowercase())
}

/// Whether a resource exists at a scope, so that a grant can be made there.
pub(crate) fn exists(azure: &Azure, store: &Store, scope: &str) -> Result<(), Response> {
    let lower = scope.trim_end_matches('/').to_ascii_lowercase();
    let known = lower.is_empty()
        || store.resources.contains_key(&lower)
        || azure.world.subscriptions.iter().any(|one| lower == format!("/subscriptions/{}", one.id));
    // Containers and similar parts exist only on the data plane. ARM accepts such scopes if the account exists.
    let below = || store.resources.keys().any(|id| lower.starts_with(&format!("{id}/")) && id.contains("/providers/"));
    if known || below() {
        Ok(())
    } else {
        Err(gateway(404, "ResourceNotFound", &format!("The resource at scope '{scope}' was not found.")))
    }
}

fn refuse_unauthorised(azure: &Azure, caller: &Caller, path: &Path, request: &Request) -> Option<Response> {
    // Everyone may read their own permissions, poll their operations, and list visible resources.
    let free = [
        "microsoft.authorization/permissions",
        "microsoft.containerservice/locations/operations",
        "microsoft.servicelinker/locations/operationstatuses",
        "microsoft.documentdb/locations/operationsstatus",
        "microsoft.cache/locations/operationsstatus",
        "microsoft.resources/tenants",
        "microsoft.resources/subscriptions",
        "microsoft.resources/providers",
    ];
    if free.contains(&path.kind.as_str()) || !path.kind.contains('/') {
        return None;
    }
    let action = path.right(&request.method);
    // A grant needs permission on its scope; a resource, on itself.
    let scope = if path.kind.starts_with("microsoft.authorization/") || path.is_list() { &path.scope } else { &path.id };
    let scope = if scope.is_empty() { "/" } else { scope };
    (!azure.may(&azure.store(), caller, &action, scope)).then(|| roles::forbidden(caller, &action, scope))
}

fn refuse_locked(azure: &Azure, path: &Path, request: &Request) -> Option<Response> {
    let needed = match (request.method.as_str(), path.action.as_deref()) {
        ("DELETE", _) => "CanNotDelete",
        ("PUT" | "PATCH", _) | ("POST", Some("listkeys")) => "ReadOnly",
        _ => return None,
    };
    let locked = azure.control.knobs(|knobs| {
        knobs
            .locks
            .iter()
            .find(|(scope, level)| covers(scope, &path.id) && (level == "ReadOnly" || level == needed))
            .map(|(scope, _)| scope.clone())
    })?;
    Some(gateway(409, "ScopeLocked", &format!("The scope '{}' cannot be changed, because this scope is locked: '{locked}'.", path.id)))
}

fn locks(azure: &Azure, path: &Path) -> Response {
    let value: Vec<Value> = azure.control.knobs(|knobs| {
        knobs
            .locks
            .iter()
            .filter(|(scope, _)| covers(scope, &path.scope))
            .map(|(scope, level)| {
                json!({
                    "id": format!("{scope}/providers/Microsoft.Authorization/locks/sandbox"),
                    "name": "sandbox", "type": "Microsoft.Authorization/locks", "properties": {"level": level},
                })
            })
            .collect()
    });
    Response::json(200, &json!({"value": value}))
}

/// Some of the regions of every subscription. Logical regions can't contain resources.
const REGIONS: [(&str, &str, &str); 6] = [
    ("westeurope", "West Europe", "Physical"),
    ("northeurope", "North Europe", "Physical"),
    ("westus", "West US", "Physical"),
    ("eastus2", "East US 2", "Physical"),
    ("swedencentral", "Sweden Central", "Physical"),
    ("europe", "Europe", "Logical"),
];

/// Subscriptions, tenants, groups and providers.
fn plain(azure: &Azure, kind: &str, path: &Path, request: &Request) -> Response {
    let subscription = path.subscription();
    let lower = path.scope.to_ascii_lowercase();
    match (kind, request.method.as_str()) {
        ("microsoft.resources/tenants", "GET") => Response::json(
            200,
            &json!({"value": [{
                "id": format!("/tenants/{}", azure.world.tenant), "tenantId": azure.world.tenant, "countryCode": "NL", "displayName": "Contoso",
                "domains": [azure.world.domain], "tenantCategory": "Home", "defaultDomain": azure.world.domain, "tenantType": "AAD",
            }]}),
        ),
        ("microsoft.resources/subscriptions", "GET") if lower.ends_with("/locations") => Response::json(
            200,
            &json!({"value": REGIONS.iter().map(|(name, title, kind)| json!({
                "id": format!("/subscriptions/{subscription}/locations/{name}"), "name": name, "type": "Region", "displayName": title,
                "regionalDisplayName": title, "metadata": {"regionType": kind},
            })).collect::<Vec<_>>()}),
        ),
        ("microsoft.resources/subscriptions", "GET") => {
            let bodies: Vec<Value> = azure.world.subscriptions.iter().map(|one| json!({
                "id": format!("/subscriptions/{}", one.id), "authorizationSource": "RoleBased", "managedByTenants": [],
                "subscriptionId": one.id, "tenantId": azure.world.tenant, "displayName": one.name, "state": "Enabled",
                "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
            })).collect();
            if subscription.is_empty() {
                return Response::json(200, &json!({"value": bodies, "count": {"type": "Total", "value": bodies.len()}}));
            }
            let own =
                bodies.into_iter().find(|body| body["subscriptionId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(subscription)));
            Response::json(200, &own.unwrap_or_default())
        }
        ("microsoft.resources/subscriptions/resourcegroups", method) => group(azure, path, &lower, method, request),
        ("microsoft.resources/resources", "GET") => lists::every_type(azure, lower.trim_end_matches("/resources"), request),
        ("microsoft.resources/providers", "GET" | "POST") => {
            let namespace = path.kind.split('/').next().unwrap_or_default();
            Response::json(
                200,
                &json!({"id": format!("/subscriptions/{subscription}/providers/{namespace}"), "namespace": namespace, "registrationState": "Registered", "registrationPolicy": "RegistrationRequired", "resourceTypes": []}),
            )
        }
        _ => not_allowed(&request.method),
    }
}

fn group(azure: &Azure, path: &Path, lower: &str, method: &str, request: &Request) -> Response {
    let name = path.group();
    if name.is_empty() {
        return match method {
            "GET" => lists::answer(azure, "Microsoft.Resources/resourceGroups", &format!("/subscriptions/{}", path.subscription())),
            _ => not_allowed(method),
        };
    }
    let mut store = azure.store();
    let found = store.resources.get(lower).map(|one| one.body.clone());
    match (method, found) {
        ("GET", Some(body)) => Response::json(200, &body),
        ("HEAD", Some(_)) => Response::empty(204),
        ("HEAD", None) => Response::empty(404),
        ("GET", None) => gateway(404, "ResourceGroupNotFound", &format!("Resource group '{name}' could not be found.")),
        ("PUT", found) => {
            let sent = request.json().unwrap_or_default();
            let Some(location) = sent["location"].as_str() else {
                return gateway(400, "LocationRequired", "The location property is required for this definition.");
            };
            let body = json!({
                "id": format!("/subscriptions/{}/resourceGroups/{name}", path.subscription()), "name": name,
                "type": "Microsoft.Resources/resourceGroups", "location": location,
                "tags": sent.get("tags").cloned().unwrap_or_else(|| json!({})), "properties": {"provisioningState": "Succeeded"},
            });
            let created = azure.control.now();
            store.resources.insert(lower.to_owned(), crate::azure::Resource { body: body.clone(), created });
            Response::json(if found.is_some() { 200 } else { 201 }, &body)
        }
        ("DELETE", _) => not_allowed("DELETE (groups are too much to lose in one request)"),
        _ => not_allowed(method),
    }
}

/// The stored body of a path's resource.
pub(crate) fn stored(store: &Store, path: &Path) -> Result<Value, Response> {
    store.resources.get(&path.id.to_ascii_lowercase()).map(|one| one.body.clone()).ok_or_else(|| {
        let names = path.names.join("/");
        resource_not_found(&spelled(&path.kind), &names, path.group())
    })
}

/// The stored body of the parent of a path's resource.
pub(crate) fn stored_parent(store: &Store, path: &Path) -> Result<Value, Response> {
    let parent = path.parent();
    store.resources.get(&parent.to_ascii_lowercase()).map(|one| one.body.clone()).ok_or_else(|| parent_not_found(&parent))
}
