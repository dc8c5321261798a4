//! Azure Resource Manager: reads that go out once per run, writes that end when the resource is finished.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use uuid::Uuid;

use super::http::{Call, Http, Payload, Reply};
use super::memo::{Memo, Question, normal};
use super::sign_in::{SignIn, Token};
use super::{Failure, http};
use crate::model::{Cloud, Events, Kind, Problem, Result};

/// The Resource Graph version used; newest stable (azure-specs/api-versions.json).
const GRAPH_API: &str = "2024-04-01";
/// Rows per page that Resource Graph gives at most.
const GRAPH_PAGE: u32 = 1000;
/// Pages after which a list is taken for endless.
const MOST_PAGES: usize = 1000;
/// How long an operation may take unless said otherwise: the longest recorded AKS update took 13 minutes (`facts/arm.md`).
const OPERATION_LIMIT: Duration = Duration::from_secs(30 * 60);
/// 404s that do not mean "there is no such resource" but "you asked wrong": taking them for absence would plan to create.
const NOT_ABSENCE: [&str; 5] =
    ["SubscriptionNotFound", "InvalidSubscriptionId", "InvalidResourceType", "InvalidResourceNamespace", "NoRegisteredProviderFound"];

/// A finished write.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Status of the first answer: 201 when the resource is new, 200 when it was there, 202 when the service didn't tell.
    pub status: u16,
    /// The finished resource; null when the service shows none.
    pub body: Value,
}

/// A client of ARM for one tenant. Clones share the answers of the run.
#[derive(Clone)]
pub struct Arm {
    shared: Arc<Shared>,
    tenant: Option<Arc<str>>,
    limit: Duration,
}

struct Shared {
    http: Http,
    sign_in: Arc<SignIn>,
    cloud: Cloud,
    base: Url,
    correlation_id: String,
    memo: Memo,
}

impl Arm {
    /// A client for `cloud` with tokens of `tenant` (az's current one when `None`). Connects to nothing yet.
    ///
    /// # Errors
    /// KC2103 when the cloud's endpoints are not HTTPS URLs, KC4030 when no TLS client can be built.
    pub fn new(cloud: Cloud, sign_in: Arc<SignIn>, tenant: Option<String>, events: Events) -> Result<Arm> {
        for endpoint in [&cloud.resource_manager, &cloud.authority] {
            if Url::parse(endpoint).ok().is_none_or(|url| url.scheme() != "https" || url.host_str().is_none()) {
                return Err(Problem::new(
                    Kind::Usage,
                    "KC2103",
                    format!("cloud {} has the endpoint `{endpoint}`, which is no https:// URL", cloud.name),
                )
                .fix(format!(
                    "az cloud update --name {} --endpoint-resource-manager https://… --endpoint-active-directory https://…",
                    cloud.name
                )));
            }
        }
        Ok(Self::over(http::client(&events)?, cloud, sign_in, tenant, events))
    }

    pub(crate) fn over(client: reqwest::Client, cloud: Cloud, sign_in: Arc<SignIn>, tenant: Option<String>, events: Events) -> Arm {
        #[allow(clippy::unwrap_used, reason = "a constant; `new` has checked the other")]
        let base = Url::parse(&cloud.resource_manager).unwrap_or_else(|_| Url::parse("https://management.azure.com").unwrap());
        let shared = Shared {
            http: Http::over(client, events),
            sign_in,
            cloud,
            base,
            correlation_id: Uuid::new_v4().to_string(),
            memo: Memo::default(),
        };
        Arm { shared: Arc::new(shared), tenant: tenant.map(Into::into), limit: OPERATION_LIMIT }
    }

    /// The cloud it talks to.
    pub fn cloud(&self) -> &Cloud {
        &self.shared.cloud
    }

    /// The id that all requests of this run carry: what Azure's support asks for.
    pub fn correlation_id(&self) -> &str {
        &self.shared.correlation_id
    }

    /// The tenant whose tokens it uses; `None` is az's current one.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The sign-in behind it, for tokens of other scopes.
    pub fn sign_in(&self) -> &Arc<SignIn> {
        &self.shared.sign_in
    }

