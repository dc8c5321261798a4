//! Puts a real API server behind the stand-in's interface: the same cases run on both, which verifies the stand-in.
//!
//! Requests are passed on unchanged except for the credentials. Only what a case forbids by a knob is answered here,
//! and the planted objects are created anew for every sandbox.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::request::{authenticate, take_apart};
use super::{KubeCluster, KubeOptions};
use crate::http::{Request, Response};

/// Connection data of a control plane started by `tests/real/up`.
#[derive(Clone, Debug, Deserialize)]
pub struct RealOptions {
    /// Address, `https://127.0.0.1:PORT`.
    pub server: String,
    /// File with its authority's certificate.
    pub ca: std::path::PathBuf,
    /// Token of a user in `system:masters`.
    pub token: String,
}

/// A connected control plane.
pub(super) struct RealServer {
    server: String,
    token: String,
    /// For requests that are passed on.
    client: reqwest::Client,
    /// For the sandbox's own requests. Keeps no connections open, since a connection belongs to the runtime that
    /// opened it, and [`wait`] creates new runtimes.
    own: reqwest::Client,
    jwks: Value,
    discovery: Value,
}

/// Kinds that clients create in a cluster; `snapshot` compares these.
const KEPT: [&str; 10] = [
    "/api/v1/namespaces/shop/serviceaccounts",
    "/api/v1/namespaces/shop/secrets",
    "/api/v1/namespaces/shop/configmaps",
    "/apis/apps/v1/namespaces/shop/deployments",
    "/apis/apps/v1/namespaces/shop/statefulsets",
    "/apis/apps/v1/namespaces/shop/daemonsets",
    "/apis/batch/v1/namespaces/shop/jobs",
    "/apis/batch/v1/namespaces/shop/cronjobs",
    "/apis/coordination.k8s.io/v1/namespaces/shop/leases",
    "/apis/secrets-store.csi.x-k8s.io/v1/namespaces/shop/secretproviderclasses",
];

const WEBHOOK: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/azure-wi-webhook-mutating-webhook-configuration";

/// Waits for a future in code that is not asynchronous, on a separate runtime: such code may hold a lock for which
/// all threads of the sandbox's runtime wait, and then none of them could run the future.
fn wait<T: Send>(future: impl Future<Output = anyhow::Result<T>> + Send) -> anyhow::Result<T> {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future));
        waiting.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the wait for the real API server panicked")))
    })
}

impl RealServer {
    async fn reach(options: &RealOptions) -> anyhow::Result<Self> {
        // The HTTP client brings no TLS provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pem = std::fs::read(&options.ca).with_context(|| format!("reading {}", options.ca.display()))?;
        let builder = || anyhow::Ok(reqwest::Client::builder().no_proxy().tls_certs_only([reqwest::Certificate::from_pem(&pem)?]));
        let (client, own) = (builder()?.build()?, builder()?.pool_max_idle_per_host(0).build()?);
        let (server, token) = (options.server.clone(), options.token.clone());
        let mut real = Self { server, token, client, own, jwks: Value::Null, discovery: Value::Null };
        // The server refuses `application/json` for this path.
        real.jwks = real.own.get(format!("{}/openid/v1/jwks", real.server)).bearer_auth(&real.token).send().await?.json().await?;
        real.discovery = real.ask("GET", "/.well-known/openid-configuration", None).await?.1;
        Ok(real)
    }

