//! Federated credentials of an identity: at most twenty, with unique issuer and subject, and one writer at a time.

use serde_json::{Value, json};

use crate::azure::errors::{bad_request, error, not_allowed};
use crate::azure::identities::refuse_foreign;
use crate::azure::path::{Path, spelled};
use crate::azure::router::{stored, stored_parent};
use crate::azure::{Azure, Resource, lists};
use crate::http::{Request, Response};
use std::sync::Arc;

const KIND: &str = "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials";
/// Maximum per identity, as documented.
const LIMIT: usize = 20;

/// Marks an identity while a credential write is running; dropping it ends the mark.
pub(crate) struct Occupied {
    azure: Arc<Azure>,
    identity: String,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.azure.store().writing.remove(&self.identity);
    }
}

/// Marks the identity of a credential write. `None` for any other request.
pub(crate) fn occupy(azure: &Arc<Azure>, request: &Request) -> Option<Result<Occupied, Response>> {
    if request.host != "management.azure.com" || !matches!(request.method.as_str(), "PUT" | "DELETE") {
        return None;
    }
    let path = Path::parse(request);
    if path.kind != KIND || path.is_list() {
        return None;
    }
    let identity = path.parent().to_ascii_lowercase();
    if !azure.store().writing.insert(identity.clone()) {
        let code = "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity";
        let text = format!("Another write of federated credentials is under way for the managed identity '{}'.", path.parent());
        return Some(Err(error(409, code, &text)));
    }
    Some(Ok(Occupied { azure: Arc::clone(azure), identity }))
}

pub(crate) fn handle(azure: &Azure, path: &Path, request: &Request) -> Response {
    let parent = match stored_parent(&azure.store(), path) {
        Ok(parent) => parent,
        // Deleting a child of a deleted resource succeeds.
        Err(_) if request.method == "DELETE" => return Response::empty(204),
        Err(missing) => return missing,
    };
    if path.is_list() {
        let scope = path.parent();
        return if request.method == "GET" { lists::answer(azure, KIND, &scope) } else { not_allowed(&request.method) };
    }
    match request.method.as_str() {
        "GET" => stored(&azure.store(), path).map_or_else(|missing| missing, |body| Response::json(200, &body)),
        "PUT" => put(azure, path, &parent, request),
        "DELETE" => {
            let gone = azure.store().resources.remove(&path.id.to_ascii_lowercase()).is_some();
            Response::empty(if gone { 200 } else { 204 })
        }
        method => not_allowed(method),
    }
}

fn put(azure: &Azure, path: &Path, identity: &Value, request: &Request) -> Response {
    let location = identity["location"].as_str().unwrap_or_default();
    if azure.control.knobs(|knobs| knobs.regions_without_federation.iter().any(|one| one == location)) {
        return error(405, "MethodNotAllowed", "Support for federated identity credentials is not enabled in this region.");
    }
    let Some(Value::Object(sent)) = request.json() else {
        return bad_request("The body must be a JSON object.");
    };
    if let Some(refusal) = refuse_foreign(&sent, &["properties"]) {
        return refusal;
    }
    let properties = sent.get("properties").cloned().unwrap_or_default();
    let (Some(issuer), Some(subject), Some(audiences)) =
        (properties["issuer"].as_str(), properties["subject"].as_str(), properties["audiences"].as_array())
    else {
        return bad_request("issuer, subject and audiences are required.");
    };
    if let Some(field) = properties
        .as_object()
        .into_iter()
        .flat_map(|all| all.keys())
        .find(|key| !["issuer", "subject", "audiences"].contains(&key.as_str()))
    {
        return bad_request(&format!("The property '{field}' is not taken in a federated credential."));
    }
    if audiences.len() != 1 || !audiences[0].is_string() {
        return bad_request("Federated identity credentials must have exactly one audience.");
    }
    if issuer.is_empty() || issuer.len() > 600 || subject.is_empty() || subject.len() > 600 || !issuer.starts_with("https://") {
        return bad_request("issuer must be an https address, and neither it nor subject may be empty or longer than 600 characters.");
    }
    let name = path.name();
    let valid = (3..=120).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '-' || one == '_');
    if !valid {
        return bad_request(&format!("The credential name '{name}' is not valid."));
    }
    let mut store = azure.store();
    let key = path.id.to_ascii_lowercase();
    let parent = path.parent();
    let others: Vec<&Value> = lists::under(&store, KIND, &parent)
        .filter(|body| !body["name"].as_str().is_some_and(|other| other.eq_ignore_ascii_case(name)))
        .collect();
    if others.iter().any(|one| one["properties"]["issuer"] == issuer && one["properties"]["subject"] == subject) {
        return bad_request("Issuer and subject combination already exists for this Managed Identity.");
    }
    let is_new = !store.resources.contains_key(&key);
    if is_new && others.len() >= LIMIT {
        return bad_request(&format!("The managed identity holds {LIMIT} federated credentials already: there is no room for more."));
    }
    let id = format!("{}/federatedIdentityCredentials/{name}", identity["id"].as_str().unwrap_or_default());
    let body = json!({
        "id": id, "name": name, "type": spelled(KIND),
        "properties": {"issuer": issuer, "subject": subject, "audiences": audiences},
    });
    store.resources.insert(key, Resource { body: body.clone(), created: azure.control.now() });
    let answer = Response::json(if is_new { 201 } else { 200 }, &body);
    if is_new { answer.with("location", id) } else { answer }
}