    /// The same client with tokens of another tenant.
    #[must_use]
    pub fn with_tenant(&self, tenant: &str) -> Arm {
        Arm { tenant: Some(tenant.into()), ..self.clone() }
    }

    /// The same client with another limit for long-running operations (30 minutes by default).
    #[must_use]
    pub fn with_limit(&self, limit: Duration) -> Arm {
        Arm { limit, ..self.clone() }
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn http(&self) -> &Http {
        &self.shared.http
    }

    pub(crate) fn base(&self) -> &Url {
        &self.shared.base
    }

    /// Starts az in the background, so that its token is there when the first request needs it. Its failure is told to
    /// that request, and az ends with the runtime. Does nothing outside a tokio runtime.
    pub fn prefetch_token(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (sign_in, tenant, scope) = (self.shared.sign_in.clone(), self.tenant.clone(), self.shared.cloud.arm_scope());
        runtime.spawn(async move { drop(sign_in.token(tenant.as_deref(), &scope).await) });
    }

    /// Reads a resource, at most once per run. `None` when it does not exist.
    ///
    /// # Errors
    /// Whatever the service or the network says; a 404 for the subscription or the resource type itself is an error.
    pub async fn read(&self, path: &str, api_version: &str, query: &[(&str, &str)]) -> Result<Option<Value>, Failure> {
        let question = self.question("one", path, api_version, query);
        self.shared.memo.answer(question, || self.fetch(path, api_version, query)).await
    }

    /// Reads a resource anew, whatever was read before; later [`read`](Self::read)s ask again as well.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn get(&self, path: &str, api_version: &str) -> Result<Option<Value>, Failure> {
        self.forget(path);
        self.fetch(path, api_version, &[]).await
    }

    /// Reads all pages of a collection, at most once per run.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when the parent does not exist.
    pub async fn list(&self, path: &str, api_version: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Failure> {
        let question = self.question("all", path, api_version, query);
        match self.shared.memo.answer(question, || self.fetch_all(path, api_version, query)).await? {
            Some(Value::Array(items)) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }

    /// Drops what was read at and below `path`. Writes do it themselves.
    pub fn forget(&self, path: &str) {
        self.shared.memo.forget(path);
    }

    /// Creates or replaces a resource and waits until it is finished. `if_match` is the eTag that must still be current.
    ///
    /// # Errors
    /// Whatever the service says, at once or at the end of its operation; KC4033 when the operation takes too long.
    pub async fn put(&self, path: &str, api_version: &str, body: &Value, if_match: Option<&str>) -> Result<Written, Failure> {
        self.write(Method::PUT, path, api_version, Some(body), if_match).await
    }

    /// Changes a resource and waits until it is finished. What a PATCH may change differs from type to type.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn patch(&self, path: &str, api_version: &str, body: &Value) -> Result<Written, Failure> {
        self.write(Method::PATCH, path, api_version, Some(body), None).await
    }

    /// Calls an action (`…/listKeys`) and waits for its result; null when it has none.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn post(&self, path: &str, api_version: &str, body: &Value) -> Result<Value, Failure> {
        Ok(self.write(Method::POST, path, api_version, Some(body).filter(|b| !b.is_null()), None).await?.body)
    }

    /// Deletes a resource and waits until it is gone. Whether it existed.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn delete(&self, path: &str, api_version: &str) -> Result<bool, Failure> {
        match self.write(Method::DELETE, path, api_version, None, None).await {
            // 204 is the contract's answer for what is not there.
            Ok(written) => Ok(written.status != 204),
            Err(Failure::Service(error)) if error.status == 404 && !NOT_ABSENCE.iter().any(|code| error.is(code)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Asks Resource Graph; the rows of all pages. With no `subscriptions` it asks about all that the user may read in the
    /// tenant. The index lags behind writes by seconds to minutes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn graph(&self, query: &str, subscriptions: &[String]) -> Result<Vec<Value>, Failure> {
        let url = self.url("/providers/Microsoft.ResourceGraph/resources", GRAPH_API, &[])?;
        let (mut rows, mut skip) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let mut body = json!({"query": query, "options": {"resultFormat": "objectArray", "$top": GRAPH_PAGE}});
            if !subscriptions.is_empty() {
                body["subscriptions"] = json!(subscriptions);
            }
            if let Some(token) = skip {
                body["options"]["$skipToken"] = token;
            }
            let reply = self.ask(Method::POST, url.clone(), Payload::Json(body), None, true).await?;
            let mut page = success(&reply)?.json()?;
            // An array with the format asked for, although the description says object.
            if let Some(Value::Array(data)) = page.get_mut("data").map(Value::take) {
                rows.extend(data);
            }
            skip = page.get_mut("$skipToken").map(Value::take).filter(|token| token.as_str().is_some_and(|t| !t.is_empty()));
            if skip.is_none() {
                return Ok(rows);
            }
        }
        Err(endless("Resource Graph's answer"))
    }

