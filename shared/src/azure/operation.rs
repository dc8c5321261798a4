//! Long-running operations: decides when a write is finished, by ARM's contract (Azure/azure-resource-manager-rpc,
//! async-api-reference) and by recorded behaviour of services.
//!
//! Pure functions decide what an answer means; the loop at the end of the file only asks and waits.

use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::Value;

use super::arm::Arm;
use super::http::{Payload, Reply};
use super::{Failure, ServiceError, retry};
use crate::clock::{self, Wait};
use crate::model::{Kind, Problem};

/// First wait if the service gives none. Waits grow up to [`SLOWEST`].
const QUICKEST: Duration = Duration::from_millis(500);
const SLOWEST: Duration = Duration::from_secs(10);

/// How many polls in a row may fail (each already repeated by the client) before this tool stops following the
/// operation. The operation itself continues, and a minute without network must not look like a failure of the
/// operation.
const PATIENCE: u32 = 5;

/// The parts of an answer on which the decision depends.
pub(crate) struct Look<'a> {
    pub(crate) status: u16,
    /// `Azure-AsyncOperation`, or `Operation-Location`, which newer services send instead.
    pub(crate) operation: Option<&'a str>,
    pub(crate) location: Option<&'a str>,
    pub(crate) body: &'a Value,
}

/// What to poll until an operation is finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// An operation with a `status`. `location` has the result of an action.
    Operation { url: String, location: Option<String> },
    /// A URL that answers 202 until the operation is finished.
    Location { url: String },
    /// The resource itself, by its `provisioningState`.
    Resource,
}

/// Meaning of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Finished; the answer's body is the result.
    Done,
    /// Finished; the resource must be read.
    DoneReadResource,
    /// Finished; the result is at this URL.
    DoneReadAt(String),
    /// Not finished.
    Wait(Watch),
    /// Failed, with this status.
    Failed(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Good,
    Bad,
    Running,
}

/// Classifies a status, ignoring case. Three statuses end an operation; services invent others for the time until
/// then (terraform-provider-azurerm 28878).
fn word(status: &str) -> Word {
    match status.to_ascii_lowercase().as_str() {
        "succeeded" => Word::Good,
        "failed" | "canceled" | "cancelled" => Word::Bad,
        _ => Word::Running,
    }
}

fn provisioning_state(body: &Value) -> Option<&str> {
    body.pointer("/properties/provisioningState").and_then(Value::as_str)
}

/// Meaning of the first, successful answer to a write.
pub(crate) fn begun(method: &Method, look: &Look<'_>) -> Next {
    if let Some(url) = look.operation {
        return Next::Wait(Watch::Operation { url: url.into(), location: look.location.map(Into::into) });
    }
    match (look.status, look.location) {
        // With 200 or 201, Location often names the resource itself (identities). Only 202 makes it an operation.
        (202, Some(url)) => Next::Wait(Watch::Location { url: url.into() }),
        (202, None) if *method == Method::POST => Next::Done,
        (202, None) => Next::Wait(Watch::Resource),
        _ if *method == Method::POST || *method == Method::DELETE => Next::Done,
        _ => by_state(look.body),
    }
}

/// Meaning of an answer from the polled URL, including error statuses.
pub(crate) fn news(method: &Method, watch: &Watch, look: &Look<'_>) -> Next {
    let deleting = *method == Method::DELETE;
    if look.status == 404 && deleting {
        return Next::Done;
    }
    if look.status >= 400 {
        return Next::Failed(String::new());
    }
    match watch {
        Watch::Operation { url, location } => {
            // The next answer may name a new URL to poll.
            let on = Watch::Operation {
                url: look.operation.unwrap_or(url).into(),
                location: look.location.map(Into::into).or_else(|| location.clone()),
            };
            if look.status == 204 {
                return ended(method, location);
            }
            let status = look.body.get("status").and_then(Value::as_str).filter(|s| !s.is_empty());
            match status.or_else(|| provisioning_state(look.body)) {
                Some(status) => match word(status) {
                    Word::Good => ended(method, location),
                    Word::Bad => Next::Failed(status.into()),
                    Word::Running => Next::Wait(on),
                },
                None => Next::Wait(on),
            }
        }
        Watch::Location { url } => match look.status {
            202 => Next::Wait(Watch::Location { url: look.location.unwrap_or(url).into() }),
            _ if *method == Method::PUT || *method == Method::PATCH => Next::DoneReadResource,
            _ => Next::Done,
        },
        Watch::Resource if deleting => match provisioning_state(look.body).map(word) {
            Some(Word::Bad) => Next::Failed(provisioning_state(look.body).unwrap_or_default().into()),
            _ => Next::Wait(Watch::Resource),
        },
        Watch::Resource => by_state(look.body),
    }
}

fn ended(method: &Method, location: &Option<String>) -> Next {
    match (method, location) {
        (&Method::PUT | &Method::PATCH, _) => Next::DoneReadResource,
        (&Method::POST, Some(url)) => Next::DoneReadAt(url.clone()),
        _ => Next::Done,
    }
}

