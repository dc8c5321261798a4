//! A stand-in for a cluster's API server, with the controllers that clients wait for.
//!
//! It implements the real server's rules on which a client may rely: server-side apply with field ownership, versions
//! and preconditions, validation, authorization, token requests, and rollouts that take time. It is tested against
//! recorded answers of a real 1.36 server.

mod apply;
mod auth;
mod controllers;
mod create;
pub mod csi;
mod custom;
mod decode;
mod delete;
mod deployments;
mod discovery;
mod events;
mod exec;
mod fields;
mod input;
mod jobs;
mod managers;
mod merge;
mod patch;
mod planting;
mod pods;
mod prepare;
mod proto;
mod read;
pub mod real;
mod request;
mod resources;
mod reviews;
mod schema;
mod select;
mod sets;
mod shape;
mod status;
mod store;
mod table;
mod validate;
mod workloads;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

pub use auth::UserInfo;
use auth::{Attributes, Denial};
use request::{Call, acceptable, authenticate, take_apart};
use status::{Failure, Outcome};
use store::{Store, new_uid, now};

use crate::http::{Request, Response};
use crate::keys::RsaKey;

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Which controllers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controllers {
    /// None: an API server alone.
    None,
    /// Those of the control plane; pods stay pending until their status is written.
    NoKubelet,
    /// All; pods become ready without further action.
    All,
}

/// How to set up a cluster.
#[derive(Clone, Debug)]
pub struct KubeOptions {
    /// Host name of the API server.
    pub host: String,
    /// Issuer of the service account tokens.
    pub issuer: String,
    /// Key with which the tokens are signed.
    pub key: Arc<RsaKey>,
    /// Bearer tokens of the users.
    pub tokens: HashMap<String, UserInfo>,
    /// Duration of one stage of a rollout.
    pub rollout_delay: Duration,
    /// Which controllers run.
    pub controllers: Controllers,
}

impl KubeOptions {
    /// A cluster with all controllers at high speed.
    #[must_use]
    pub fn new(host: &str, issuer: &str, key: Arc<RsaKey>) -> Self {
        Self {
            host: host.into(),
            issuer: issuer.into(),
            key,
            tokens: HashMap::new(),
            rollout_delay: Duration::from_millis(30),
            controllers: Controllers::All,
        }
    }
}

struct State {
    store: Store,
    host: String,
    issuer: String,
    key: Arc<RsaKey>,
    tokens: HashMap<String, UserInfo>,
    denials: Vec<Denial>,
    /// Tenant of the webhook, once it is installed.
    webhook: Option<String>,
    webhook_down: bool,
    controllers: Controllers,
    /// Owners that need no work, by uid.
    at_rest: HashMap<String, controllers::Look>,
    /// The provider behind the secrets store driver.
    provider: Option<csi::Provider>,
    /// DNS and programs inside containers.
    inside: exec::Inside,
}

impl State {
    fn has_controllers(&self) -> bool {
        self.controllers != Controllers::None
    }
}

struct Inner {
    /// The real API server behind this one, if any.
    real: Option<real::RealServer>,
    state: Mutex<State>,
    work: Notify,
    delay: Duration,
    started: std::sync::atomic::AtomicBool,
}

/// A cluster's API server. Clones share the cluster.
#[derive(Clone)]
pub struct KubeCluster {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for KubeCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubeCluster").field("host", &self.state().host).finish_non_exhaustive()
    }
}

struct WeakCluster(Weak<Inner>);

impl WeakCluster {
    fn upgrade(&self) -> Option<KubeCluster> {
        self.0.upgrade().map(|inner| KubeCluster { inner })
    }
}

impl KubeCluster {
    /// A cluster with the default namespaces and roles.
    #[must_use]
    pub fn new(options: KubeOptions) -> Self {
        Self::made(options, None)
    }

    fn over(options: KubeOptions, real: real::RealServer) -> Self {
        Self::made(options, Some(real))
    }

