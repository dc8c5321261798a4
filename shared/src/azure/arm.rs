//! Azure Resource Manager: each read is sent once per run, and a write returns when the resource is finished.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::{Value, json};
use uuid::Uuid;

use super::http::{Http, Payload};
use super::memo::{Memo, Question, normal};
use super::sign_in::SignIn;
use super::token::Token;
use super::{Failure, http};
use crate::clock::Wait;
use crate::model::{Cloud, Events, Kind, Problem, Result};

/// API version of Resource Graph: the newest stable one.
const GRAPH_API: &str = "2024-04-01";
/// Maximum number of rows per page of Resource Graph.
const GRAPH_PAGE: u32 = 1000;
/// Maximum number of pages. A longer list is taken for endless.
const MOST_PAGES: usize = 1000;
/// Default time limit of a long-running operation. The longest recorded AKS update took 13 minutes.
const OPERATION_LIMIT: Duration = Duration::from_secs(30 * 60);
/// Error codes of 404 answers which don't mean that the resource is absent but that the request is wrong. If they
/// counted as absence, the plan would create the resource.
const NOT_ABSENCE: [&str; 5] =
    ["SubscriptionNotFound", "InvalidSubscriptionId", "InvalidResourceType", "InvalidResourceNamespace", "NoRegisteredProviderFound"];

/// A finished write.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Status of the first answer: 201 if the resource was created, 200 if it existed, 202 if the service did not
    /// say.
    pub status: u16,
    /// The finished resource; null if the service returns none.
    pub body: Value,
}

/// A client of ARM for one tenant. Clones share the answers of the run.
#[derive(Clone)]
pub struct Arm {
    shared: Arc<Shared>,
    http: Http,
    memo: Arc<Memo>,
    tenant: Option<Arc<str>>,
    limit: Duration,
}

struct Shared {
    sign_in: Arc<SignIn>,
    cloud: Cloud,
    base: Url,
    correlation_id: String,
}

impl fmt::Debug for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arm({}, tenant {})", self.shared.base, self.tenant().unwrap_or("of az"))
    }
}

impl Arm {
    /// A client for `cloud` with tokens of `tenant` (`None`: az's current tenant). Does not connect yet.
    ///
    /// # Errors
    /// KC2103 if the cloud's endpoints are not HTTPS URLs, KC4030 if no TLS client can be built.
    pub fn new(cloud: Cloud, sign_in: Arc<SignIn>, tenant: Option<String>, events: Events) -> Result<Arm> {
        for endpoint in [&cloud.resource_manager, &cloud.authority] {
            if Url::parse(endpoint).ok().is_none_or(|url| url.scheme() != "https" || url.host_str().is_none()) {
                return Err(not_https(&cloud, endpoint));
            }
        }
        let base = Url::parse(&cloud.resource_manager).map_err(|e| not_https(&cloud, &cloud.resource_manager).why(e.to_string()))?;
        Ok(Self::over(http::client(&events)?, base, cloud, sign_in, tenant, events))
    }

    /// Like `new`, without the checks; for the tests of this room.
    pub(crate) fn over(
        client: reqwest::Client,
        base: Url,
        cloud: Cloud,
        sign_in: Arc<SignIn>,
        tenant: Option<String>,
        events: Events,
    ) -> Arm {
        let shared = Shared { sign_in, cloud, base, correlation_id: Uuid::new_v4().to_string() };
        Arm {
            shared: Arc::new(shared),
            http: Http::over(client, events),
            memo: Arc::default(),
            tenant: tenant.map(Into::into),
            limit: OPERATION_LIMIT,
        }
    }

    /// The cloud of this client.
    pub fn cloud(&self) -> &Cloud {
        &self.shared.cloud
    }

    /// The id that all requests of this run carry. Azure's support asks for it.
    pub fn correlation_id(&self) -> &str {
        &self.shared.correlation_id
    }

