//! Managed clusters. The only write replaces the whole object, guarded by its ETag: properties omitted from the body
//! are lost.

use serde_json::{Map, Value, json};

use crate::azure::errors::{bad_request, bare, error, not_allowed};
use crate::azure::operations::Operation;
use crate::azure::path::Path;
use crate::azure::router::stored;
use crate::azure::{Azure, Store, lists};
use crate::http::{Request, Response};

const KIND: &str = "Microsoft.ContainerService/managedClusters";

/// Read-only properties of a cluster, from the official description. `[]` means every element, `*` every key.
const READ_ONLY: &[&str] = &[
    "id",
    "name",
    "type",
    "systemData",
    "eTag",
    "identity.principalId",
    "identity.tenantId",
    "properties.provisioningState",
    "properties.powerState",
    "properties.maxAgentPools",
    "properties.currentKubernetesVersion",
    "properties.fqdn",
    "properties.privateFQDN",
    "properties.azurePortalFQDN",
    "properties.resourceUID",
    "properties.oidcIssuerProfile.issuerURL",
    "properties.networkProfile.loadBalancerProfile.effectiveOutboundIPs",
    "properties.ingressProfile.webAppRouting.identity",
    "properties.addonProfiles.*.identity",
    "properties.agentPoolProfiles.[].eTag",
    "properties.agentPoolProfiles.[].currentOrchestratorVersion",
    "properties.agentPoolProfiles.[].nodeImageVersion",
    "properties.agentPoolProfiles.[].provisioningState",
];

