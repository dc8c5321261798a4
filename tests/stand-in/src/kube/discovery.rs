//! Discovery: the available groups, versions and resources.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use sha2::{Digest as _, Sha256};

use super::State;
use super::resources::Resource;
use crate::http::Response;

pub fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35", "gitVersion": "v1.36.2", "gitCommit": "$Format:%H$", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.26.6", "compiler": "gc", "platform": "linux/amd64",
    })
}

fn groups(state: &State) -> Vec<(String, Vec<String>)> {
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    for resource in state.store.resources.iter().filter(|r| !r.group.is_empty()) {
        match out.iter_mut().find(|(group, _)| *group == resource.group) {
            Some((_, versions)) => {
                if !versions.contains(&resource.version) {
                    versions.push(resource.version.clone());
                }
            }
            None => out.push((resource.group.clone(), vec![resource.version.clone()])),
        }
    }
    out
}

fn group_object(group: &str, versions: &[String]) -> Value {
    let list: Vec<Value> = versions.iter().map(|v| json!({"groupVersion": format!("{group}/{v}"), "version": v})).collect();
    json!({"name": group, "versions": list, "preferredVersion": list.first()})
}

fn of_version<'a>(state: &'a State, group: &'a str, version: &'a str) -> impl Iterator<Item = &'a Arc<Resource>> {
    state.store.resources.iter().filter(move |r| r.group == group && r.version == version)
}

fn sub_kind(resource: &Resource, subresource: &str) -> (Value, Value) {
    match subresource {
        "scale" => (json!("Scale"), json!({"group": "autoscaling", "version": "v1", "kind": "Scale"})),
        "token" => (json!("TokenRequest"), json!({"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"})),
        _ => (json!(resource.kind), Value::Null),
    }
}

/// The server's hash of a kind's storage version.
fn storage_hash(resource: &Resource) -> String {
    let (group, _) = resource.storage();
    let digest = Sha256::digest(format!("{group}/{}/{}", resource.version, resource.kind));
    STANDARD.encode(&digest[..8])
}

fn resource_list(state: &State, group: &str, version: &str) -> Option<Value> {
    let mut items = Vec::new();
    for resource in of_version(state, group, version) {
        let mut item = json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
            "kind": resource.kind, "verbs": resource.verbs(),
        });
        if !resource.short.is_empty() {
            item["shortNames"] = json!(resource.short);
        }
        if !resource.categories.is_empty() {
            item["categories"] = json!(resource.categories);
        }
        if !resource.is_review() {
            item["storageVersionHash"] = json!(storage_hash(resource));
        }
        items.push(item);
        for sub in &resource.subresources {
            let (kind, other) = sub_kind(resource, sub);
            let mut item = json!({
                "name": format!("{}/{sub}", resource.plural), "singularName": "", "namespaced": resource.namespaced,
                "kind": kind, "verbs": if *sub == "token" { json!(["create"]) } else { json!(["get", "patch", "update"]) },
            });
            for key in ["group", "version"] {
                if let Some(value) = other.get(key) {
                    item[key] = value.clone();
                }
            }
            items.push(item);
        }
    }
    if items.is_empty() {
        return None;
    }
    let group_version = if group.is_empty() { version.to_string() } else { format!("{group}/{version}") };
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": items}))
}

fn aggregated(state: &State, groups: Vec<(String, Vec<String>)>) -> Response {
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions.iter().map(|v| aggregated_version(state, group, v)).collect();
            let meta = if group.is_empty() { json!({}) } else { json!({"name": group}) };
            json!({"metadata": meta, "versions": versions})
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    });
    Response::json(200, &list).with("content-type", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
}

fn aggregated_version(state: &State, group: &str, version: &str) -> Value {
    // Empty for the group and version of the list itself, as in the real server.
    let kind_of = |kind: &Value| json!({"group": "", "version": "", "kind": kind});
    let resources: Vec<Value> = of_version(state, group, version)
        .map(|r| {
            let mut item = json!({
                "resource": r.plural, "responseKind": kind_of(&json!(r.kind)),
                "scope": if r.namespaced { "Namespaced" } else { "Cluster" }, "singularResource": r.singular,
                "verbs": r.verbs(),
            });
            if !r.short.is_empty() {
                item["shortNames"] = json!(r.short);
            }
            if !r.categories.is_empty() {
                item["categories"] = json!(r.categories);
            }
            if !r.subresources.is_empty() {
                let subs: Vec<Value> = r
                    .subresources
                    .iter()
                    .map(|sub| {
                        let (kind, other) = sub_kind(r, sub);
                        let shown = if other.is_null() { kind_of(&kind) } else { other };
                        let verbs = if *sub == "token" { json!(["create"]) } else { json!(["get", "patch", "update"]) };
                        json!({"subresource": sub, "responseKind": shown, "verbs": verbs})
                    })
                    .collect();
                item["subresources"] = json!(subs);
            }
            item
        })
        .collect();
    json!({"version": version, "resources": resources, "freshness": "Current"})
}

pub fn answer(state: &State, path: &str, accept: &str) -> Option<Response> {
    let aggregate = accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2;");
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let value = match parts.as_slice() {
        ["api"] if aggregate => return Some(aggregated(state, vec![(String::new(), vec!["v1".into()])])),
        ["apis"] if aggregate => return Some(aggregated(state, groups(state))),
        ["api"] => json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": format!("{}:443", state.host)}],
        }),
        ["apis"] => {
            let list: Vec<Value> = groups(state).iter().map(|(g, v)| group_object(g, v)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": list})
        }
        ["apis", group] => {
            let all = groups(state);
            let (_, versions) = all.iter().find(|(g, _)| g == group)?;
            let mut out = group_object(group, versions);
            out["kind"] = json!("APIGroup");
            out["apiVersion"] = json!("v1");
            out
        }
        ["api", version] => resource_list(state, "", version)?,
        ["apis", group, version] => resource_list(state, group, version)?,
        _ => return None,
    };
    Some(Response::json(200, &value))
}
