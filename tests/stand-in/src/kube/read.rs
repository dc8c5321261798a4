//! Get, list and watch.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::resources::Resource;
use super::select::Selection;
use super::status::{Cause, Failure, Outcome};
use super::store::{Event, Watcher, metadata, text};
use super::{Call, KubeCluster, State, discovery};
use crate::http::Response;

/// The requested format of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Object,
    Metadata,
}

pub fn form(accept: &str) -> Form {
    if accept.contains("as=PartialObjectMetadata") { Form::Metadata } else { Form::Object }
}

/// One object in the requested format.
pub fn show(resource: &Resource, object: &Value, form: Form) -> Value {
    let mut out = if resource.group == "events.k8s.io" { super::events::from_core(object) } else { object.clone() };
    if resource.custom {
        out["apiVersion"] = json!(resource.api_version());
    }
    if form == Form::Metadata {
        out = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": out["metadata"]});
    }
    out
}

/// A list. Its items have no `kind`, except for custom resources.
pub fn list_object(resource: &Resource, items: Vec<Value>, version: &str) -> Value {
    let items: Vec<Value> = items
        .into_iter()
        .map(|item| {
            let mut item = show(resource, &item, Form::Object);
            if !resource.custom
                && let Some(map) = item.as_object_mut()
            {
                map.shift_remove("kind");
                map.shift_remove("apiVersion");
            }
            item
        })
        .collect();
    let meta = if resource.custom { json!({"resourceVersion": version, "continue": ""}) } else { json!({"resourceVersion": version}) };
    json!({
        "kind": format!("{}List", resource.kind), "apiVersion": resource.api_version(), "metadata": meta, "items": items,
    })
}

fn line(kind: &str, object: &Value) -> Vec<u8> {
    let mut text = json!({"type": kind, "object": object}).to_string().into_bytes();
    text.push(b'\n');
    text
}

/// A watch's line for an event. An object that enters or leaves the selection counts as added or deleted.
pub fn event_line(event: &Event, resource: &Resource, selection: &Selection, form: Form) -> Option<Vec<u8>> {
    let (group, plural) = resource.storage();
    if event.key.group != group || event.key.plural != plural {
        return None;
    }
    let before = event.before.as_ref().is_some_and(|o| selection.matches(o));
    let after = event.after.as_ref().is_some_and(|o| selection.matches(o));
    let kind = match (before, after) {
        (false, false) => return None,
        (false, true) => "ADDED",
        (true, true) => "MODIFIED",
        (true, false) => "DELETED",
    };
    Some(line(kind, &show(resource, &event.last, form)))
}

impl State {
    pub fn read(&self, call: &Call<'_>) -> Outcome<Response> {
        let resource = call.resource()?;
        let form = form(call.accept());
        if !call.name.is_empty() {
            let Some(object) = self.store.get(resource, &call.namespace, &call.name) else {
                return Err(Failure::not_found(resource, &call.name));
            };
            if call.subresource == "scale" {
                return Ok(Response::json(200, &scale(object)));
            }
            if call.subresource == "log" {
                return Ok(Response::empty(204));
            }
            if super::table::wanted(call.accept()) {
                return Ok(Response::json(200, &super::table::of(resource, std::slice::from_ref(object), &object["metadata"])));
            }
            return Ok(self.warn(resource, Response::json(200, &show(resource, object, form))));
        }
        self.list(call, resource, form)
    }

    fn warn(&self, resource: &Resource, response: Response) -> Response {
        match self.custom_warning(resource) {
            Some(warning) => response.with("warning", format!("299 - {warning:?}")),
            None => response,
        }
    }

