//! What can go wrong between here and the API server, as values that callers match on; `explain` turns them into what
//! a person reads.
//!
//! Bodies are judged here and not by kube: its helpers read every answer that is no `Status` wrongly (a missing kind is
//! plain text), and its error texts repeat whole bodies.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use serde_json::Value;

use super::resources::Resource;
use crate::model::{Kind, Problem};

/// A request that did not do what it should.
#[derive(Debug)]
pub enum Failure {
    /// The API server said no.
    Status(Box<Status>),
    /// The cluster has no such kind of object: the resource definition is not installed.
    NoSuchKind {
        /// Kind, as in manifests.
        kind: &'static str,
        /// `apiVersion`, as in manifests.
        api_version: String,
    },
    /// There was no answer of the API server.
    Unreachable {
        /// Host of the API server.
        host: String,
        /// What stood in the way.
        why: Why,
        /// Whether the request was a write that may have happened all the same.
        may_have_happened: bool,
    },
    /// There are no credentials to ask with.
    Credentials(Problem),
    /// Anything else, ready to be shown.
    Other(Problem),
}

/// What stood between us and the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The host refused the connection.
    Refused,
    /// The host's name is not known here.
    Dns,
    /// No connection within the limit for connecting.
    ConnectTimeout,
    /// Connected, but no whole answer within the limit.
    NoAnswer(Duration),
    /// The server's certificate is not accepted, or it does not accept ours; with TLS's own words.
    Certificate(String),
    /// The proxy stood in the way; with its words.
    Proxy(String),
    /// The connection was cut off before the answer.
    CutOff,
    /// Something else; with the innermost words.
    Other(String),
}

/// The API server's own account of a refused request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// The server's reason, like `AlreadyExists`; empty for some server-side failures.
    pub reason: String,
    /// The server's message.
    pub message: String,
    /// What exactly was wrong.
    pub causes: Vec<Cause>,
    /// How long the server asks to wait before trying again.
    pub retry_after: Option<Duration>,
    /// What was being done: `reading deployments/web in namespace shop`.
    pub doing: String,
    /// Kind of the object in question, as the server names it; empty where the path itself is unknown.
    pub object_kind: String,
    /// Name of the object in question, as far as the server names it.
    pub object_name: String,
    /// What the request was signed in with, told for 401 only.
    pub credential: Option<String>,
    /// Id under which the cluster's audit log has the request.
    pub audit_id: Option<String>,
}

/// One detail of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// Path of the field.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
    /// Machine-readable reason, like `FieldManagerConflict`.
    pub reason: String,
}

impl Failure {
    /// The HTTP status of the answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Failure::Status(status) => Some(status.code),
            Failure::NoSuchKind { .. } => Some(404),
            _ => None,
        }
    }

    /// The server's account, where there is one.
    pub fn as_status(&self) -> Option<&Status> {
        match self {
            Failure::Status(status) => Some(status),
            _ => None,
        }
    }

    /// The managers and their fields that an apply without force ran into.
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

    /// Whether the object that was to be created is there already.
    pub fn is_already_exists(&self) -> bool {
        self.as_status().is_some_and(|s| s.code == 409 && s.reason == "AlreadyExists")
    }

    /// Whether someone else wrote the object in the meantime (resourceVersion or uid no longer true).
    pub fn is_stale(&self) -> bool {
        self.as_status().is_some_and(|s| s.code == 409 && s.reason == "Conflict") && self.is_conflict_of_managers().is_none()
    }

    /// Whether a right is missing. Quota, admission and a namespace on its way out answer 403 as well and are not meant.
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
            Failure::NoSuchKind { kind, api_version } => write!(f, "the cluster knows no {kind} ({api_version})"),
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
            Why::ConnectTimeout => f.write_str("no connection in time"),
            Why::NoAnswer(limit) => write!(f, "no answer within {} s", limit.as_secs()),
            Why::Certificate(text) => write!(f, "certificate not accepted: {text}"),
            Why::Proxy(text) => write!(f, "the proxy stood in the way: {text}"),
            Why::CutOff => f.write_str("the connection was cut off before the answer"),
            Why::Other(text) => f.write_str(text),
        }
    }
}

/// The manager's name, which stands in quotes in a conflict's message and nowhere else.
fn manager_in(message: &str) -> String {
    let after = message.split_once('"').map_or(message, |(_, after)| after);
    after.rsplit_once('"').map_or(after, |(inside, _)| inside).replace("\\\"", "\"")
}

/// One request, for telling what was done when it fails.
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

/// Judges an answer with a status of 400 and above.
pub(crate) fn from_answer(doing: &Doing, host: &str, code: u16, body: &[u8], retry_after: Option<Duration>) -> Failure {
    let text = String::from_utf8_lossy(body);
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if value["kind"] == "Status" => from_status(doing, code, &value, retry_after),
        // The router's answer to an unknown path: the whole kind is missing.
        _ if code == 404 && text.trim() == "404 page not found" => no_such_kind(doing),
        // A gateway may say "slow down" or "come back" without knowing Kubernetes.
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
    // The group is there, the kind is not: a NotFound that names neither a kind nor an object.
    if status.code == 404 && status.object_kind.is_empty() && status.object_name.is_empty() {
        return no_such_kind(doing);
    }
    Failure::Status(Box::new(status))
}

fn no_such_kind(doing: &Doing) -> Failure {
    Failure::NoSuchKind { kind: doing.kind.kind, api_version: doing.kind.api_version() }
}

/// An answer that no API server gives: a captive portal, a gateway, another service on that port.
pub(crate) fn not_kubernetes(host: &str, code: u16, text: &str) -> Problem {
    let seen = if looks_like_html(text) {
        match title(text) {
            Some(title) => format!("it answered {code} with a web page titled \"{title}\""),
            None => format!("it answered {code} with a web page"),
        }
    } else if text.trim().is_empty() {
        format!("it answered {code} with nothing")
    } else {
        format!("it answered {code}: {}", shorten(text))
    };
    Problem::new(Kind::Failed, "KC3312", format!("what answers at {host} is not a Kubernetes API server"))
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

/// One line of at most 200 characters.
pub(crate) fn shorten(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    if line.chars().count() <= 200 { line } else { line.chars().take(200).chain(['…']).collect() }
}

/// Judges an error from below HTTP by walking what it was made of.
pub(crate) fn from_kube(doing: &Doing, host: &str, error: &kube::Error) -> Failure {
    // Only a watch and a command come here with a Status: everything else reads its own answers.
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
    // Refused before anything was sent, or cut off after: only the latter may have happened.
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

/// The error and everything under it. An `io::Error` hides what it wraps from `source`, TLS errors among it.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut links = vec![error];
    // No chain is that long: this ends one that bites its own tail.
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
