//! Errors of requests to the API server, as values on which callers match; `explain` turns them into messages.
//!
//! This file evaluates response bodies itself: kube's helpers misread every answer that is not a `Status` (an unknown
//! kind is answered in plain text), and kube's error messages repeat whole bodies.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use serde_json::Value;

use super::resources::Resource;
use crate::model::{Kind, Problem};

/// Why a request did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// The API server refused the request.
    Status(Box<Status>),
    /// The cluster does not know this kind of object: its resource definition is not installed.
    NoSuchKind {
        /// Kind, as in manifests.
        kind: &'static str,
        /// `apiVersion`, as in manifests.
        api_version: String,
    },
    /// The API server did not answer.
    Unreachable {
        /// Host of the API server.
        host: String,
        /// What went wrong.
        why: Why,
        /// Whether the request was a write that may have taken effect nevertheless.
        may_have_happened: bool,
    },
    /// There are no usable credentials.
    Credentials(Problem),
    /// Any other error, as a message.
    Other(Problem),
}

/// Why there was no answer from the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The host refused the connection.
    Refused,
    /// The host name can't be resolved.
    Dns,
    /// No connection within the time limit for connecting.
    ConnectTimeout,
    /// Connected, but no complete answer within the time limit.
    NoAnswer(Duration),
    /// One side does not accept the other's certificate; with the message of TLS.
    Certificate(String),
    /// The proxy refused or failed; with its message.
    Proxy(String),
    /// The connection broke before the answer.
    CutOff,
    /// Another error; with the innermost message.
    Other(String),
}

/// A refusal as the API server describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// The server's reason, like `AlreadyExists`; empty for some server-side failures.
    pub reason: String,
    /// The server's message.
    pub message: String,
    /// Details of the refusal.
    pub causes: Vec<Cause>,
    /// The time that the server asks to wait before a retry.
    pub retry_after: Option<Duration>,
    /// The attempted action: `reading deployments/web in namespace shop`.
    pub doing: String,
    /// Kind of the object, as the server names it; empty if the path itself is unknown.
    pub object_kind: String,
    /// Name of the object, if the server gives it.
    pub object_name: String,
    /// The credentials of the request; set for a 401 only.
    pub credential: Option<String>,
    /// Id of the request in the cluster's audit log.
    pub audit_id: Option<String>,
}

/// One detail of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// Path of the field.
    pub field: String,
    /// Why the text is invalid.
    pub message: String,
    /// Machine-readable reason, like `FieldManagerConflict`.
    pub reason: String,
}

impl Failure {
    /// The HTTP status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Failure::Status(status) => Some(status.code),
            Failure::NoSuchKind { .. } => Some(404),
            _ => None,
        }
    }

    /// The server's description of the refusal, if there is one.
    pub fn as_status(&self) -> Option<&Status> {
        match self {
            Failure::Status(status) => Some(status),
            _ => None,
        }
    }

    /// For a field conflict of an apply without force: the managers and their fields.
    pub fn is_conflict_of_managers(&self) -> Option<Vec<(String, String)>> {
        let status = self.as_status().filter(|s| s.code == 409)?;
        let held: Vec<_> = status
            .causes
            .iter()
            .filter(|c| c.reason == "FieldManagerConflict")
            .map(|c| (manager_in(&c.message), c.field.clone()))
            .collect();
        (!held.is_empty()).then_some(held)
    }

    /// Whether the object to be created already exists.
    pub fn is_already_exists(&self) -> bool {
        self.as_status().is_some_and(|s| s.code == 409 && s.reason == "AlreadyExists")
    }

    /// Whether somebody else changed the object meanwhile (resourceVersion or uid is outdated).
    pub fn is_stale(&self) -> bool {
        self.as_status().is_some_and(|s| s.code == 409 && s.reason == "Conflict") && self.is_conflict_of_managers().is_none()
    }

    /// Whether a permission is missing. Quota, admission and a namespace being deleted also answer 403, but do not
    /// count here.
    pub fn is_forbidden(&self) -> bool {
        self.as_status().is_some_and(|s| s.code == 403 && s.message.contains(" cannot "))
    }

    /// Whether the object or its namespace is absent.
    pub fn is_not_found(&self) -> bool {
        self.as_status().is_some_and(|s| s.code == 404)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Status(s) => write!(f, "{} ({} {})", s.message, s.code, s.reason),
            Failure::NoSuchKind { kind, api_version } => write!(f, "the cluster does not know the kind {kind} ({api_version})"),
            Failure::Unreachable { host, why, .. } => write!(f, "no answer from {host}: {why}"),
            Failure::Credentials(problem) | Failure::Other(problem) => problem.fmt(f),
        }
    }
}