    fn list(&self, call: &Call<'_>, resource: &Resource, form: Form) -> Outcome<Response> {
        let number = |key: &str| -> Outcome<Option<u64>> {
            match call.request.q(key).filter(|v| !v.is_empty()) {
                None => Ok(None),
                Some(value) => value
                    .parse()
                    .map(Some)
                    .map_err(|_| Failure::bad_request(format!("strconv.ParseInt: parsing {value:?}: invalid syntax"))),
            }
        };
        let limit = number("limit")?.filter(|l| *l > 0);
        let selection = call.selection()?;
        self.check_reached(call.request.q("resourceVersion").unwrap_or_default())?;
        let mut start = String::new();
        if let Some(token) = call.request.q("continue").filter(|t| !t.is_empty()) {
            start = decode_continue(token)?;
        }
        let (group, plural) = resource.storage();
        let key = |object: &Value| format!("{}/{}", text(object, "namespace"), text(object, "name"));
        let exact_past = resource.custom
            && call.request.q("resourceVersionMatch") == Some("Exact")
            && call.request.q("resourceVersion").and_then(|v| v.parse::<u64>().ok()).unwrap_or(0) < self.store.version;
        let all: Vec<&Value> = self
            .store
            .list(&group, &plural, &call.namespace)
            .filter(|o| selection.matches(o) && !exact_past)
            .filter(|o| start.is_empty() || key(o) >= start)
            .collect();
        let size = limit.and_then(|l| usize::try_from(l).ok()).unwrap_or(all.len());
        let page: Vec<Value> = all.iter().take(size).map(|o| (*o).clone()).collect();
        let version = self.store.version.to_string();
        let mut next = json!({"resourceVersion": version});
        // With a selector the server only knows that more objects follow, but not how many match.
        let more = page
            .last()
            .filter(|_| limit.is_some() && page.len() == size)
            .is_some_and(|last| self.store.list(&group, &plural, &call.namespace).any(|o| key(o) > key(last)));
        if let Some(last) = page.last().filter(|_| more) {
            let selecting = call.request.q("labelSelector").or(call.request.q("fieldSelector")).is_some();
            let token = json!({"v": "meta.k8s.io/v1", "rv": self.store.version, "start": format!("{}\0", key(last))});
            next["continue"] = json!(URL_SAFE_NO_PAD.encode(token.to_string()));
            if !selecting {
                next["remainingItemCount"] = json!(all.len() - size);
            }
        }
        if super::table::wanted(call.accept()) {
            return Ok(Response::json(200, &super::table::of(resource, &page, &next)));
        }
        let mut out = list_object(resource, page, &version);
        if form == Form::Metadata {
            let items: Vec<Value> = all.iter().take(size).map(|o| show(resource, o, form)).collect();
            out = json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": next, "items": items,
            });
        } else if let (Some(meta), Some(next)) = (out["metadata"].as_object_mut(), next.as_object()) {
            meta.extend(next.clone());
        }
        Ok(self.warn(resource, Response::json(200, &out)))
    }

    fn check_reached(&self, version: &str) -> Outcome<()> {
        let asked = version.parse::<u64>().unwrap_or_default();
        if asked <= self.store.version {
            return Ok(());
        }
        let current = self.store.version;
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let mut failure = Failure::new(504, Some("Timeout"), message).with(json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }));
        failure.retry_after = Some(1);
        Err(failure)
    }

    pub fn watch(&mut self, call: &Call<'_>, cluster: &KubeCluster) -> Outcome<Response> {
        let resource = call.shared_resource()?;
        let initial = call.request.q("sendInitialEvents") == Some("true");
        let bookmarks = call.request.q("allowWatchBookmarks") == Some("true");
        if initial && call.request.q("resourceVersionMatch") != Some("NotOlderThan") {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            let causes = [Cause::forbidden("resourceVersionMatch", why)];
            return Err(Failure::invalid("meta.k8s.io", "ListOptions", "", &causes));
        }
        let selection = call.selection()?;
        let form = form(call.accept());
        let (sender, receiver) = unbounded_channel();
        let version = call.request.q("resourceVersion").unwrap_or_default();
        let from = version.parse::<u64>().unwrap_or_default();
        let oldest = self.store.compacted.max(self.definition_version(&resource));
        let mut lines: Vec<Vec<u8>> = Vec::new();
        if from == 0 || initial {
            let (group, plural) = resource.storage();
            let found = self.store.list(&group, &plural, &call.namespace).filter(|o| selection.matches(o));
            lines.extend(found.map(|o| line("ADDED", &show(&resource, o, form))));
        } else if from < oldest {
            let message = format!("too old resource version: {from} ({})", self.store.version);
            lines.push(line("ERROR", &Failure::new(410, Some("Expired"), message).body()));
            for one in lines {
                let _ = sender.send(one);
            }
            return Ok(Response::stream(200, "application/json", receiver));
        } else {
            let events = self.store.history.iter().filter(|e| e.version > from);
            lines.extend(events.filter_map(|e| event_line(e, &resource, &selection, form)));
        }
        if initial && bookmarks {
            lines.push(self.bookmark(&resource, true));
        }
        for one in lines {
            // The client may have disconnected; then the watch ends.
            let _ = sender.send(one);
        }
        self.store.watchers.push(Watcher { resource: resource.clone(), selection, sender: sender.clone(), form });
        let timeout = call.request.q("timeoutSeconds").and_then(|t| t.parse().ok()).unwrap_or(1800);
        end_later(cluster.clone(), resource, sender, timeout, bookmarks);
        Ok(Response::stream(200, "application/json", receiver))
    }

    /// A kind has no history before its definition.
    fn definition_version(&self, resource: &Resource) -> u64 {
        if !resource.custom {
            return 0;
        }
        let name = resource.qualified();
        let found = self.store.list("apiextensions.k8s.io", "customresourcedefinitions", "").find(|d| text(d, "name") == name);
        found.and_then(|d| text(d, "resourceVersion").parse().ok()).unwrap_or_default()
    }

    fn bookmark(&self, resource: &Resource, end: bool) -> Vec<u8> {
        let mut object = if resource.custom { json!({}) } else { super::schema::empty_object(&resource.kind) };
        object["kind"] = json!(resource.kind);
        object["apiVersion"] = json!(resource.api_version());
        if resource.kind == "Deployment" {
            object["spec"]["replicas"] = json!(0);
        }
        let meta = metadata(&mut object);
        meta.insert("resourceVersion".into(), json!(self.store.version.to_string()));
        if end {
            meta.insert("annotations".into(), json!({"k8s.io/initial-events-end": "true"}));
        }
        line("BOOKMARK", &object)
    }
}

