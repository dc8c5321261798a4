//! Role assignments, and the caller's permissions that follow from them.

use serde_json::{Value, json};

use crate::azure::errors::{error, not_allowed};
use crate::azure::path::Path;
use crate::azure::roles::{quoted_equals, role_id, subscription_of};
use crate::azure::router::exists;
use crate::azure::{Assignment, Azure, covers, timestamp};
use crate::entra::Caller;
use crate::http::{Request, Response};

/// The caller's permissions at a scope, one entry per role.
pub(crate) fn permissions(azure: &Azure, caller: &Caller, path: &Path, request: &Request) -> Response {
    if request.method != "GET" {
        return not_allowed(&request.method);
    }
    let store = azure.store();
    if let Err(missing) = exists(azure, &store, &path.scope) {
        return missing;
    }
    let denied: Vec<String> = if caller.oid == azure.world.user.object_id {
        azure
            .control
            .knobs(|knobs| knobs.denied.iter().filter(|(_, at)| covers(at, &path.scope)).map(|(action, _)| action.clone()).collect())
    } else {
        Vec::new()
    };
    let value: Vec<Value> = azure
        .assignments_on(&store, &caller.oid, &path.scope)
        .iter()
        .filter_map(|one| azure.role(&one.role))
        .map(|role| {
            let not_actions: Vec<&str> = role.not_actions.iter().copied().chain(denied.iter().map(String::as_str)).collect();
            json!({"actions": role.actions, "notActions": not_actions, "dataActions": role.data_actions, "notDataActions": role.not_data_actions})
        })
        .collect();
    Response::json(200, &json!({"value": value, "nextLink": null}))
}

/// `roleAssignments` at any scope.
pub(crate) fn handle(azure: &Azure, caller: &Caller, path: &Path, request: &Request) -> Response {
    match (request.method.as_str(), path.names.first()) {
        ("GET", None) => list(azure, path, request),
        ("GET", Some(name)) => match azure.store().assignments.get(&name.to_ascii_lowercase()) {
            Some(one) if one.scope.eq_ignore_ascii_case(&path.scope) => Response::json(200, &one.body(azure)),
            _ => error(404, "RoleAssignmentNotFound", &format!("The role assignment '{name}' is not found.")),
        },
        ("PUT", Some(name)) => put(azure, caller, path, name, request),
        ("DELETE", Some(name)) => {
            let mut store = azure.store();
            let key = name.to_ascii_lowercase();
            match store.assignments.get(&key) {
                Some(one) if one.scope.eq_ignore_ascii_case(&path.scope) => {
                    let body = one.body(azure);
                    store.assignments.remove(&key);
                    Response::json(200, &body)
                }
                _ => Response::empty(204),
            }
        }
        _ => not_allowed(&request.method),
    }
}

fn put(azure: &Azure, caller: &Caller, path: &Path, name: &str, request: &Request) -> Response {
    if uuid::Uuid::parse_str(name).is_err() {
        return error(400, "InvalidRoleAssignmentId", &format!("The role assignment name '{name}' is not a GUID."));
    }
    let body = request.json().unwrap_or_default();
    let properties = &body["properties"];
    let (Some(definition), Some(principal)) = (properties["roleDefinitionId"].as_str(), properties["principalId"].as_str()) else {
        return error(400, "InvalidCreateRoleAssignmentRequest", "roleDefinitionId and principalId are required.");
    };
    if uuid::Uuid::parse_str(principal).is_err() {
        return error(400, "InvalidPrincipalId", &format!("The principal id '{principal}' is not a GUID."));
    }
    if let Some(unknown) = properties.as_object().into_iter().flat_map(|all| all.keys()).find(|key| {
        ![
            "roleDefinitionId",
            "principalId",
            "principalType",
            "description",
            "condition",
            "conditionVersion",
            "delegatedManagedIdentityResourceId",
        ]
        .contains(&key.as_str())
    }) {
        return error(400, "InvalidCreateRoleAssignmentRequest", &format!("The property '{unknown}' is not taken in a role assignment."));
    }
    let lower = definition.to_ascii_lowercase();
    let role = lower.rsplit_once("/providers/microsoft.authorization/roledefinitions/").and_then(|(_, id)| azure.role(id));
    let Some(role) = role else {
        return error(400, "RoleDefinitionDoesNotExist", &format!("The role definition '{definition}' does not exist."));
    };
    let mut store = azure.store();
    if let Err(missing) = exists(azure, &store, &path.scope) {
        return missing;
    }
    let sent_type = properties["principalType"].as_str();
    match azure.principal_type(&store, principal) {
        None if sent_type.is_none() => {
            let compact = principal.replace('-', "");
            return error(
                400,
                "PrincipalNotFound",
                &format!(
                    "Principal {compact} does not exist in the directory {}. For a principal made just now, send principalType.",
                    azure.world.tenant
                ),
            );
        }
        Some(real) if sent_type.is_some_and(|sent| sent != real) => {
            return error(400, "UnmatchedPrincipalType", &format!("The principal '{principal}' is a {real}, not what was sent."));
        }
        _ => {}
    }
    let key = name.to_ascii_lowercase();
    let same = |one: &Assignment| {
        one.scope.eq_ignore_ascii_case(&path.scope) && one.role == role.id && one.principal.eq_ignore_ascii_case(principal)
    };
    if store.assignments.values().any(same) {
        return error(409, "RoleAssignmentExists", "The role assignment already exists.");
    }
    if store.assignments.contains_key(&key) {
        return error(400, "RoleAssignmentUpdateNotPermitted", "Principal, role and scope of a role assignment cannot be changed.");
    }
    let mut kept = properties.clone();
    kept["createdBy"] = Value::from(caller.oid.clone());
    kept["principalType"] =
        Value::from(sent_type.map_or_else(|| azure.principal_type(&store, principal).unwrap_or("User").to_owned(), ToOwned::to_owned));
    let one = Assignment {
        name: name.to_owned(),
        scope: path.scope.clone(),
        principal: principal.to_owned(),
        role: role.id.to_owned(),
        properties: kept,
        created: azure.control.now(),
    };
    let body = one.body(azure);
    store.assignments.insert(key, one);
    Response::json(201, &body)
}