    /// The tenant whose tokens are used; `None` means az's current tenant.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The sign-in of this client, for tokens of other scopes.
    pub fn sign_in(&self) -> &Arc<SignIn> {
        &self.shared.sign_in
    }

    /// A token of this client's tenant for `scope`, from the same sign-in: for data planes.
    ///
    /// # Errors
    /// As [`SignIn::token`].
    pub async fn token(&self, scope: &str) -> Result<Token> {
        self.token_of(self.tenant.as_deref(), scope).await
    }

    /// A token of `tenant` (`None`: az's current tenant) for `scope`, from the same sign-in.
    ///
    /// # Errors
    /// As [`SignIn::token`].
    pub async fn token_of(&self, tenant: Option<&str>, scope: &str) -> Result<Token> {
        let mut wait = Wait::new(self.events(), "az", "waiting for az to give a token");
        wait.during(self.shared.sign_in.token(tenant, scope)).await
    }

    /// The same client with tokens of another tenant.
    #[must_use]
    pub fn with_tenant(&self, tenant: &str) -> Arm {
        Arm { tenant: Some(tenant.into()), ..self.clone() }
    }

    /// The same client with another receiver of wait messages.
    #[must_use]
    pub fn with_events(&self, events: &Events) -> Arm {
        Arm { http: self.http.with_events(events), ..self.clone() }
    }

    /// The same client with an empty cache: for looks that must not see answers from before a change.
    #[must_use]
    pub fn afresh(&self) -> Arm {
        Arm { memo: Arc::default(), ..self.clone() }
    }

    /// The same client with another time limit for long-running operations (default: 30 minutes).
    #[must_use]
    pub fn with_limit(&self, limit: Duration) -> Arm {
        Arm { limit, ..self.clone() }
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    pub(crate) fn events(&self) -> &Events {
        self.http.events()
    }

    pub(crate) fn base(&self) -> &Url {
        &self.shared.base
    }

    /// Starts az in the background, so that the token is ready when the first request needs it. If az fails, that
    /// request reports the failure. az is killed when the runtime ends. Does nothing outside a tokio runtime.
    pub fn prefetch_token(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (sign_in, tenant, scope) = (self.shared.sign_in.clone(), self.tenant.clone(), self.shared.cloud.arm_scope());
        runtime.spawn(async move { drop(sign_in.token(tenant.as_deref(), &scope).await) });
    }

    /// Reads a resource, at most once per run. `None` if it does not exist. Absence and refusals are cached like
    /// other answers; use [`get`](Self::get) to wait for a change.
    ///
    /// # Errors
    /// Errors of the service or the network. A 404 for the subscription or the resource type is an error too.
    pub async fn read(&self, path: &str, api_version: &str, query: &[(&str, &str)]) -> Result<Option<Value>, Failure> {
        let question = self.question("one", path, api_version, query);
        self.memo.answer(question, || self.fetch(path, api_version, query)).await
    }

    /// Reads a resource again, bypassing the cache. Later [`read`](Self::read)s ask again as well.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn get(&self, path: &str, api_version: &str) -> Result<Option<Value>, Failure> {
        self.memo.forget_exactly(path);
        self.fetch(path, api_version, &[]).await
    }

    /// Reads all pages of a collection, at most once per run.
    ///
    /// # Errors
    /// As [`read`](Self::read); also if the parent does not exist.
    pub async fn list(&self, path: &str, api_version: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Failure> {
        let question = self.question("all", path, api_version, query);
        match self.memo.answer(question, || self.fetch_all(path, api_version, query)).await? {
            Some(Value::Array(items)) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }

    /// Drops cached answers for `path` and everything below it. Writes do this themselves.
    pub fn forget(&self, path: &str) {
        self.memo.forget(path);
    }

    /// Creates or replaces a resource and waits until it is finished. With `if_match`, the write succeeds only if the
    /// resource still has this ETag.
    ///
    /// # Errors
    /// Errors of the service, from the first answer or from the operation; KC4033 if the operation takes too long.
    pub async fn put(&self, path: &str, api_version: &str, body: &Value, if_match: Option<&str>) -> Result<Written, Failure> {
        self.write(Method::PUT, path, api_version, Some(body), if_match).await
    }

    /// Changes a resource and waits until it is finished. Which properties a PATCH may change depends on the type.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn patch(&self, path: &str, api_version: &str, body: &Value) -> Result<Written, Failure> {
        self.write(Method::PATCH, path, api_version, Some(body), None).await
    }

    /// Calls an action (`…/listKeys`) and waits for its result; null if it has none.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn post(&self, path: &str, api_version: &str, body: &Value) -> Result<Value, Failure> {
        Ok(self.write(Method::POST, path, api_version, Some(body).filter(|b| !b.is_null()), None).await?.body)
    }