    async fn fetch(&self, path: &str, api_version: &str, query: &[(&str, &str)]) -> Result<Option<Value>, Failure> {
        let reply = self.ask(Method::GET, self.url(path, api_version, query)?, Payload::Nothing, None, true).await?;
        if reply.status == 404 {
            let error = reply.error();
            if !NOT_ABSENCE.iter().any(|code| error.is(code)) {
                return Ok(None);
            }
        }
        success(&reply)?.json().map(Some)
    }

    async fn fetch_all(&self, path: &str, api_version: &str, query: &[(&str, &str)]) -> Result<Option<Value>, Failure> {
        let (mut items, mut next) = (Vec::new(), Some(self.url(path, api_version, query)?));
        for _ in 0..MOST_PAGES {
            let Some(url) = next.take() else { return Ok(Some(Value::Array(items))) };
            let reply = self.ask(Method::GET, url, Payload::Nothing, None, true).await?;
            let mut page = success(&reply)?.json()?;
            match page.get_mut("value").map(Value::take) {
                Some(Value::Array(more)) => items.extend(more),
                // A few old types answer with a bare array.
                _ => match page.take() {
                    Value::Array(more) => items.extend(more),
                    other => page = other,
                },
            }
            next = match page.get("nextLink").and_then(Value::as_str).filter(|link| !link.is_empty()) {
                Some(link) => Some(self.own_url(link)?),
                None => None,
            };
        }
        Err(endless(path))
    }

    async fn write(
        &self,
        method: Method,
        path: &str,
        api_version: &str,
        body: Option<&Value>,
        if_match: Option<&str>,
    ) -> Result<Written, Failure> {
        let url = self.url(path, api_version, &[])?;
        let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let reads = method == Method::POST && last.to_ascii_lowercase().starts_with("list");
        let payload = body.map_or(Payload::Nothing, |body| Payload::Json(body.clone()));
        let outcome = async {
            let reply = self.ask(method.clone(), url.clone(), payload, if_match, false).await?;
            if method == Method::DELETE && reply.status == 404 && reply.doubtful {
                // An earlier try got no clear answer, and now it is gone: that try did it.
                return Ok(Written { status: 200, body: Value::Null });
            }
            let status = success(&reply)?.status;
            let body = self.finish(&method, &url, reply).await?;
            Ok(Written { status, body })
        };
        let outcome = outcome.await;
        // After a failure, too: it may have acted.
        if !reads {
            self.shared.memo.written(path);
        }
        outcome
    }

    /// One request with ARM's headers and a token, asked once more with a fresh token when the service found it expired.
    pub(crate) async fn ask(
        &self,
        method: Method,
        url: Url,
        payload: Payload,
        if_match: Option<&str>,
        reads: bool,
    ) -> Result<Reply, Failure> {
        let (tenant, scope) = (self.tenant.as_deref(), self.shared.cloud.arm_scope());
        let mut call = Call { payload, reads, ..Call::new(method, url) };
        let mut renewed = false;
        loop {
            let token = self.shared.sign_in.token(tenant, &scope).await?;
            call.headers = vec![
                ("x-ms-client-request-id".into(), Uuid::new_v4().to_string()),
                ("x-ms-correlation-request-id".into(), self.shared.correlation_id.clone()),
                ("x-ms-return-client-request-id".into(), "true".into()),
            ];
            call.headers.extend(if_match.map(|tag| ("if-match".to_owned(), tag.to_owned())));
            let reply = self
                .http()
                .send(&Call {
                    token: Some(&token),
                    headers: call.headers.clone(),
                    payload: call.payload.clone(),
                    url: call.url.clone(),
                    method: call.method.clone(),
                    ..call
                })
                .await?;
            if reply.status != 401 {
                return Ok(reply);
            }
            if let Some(claims) = reply.header("www-authenticate").and_then(claims_challenge) {
                return Err(challenged(tenant, &scope, &claims, &reply).into());
            }
            let error = reply.error();
            if renewed || !(error.is("ExpiredAuthenticationToken") || error.is("InvalidAuthenticationToken")) {
                return Ok(reply);
            }
            renewed = true;
            self.shared.sign_in.forget(tenant, &scope, &token);
        }
    }