    fn made(options: KubeOptions, real: Option<real::RealServer>) -> Self {
        let state = State {
            store: Store::new(),
            host: options.host,
            issuer: options.issuer,
            key: options.key,
            tokens: options.tokens,
            denials: Vec::new(),
            webhook: None,
            webhook_down: false,
            controllers: options.controllers,
            at_rest: HashMap::new(),
            provider: None,
            inside: exec::Inside::default(),
        };
        let inner = Inner {
            real: None,
            state: Mutex::new(state),
            work: Notify::new(),
            delay: options.rollout_delay,
            started: std::sync::atomic::AtomicBool::new(false),
        };
        let mut cluster = Self { inner: Arc::new(inner) };
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            cluster.apply_object("kube-apiserver", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        }
        for object in auth::bootstrap() {
            cluster.apply_object("kube-apiserver", object);
        }
        if options.controllers == Controllers::All {
            cluster.plant_node();
        }
        // Set only now: the objects that the stand-in needs for its own decisions are planted in the stand-in.
        if let Some(inner) = Arc::get_mut(&mut cluster.inner) {
            inner.real = real;
        }
        cluster
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in another test thread is a failure of that test only.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn downgrade(&self) -> WeakCluster {
        WeakCluster(Arc::downgrade(&self.inner))
    }

    /// Sets the issuer of new tokens and of discovery.
    pub fn set_issuer(&self, url: &str) {
        self.state().issuer = url.into();
    }

    /// Adds a bearer token.
    pub fn add_token(&self, token: &str, user: UserInfo) {
        self.state().tokens.insert(token.into(), user);
    }

    /// The document at `.well-known/openid-configuration` of the issuer's host.
    #[must_use]
    pub fn discovery(&self) -> Value {
        match &self.inner.real {
            Some(real) => Self::real_keys(real).0,
            None => self.state().issuer_document(),
        }
    }

    /// The document at `openid/v1/jwks` of the issuer's host.
    #[must_use]
    pub fn jwks(&self) -> Value {
        match &self.inner.real {
            Some(real) => Self::real_keys(real).1,
            None => self.state().key.jwks(),
        }
    }

    /// Answers one API request; a watch is answered with a stream.
    pub async fn handle(&self, mut request: Request) -> Response {
        if let Some(real) = &self.inner.real {
            return self.through(real, request).await;
        }
        self.start_controllers();
        if request.header("content-type").is_some_and(|kind| kind.starts_with(PROTOBUF)) {
            let Some(object) = proto::to_json(&request.body) else {
                return Failure::unsupported_media_type("415: Unsupported Media Type".into()).response();
            };
            request.body = object.to_string().into_bytes();
            request.headers.retain(|(name, _)| name != "content-type");
            request.headers.push(("content-type".into(), "application/json".into()));
        }
        let writes = request.method != "GET";
        let response = match self.answer(&request) {
            Ok(response) => response,
            Err(failure) => failure.response(),
        };
        if writes && response.status < 300 {
            self.inner.work.notify_one();
        }
        response.with("audit-id", new_uid())
    }

    fn answer(&self, request: &Request) -> Outcome<Response> {
        let mut state = self.state();
        let user = authenticate(&state, request)?;
        let path = request.path.as_str();
        let verb = request.method.to_lowercase();
        let Some(call) = take_apart(&state, request, user.clone()) else {
            let wanted = Attributes { verb, path: Some(path.to_string()), ..Attributes::default() };
            auth::check(&state.store, &state.denials, &user, &wanted)?;
            if request.method != "GET" {
                return Err(Failure::method_not_allowed());
            }
            return read::other(&state, path, request.header("accept").unwrap_or_default());
        };
        call.check(&state, call.verb)?;
        if call.resource.is_none() {
            let version = path.trim_start_matches('/').split('/').nth(if path.starts_with("/api/") { 1 } else { 2 });
            let known = state.store.resources.iter().any(|r| r.group == call.group && Some(r.version.as_str()) == version);
            return Err(if known { Failure::no_such_resource() } else { Failure::page_not_found() });
        }
        acceptable(call.accept())?;
        let resource = call.shared_resource()?;
        if !call.subresource.is_empty() && !resource.subresources.contains(&call.subresource.as_str()) {
            return Err(Failure::no_such_resource());
        }
        if resource.is_review() {
            if call.verb != "create" {
                return Err(Failure::method_not_allowed());
            }
            let answer = state.review(&call, &user)?;
            return Ok(Response::json(201, &answer));
        }
        if call.subresource == "token" {
            if call.verb != "create" {
                return Err(Failure::method_not_allowed());
            }
            let answer = state.mint(&call)?;
            return Ok(Response::json(201, &answer));
        }
        if call.subresource == "exec" {
            return state.exec(&call);
        }
        let written = match call.verb {
            "get" | "list" => return state.read(&call),
            "watch" => return state.watch(&call, self),
            "create" if call.name.is_empty() => state.create(&call)?,
            "update" | "patch" if call.subresource == "scale" => state.write_scale(&call)?,
            "update" => state.update(&call)?,
            "patch" => state.patch(&call)?,
            "delete" => state.delete(&call)?,
            "deletecollection" => state.delete_collection(&call)?,
            _ => return Err(Failure::method_not_allowed()),
        };
        let kind = written.object["kind"].as_str().unwrap_or_default();
        let shown = if kind == resource.kind { read::show(&resource, &written.object, read::form(call.accept())) } else { written.object };
        let mut response = Response::json(written.code, &shown);
        for warning in written.warnings {
            // Each warning is a separate header.
            response.headers.push(("warning".into(), format!("299 - {warning:?}")));
        }
        Ok(response)
    }

    fn start_controllers(&self) {
        let first = !self.inner.started.swap(true, std::sync::atomic::Ordering::SeqCst);
        if first && self.state().has_controllers() {
            controllers::spawn(self.downgrade(), self.inner.delay);
        }
    }
}

/// Time of a write by the stand-in's controllers.
fn timestamp() -> String {
    now()
}