    /// Calls an action that only reads (`…/listClusterUserCredential`). The answer is not cached, since it may be
    /// secret.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn action(&self, path: &str, api_version: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let reply = self.ask(Method::POST, self.url(path, api_version, query)?, Payload::Nothing, None, true).await?;
        self.accepted(&reply)?.json()
    }

    /// Deletes a resource and waits until it is gone. Returns whether it existed.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn delete(&self, path: &str, api_version: &str) -> Result<bool, Failure> {
        match self.write(Method::DELETE, path, api_version, None, None).await {
            // 204 means that the resource did not exist (ARM's contract).
            Ok(written) => Ok(written.status != 204),
            Err(Failure::Service(error)) if error.status == 404 && !NOT_ABSENCE.iter().any(|code| error.is(code)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Queries Resource Graph and returns the rows of all pages. Without `subscriptions` the query covers everything
    /// that the user may read in the tenant. The index lags behind writes by seconds to minutes.
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
            let mut page = self.accepted(&reply)?.json()?;
            // With the requested format this is an array, although the API description says object.
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
        self.accepted(&reply)?.json().map(Some)
    }

    async fn fetch_all(&self, path: &str, api_version: &str, query: &[(&str, &str)]) -> Result<Option<Value>, Failure> {
        let (mut items, mut next) = (Vec::new(), Some(self.url(path, api_version, query)?));
        for _ in 0..MOST_PAGES {
            let Some(url) = next.take() else { return Ok(Some(Value::Array(items))) };
            let reply = self.ask(Method::GET, url, Payload::Nothing, None, true).await?;
            let mut page = self.accepted(&reply)?.json()?;
            match page.get_mut("value").map(Value::take) {
                Some(Value::Array(more)) => items.extend(more),
                // A few old resource types answer with a bare array.
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
            if method == Method::DELETE && matches!(reply.status, 204 | 404) && reply.doubtful {
                // An earlier try got no clear answer, and now the resource is gone: that try deleted it.
                return Ok(Written { status: 200, body: Value::Null });
            }
            let status = self.accepted(&reply)?.status;
            let body = self.finish(&method, &url, reply).await?;
            Ok(Written { status, body })
        };
        let outcome = outcome.await;
        // Also after a failure: the service may have acted.
        if !reads {
            self.memo.written(path);
        }
        outcome
    }

    fn question(&self, what: &str, path: &str, api_version: &str, query: &[(&str, &str)]) -> Question {
        let rest = format!("{what} {api_version} {query:?}");
        Question { tenant: self.tenant.as_deref().map(str::to_lowercase), path: normal(path), rest }
    }
}

fn not_https(cloud: &Cloud, endpoint: &str) -> Problem {
    Problem::new(Kind::Usage, "KC2103", format!("cloud {} has the endpoint `{endpoint}`, which is not an https:// URL", cloud.name))
        .fix(format!("az cloud show --name {}", cloud.name))
}

fn endless(what: &str) -> Failure {
    Problem::new(Kind::Failed, "KC4036", format!("{what} has too many pages")).why(format!("there are more than {MOST_PAGES} pages")).into()
}

#[cfg(test)]
mod tests;