    /// The URL of a path below ARM. Names come from people and clusters: none may leave its place in the path.
    pub(crate) fn url(&self, path: &str, api_version: &str, query: &[(&str, &str)]) -> Result<Url, Failure> {
        let mut url = self.base().clone();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        if segments.iter().any(|s| matches!(*s, "" | "." | "..")) {
            return Err(Problem::new(Kind::Failed, "KC4034", format!("`{path}` is no path of Azure Resource Manager")).into());
        }
        if let Ok(mut into) = url.path_segments_mut() {
            // Encodes `?`, `#`, `%` and blanks.
            into.pop_if_empty().extend(segments);
        }
        url.query_pairs_mut().append_pair("api-version", api_version).extend_pairs(query);
        Ok(url)
    }

    /// A URL that a service gave us to go on with; it gets our token, so it must be ARM's own.
    pub(crate) fn own_url(&self, given: &str) -> Result<Url, Failure> {
        let base = self.base();
        match base.join(given) {
            Ok(url) if url.origin() == base.origin() => Ok(url),
            other => {
                let host = other.ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| given.chars().take(80).collect());
                Err(Problem::new(
                    Kind::Failed,
                    "KC4035",
                    format!("Azure points to {host}, which is not {}", base.host_str().unwrap_or_default()),
                )
                .why("the token is for Azure Resource Manager only and is not sent elsewhere")
                .into())
            }
        }
    }

    fn question(&self, what: &str, path: &str, api_version: &str, query: &[(&str, &str)]) -> Question {
        let rest = format!("{what} {api_version} {query:?}");
        Question { tenant: self.tenant.as_deref().map(str::to_lowercase), path: normal(path), rest }
    }
}

/// The reply itself when it is no error.
pub(crate) fn success(reply: &Reply) -> Result<&Reply, Failure> {
    if reply.is_success() { Ok(reply) } else { Err(reply.error().into()) }
}

fn endless(what: &str) -> Failure {
    Problem::new(Kind::Failed, "KC4036", format!("{what} does not end"))
        .why(format!("there is a next page after {MOST_PAGES} pages"))
        .into()
}

/// The claims of a continuous-access challenge, as base64 the way the service gave them (azure-cli 31777).
fn claims_challenge(header: &str) -> Option<String> {
    let at = header.find("claims=")?;
    let value = header[at + "claims=".len()..].trim_start_matches('"').split(['"', ',']).next()?;
    let decodes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(value.trim_end_matches('=')).is_ok();
    (decodes && !value.is_empty()).then(|| value.to_owned())
}

fn challenged(tenant: Option<&str>, scope: &str, claims: &str, reply: &Reply) -> Problem {
    let tenant = tenant.map(|t| format!(" --tenant {t}")).unwrap_or_default();
    let request = reply.header("x-ms-request-id").map(|id| format!("request {id}")).unwrap_or_default();
    Problem::new(Kind::NotSignedIn, "KC2007", "Azure wants you to sign in again")
        .why("a Conditional Access policy or a change of the account ended the present sign-in")
        .fix(format!("az logout; az login{tenant} --scope {scope} --claims-challenge {claims}"))
        .request(request)
}

/// A token for data planes and others, through the same sign-in and tenant.
impl Arm {
    /// A token of this client's tenant for `scope`.
    ///
    /// # Errors
    /// As [`SignIn::token`].
    pub async fn token(&self, scope: &str) -> Result<Token> {
        self.shared.sign_in.token(self.tenant.as_deref(), scope).await
    }
}
