//! The operations on objects: each function sends one request (reads and applies: up to three), with objects as plain
//! JSON.
//!
//! Untyped on purpose: exactly the given fields are sent, without defaults from a schema of another version, and
//! unknown fields of a newer server survive a read and a write.

use std::time::Instant;

use futures::stream::BoxStream;
use futures::{AsyncBufReadExt, StreamExt};
use http::header::ACCEPT_ENCODING;
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::call::Call;
use super::connect::Cluster;
use super::error::{Doing, Failure, Why, from_kube, from_status};
use super::resources::{EVENT, ISSUER_DOCUMENT, NAMESPACE, Resource};
use super::trace;

/// Field manager for writes that belong to no connection.
pub const FIELD_MANAGER: &str = "kubectl-connect";
/// Objects per page of a list.
const PAGE: u32 = 250;
/// Requests only metadata: the contents of Secrets then never leave the server.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// An object to apply, with its field manager.
pub struct Applied<'a> {
    /// Kind of the object.
    pub kind: &'a Resource,
    /// Namespace of the object.
    pub namespace: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// Field manager.
    pub manager: &'a str,
    /// The fields that the manager sets.
    pub body: &'a Value,
}

/// Options of an apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Apply {
    /// Take over fields of other managers.
    pub force: bool,
    /// Dry run: admission and conflicts are checked, nothing is stored.
    pub dry_run: bool,
}

/// Preconditions: delete only if the object is still the one that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Expected uid: the object was not deleted and created again.
    pub uid: Option<String>,
    /// Expected resourceVersion: nobody changed the object.
    pub resource_version: Option<String>,
}

/// Events of a watch: `{"type": "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK", "object": …}`.
pub type Watched = BoxStream<'static, Result<Value, Failure>>;