/// Ends a watch after its duration. A long watch gets a bookmark shortly before the end, as in the real server.
fn end_later(cluster: KubeCluster, resource: std::sync::Arc<Resource>, sender: UnboundedSender<Vec<u8>>, seconds: u64, bookmarks: bool) {
    let weak = cluster.downgrade();
    drop(cluster);
    tokio::spawn(async move {
        let last = if bookmarks && seconds > 10 { 2 } else { 0 };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(seconds - last)) => {}
            () = sender.closed() => {}
        }
        if last > 0
            && let Some(cluster) = weak.upgrade()
        {
            let line = cluster.state().bookmark(&resource, false);
            if sender.send(line).is_ok() {
                tokio::time::sleep(Duration::from_secs(last)).await;
            }
        }
        if let Some(cluster) = weak.upgrade() {
            cluster.state().store.watchers.retain(|w| !w.sender.same_channel(&sender));
        }
    });
}

fn decode_continue(token: &str) -> Outcome<String> {
    let bad = |why: &str| Failure::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad("illegal base64 data"))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| {
        let first = bytes.first().copied().unwrap_or_default();
        bad(&format!("invalid character '\\u{first:04x}' looking for beginning of value"))
    })?;
    Ok(value["start"].as_str().unwrap_or_default().to_string())
}

pub fn scale(object: &Value) -> Value {
    let labels = object["spec"]["selector"]["matchLabels"].as_object();
    let selector: Vec<String> = labels.into_iter().flatten().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
    let meta = &object["metadata"];
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"], "creationTimestamp": meta["creationTimestamp"],
        },
        "spec": {"replicas": object["spec"]["replicas"]},
        "status": {
            "replicas": object["status"]["replicas"].as_i64().unwrap_or_default(),
            "selector": selector.join(","),
        },
    })
}

/// Paths without a resource.
pub fn other(state: &State, path: &str, accept: &str) -> Outcome<Response> {
    match path {
        "/version" | "/version/" => Ok(Response::json(200, &discovery::version())),
        "/readyz" | "/livez" | "/healthz" => Ok(Response::text(200, "ok")),
        "/.well-known/openid-configuration" => Ok(Response::json(200, &state.issuer_document())),
        "/openid/v1/jwks" => {
            let fits = accept.is_empty() || accept.contains("*/*") || accept.contains("application/jwk-set+json");
            if !fits {
                return Err(Failure::not_acceptable("application/jwk-set+json"));
            }
            Ok(Response::json(200, &state.key.jwks()).with("content-type", "application/jwk-set+json"))
        }
        _ => discovery::answer(state, path, accept).ok_or_else(Failure::page_not_found),
    }
}