impl StdError for Failure {}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Refused => f.write_str("connection refused"),
            Why::Dns => f.write_str("its name can't be resolved"),
            Why::ConnectTimeout => f.write_str("connecting timed out"),
            Why::NoAnswer(limit) => write!(f, "no answer within {} s", limit.as_secs()),
            Why::Certificate(text) => write!(f, "certificate not accepted: {text}"),
            Why::Proxy(text) => write!(f, "the proxy refused or failed: {text}"),
            Why::CutOff => f.write_str("the connection was cut off before the answer"),
            Why::Other(text) => f.write_str(text),
        }
    }
}

/// The manager's name: the quoted text in the message of a conflict.
fn manager_in(message: &str) -> String {
    let after = message.split_once('"').map_or(message, |(_, after)| after);
    after.rsplit_once('"').map_or(after, |(inside, _)| inside).replace("\\\"", "\"")
}

/// A request in words, for error messages.
#[derive(Clone, Debug)]
pub(crate) struct Doing {
    pub verb: &'static str,
    pub kind: Resource,
    pub namespace: Option<String>,
    pub name: Option<String>,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.kind.plural)?;
        if let Some(name) = &self.name {
            write!(f, "/{name}")?;
        }
        match &self.namespace {
            Some(namespace) if self.kind.namespaced => write!(f, " in namespace {namespace}"),
            _ => Ok(()),
        }
    }
}

/// Evaluates an answer with a status of 400 or above.
pub(crate) fn from_answer(doing: &Doing, host: &str, code: u16, body: &[u8], retry_after: Option<Duration>) -> Failure {
    let text = String::from_utf8_lossy(body);
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if value["kind"] == "Status" => from_status(doing, code, &value, retry_after),
        // The API server's answer to an unknown path: the kind is not installed.
        _ if code == 404 && text.trim() == "404 page not found" => no_such_kind(doing),
        // A gateway may answer 429, 401 or 5xx without knowing Kubernetes.
        _ if code == 429 || code >= 500 || code == 401 => {
            let message = if looks_like_html(&text) { format!("HTTP {code} from a gateway before the API server") } else { shorten(&text) };
            Failure::Status(Box::new(Status { code, message, retry_after, doing: doing.to_string(), ..Status::default() }))
        }
        _ => Failure::Other(not_kubernetes(host, code, &text)),
    }
}