fn by_state(body: &Value) -> Next {
    match provisioning_state(body) {
        None => Next::Done,
        Some(state) => match word(state) {
            Word::Good => Next::Done,
            Word::Bad => Next::Failed(state.into()),
            Word::Running => Next::Wait(Watch::Resource),
        },
    }
}

/// Key Vault's private endpoint connections name the resource itself, with a longer query, as the operation, and its
/// `status` is `Approved` or `Rejected` (recorded). Such an answer is judged by `provisioningState` only.
fn watches_itself(watch: &Watch, resource: &Url, operation: &Url) -> bool {
    matches!(watch, Watch::Operation { .. }) && operation.path().eq_ignore_ascii_case(resource.path())
}

/// The wait before the next poll: exactly what the service asks for, otherwise a growing time.
fn pause(asked: Option<Duration>, polls: u32) -> Duration {
    asked.unwrap_or_else(|| QUICKEST.saturating_mul(2_u32.saturating_pow(polls.min(10))).min(SLOWEST))
}

fn look<'a>(reply: &'a Reply, body: &'a Value) -> Look<'a> {
    let operation = reply.header("azure-asyncoperation").or_else(|| reply.header("operation-location"));
    Look { status: reply.status, operation, location: reply.header("location"), body }
}

impl Arm {
    /// Follows a write to `resource` from its first answer to its end. Returns the finished resource or the action's
    /// result.
    pub(crate) async fn finish(&self, method: &Method, resource: &Url, first: Reply) -> Result<Value, Failure> {
        let name = resource.path().rsplit('/').next().unwrap_or_default();
        let mut waiting = Wait::new(self.events(), resource.path(), format!("waiting for Azure to finish {} {name}", doing(method)));
        let mut body = first.json()?;
        let mut next = begun(method, &look(&first, &body));
        let (mut reply, mut polls, mut patience) = (first, 0, PATIENCE);
        loop {
            let watch = match next {
                Next::Done => return Ok(body),
                Next::DoneReadResource => return self.result(resource.clone()).await,
                Next::DoneReadAt(url) => return self.result(self.own_url(&url)?).await,
                // A PUT that fails at once has its reason in the body, if anywhere.
                Next::Failed(word) => return Err(failed(&reply, &body, &word)),
                Next::Wait(watch) => watch,
            };
            let url = match &watch {
                Watch::Operation { url, .. } | Watch::Location { url } => self.own_url(url)?,
                Watch::Resource => resource.clone(),
            };
            let itself = watches_itself(&watch, resource, &url);
            let wait = pause(retry::retry_after(&reply.headers, clock::now()), polls);
            if waiting.elapsed() + wait > self.limit() {
                return Err(too_long(method, resource, self.limit(), self.correlation_id()).into());
            }
            waiting.pause(wait).await;
            polls += 1;
            // Gets the token anew for each poll, since a long operation may outlive a token.
            let answer = self.ask(Method::GET, url, Payload::Nothing, None, true).await;
            if patience > 0 && is_hiccup(&answer) {
                patience -= 1;
                next = Next::Wait(watch);
                continue;
            }
            (reply, patience) = (answer?, PATIENCE);
            body = if reply.is_success() { reply.json()? } else { Value::Null };
            let judged = if itself && *method != Method::DELETE { Watch::Resource } else { watch.clone() };
            next = match news(method, &judged, &look(&reply, &body)) {
                // Keep polling the URL that the service gave.
                Next::Wait(Watch::Resource) if itself => Next::Wait(watch),
                Next::Done if itself => Next::DoneReadResource,
                other => other,
            };
        }
    }

    async fn result(&self, url: Url) -> Result<Value, Failure> {
        let reply = self.ask(Method::GET, url, Payload::Nothing, None, true).await?;
        self.accepted(&reply)?.json()
    }
}

/// Whether a poll failed in a way that says nothing about the operation.
fn is_hiccup(answer: &Result<Reply, Failure>) -> bool {
    match answer {
        Ok(reply) => matches!(reply.status, 408 | 429 | 500 | 502 | 503 | 504),
        Err(Failure::Network { .. }) => true,
        Err(_) => false,
    }
}

fn failed(reply: &Reply, body: &Value, word: &str) -> Failure {
    if reply.is_success() { ServiceError::of_operation(reply.status, &reply.headers, body, word).into() } else { reply.error().into() }
}

fn doing(method: &Method) -> &'static str {
    if *method == Method::DELETE { "deleting" } else { "writing" }
}

fn too_long(method: &Method, resource: &Url, limit: Duration, correlation_id: &str) -> Problem {
    Problem::new(
        Kind::TimedOut,
        "KC4033",
        format!("{} {} takes longer than {} minutes", doing(method), resource.path(), limit.as_secs() / 60),
    )
    .why("the service has not reported the end of the operation, which continues there")
    .fix("run the same command again: it continues where this one stopped")
    .request(format!("correlation {correlation_id}"))
}

#[cfg(test)]
mod tests;
