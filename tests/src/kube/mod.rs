//! A stand-in for a cluster's API server, with the controllers that clients wait for.
//!
//! It keeps the real server's rules where a client could lean on them: server-side apply with field ownership, versions
//! and preconditions, validation, authorization, token minting, and rollouts that take their time. Its yardstick is a set
//! of recorded answers of a real 1.36 server.

mod auth;
mod controllers;
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
mod managers;
mod merge;
mod patch;
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
use store::{Key, Store, metadata, new_uid, now, text};

use crate::http::{Request, Response};
use crate::keys::RsaKey;

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Which controllers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controllers {
    /// None: an API server alone.
    None,
    /// Those of the control plane; pods stay pending until somebody writes their status.
    NoKubelet,
    /// All, and pods become ready by themselves.
    All,
}

/// How to set up a cluster.
#[derive(Clone, Debug)]
pub struct KubeOptions {
    /// Host name of the API server.
    pub host: String,
    /// Issuer of its service account tokens.
    pub issuer: String,
    /// Key that signs them.
    pub key: Arc<RsaKey>,
    /// Bearer tokens of its users.
    pub tokens: HashMap<String, UserInfo>,
    /// How long one stage of a rollout takes.
    pub rollout_delay: Duration,
    /// Which controllers run.
    pub controllers: Controllers,
}

impl KubeOptions {
    /// A cluster with all controllers at a quick pace.
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
    /// The webhook's tenant, once installed.
    webhook: Option<String>,
    webhook_down: bool,
    controllers: Controllers,
    /// What stands behind the secrets store driver.
    provider: Option<csi::Provider>,
    /// What containers see and have.
    inside: exec::Inside,
}

impl State {
    fn has_controllers(&self) -> bool {
        self.controllers != Controllers::None
    }
}

struct Inner {
    /// The real API server behind this one, where there is one.
    real: Option<real::RealServer>,
    state: Mutex<State>,
    work: Notify,
    delay: Duration,
    started: std::sync::atomic::AtomicBool,
}

