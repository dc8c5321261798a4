//! One HTTP client for all Azure hosts: it identifies itself, allows only HTTPS, retries what may be repeated, and
//! logs requests and answers without secrets.

use std::error::Error as _;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Method, Url};
use serde_json::Value;

use super::retry::{self, Outcome};
use super::{Failure, ServiceError, Token};
use crate::clock;
use crate::model::mask;
use crate::model::{Event, Events, Kind, Problem, Result};
use crate::sys;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// ARM ends a provider's call after 60 s with a 504 (ARM RPC), so a longer wait is useless.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Shorter waits are not reported to the user.
const WORTH_SAYING: Duration = Duration::from_secs(1);

/// A client for Azure's public hosts: HTTPS only; no redirects, since a redirect would send the token to another
/// host; with the system's trust store and the CA certificates from `REQUESTS_CA_BUNDLE`, which users set for az.
///
/// # Errors
/// KC4030 if no client can be built with the machine's TLS or proxy settings.
pub(crate) fn client(events: &Events) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT);
    // The trust store reads SSL_CERT_FILE itself, but none of the libraries reads the variable that az uses.
    if let (Some(path), None) = (sys::var("REQUESTS_CA_BUNDLE"), sys::var("SSL_CERT_FILE")) {
        let read = std::fs::read(&path).map_err(|e| e.to_string());
        match read.and_then(|pem| reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| e.to_string())) {
            Ok(certificates) => {
                tracing::debug!(target: "connect::http", path, count = certificates.len(), "trusting the certificates of REQUESTS_CA_BUNDLE");
                builder = builder.tls_certs_merge(certificates);
            }
            Err(why) => events.say(Event::Warning(format!("REQUESTS_CA_BUNDLE={path} can't be used: {why}"))),
        }
    }
    builder.build().map_err(|e| {
        Problem::new(Kind::Failed, "KC4030", "can't set up HTTPS on this machine")
            .why(chain(&e))
            .fix("install the system's CA certificates, or point SSL_CERT_FILE at a file with those to trust; check HTTPS_PROXY")
    })
}

/// Body of a request.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Nothing,
    Json(Value),
    Form(Vec<(&'static str, String)>),
}

/// One request.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) token: Option<&'a Token>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: Payload,
    /// The request changes nothing, whatever its method: it may be repeated.
    pub(crate) reads: bool,
    /// Don't read the body of a success: it is not needed and may be secret.
    pub(crate) only_status: bool,
}

impl Call<'_> {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Call { method, url, token: None, headers: Vec::new(), payload: Payload::Nothing, reads: false, only_status: false }
    }

    fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }
}

/// The service's answer, which may be an error.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// An earlier try may have acted although its answer was lost or an error.
    pub(crate) doubtful: bool,
}

impl Reply {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim).filter(|v| !v.is_empty())
    }

    pub(crate) fn error(&self) -> ServiceError {
        ServiceError::parse(self.status, &self.headers, &self.body)
    }

    /// The body as JSON; null if it is empty.
    pub(crate) fn json(&self) -> Result<Value, Failure> {
        let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        serde_json::from_slice(body).map_err(|e| {
            let why = format!("HTTP {} with a body that is not JSON: {e}; a proxy may have answered in place of Azure", self.status);
            let problem = Problem::new(Kind::Failed, "KC4031", "Azure's answer can't be parsed").why(why);
            Failure::Problem(match self.header("x-ms-request-id") {
                Some(id) => problem.request(format!("request {id}")),
                None => problem,
            })
        })
    }
}

/// The HTTP client, with the receiver of wait messages.
#[derive(Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    events: Events,
    user_agent: String,
}