fn list(azure: &Azure, path: &Path, request: &Request) -> Response {
    let (mut principal, mut at_scope) = (None, false);
    for term in request.q("$filter").unwrap_or_default().split(" and ").map(str::trim).filter(|term| !term.is_empty()) {
        if term.eq_ignore_ascii_case("atScope()") {
            at_scope = true;
        } else if let Some(id) = term.strip_prefix("assignedTo('").and_then(|rest| rest.strip_suffix("')")) {
            principal = Some(id.to_owned());
        } else if let Some((_, value)) = quoted_equals(term).filter(|(field, _)| field.eq_ignore_ascii_case("principalId")) {
            principal = Some(value);
        } else {
            return error(400, "UnsupportedQuery", &format!("The filter '{term}' is not supported."));
        }
    }
    let store = azure.store();
    if let Err(missing) = exists(azure, &store, &path.scope) {
        return missing;
    }
    let value: Vec<Value> = store
        .assignments
        .values()
        .filter(|one| covers(&one.scope, &path.scope) || (!at_scope && covers(&path.scope, &one.scope)))
        .filter(|one| principal.as_ref().is_none_or(|id| one.principal.eq_ignore_ascii_case(id)))
        .map(|one| one.body(azure))
        .collect();
    Response::json(200, &json!({"value": value}))
}

impl Assignment {
    fn body(&self, azure: &Azure) -> Value {
        let subscription = azure.world.subscriptions.first().map_or("", |one| one.id.as_str());
        let home = match subscription_of(&self.scope) {
            "" => subscription,
            own => own,
        };
        let stamp = timestamp(self.created);
        let kept = |name: &str| self.properties.get(name).cloned().unwrap_or(Value::Null);
        json!({
            "properties": {
                "roleDefinitionId": role_id(home, &self.role),
                "principalId": self.principal,
                "principalType": kept("principalType"),
                "scope": self.scope,
                "condition": kept("condition"),
                "conditionVersion": kept("conditionVersion"),
                "createdOn": stamp,
                "updatedOn": stamp,
                "createdBy": kept("createdBy"),
                "updatedBy": kept("createdBy"),
                "delegatedManagedIdentityResourceId": null,
                "description": kept("description"),
            },
            "id": format!("{}/providers/Microsoft.Authorization/roleAssignments/{}", self.scope.trim_end_matches('/'), self.name),
            "type": "Microsoft.Authorization/roleAssignments",
            "name": self.name,
        })
    }
}

impl Azure {
    /// The kind of principal that the directory knows; for a new identity only after replication.
    pub(crate) fn principal_type(&self, store: &crate::azure::Store, principal: &str) -> Option<&'static str> {
        if principal.eq_ignore_ascii_case(&self.world.user.object_id) {
            return Some("User");
        }
        if self.world.applications.iter().any(|one| one.object_id.eq_ignore_ascii_case(principal)) {
            return Some("ServicePrincipal");
        }
        let delay = self.control.knobs(|knobs| knobs.identity_replication);
        store
            .resources
            .values()
            .filter(|one| {
                one.body["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("Microsoft.ManagedIdentity/userAssignedIdentities"))
            })
            .find(|one| one.body["properties"]["principalId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(principal)))
            .filter(|one| self.is_older(one.created, delay))
            .map(|_| "ServicePrincipal")
    }
}