/// A cluster as a careful client sends it back: without read-only properties and without the nulls of the answer.
#[must_use]
pub fn sendable_cluster(shown: &Value) -> Value {
    let mut body = shown.clone();
    for at in READ_ONLY.iter().flat_map(|pattern| places(shown, pattern)) {
        let (parent, key) = at.rsplit_once('/').unwrap_or_default();
        if let Some(fields) = body.pointer_mut(parent).and_then(Value::as_object_mut) {
            fields.shift_remove(key);
        }
    }
    drop_nulls(&mut body);
    body
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

pub(crate) fn handle(azure: &Azure, path: &Path, request: &Request) -> Response {
    if path.is_list() {
        return if request.method == "GET" { lists::answer(azure, KIND, &path.scope) } else { not_allowed(&request.method) };
    }
    match (request.method.as_str(), path.action.as_deref()) {
        ("GET", None) => stored(&azure.store(), path).map_or_else(|missing| missing, |body| Response::json(200, &body)),
        ("PUT", None) => put(azure, path, request),
        ("PATCH", None) => patch(azure, path, request),
        ("POST", Some("listclusterusercredential")) => credential(azure, path),
        ("POST", Some("listclusteradmincredential")) => bare(400, "BadRequest", "The sandbox hands out no administrator's credential."),
        _ => not_allowed(&request.method),
    }
}

fn put(azure: &Azure, path: &Path, request: &Request) -> Response {
    let Some(sent @ Value::Object(_)) = request.json() else {
        return bad_request("The body must be a JSON object.");
    };
    let mut store = azure.store();
    let current = match stored(&store, path) {
        Ok(current) => current,
        Err(_) => return error(400, "BadRequest", "The sandbox makes no clusters, it only updates the planted ones."),
    };
    if let Some(wanted) = request.header("if-match")
        && wanted != "*"
        && wanted.trim_matches('"') != current["eTag"].as_str().unwrap_or_default()
    {
        return error(412, "PreconditionFailed", "The eTag of the managed cluster is another one by now: it was changed meanwhile.");
    }
    if let Some(refusal) = refuse_busy(&store, path, &current) {
        return refusal;
    }
    if sent["location"].as_str().is_none_or(|place| !place.eq_ignore_ascii_case(current["location"].as_str().unwrap_or_default())) {
        return error(400, "InvalidResourceLocation", "The location is required and cannot be changed.");
    }
    // The node image can be chosen since this api-version; the CLI sends it back.
    let chooses_image = request.q("api-version").is_some_and(|version| version >= "2026-06-01");
    let open = |place: &str| chooses_image && place.ends_with(".nodeImageVersion");
    let refused = |place: &&&str| !open(place) && !places(&sent, place).is_empty();
    if let Some(place) = READ_ONLY.iter().find(refused) {
        return error(400, "BadRequest", &format!("The property '{place}' is read-only and must not be sent."));
    }
    if let Some(refusal) = refuse_change(&current, &sent) {
        return refusal;
    }
    let mut body = sent;
    keep_read_only(&current, &mut body);
    let profile = &body["properties"]["oidcIssuerProfile"];
    if profile["enabled"] == true && profile["issuerURL"].is_null() {
        // Recorded: the answer to the update already contains the issuer.
        body["properties"]["oidcIssuerProfile"]["issuerURL"] = Value::from(azure.issuer_of(&path.id));
    }
    let fresh_etag = uuid::Uuid::new_v4().to_string();
    body["eTag"] = Value::from(fresh_etag);
    set_state(&mut body, "Updating");
    start(azure, &mut store, path, body)
}

fn start(azure: &Azure, store: &mut Store, path: &Path, body: Value) -> Response {
    let (duration, retry_after, fails) =
        azure.control.knobs(|knobs| (knobs.cluster_update, knobs.retry_after, knobs.cluster_update_fails.clone()));
    let started = azure.control.now();
    let operation = Operation {
        id: uuid::Uuid::new_v4().to_string(),
        resource: path.id.to_ascii_lowercase(),
        started,
        ends: started + duration,
        fails,
        settled: false,
    };
    let location = body["location"].as_str().unwrap_or_default();
    let address = format!(
        "https://management.azure.com/subscriptions/{}/providers/Microsoft.ContainerService/locations/{location}/operations/{}?api-version=2016-03-30",
        path.subscription(),
        operation.id
    );
    if let Some(found) = store.resources.get_mut(&operation.resource) {
        found.body = body.clone();
    }
    store.operations.insert(operation.id.clone(), operation);
    let answer = Response::json(200, &body).with("azure-asyncoperation", address);
    match retry_after {
        Some(seconds) => answer.with("retry-after", seconds.to_string()),
        None => answer,
    }
}

/// A PATCH can change only tags; it is an operation too.
fn patch(azure: &Azure, path: &Path, request: &Request) -> Response {
    let sent = request.json().unwrap_or_default();
    if sent.as_object().is_none_or(|fields| fields.keys().any(|key| key != "tags")) {
        return bad_request("Only tags can be patched on a managed cluster.");
    }
    let mut store = azure.store();
    let mut body = match stored(&store, path) {
        Ok(body) => body,
        Err(missing) => return missing,
    };
    if let Some(refusal) = refuse_busy(&store, path, &body) {
        return refusal;
    }
    body["tags"] = sent["tags"].clone();
    body["eTag"] = Value::from(uuid::Uuid::new_v4().to_string());
    set_state(&mut body, "Updating");
    start(azure, &mut store, path, body)
}

fn refuse_busy(store: &Store, path: &Path, current: &Value) -> Option<Response> {
    let key = path.id.to_ascii_lowercase();
    if let Some(running) = store.operations.values().find(|one| one.resource == key && !one.settled) {
        return Some(bare(
            409,
            "OperationNotAllowed",
            &format!(
                "Operation is not allowed because there's an in progress update operation (operation ID: {}) on the managed cluster.",
                running.id
            ),
        ));
    }
    let state = current["properties"]["provisioningState"].as_str().unwrap_or_default();
    if !["Succeeded", "Failed", "Canceled"].contains(&state) {
        return Some(bare(409, "OperationNotAllowed", &format!("Operation is not allowed while the managed cluster is in state {state}.")));
    }
    (current["properties"]["powerState"]["code"] != "Running")
        .then(|| bare(409, "OperationNotAllowed", "Operation is not allowed: the managed cluster is stopped."))
}

/// Refuses changes to immutable properties.
fn refuse_change(current: &Value, sent: &Value) -> Option<Response> {
    let (old, new) = (&current["properties"], &sent["properties"]);
    let issuer = |of: &Value| of["oidcIssuerProfile"]["enabled"] == true;
    let identity = |of: &Value| of["securityProfile"]["workloadIdentity"]["enabled"] == true;
    if issuer(old) && !issuer(new) {
        return Some(error(400, "OIDCIssuerFeatureCannotBeDisabled", "The OIDC issuer cannot be switched off again."));
    }
    if identity(new) && !issuer(new) {
        return Some(error(400, "InvalidParameter", "Workload identity needs the OIDC issuer."));
    }
    let fixed = ["dnsPrefix", "nodeResourceGroup"];
    let field = fixed.iter().find(|field| old[**field] != new[**field])?;
    Some(error(400, "PropertyChangeNotAllowed", &format!("Changing property 'properties.{field}' is not allowed.")))
}

/// Applies a finished update, in ARM and inside the cluster.
pub(crate) fn finish(azure: &Azure, store: &mut Store, operation: &Operation) {
    let Some(found) = store.resources.get_mut(&operation.resource) else {
        return;
    };
    set_state(&mut found.body, if operation.fails.is_some() { "Failed" } else { "Succeeded" });
    if operation.fails.is_some() {
        return;
    }
    let secrets_provider = found.body["properties"]["addonProfiles"]["azureKeyvaultSecretsProvider"]["enabled"] == true;
    if secrets_provider && found.body["properties"]["addonProfiles"]["azureKeyvaultSecretsProvider"]["identity"].is_null() {
        let identity = crate::world::addon_identity(&mut found.body);
        let id = identity["id"].as_str().unwrap_or_default().to_ascii_lowercase();
        store.resources.insert(id, super::Resource { body: identity, created: azure.control.now() });
    }
    let Some(found) = store.resources.get(&operation.resource) else { return };
    let properties = &found.body["properties"];
    if let Some(cluster) = azure.kube.get(&operation.resource) {
        if let Some(issuer) = properties["oidcIssuerProfile"]["issuerURL"].as_str() {
            cluster.set_issuer(issuer);
        }
        if properties["securityProfile"]["workloadIdentity"]["enabled"] == true {
            cluster.install_webhook(&azure.world.tenant);
        }
        if secrets_provider {
            appear(cluster.clone(), azure.control.knobs(|knobs| knobs.addon_delay));
        } else if properties["addonProfiles"]["azureKeyvaultSecretsProvider"]["enabled"] == false {
            cluster.uninstall_secrets_store();
        }
    }
}

/// The add-on manager installs its objects some time after the update has ended.
fn appear(cluster: crate::kube::KubeCluster, delay: std::time::Duration) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) if !delay.is_zero() => drop(runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            cluster.install_secrets_store();
        })),
        _ => cluster.install_secrets_store(),
    }
}