impl Cluster {
    /// Reads one object; `None` if it is absent. An unknown kind is [`Failure::NoSuchKind`].
    ///
    /// # Errors
    /// Any [`Failure`] except an absent object.
    pub async fn get(&self, kind: &Resource, namespace: Option<&str>, name: &str) -> Result<Option<Value>, Failure> {
        match self.send(&Call::read("reading", kind, namespace, Some(name))).await {
            Ok(object) => Ok(Some(object)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Lists the objects of a namespace (`None`: of all namespaces), page by page. Items have no `kind`, as the
    /// server returns them.
    ///
    /// # Errors
    /// Any [`Failure`].
    pub async fn list(&self, kind: &Resource, namespace: Option<&str>, labels: Option<&str>) -> Result<Vec<Value>, Failure> {
        Ok(self.list_at(kind, namespace, labels).await?.0)
    }

    /// Like [`Cluster::list`], together with the resourceVersion from which a watch can start.
    ///
    /// # Errors
    /// Any [`Failure`].
    pub async fn list_at(&self, kind: &Resource, namespace: Option<&str>, labels: Option<&str>) -> Result<(Vec<Value>, String), Failure> {
        self.list_by(kind, namespace, labels.map(|labels| ("labelSelector", labels)), "application/json").await
    }

    /// Lists only the metadata of objects.
    ///
    /// # Errors
    /// Any [`Failure`].
    pub async fn list_metadata(&self, kind: &Resource, namespace: Option<&str>, labels: Option<&str>) -> Result<Vec<Value>, Failure> {
        Ok(self.list_by(kind, namespace, labels.map(|labels| ("labelSelector", labels)), METADATA).await?.0)
    }

    /// Lists the events about the object `name`, oldest first if the server keeps that order.
    ///
    /// # Errors
    /// Any [`Failure`].
    pub async fn events_of(&self, kind: &Resource, namespace: &str, name: &str) -> Result<Vec<Value>, Failure> {
        let about = format!("involvedObject.kind={},involvedObject.name={name}", kind.kind);
        Ok(self.list_by(&EVENT, Some(namespace), Some(("fieldSelector", &about)), "application/json").await?.0)
    }

    async fn list_by(
        &self,
        kind: &Resource,
        namespace: Option<&str>,
        selector: Option<(&str, &str)>,
        accept: &'static str,
    ) -> Result<(Vec<Value>, String), Failure> {
        let limit = PAGE.to_string();
        let mut items = Vec::new();
        let mut next = String::new();
        loop {
            let mut call = Call::read("listing", kind, namespace, None).query(&[("limit", &limit)]);
            if let Some(selector) = selector {
                call = call.query(&[selector]);
            }
            if !next.is_empty() {
                call = call.query(&[("continue", &next)]);
            }
            call.accept = accept;
            let mut page = self.send(&call).await?;
            if let Value::Array(found) = page["items"].take() {
                items.extend(found);
            }
            match page["metadata"]["continue"].as_str() {
                Some(token) if !token.is_empty() => next = token.into(),
                _ => {
                    let version = page["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
                    return Ok((items, version));
                }
            }
        }
    }

    /// The document with the issuer of the API server's tokens and the location of their keys.
    ///
    /// # Errors
    /// Any [`Failure`]; a 404 if the server does not publish it.
    pub async fn issuer_document(&self) -> Result<Value, Failure> {
        let mut call = Call::read("reading", &NAMESPACE, None, None);
        call.path = "/.well-known/openid-configuration".into();
        call.doing = Doing { verb: "reading", kind: ISSUER_DOCUMENT, namespace: None, name: None };
        self.send(&call).await
    }

    /// Creates an object. If it already exists, the result is a 409 ([`Failure::is_already_exists`]).
    ///
    /// # Errors
    /// Any [`Failure`].
    pub async fn create(&self, kind: &Resource, namespace: Option<&str>, body: &Value) -> Result<Value, Failure> {
        let name = body["metadata"]["name"].as_str().map(str::to_owned);
        let mut call = Call::write("creating", Method::POST, kind, namespace, None, complete(kind, None, body))
            .query(&[("fieldManager", FIELD_MANAGER)]);
        call.doing.name = name;
        self.send(&call).await
    }

    /// Replaces an object. `body` has the resourceVersion that was read, so that no other change is lost.
    ///
    /// # Errors
    /// Any [`Failure`]; an outdated resourceVersion is [`Failure::is_stale`].
    pub async fn replace(&self, kind: &Resource, namespace: Option<&str>, name: &str, body: &Value) -> Result<Value, Failure> {
        let call = Call::write("replacing", Method::PUT, kind, namespace, Some(name), complete(kind, Some(name), body));
        self.send(&call.query(&[("fieldManager", FIELD_MANAGER)])).await
    }

    /// Server-side apply. Safe to repeat: the same body changes nothing the second time.
    ///
    /// # Errors
    /// Any [`Failure`]; a conflict with other managers is [`Failure::is_conflict_of_managers`].
    pub async fn apply(&self, applied: &Applied<'_>, how: Apply) -> Result<Value, Failure> {
        let Applied { kind, namespace, name, manager, body } = *applied;
        let mut call = Call::write("applying", Method::PATCH, kind, Some(namespace), Some(name), complete(kind, Some(name), body))
            .query(&[("fieldManager", manager)]);
        call.content_type = "application/apply-patch+yaml";
        call.again = true;
        if how.force {
            call = call.query(&[("force", "true")]);
        }
        if how.dry_run {
            call = call.query(&[("dryRun", "All")]);
        }
        self.send(&call).await
    }

    /// Applies a JSON merge patch as `manager`. Unknown fields are refused.
    ///
    /// # Errors
    /// Any [`Failure`].
    pub async fn merge(&self, kind: &Resource, namespace: Option<&str>, name: &str, manager: &str, body: &Value) -> Result<Value, Failure> {
        let mut call = Call::write("patching", Method::PATCH, kind, namespace, Some(name), body.clone());
        call.content_type = "application/merge-patch+json";
        // Without Strict the server ignores unknown fields and answers 200.
        self.send(&call.query(&[("fieldManager", manager), ("fieldValidation", "Strict")])).await
    }

    /// Deletes an object; `false` if it was absent. Objects that it owns are deleted in the background.
    ///
    /// # Errors
    /// Any [`Failure`]; a failed precondition is [`Failure::is_stale`].
    pub async fn delete(&self, kind: &Resource, namespace: Option<&str>, name: &str, only: Only) -> Result<bool, Failure> {
        let mut options = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background" });
        if let Some(uid) = only.uid {
            options["preconditions"]["uid"] = uid.into();
        }
        if let Some(version) = only.resource_version {
            options["preconditions"]["resourceVersion"] = version.into();
        }
        match self.send(&Call::write("deleting", Method::DELETE, kind, namespace, Some(name), options)).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_not_found() => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Watches one object from the resourceVersion `from`; the stream ends after `seconds`.
    ///
    /// # Errors
    /// Any [`Failure`]. Later failures are items of the stream, such as a status 410 for a version that is too old.
    pub async fn watch(&self, kind: &Resource, namespace: Option<&str>, name: &str, from: &str, seconds: u32) -> Result<Watched, Failure> {
        let field = format!("metadata.name={name}");
        let seconds = seconds.to_string();
        let mut call = Call::read("watching", kind, namespace, None).query(&[
            ("watch", "true"),
            ("fieldSelector", &field),
            ("resourceVersion", from),
            ("timeoutSeconds", &seconds),
            ("allowWatchBookmarks", "true"),
        ]);
        call.doing.name = Some(name.into());
        self.open_watch(call).await
    }

    /// Watches the objects with these labels in a namespace (`None`: in all namespaces).
    ///
    /// # Errors
    /// See [`Cluster::watch`].
    pub async fn watch_all(
        &self,
        kind: &Resource,
        namespace: Option<&str>,
        labels: &str,
        from: &str,
        seconds: u32,
    ) -> Result<Watched, Failure> {
        let seconds = seconds.to_string();
        let call = Call::read("watching", kind, namespace, None).query(&[
            ("watch", "true"),
            ("labelSelector", labels),
            ("resourceVersion", from),
            ("timeoutSeconds", &seconds),
            ("allowWatchBookmarks", "true"),
        ]);
        self.open_watch(call).await
    }

    async fn open_watch(&self, call: Call) -> Result<Watched, Failure> {
        let mut request = self.request(&call).await?.map(|_| Vec::new());
        // kube decodes only the first member of a stream that is compressed event by event.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let started = Instant::now();
        let opened = self.within(self.inner.client.request_stream(request)).await?;
        let stream = opened.map_err(|error| self.signed(from_kube(&call.doing, &self.inner.host, &error)))?;
        trace::answer(&self.inner.host, &call, 200, started, "-");
        let (doing, host) = (call.doing, self.inner.host.clone());
        Ok(stream
            .lines()
            .map(move |line| match line.map(|line| serde_json::from_str::<Value>(&line)) {
                Ok(Ok(event)) if event["type"] == "ERROR" => Err(from_status(&doing, 500, &event["object"], None)),
                Ok(Ok(event)) => Ok(event),
                // The stream was cut in the middle of a line.
                Ok(Err(_)) | Err(_) => Err(Failure::Unreachable { host: host.clone(), why: Why::CutOff, may_have_happened: false }),
            })
            .boxed())
    }
}

/// Adds apiVersion, kind and name if they are missing: apply requires all three.
fn complete(kind: &Resource, name: Option<&str>, body: &Value) -> Value {
    let mut body = body.clone();
    if body["apiVersion"].is_null() {
        body["apiVersion"] = kind.api_version().into();
    }
    if body["kind"].is_null() {
        body["kind"] = kind.kind.into();
    }
    if let Some(name) = name
        && body["metadata"]["name"].is_null()
    {
        body["metadata"]["name"] = name.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::resources::SECRET;

    #[test]
    fn completes_only_what_is_missing() {
        let body = json!({ "kind": "Mine", "data": {} });
        let full = complete(&SECRET, Some("a"), &body);
        assert_eq!(full, json!({ "kind": "Mine", "data": {}, "apiVersion": "v1", "metadata": { "name": "a" } }));
        let named = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "b" } });
        assert_eq!(complete(&SECRET, Some("a"), &named), named);
    }
}