impl Http {
    pub(crate) fn over(client: reqwest::Client, events: Events) -> Http {
        let user_agent = format!("kubectl-connect/{} ({}/{})", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
        Http { client, events, user_agent }
    }

    pub(crate) fn with_events(&self, events: &Events) -> Http {
        Http { events: events.clone(), ..self.clone() }
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Sends a request, and repeats it as the rules of [`retry`] allow. Error answers are returned as replies.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let (mut doubtful, mut tries, began) = (false, 0, Instant::now());
        loop {
            tries += 1;
            let result = self.once(call).await;
            let (wait, why) = match &result {
                Ok(reply) if reply.status < 400 => (None, String::new()),
                Ok(reply) => {
                    let error = reply.error();
                    let retry_after = retry::retry_after(&reply.headers, clock::now());
                    let outcome = Outcome::Refused { status: reply.status, code: &error.code, retry_after };
                    (retry::wait_before_next(&call.method, call.reads, outcome, tries), format!("HTTP {} {}", reply.status, error.code))
                }
                Err(Lost { outcome: Some(outcome), failure }) => {
                    let why = match failure {
                        Failure::Network { message, .. } => message.clone(),
                        _ => String::new(),
                    };
                    (retry::wait_before_next(&call.method, call.reads, *outcome, tries), why)
                }
                Err(_) => (None, String::new()),
            };
            let Some(wait) = wait else {
                return result.map(|reply| Reply { doubtful, ..reply }).map_err(|lost| lost.failure);
            };
            doubtful |= match &result {
                Ok(reply) => matches!(reply.status, 408 | 500 | 502 | 504),
                Err(lost) => !matches!(lost.outcome, Some(Outcome::NotSent)),
            };
            tracing::debug!(target: "connect::http", tries, ms = wait.as_millis(), why, "asking again");
            if wait < WORTH_SAYING {
                clock::rest(wait).await;
                continue;
            }
            let asked = if result.as_ref().is_ok_and(|r| r.headers.contains_key(RETRY_AFTER)) { ", as the service requested" } else { "" };
            let since = if tries > 1 { format!(", {} s since the first try", began.elapsed().as_secs()) } else { String::new() };
            let note = format!("waiting {} s for {}{asked} ({why}){since}", wait.as_secs(), call.host());
            drop(result);
            clock::announced(&self.events, note, wait).await;
        }
    }

    async fn once(&self, call: &Call<'_>) -> Result<Reply, Lost> {
        let mut request = self.client.request(call.method.clone(), call.url.clone()).headers(self.headers(call).map_err(Lost::for_good)?);
        request = match &call.payload {
            // hyper omits the length if there is no body, and IIS rejects a POST without a length with 411.
            Payload::Nothing if call.method == Method::POST => request.header(CONTENT_LENGTH, 0),
            Payload::Nothing => request,
            Payload::Json(body) => request.json(body),
            Payload::Form(fields) => request.form(fields),
        };
        let (began, shown) = (Instant::now(), shown_url(&call.url));
        self.trace_request(call, &shown);
        let answer = async {
            let response = request.send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = if call.only_status && response.status().is_success() { Vec::new() } else { response.bytes().await?.to_vec() };
            Ok(Reply { status, headers, body, doubtful: false })
        };
        let answer = answer.await.map_err(|e: reqwest::Error| lost(call, e));
        let ms = began.elapsed().as_millis();
        match &answer {
            Ok(reply) => {
                let request_id = reply.header("x-ms-request-id").unwrap_or("-");
                tracing::debug!(target: "connect::http", "{} {shown} {} {ms} ms {request_id}", call.method, reply.status);
                trace_reply(call, reply);
            }
            Err(lost) => tracing::debug!(target: "connect::http", "{} {shown} {ms} ms: {:?}", call.method, lost.failure),
        }
        answer
    }

    fn headers(&self, call: &Call<'_>) -> Result<HeaderMap, Failure> {
        let bad = |name: &str| {
            Failure::Problem(
                Problem::new(Kind::Failed, "KC4032", format!("the header {name} can't be sent"))
                    .why("its value contains a character that is not allowed in headers"),
            )
        };
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_str(&self.user_agent).map_err(|_| bad("User-Agent"))?);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in &call.headers {
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(name))?;
            headers.insert(header, HeaderValue::from_str(value).map_err(|_| bad(name))?);
        }
        if let Some(token) = call.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.secret())).map_err(|_| bad("Authorization"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    fn trace_request(&self, call: &Call<'_>, shown: &str) {
        if tracing::enabled!(target: "connect::http", tracing::Level::TRACE) {
            let headers: Vec<String> = call.headers.iter().map(|(name, value)| mask::header(name, value)).collect();
            tracing::trace!(target: "connect::http", "> {} {shown} [{}]", call.method, headers.join(", "));
        }
        if tracing::enabled!(target: "connect::body", tracing::Level::TRACE) {
            let body = match &call.payload {
                Payload::Nothing => return,
                Payload::Json(_) if holds_secrets(call) => "(hidden)".into(),
                Payload::Json(body) => mask::json(body).to_string(),
                Payload::Form(fields) => fields.iter().map(|(name, value)| mask::header(name, value)).collect::<Vec<_>>().join("&"),
            };
            tracing::trace!(target: "connect::body", "> {body}");
        }
    }
}

/// Whether bodies may hold secrets in fields of any name: answers of listKeys and similar actions, and vault secrets.
fn holds_secrets(call: &Call<'_>) -> bool {
    let path = call.url.path().to_ascii_lowercase();
    let lists = call.method == Method::POST && path.rsplit('/').next().is_some_and(|last| last.starts_with("list"));
    lists || path.contains("/secrets/")
}

fn trace_reply(call: &Call<'_>, reply: &Reply) {
    if tracing::enabled!(target: "connect::http", tracing::Level::TRACE) {
        let headers: Vec<String> =
            reply.headers.iter().map(|(name, value)| mask::header(name.as_str(), value.to_str().unwrap_or("?"))).collect();
        tracing::trace!(target: "connect::http", "< {} [{}]", reply.status, headers.join(", "));
    }
    if tracing::enabled!(target: "connect::body", tracing::Level::TRACE) && !reply.body.is_empty() {
        let body = match serde_json::from_slice::<Value>(&reply.body) {
            Ok(value) if !holds_secrets(call) => mask::json(&value).to_string(),
            _ => format!("({} bytes)", reply.body.len()),
        };
        tracing::trace!(target: "connect::body", "< {body}");
    }
}

/// A URL for the log. Of the query only `api-version` is kept, because operation URLs have a signature in the query.
fn shown_url(url: &reqwest::Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    let mut shown = shown.to_string();
    let mut more = false;
    for (name, value) in url.query_pairs() {
        if name.eq_ignore_ascii_case("api-version") {
            shown.push_str(&format!("?api-version={value}"));
        } else {
            more = true;
        }
    }
    if more {
        shown.push('…');
    }
    shown
}

/// A request without an answer, and how it may be repeated.
struct Lost {
    outcome: Option<Outcome<'static>>,
    failure: Failure,
}

impl Lost {
    fn for_good(failure: Failure) -> Lost {
        Lost { outcome: None, failure }
    }
}

fn lost(call: &Call<'_>, error: reqwest::Error) -> Lost {
    let host = call.host();
    if error.is_builder() {
        let why = chain(&error.without_url());
        return Lost::for_good(Failure::Problem(Problem::new(Kind::Failed, "KC4032", format!("can't send a request to {host}")).why(why)));
    }
    let (not_sent, timed_out) = (error.is_connect(), error.is_timeout());
    let message = chain(&error.without_url());
    let outcome = match (not_sent, timed_out) {
        // A rejected certificate is rejected again: no retry.
        (true, _) if message.contains("certificate") => None,
        (true, _) => Some(Outcome::NotSent),
        (false, true) => Some(Outcome::TimedOut),
        (false, false) => Some(Outcome::Broken),
    };
    let changes = !call.reads && !matches!(call.method, Method::GET | Method::HEAD);
    Lost { outcome, failure: Failure::Network { host, message: mask::tokens(&message), timed_out, maybe_done: changes && !not_sent } }
}

/// The messages of an error and its causes, without repetitions.
fn chain(error: &reqwest::Error) -> String {
    let mut said = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !said.iter().any(|s| s.contains(&text)) {
            said.push(text);
        }
        source = error.source();
    }
    // The outermost message says only that sending failed.
    if said.len() > 1 { said[1..].join(": ") } else { said.concat() }
}

#[cfg(test)]
mod tests;