    async fn ask(&self, method: &str, path: &str, body: Option<(&str, &Value)>) -> anyhow::Result<(u16, Value)> {
        let method = reqwest::Method::from_bytes(method.as_bytes())?;
        let mut request = self.own.request(method, format!("{}{path}", self.server)).bearer_auth(&self.token);
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.unwrap_or_default()))
    }

    async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let (_, list) = self.ask("GET", path, None).await?;
        let (kind, version) = (list["kind"].as_str().unwrap_or_default().trim_end_matches("List").to_owned(), list["apiVersion"].clone());
        let mut items = list["items"].as_array().cloned().unwrap_or_default();
        for item in &mut items {
            item["kind"] = json!(kind);
            item["apiVersion"] = version.clone();
        }
        Ok(items)
    }

    /// Deletes all objects in the namespace of the planted world and waits until they are gone.
    async fn reset(&self) -> anyhow::Result<()> {
        let gone = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "propagationPolicy": "Background"});
        let made = ["/api/v1/namespaces/shop/pods", "/apis/apps/v1/namespaces/shop/replicasets"];
        let began = Instant::now();
        loop {
            let mut left = 0;
            for path in KEPT.iter().chain(&made) {
                for object in self.list(path).await? {
                    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                    // Controllers recreate these two as long as the namespace exists.
                    if name != "kube-root-ca.crt" && !(path.ends_with("/serviceaccounts") && name == "default") {
                        left += 1;
                        self.ask("DELETE", &format!("{path}/{name}"), Some(("application/json", &gone))).await?;
                    }
                }
            }
            if left == 0 {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(30) {
                bail!("the namespace shop does not become empty");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Plants an object as `kubectl apply` would, or replaces its content.
    async fn plant(&self, manager: &str, object: &Value) -> anyhow::Result<()> {
        let (collection, name) = place(object)?;
        let manager = if manager.is_empty() { "kubectl-client-side-apply" } else { manager };
        let (status, answer) =
            self.ask("POST", &format!("{collection}?fieldManager={manager}"), Some(("application/json", object))).await?;
        if status == 409 && matches!(object["kind"].as_str(), Some("CustomResourceDefinition" | "CSIDriver")) {
            // Installed with the server or by an earlier sandbox; the content is always the same.
            return Ok(());
        }
        if status == 409 {
            let path = format!("{collection}/{name}?fieldManager={manager}");
            let kind = if object["kind"] == "MutatingWebhookConfiguration" {
                "application/merge-patch+json"
            } else {
                "application/strategic-merge-patch+json"
            };
            let (status, answer) = self.ask("PATCH", &path, Some((kind, object))).await?;
            anyhow::ensure!(status < 300, "planting {name}: {status} {answer}");
        } else if status >= 300 {
            bail!("planting {name}: {status} {answer}");
        }
        Ok(())
    }

    async fn webhook_is_ready(&self) -> anyhow::Result<()> {
        let path = "/apis/apps/v1/namespaces/kube-system/deployments/azure-wi-webhook-controller-manager";
        let began = Instant::now();
        while self.ask("GET", path, None).await?.1["status"]["readyReplicas"].as_u64().unwrap_or(0) == 0 {
            anyhow::ensure!(began.elapsed() < Duration::from_secs(30), "the planted webhook's pods do not become ready");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn forward(&self, request: Request) -> Response {
        match self.pass_on(request).await {
            Ok(response) => response,
            Err(error) => Response::text(502, &format!("the real API server did not answer: {error:#}")),
        }
    }

    async fn pass_on(&self, request: Request) -> anyhow::Result<Response> {
        let query: Vec<String> = request.query.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
        let url = format!("{}{}{}{}", self.server, request.path, if query.is_empty() { "" } else { "?" }, query.join("&"));
        let mut call = self.client.request(reqwest::Method::from_bytes(request.method.as_bytes())?, url).bearer_auth(&self.token);
        for (name, value) in &request.headers {
            if matches!(name.as_str(), "accept" | "content-type" | "user-agent") || name.starts_with("impersonate-") {
                call = call.header(name, value);
            }
        }
        let answer = call.body(request.body.clone()).send().await?;
        let status = answer.status().as_u16();
        let headers: Vec<(String, String)> = answer
            .headers()
            .iter()
            .filter(|(name, _)| matches!(name.as_str(), "content-type" | "warning" | "retry-after" | "audit-id"))
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let mut response = if request.q("watch") == Some("true") && status == 200 {
            let (send, receive) = tokio::sync::mpsc::unbounded_channel();
            let mut chunks = answer.bytes_stream();
            tokio::spawn(async move {
                while let Some(Ok(chunk)) = chunks.next().await {
                    if send.send(chunk.to_vec()).is_err() {
                        break;
                    }
                }
            });
            Response::stream(200, "application/json", receive)
        } else {
            let mut plain = Response::empty(status);
            plain.body = crate::http::Body::Bytes(answer.bytes().await?.to_vec());
            plain
        };
        response.headers = headers;
        Ok(response)
    }
}

/// The collection's path and the name of an object.
fn place(object: &Value) -> anyhow::Result<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
    let plural = format!("{}{}", kind.to_lowercase(), if kind.ends_with('s') { "es" } else { "s" });
    let namespace = text(&object["metadata"]["namespace"]);
    let name = text(&object["metadata"]["name"]);
    anyhow::ensure!(!kind.is_empty() && !name.is_empty(), "an object without kind or name");
    let middle = if namespace.is_empty() { String::new() } else { format!("/namespaces/{namespace}") };
    Ok((format!("{root}{middle}/{plural}"), name))
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b"-._~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

impl KubeCluster {
    /// A cluster with a real API server, which is emptied and planted anew.
    ///
    /// # Errors
    /// If the server does not answer, or refuses a planted object.
    pub async fn in_front_of(options: KubeOptions, real: &RealOptions, objects: &[Value], webhook: bool) -> anyhow::Result<Self> {
        let server = RealServer::reach(real).await?;
        server.plant("", &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})).await?;
        server.reset().await?;
        for object in objects.iter().filter(|o| o["metadata"]["namespace"] == "shop" && o["metadata"]["name"] != "default") {
            server.plant("", object).await?;
        }
        server.ask("DELETE", WEBHOOK, None).await?;
        let cluster = Self::over(options, server);
        if webhook {
            cluster.plant_real_webhook(false).await?;
        }
        cluster.planted_is_rolled_out().await?;
        Ok(cluster)
    }

    /// Registers the webhook's configuration and deployment. No webhook runs: unless it is `down` it selects no pods,
    /// since the real webhook's mutations are tested elsewhere.
    async fn plant_real_webhook(&self, down: bool) -> anyhow::Result<()> {
        let Some(real) = &self.inner.real else { return Ok(()) };
        let selector = if down { json!({"azure.workload.identity/use": "true"}) } else { json!({"no-pod-has/this": "label"}) };
        let labels = json!({"azure-workload-identity.io/system": "true", "app": "workload-identity-webhook"});
        let name = "azure-wi-webhook-controller-manager";
        let pod = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "manager", "image": "webhook:1.5.1"}]}});
        real.plant(
            "aks",
            &json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": "kube-system", "labels": labels},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": pod}}),
        )
        .await?;
        real.plant(
            "aks",
            &json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "azure-wi-webhook-mutating-webhook-configuration", "labels": labels},
            "webhooks": [{"name": "mutation.azure-workload-identity.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "failurePolicy": "Fail", "timeoutSeconds": 1, "clientConfig": {"url": "https://127.0.0.1:1/mutate-v1-pod"},
                "objectSelector": {"matchLabels": selector},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}]}),
        )
        .await?;
        real.webhook_is_ready().await
    }

    async fn planted_is_rolled_out(&self) -> anyhow::Result<()> {
        let Some(real) = &self.inner.real else { return Ok(()) };
        let began = Instant::now();
        loop {
            let web = real.ask("GET", "/apis/apps/v1/namespaces/shop/deployments/web", None).await?.1;
            if web["status"]["availableReplicas"] == web["spec"]["replicas"] {
                return Ok(());
            }
            anyhow::ensure!(began.elapsed() < Duration::from_secs(30), "the planted workloads do not become ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Passes a request to the real server, unless a knob forbids it.
    pub(super) async fn through(&self, real: &RealServer, request: Request) -> Response {
        match self.judge(&request) {
            Some(answer) => answer,
            None => real.forward(request).await,
        }
    }

    fn judge(&self, request: &Request) -> Option<Response> {
        let mut state = self.state();
        let user = match authenticate(&state, request) {
            Ok(user) => user,
            Err(failure) => return Some(failure.response()),
        };
        if state.denials.is_empty() {
            return None;
        }
        let call = take_apart(&state, request, user.clone())?;
        if let Err(failure) = call.check(&state, call.verb) {
            return Some(failure.response());
        }
        let review = call.resource.as_ref().is_some_and(|r| r.is_review());
        let answered = if review { state.review(&call, &user) } else { return None };
        Some(match answered {
            Ok(answer) => Response::json(201, &answer),
            Err(failure) => failure.response(),
        })
    }

    pub(super) fn real_objects(real: &RealServer) -> Vec<Value> {
        wait(async {
            let mut all = Vec::new();
            for path in KEPT {
                all.extend(real.list(path).await.unwrap_or_default());
            }
            if let Ok((200, webhook)) = real.ask("GET", WEBHOOK, None).await {
                all.push(webhook);
            }
            Ok(all)
        })
        .unwrap_or_default()
    }

    pub(super) fn plant_real(real: &RealServer, manager: &str, object: &Value) {
        if let Err(error) = wait(real.plant(manager, object)) {
            // With a knob that is not supported here, a case would pass or fail for the wrong reason.
            #[expect(clippy::panic, reason = "only tests plant objects")]
            {
                panic!("the real API server does not take what is planted: {error:#}");
            }
        }
    }

    pub(super) fn real_webhook(&self, down: bool) {
        if let Err(error) = wait(self.plant_real_webhook(down)) {
            #[expect(clippy::panic, reason = "only tests turn this knob")]
            {
                panic!("the webhook can't be planted: {error:#}");
            }
        }
    }

    pub(super) fn real_keys(real: &RealServer) -> (Value, Value) {
        (real.discovery.clone(), real.jwks.clone())
    }
}
