//! Key vaults and their access policies.

use serde_json::{Value, json};

use crate::azure::errors::{bad_request, error, not_allowed};
use crate::azure::path::Path;
use crate::azure::router::{stored, stored_parent};
use crate::azure::{Azure, lists};
use crate::http::{Request, Response};

const KIND: &str = "Microsoft.KeyVault/vaults";
/// Maximum number of policies per vault, as documented.
const LIMIT: usize = 1024;

pub(crate) fn handle(azure: &Azure, path: &Path, request: &Request) -> Response {
    if path.is_list() {
        return if request.method == "GET" { lists::answer(azure, KIND, &path.scope) } else { not_allowed(&request.method) };
    }
    match request.method.as_str() {
        "GET" => stored(&azure.store(), path).map_or_else(|missing| missing, |body| Response::json(200, &body)),
        "PUT" | "PATCH" => change(azure, path, request),
        method => not_allowed(method),
    }
}

/// PATCH changes the given properties. PUT replaces all, including access policies; real users lose policies this
/// way.
fn change(azure: &Azure, path: &Path, request: &Request) -> Response {
    let sent = request.json().unwrap_or_default();
    let Some(properties) = sent["properties"].as_object() else {
        return bad_request("properties are required.");
    };
    let mut store = azure.store();
    if let Err(missing) = stored(&store, path) {
        return missing;
    }
    let Some(found) = store.resources.get_mut(&path.id.to_ascii_lowercase()) else {
        return Response::empty(404);
    };
    if request.method == "PUT" {
        let kept = |name: &str| found.body["properties"][name].clone();
        let fresh = json!({"vaultUri": kept("vaultUri"), "provisioningState": "Succeeded", "accessPolicies": []});
        if !properties.contains_key("tenantId") || !properties.contains_key("sku") {
            return bad_request("tenantId and sku are required.");
        }
        found.body["properties"] = fresh;
    }
    for (name, value) in properties {
        if !["vaultUri", "provisioningState", "hsmPoolResourceId", "privateEndpointConnections"].contains(&name.as_str()) {
            found.body["properties"][name.as_str()] = value.clone();
        }
    }
    if let Some(tags) = sent.get("tags") {
        found.body["tags"] = tags.clone();
    }
    Response::json(200, &found.body)
}

/// `PUT …/accessPolicies/{add|remove|replace}`.
pub(crate) fn access_policies(azure: &Azure, path: &Path, request: &Request) -> Response {
    if request.method != "PUT" || path.is_list() {
        return not_allowed(&request.method);
    }
    let mut store = azure.store();
    if let Err(missing) = stored_parent(&store, path) {
        return missing;
    }
    let sent = request.json().unwrap_or_default();
    let Some(policies) = sent["properties"]["accessPolicies"].as_array() else {
        return bad_request("properties.accessPolicies is required.");
    };
    let whole = |one: &Value| one["tenantId"].is_string() && one["objectId"].is_string() && one["permissions"].is_object();
    if let Some(bad) = policies.iter().find(|one| !whole(one)) {
        return bad_request(&format!("An access policy needs tenantId, objectId and permissions: {bad}"));
    }
    if policies.iter().any(|one| one["tenantId"].as_str() != Some(azure.world.tenant.as_str())) {
        return error(400, "BadRequest", "The access policy is for another tenant than the vault's.");
    }
    let Some(vault) = store.resources.get_mut(&path.parent().to_ascii_lowercase()) else {
        return Response::empty(404);
    };
    let id = vault.body["id"].as_str().unwrap_or_default().to_owned();
    let mut kept = vault.body["properties"]["accessPolicies"].as_array().cloned().unwrap_or_default();
    match path.name().to_ascii_lowercase().as_str() {
        "replace" => kept.clone_from(policies),
        "add" => policies.iter().for_each(|policy| add(&mut kept, policy)),
        "remove" => policies.iter().for_each(|policy| remove(&mut kept, policy)),
        other => return bad_request(&format!("The operation '{other}' is none of add, remove and replace.")),
    }
    if kept.len() > LIMIT {
        return bad_request(&format!("A vault holds at most {LIMIT} access policies."));
    }
    vault.body["properties"]["accessPolicies"] = Value::from(kept.clone());
    Response::json(
        200,
        &json!({
            "id": format!("{id}/accessPolicies/"), "type": "Microsoft.KeyVault/vaults/accessPolicies", "properties": {"accessPolicies": kept},
        }),
    )
}

/// Whether two policies are for the same principal (and the same application acting for it).
fn same(a: &Value, b: &Value) -> bool {
    let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_ascii_lowercase();
    ["tenantId", "objectId", "applicationId"].iter().all(|name| text(a, name) == text(b, name))
}

fn add(kept: &mut Vec<Value>, policy: &Value) {
    let Some(own) = kept.iter_mut().find(|one| same(one, policy)) else {
        kept.push(policy.clone());
        return;
    };
    for (kind, verbs) in policy["permissions"].as_object().into_iter().flatten() {
        let mut merged = own["permissions"][kind.as_str()].as_array().cloned().unwrap_or_default();
        for verb in verbs.as_array().into_iter().flatten() {
            if !merged.iter().any(|one| equal(one, verb)) {
                merged.push(verb.clone());
            }
        }
        own["permissions"][kind.as_str()] = Value::from(merged);
    }
}

fn remove(kept: &mut Vec<Value>, policy: &Value) {
    for own in kept.iter_mut().filter(|one| same(one, policy)) {
        for (kind, verbs) in policy["permissions"].as_object().into_iter().flatten() {
            if let (Some(left), Some(gone)) = (own["permissions"][kind.as_str()].as_array_mut(), verbs.as_array()) {
                left.retain(|one| !gone.iter().any(|verb| equal(one, verb)));
            }
        }
    }
    let empty =
        |one: &Value| one["permissions"].as_object().is_none_or(|all| all.values().all(|verbs| verbs.as_array().is_none_or(Vec::is_empty)));
    kept.retain(|one| !(same(one, policy) && empty(one)));
}

fn equal(a: &Value, b: &Value) -> bool {
    a.as_str().zip(b.as_str()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(id: &str, verbs: &[&str]) -> Value {
        json!({"tenantId": "t", "objectId": id, "permissions": {"secrets": verbs}})
    }

    #[test]
    fn adding_merges_with_what_the_principal_has_and_leaves_others_alone() {
        let mut kept = vec![policy("other", &["set"]), policy("mine", &["Get"])];
        add(&mut kept, &policy("MINE", &["get", "list"]));
        assert_eq!(kept, vec![policy("other", &["set"]), policy("mine", &["Get", "list"])]);
    }

    #[test]
    fn removing_the_last_right_removes_the_policy() {
        let mut kept = vec![policy("other", &["get"]), policy("mine", &["get", "list"])];
        remove(&mut kept, &policy("mine", &["get"]));
        assert_eq!(kept[1], policy("mine", &["list"]));
        remove(&mut kept, &policy("mine", &["list"]));
        assert_eq!(kept, vec![policy("other", &["get"])]);
    }
}