fn credential(azure: &Azure, path: &Path) -> Response {
    use base64::Engine as _;
    let store = azure.store();
    if let Err(missing) = stored(&store, path) {
        return missing;
    }
    let Some(cluster) = azure.world.clusters.iter().find(|one| one.id.eq_ignore_ascii_case(&path.id)) else {
        return Response::empty(404);
    };
    let text = crate::world::kubeconfig(std::slice::from_ref(cluster));
    let value = base64::engine::general_purpose::STANDARD.encode(text);
    Response::json(200, &json!({"kubeconfigs": [{"name": "clusterUser", "value": value}]}))
}

fn set_state(body: &mut Value, state: &str) {
    body["properties"]["provisioningState"] = Value::from(state);
    for pool in body["properties"]["agentPoolProfiles"].as_array_mut().into_iter().flatten() {
        pool["provisioningState"] = Value::from(state);
    }
}

/// JSON pointers of all places that match a pattern.
fn places(body: &Value, pattern: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for step in pattern.split('.') {
        found = found
            .iter()
            .flat_map(|at| match (step, body.pointer(at)) {
                ("[]", Some(Value::Array(all))) => (0..all.len()).map(|i| format!("{at}/{i}")).collect(),
                ("*", Some(Value::Object(all))) => all.keys().map(|key| format!("{at}/{key}")).collect(),
                (key, Some(Value::Object(all))) if all.contains_key(key) => vec![format!("{at}/{key}")],
                _ => Vec::new(),
            })
            .collect();
    }
    found
}