/// A cluster's API server. Cheap to clone; all clones are the same cluster.
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
    /// A cluster with the namespaces and roles that every cluster has.
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
        // Only now: what the stand-in needs to judge by is planted in the stand-in.
        if let Some(inner) = Arc::get_mut(&mut cluster.inner) {
            inner.real = real;
        }
        cluster
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in another test thread is that test's failure, not this one's.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn downgrade(&self) -> WeakCluster {
        WeakCluster(Arc::downgrade(&self.inner))
    }

    /// New tokens carry this issuer from now on, and discovery follows.
    pub fn set_issuer(&self, url: &str) {
        self.state().issuer = url.into();
    }

    /// Makes a bearer token known.
    pub fn add_token(&self, token: &str, user: UserInfo) {
        self.state().tokens.insert(token.into(), user);
    }

    /// Installs workload identity's webhook for a tenant, as the add-on does; pods with the label are mutated from now on.
    pub fn install_webhook(&self, tenant: &str) {
        if self.inner.real.is_some() {
            return self.real_webhook(false);
        }
        self.state().webhook = Some(tenant.into());
        let labels = json!({"azure-workload-identity.io/system": "true", "app": "workload-identity-webhook"});
        self.apply_object(
            "aks-addon-manager",
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": "azure-wi-webhook-mutating-webhook-configuration", "labels": labels},
                "webhooks": [{
                    "name": "mutation.azure-workload-identity.io", "admissionReviewVersions": ["v1", "v1beta1"],
                    "clientConfig": {"service": {
                        "name": "azure-wi-webhook-webhook-service", "namespace": "kube-system", "path": "/mutate-v1-pod",
                    }},
                    "failurePolicy": "Fail", "matchPolicy": "Equivalent", "reinvocationPolicy": "IfNeeded",
                    "objectSelector": {"matchLabels": {"azure.workload.identity/use": "true"}},
                    "rules": [{
                        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
                    }],
                    "sideEffects": "None",
                }],
            }),
        );
        let template = json!({
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "manager", "image": "mcr.microsoft.com/oss/azure/workload-identity/webhook:v1.5.1"}]},
        });
        self.apply_object(
            "aks-addon-manager",
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "azure-wi-webhook-controller-manager", "namespace": "kube-system", "labels": labels},
                "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
            }),
        );
        let mut state = self.state();
        let found = state.store.known("apps", "deployments");
        if let Some(resource) = found
            && let Some(mut object) = state.store.get(&resource, "kube-system", "azure-wi-webhook-controller-manager").cloned()
        {
            object["status"] = json!({
                "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
            });
            let key = Key::of(&resource, "kube-system", "azure-wi-webhook-controller-manager");
            state.store.put(key, object);
        }
    }

    /// The webhook stays registered but does not answer: labelled pods can't be made.
    pub fn webhook_down(&self, down: bool) {
        if self.inner.real.is_some() {
            return self.real_webhook(down);
        }
        self.state().webhook_down = down;
        self.inner.work.notify_one();
    }

    /// Takes a right away, whatever the roles say; `*` stands for any.
    pub fn deny(&self, user: &str, verb: &str, group: &str, resource: &str, namespace: Option<&str>) {
        let denial = Denial {
            user: user.into(),
            verb: verb.into(),
            group: group.into(),
            resource: resource.into(),
            namespace: namespace.map(str::to_string),
        };
        self.state().denials.push(denial);
    }

    /// Gives all rights back that [`deny`](Self::deny) took.
    pub fn allow_all(&self) {
        self.state().denials.clear();
    }

    /// Forgets the history of writes: a watch from before gets the 410 that an old version gets.
    pub fn forget_history(&self) {
        let mut state = self.state();
        state.store.compacted = state.store.version;
        state.store.history.clear();
    }

    /// Plants an object as a user's client-side apply would: created, or replaced where it exists.
    ///
    /// An empty manager stands for kubectl's own. The object must be valid; what the server would refuse is not planted.
    pub fn apply_object(&self, manager: &str, mut object: Value) {
        if let Some(real) = &self.inner.real {
            return Self::plant_real(real, manager, &object);
        }
        let manager = if manager.is_empty() { "kubectl-client-side-apply" } else { manager };
        let mut state = self.state();
        let version = object["apiVersion"].as_str().unwrap_or_default();
        let kind = object["kind"].as_str().unwrap_or_default();
        let Some(resource) = state.store.resource_of_kind(version, kind) else { return };
        if resource.namespaced && text(&object, "namespace").is_empty() {
            metadata(&mut object).insert("namespace".into(), json!("default"));
        }
        if manager == "kubectl-client-side-apply" {
            let mut copy = object.clone();
            metadata(&mut copy).entry("annotations").or_insert_with(|| json!({}));
            let annotations = metadata(&mut object).entry("annotations").or_insert_with(|| json!({}));
            annotations["kubectl.kubernetes.io/last-applied-configuration"] = json!(format!("{copy}\n"));
        }
        let request = Request {
            method: "POST".into(),
            query: vec![("fieldManager".into(), manager.into())],
            headers: vec![("content-type".into(), "application/json".into())],
            body: object.to_string().into_bytes(),
            ..Request::default()
        };
        let mut call = Call {
            request: &request,
            user: UserInfo::new("sandbox", &["system:masters"]),
            verb: "create",
            group: resource.group.clone(),
            plural: resource.plural.clone(),
            namespace: text(&object, "namespace").to_string(),
            name: String::new(),
            subresource: String::new(),
            scope: (String::new(), text(&object, "namespace").to_string()),
            resource: Some(resource.clone()),
        };
        if state.store.get(&resource, &call.namespace, text(&object, "name")).is_some() {
            call.name = text(&object, "name").to_string();
            let _ = state.update(&call);
        } else {
            let _ = state.create(&call);
        }
        if !self.inner.started.load(std::sync::atomic::Ordering::SeqCst) {
            // Nobody has looked yet: what is planted before the first request has been there for long.
            state.settle();
        }
        drop(state);
        self.inner.work.notify_one();
    }

    /// Takes an object away, as if somebody deleted it; the namespace is empty for cluster-wide ones.
    pub fn remove_object(&self, kind: &str, namespace: &str, name: &str) {
        let mut state = self.state();
        let found =
            state.store.objects.iter().find(|(key, object)| object["kind"] == kind && key.namespace == namespace && key.name == name);
        let Some(key) = found.map(|(key, _)| key.clone()) else { return };
        state.store.remove(&key);
        drop(state);
        self.inner.work.notify_one();
    }

    /// A node that is ready, so that DaemonSets have somewhere to run.
    fn plant_node(&self) {
        let name = "aks-nodepool1-12345678-vmss000000";
        self.apply_object(
            "kubelet",
            json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
            }),
        );
        let mut state = self.state();
        let Some(resource) = state.store.known("", "nodes") else { return };
        if let Some(mut node) = state.store.get(&resource, "", name).cloned() {
            node["spec"] = json!({});
            node["status"]["conditions"] = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady"}]);
            state.store.put(Key::of(&resource, "", name), node);
        }
    }

    /// Every object in full, in order of resource, namespace and name.
    #[must_use]
    pub fn objects(&self) -> Vec<Value> {
        match &self.inner.real {
            Some(real) => Self::real_objects(real),
            None => self.state().store.objects.values().cloned().collect(),
        }
    }

    /// What clients put into the cluster, without anything that changes by itself: for comparing before and after.
    ///
    /// Left out are what controllers make (pods, ReplicaSets, events) and the server's own counters and times.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let mut out = Vec::new();
        for mut object in self.objects() {
            let kind = object["kind"].as_str();
            let made = matches!(kind, Some("Pod" | "ReplicaSet" | "Event" | "ControllerRevision" | "SecretProviderClassPodStatus"));
            let synced = object["metadata"]["labels"]["secrets-store.csi.k8s.io/managed"] == "true";
            if made || synced || object["metadata"]["name"] == "kube-root-ca.crt" {
                continue;
            }
            if let Some(map) = object.as_object_mut() {
                map.shift_remove("status");
            }
            let meta = metadata(&mut object);
            for gone in ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"] {
                meta.shift_remove(gone);
            }
            if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.retain(|k, _| k != "deployment.kubernetes.io/revision" && k != "deprecated.daemonset.template.generation");
                if annotations.is_empty() {
                    meta.shift_remove("annotations");
                }
            }
            out.push(object);
        }
        Value::Array(out)
    }

    /// What the issuer host serves under `.well-known/openid-configuration`.
    #[must_use]
    pub fn discovery(&self) -> Value {
        match &self.inner.real {
            Some(real) => Self::real_keys(real).0,
            None => self.state().issuer_document(),
        }
    }

    /// What the issuer host serves under `openid/v1/jwks`.
    #[must_use]
    pub fn jwks(&self) -> Value {
        match &self.inner.real {
            Some(real) => Self::real_keys(real).1,
            None => self.state().key.jwks(),
        }
    }

    /// Answers one API request; a watch answers with a stream.
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
            // Several warnings are several headers of one name.
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

/// The time of a write by the stand-in's own controllers.
fn timestamp() -> String {
    now()
}