pub(crate) fn from_status(doing: &Doing, code: u16, value: &Value, retry_after: Option<Duration>) -> Failure {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let details = &value["details"];
    let status = Status {
        code: value["code"].as_u64().and_then(|c| u16::try_from(c).ok()).filter(|c| *c != 0).unwrap_or(code),
        reason: text(&value["reason"]),
        message: text(&value["message"]),
        causes: details["causes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| Cause { field: text(&c["field"]), message: text(&c["message"]), reason: text(&c["reason"]) })
            .collect(),
        retry_after: retry_after.or_else(|| details["retryAfterSeconds"].as_u64().filter(|s| *s > 0).map(Duration::from_secs)),
        doing: doing.to_string(),
        object_kind: text(&details["kind"]),
        object_name: text(&details["name"]),
        credential: None,
        audit_id: None,
    };
    // The group exists but the kind does not: a NotFound that names neither a kind nor an object.
    if status.code == 404 && status.object_kind.is_empty() && status.object_name.is_empty() {
        return no_such_kind(doing);
    }
    Failure::Status(Box::new(status))
}

fn no_such_kind(doing: &Doing) -> Failure {
    Failure::NoSuchKind { kind: doing.kind.kind, api_version: doing.kind.api_version() }
}

/// An answer that no API server gives: from a captive portal, a gateway, or another service on that port.
pub(crate) fn not_kubernetes(host: &str, code: u16, text: &str) -> Problem {
    let seen = if looks_like_html(text) {
        match title(text) {
            Some(title) => format!("it answered {code} with a web page titled \"{title}\""),
            None => format!("it answered {code} with a web page"),
        }
    } else if text.trim().is_empty() {
        format!("it answered {code} with an empty body")
    } else {
        format!("it answered {code}: {}", shorten(text))
    };
    Problem::new(Kind::Failed, "KC3312", format!("{host} is not a Kubernetes API server"))
        .why(seen)
        .fix("kubectl get --raw /version   # must answer with JSON; a proxy or a network login page may stand in between")
}

fn looks_like_html(text: &str) -> bool {
    let start = text.trim_start().get(..15).unwrap_or(text).to_ascii_lowercase();
    start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<head")
}

fn title(html: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower.get(start..)?.find("</title>")?;
    Some(shorten(html.get(start..end)?.trim()))
}

/// Shortens a text to one line of at most 200 characters.
pub(crate) fn shorten(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    if line.chars().count() <= 200 { line } else { line.chars().take(200).chain(['…']).collect() }
}

/// Evaluates an error below HTTP by its chain of causes.
pub(crate) fn from_kube(doing: &Doing, host: &str, error: &kube::Error) -> Failure {
    // Only watches and commands in pods return a Status through kube; all other calls evaluate their answers
    // themselves.
    if let kube::Error::Api(status) = error {
        let value = serde_json::to_value(status.as_ref()).unwrap_or_default();
        let parsed = status.reason != "Failed to parse error data";
        return if parsed {
            from_status(doing, status.code, &value, None)
        } else {
            from_answer(doing, host, status.code, status.message.as_bytes(), None)
        };
    }
    let why = why(error);
    // A write may have taken effect only if the connection broke after the request was sent.
    let may_have_happened = matches!(why, Why::CutOff | Why::Other(_)) && doing.writes();
    Failure::Unreachable { host: host.into(), why, may_have_happened }
}

impl Doing {
    pub(crate) fn writes(&self) -> bool {
        !matches!(self.verb, "reading" | "listing" | "watching" | "asking for")
    }
}

fn why(error: &(dyn StdError + 'static)) -> Why {
    let links = chain(error);
    let texts: Vec<String> = links.iter().map(|link| link.to_string()).collect();
    let has = |needle: &str| texts.iter().any(|text| text.contains(needle));
    let io_kind = |kind: io::ErrorKind| links.iter().any(|link| link.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == kind));
    let tunnel = texts.iter().find(|text| text.starts_with("tunnel error") || text.starts_with("SOCKS error"));
    if let Some(tunnel) = tunnel {
        let inner = texts.last().filter(|last| *last != tunnel).map(|last| format!(" ({last})")).unwrap_or_default();
        return Why::Proxy(format!("{}{inner}", tunnel.split_once(": ").map_or(tunnel.as_str(), |(_, rest)| rest)));
    }
    if let Some(tls) = links.iter().find_map(|link| link.downcast_ref::<rustls::Error>()) {
        return Why::Certificate(tls.to_string());
    }
    if has("dns error") {
        return Why::Dns;
    }
    if io_kind(io::ErrorKind::ConnectionRefused) {
        return Why::Refused;
    }
    if has("deadline has elapsed") || (io_kind(io::ErrorKind::TimedOut) && has("(Connect)")) {
        return Why::ConnectTimeout;
    }
    if has("connection closed before message completed")
        || io_kind(io::ErrorKind::ConnectionReset)
        || io_kind(io::ErrorKind::UnexpectedEof)
        || io_kind(io::ErrorKind::BrokenPipe)
        || has("(SendRequest)")
        || has("error reading a body")
    {
        return Why::CutOff;
    }
    Why::Other(texts.last().map(|text| shorten(text)).unwrap_or_default())
}

/// The error and all its causes. `io::Error` does not expose the error that it wraps through `source`; TLS errors are
/// among those.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut links = vec![error];
    // The limit ends a circular chain; no real chain is that long.
    while links.len() < 24 {
        let last = links[links.len() - 1];
        let wrapped = last.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|inner| inner as &(dyn StdError + 'static));
        match wrapped.or_else(|| last.source()) {
            Some(next) => links.push(next),
            None => break,
        }
    }
    links
}

#[cfg(test)]
mod tests;