/// Sets read-only properties to the server's values. Pools and add-ons are matched by name, not by position.
fn keep_read_only(current: &Value, body: &mut Value) {
    for pattern in READ_ONLY.iter().filter(|pattern| !pattern.contains("[]")) {
        for at in places(current, pattern) {
            let (parent, key) = at.rsplit_once('/').unwrap_or_default();
            let value = current.pointer(&at).cloned().unwrap_or_default();
            if let Some(fields) = body.pointer_mut(parent).and_then(Value::as_object_mut) {
                fields.insert(key.to_owned(), value);
            }
        }
    }
    let empty = Vec::new();
    let old = current["properties"]["agentPoolProfiles"].as_array().unwrap_or(&empty);
    for pool in body["properties"]["agentPoolProfiles"].as_array_mut().into_iter().flatten() {
        let Some(same) = old.iter().find(|one| one["name"] == pool["name"]) else {
            continue;
        };
        for field in READ_ONLY.iter().filter_map(|pattern| pattern.strip_prefix("properties.agentPoolProfiles.[].")) {
            if let Some(fields) = pool.as_object_mut().filter(|_| !same[field].is_null()) {
                fields.insert(field.to_owned(), same[field].clone());
            }
        }
    }
    reorder(body);
}

/// The usual order of fields, so that answers look like real ones.
fn reorder(body: &mut Value) {
    let Some(fields) = body.as_object_mut() else {
        return;
    };
    let mut ordered = Map::new();
    for key in ["id", "name", "type", "location", "tags", "eTag", "properties", "identity", "sku"] {
        if let Some(value) = fields.remove(key) {
            ordered.insert(key.to_owned(), value);
        }
    }
    ordered.append(fields);
    *fields = ordered;
}

impl Azure {
    /// The issuer that a cluster has, or will get when it is enabled.
    pub(crate) fn issuer_of(&self, id: &str) -> &str {
        self.world.clusters.iter().find(|one| one.id.eq_ignore_ascii_case(id)).map_or("", |one| one.issuer.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_values_come_from_the_server_and_pools_match_by_name() {
        let current = json!({"eTag": "1", "properties": {"fqdn": "f", "agentPoolProfiles": [{"name": "a", "nodeImageVersion": "x"}, {"name": "b", "nodeImageVersion": "y"}]}});
        let mut body = json!({"properties": {"agentPoolProfiles": [{"name": "b"}]}});
        keep_read_only(&current, &mut body);
        assert_eq!(body, json!({"eTag": "1", "properties": {"agentPoolProfiles": [{"name": "b", "nodeImageVersion": "y"}], "fqdn": "f"}}));
    }

    #[test]
    fn every_read_only_place_is_found() {
        let body = json!({"properties": {"addonProfiles": {"x": {"identity": 1}}, "agentPoolProfiles": [{"eTag": "e"}]}});
        assert_eq!(places(&body, "properties.addonProfiles.*.identity"), ["/properties/addonProfiles/x/identity"]);
        assert_eq!(places(&body, "properties.agentPoolProfiles.[].eTag"), ["/properties/agentPoolProfiles/0/eTag"]);
        assert!(places(&body, "properties.fqdn").is_empty());
    }
}
