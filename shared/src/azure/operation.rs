//! Long-running operations: when a write is finished, by the rules of ARM's contract (Azure/azure-resource-manager-rpc,
//! async-api-reference) and by what recorded services really send (`facts/arm.md`, section 4).
//!
//! What an answer means is decided by pure functions; the loop below them only asks and waits.

use std::time::{Duration, Instant};

use reqwest::{Method, Url};
use serde_json::Value;

use super::arm::Arm;
use super::http::{Payload, Reply};
use super::{Failure, ServiceError, retry};
use crate::model::{Kind, Problem};
use crate::sys;

/// First wait when the service names none; grows to [`SLOWEST`].
const QUICKEST: Duration = Duration::from_millis(500);
const SLOWEST: Duration = Duration::from_secs(10);

/// How many polls in a row, each repeated by the client already, may fail before the operation is given up. It goes on
/// without us, and a minute without network must not look like its failure.
const PATIENCE: u32 = 5;

/// What an answer of a service consists of, for deciding.
pub(crate) struct Look<'a> {
    pub(crate) status: u16,
    /// `Azure-AsyncOperation`, or `Operation-Location`, which newer services send instead.
    pub(crate) operation: Option<&'a str>,
    pub(crate) location: Option<&'a str>,
    pub(crate) body: &'a Value,
}

/// What to ask for news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// An operation with a `status`; `location` has the result of an action.
    Operation { url: String, location: Option<String> },
    /// A URL that answers 202 until the work is done.
    Location { url: String },
    /// The resource itself, by its `provisioningState`.
    Resource,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Finished; the answer's body is the result.
    Done,
    /// Finished; the resource has to be read.
    DoneReadResource,
    /// Finished; the result is there.
    DoneReadAt(String),
    /// Not finished.
    Wait(Watch),
    /// Ended badly, with this word.
    Failed(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Good,
    Bad,
    Running,
}

/// Three words end an operation, in any case; services invent others on the way (terraform-provider-azurerm 28878).
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

/// What the first, successful answer to a write means.
pub(crate) fn begun(method: &Method, look: &Look<'_>) -> Next {
    if let Some(url) = look.operation {
        return Next::Wait(Watch::Operation { url: url.into(), location: look.location.map(Into::into) });
    }
    match (look.status, look.location) {
        // A Location beside 200 or 201 often names the resource itself (identities): only 202 makes it an operation.
        (202, Some(url)) => Next::Wait(Watch::Location { url: url.into() }),
        (202, None) if *method == Method::POST => Next::Done,
        (202, None) => Next::Wait(Watch::Resource),
        _ if *method == Method::POST || *method == Method::DELETE => Next::Done,
        _ => by_state(look.body),
    }
}

/// What an answer of the watched URL means. `error` statuses included.
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
            // The next answer may name a new place to ask.
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
/// `status` is `Approved` or `Rejected` (recorded): such an answer is judged by its state alone.
fn watches_itself(watch: &Watch, resource: &Url, operation: &Url) -> bool {
    matches!(watch, Watch::Operation { .. }) && operation.path().eq_ignore_ascii_case(resource.path())
}

/// The wait before the next poll: what the service asks for, exactly, or else a little longer each time.
fn pause(asked: Option<Duration>, polls: u32) -> Duration {
    asked.unwrap_or_else(|| QUICKEST.saturating_mul(2_u32.saturating_pow(polls.min(10))).min(SLOWEST))
}

fn look<'a>(reply: &'a Reply, body: &'a Value) -> Look<'a> {
    let operation = reply.header("azure-asyncoperation").or_else(|| reply.header("operation-location"));
    Look { status: reply.status, operation, location: reply.header("location"), body }
}

impl Arm {
    /// Follows a write to `resource` from its first answer to its end; the finished resource or the action's result.
    pub(crate) async fn finish(&self, method: &Method, resource: &Url, first: Reply) -> Result<Value, Failure> {
        let began = Instant::now();
        let mut body = first.json()?;
        let mut next = begun(method, &look(&first, &body));
        let (mut reply, mut polls, mut patience) = (first, 0, PATIENCE);
        loop {
            let watch = match next {
                Next::Done => return Ok(body),
                Next::DoneReadResource => return self.result(resource.clone()).await,
                Next::DoneReadAt(url) => return self.result(self.own_url(&url)?).await,
                // A PUT that ends at once with a failed state has its reason in the body, if anywhere.
                Next::Failed(word) => return Err(failed(&reply, &body, &word)),
                Next::Wait(watch) => watch,
            };
            let url = match &watch {
                Watch::Operation { url, .. } | Watch::Location { url } => self.own_url(url)?,
                Watch::Resource => resource.clone(),
            };
            let itself = watches_itself(&watch, resource, &url);
            let wait = pause(retry::retry_after(&reply.headers, sys::now()), polls);
            if began.elapsed() + wait > self.limit() {
                return Err(too_long(method, resource, self.limit(), self.correlation_id()).into());
            }
            tokio::time::sleep(wait).await;
            polls += 1;
            // Asks for the token each time, so that a long operation does not outlive it.
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
                // Stay with the URL that the service gave.
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

fn too_long(method: &Method, resource: &Url, limit: Duration, correlation_id: &str) -> Problem {
    let doing = if *method == Method::DELETE { "deleting" } else { "writing" };
    Problem::new(Kind::TimedOut, "KC4033", format!("{doing} {} takes longer than {} minutes", resource.path(), limit.as_secs() / 60))
        .why("the service has not reported an end; the operation goes on there")
        .fix("run the same command again: it continues where this one stopped")
        .request(format!("correlation {correlation_id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::testing::{Service, told};
    use serde_json::json;

    const PATH: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.X/things/t";

    fn seen<'a>(status: u16, operation: Option<&'a str>, location: Option<&'a str>, body: &'a Value) -> Look<'a> {
        Look { status, operation, location, body }
    }

    #[test]
    fn the_first_answer_tells_what_to_watch() {
        let (none, creating, ready) = (
            Value::Null,
            json!({"properties": {"provisioningState": "Creating"}}),
            json!({"properties": {"provisioningState": "Succeeded"}}),
        );
        let failed = json!({"properties": {"provisioningState": "Failed"}});
        let operation = |l: Option<&str>| Next::Wait(Watch::Operation { url: "A".into(), location: l.map(Into::into) });
        let location = Next::Wait(Watch::Location { url: "L".into() });
        let resource = Next::Wait(Watch::Resource);
        for (method, look, expected) in [
            (Method::PUT, seen(201, Some("A"), None, &creating), operation(None)),
            (Method::PUT, seen(202, Some("A"), Some("L"), &none), operation(Some("L"))),
            (Method::DELETE, seen(202, None, Some("L"), &none), location.clone()),
            (Method::PUT, seen(202, None, Some("L"), &none), location),
            // Identities: 201 with a Location that names the identity.
            (Method::PUT, seen(201, None, Some(PATH), &json!({"id": "x"})), Next::Done),
            (Method::PUT, seen(201, None, None, &creating), resource.clone()),
            (Method::PUT, seen(200, None, None, &ready), Next::Done),
            (Method::PUT, seen(200, None, None, &failed), Next::Failed("Failed".into())),
            (Method::PUT, seen(202, None, None, &none), resource.clone()),
            (Method::DELETE, seen(202, None, None, &none), resource),
            (Method::DELETE, seen(204, None, None, &none), Next::Done),
            (Method::DELETE, seen(200, None, None, &none), Next::Done),
            (Method::POST, seen(200, None, None, &creating), Next::Done),
        ] {
            assert_eq!(begun(&method, &look), expected, "{method} {} {:?}", look.status, look.location);
        }
    }

    #[test]
    fn only_three_words_end_an_operation() {
        let watch = Watch::Operation { url: "A".into(), location: Some("L".into()) };
        let of = |method: &Method, status: u16, body: Value| news(method, &watch, &seen(status, None, None, &body));
        for running in ["InProgress", "ProvisionControlPlane", "Accepted", "Enqueued", "", "Deleting"] {
            assert_eq!(of(&Method::PUT, 200, json!({"status": running})), Next::Wait(watch.clone()), "{running}");
        }
        assert_eq!(of(&Method::PUT, 202, Value::Null), Next::Wait(watch.clone()));
        assert_eq!(of(&Method::PUT, 200, json!({"status": "SUCCEEDED"})), Next::DoneReadResource);
        assert_eq!(of(&Method::POST, 200, json!({"status": "Succeeded"})), Next::DoneReadAt("L".into()));
        assert_eq!(of(&Method::DELETE, 200, json!({"status": "Succeeded"})), Next::Done);
        assert_eq!(of(&Method::DELETE, 404, Value::Null), Next::Done);
        assert_eq!(of(&Method::PUT, 404, Value::Null), Next::Failed(String::new()));
        for bad in ["failed", "Canceled", "Cancelled"] {
            assert_eq!(of(&Method::PUT, 200, json!({"status": bad})), Next::Failed(bad.into()));
        }
        let moved = news(&Method::PUT, &watch, &seen(200, Some("B"), None, &json!({"status": "Running"})));
        assert_eq!(moved, Next::Wait(Watch::Operation { url: "B".into(), location: Some("L".into()) }));
    }

    #[test]
    fn a_location_is_done_when_it_stops_saying_202() {
        let watch = Watch::Location { url: "L".into() };
        let of = |method: &Method, status: u16, location: Option<&str>| news(method, &watch, &seen(status, None, location, &Value::Null));
        assert_eq!(of(&Method::PUT, 202, Some("M")), Next::Wait(Watch::Location { url: "M".into() }));
        assert_eq!(of(&Method::PUT, 202, None), Next::Wait(watch.clone()));
        assert_eq!(of(&Method::PUT, 200, None), Next::DoneReadResource);
        for status in [200, 201, 204, 404] {
            assert_eq!(of(&Method::DELETE, status, None), Next::Done);
        }
        assert_eq!(of(&Method::POST, 200, None), Next::Done);
        assert_eq!(of(&Method::DELETE, 409, None), Next::Failed(String::new()));
    }

    #[test]
    fn polls_at_the_services_pace_or_quickly_at_first() {
        assert_eq!(pause(Some(Duration::from_secs(17)), 0), Duration::from_secs(17));
        assert_eq!(pause(Some(Duration::ZERO), 9), Duration::ZERO);
        let own: Vec<f64> = (0..7).map(|n| pause(None, n).as_secs_f64()).collect();
        assert_eq!(own, [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]);
    }

    #[tokio::test]
    async fn a_put_ends_with_the_finished_resource() {
        let operation = &[("azure-asyncoperation", "HOST/op/1?api-version=2016-03-30&t=1"), ("retry-after", "0")][..];
        let service = Service::telling([
            told(201, operation, json!({"properties": {"provisioningState": "Creating"}})),
            told(200, &[("retry-after", "0")], json!({"status": "InProgress"})),
            told(200, &[], json!({"status": "Succeeded"})),
            told(200, &[], json!({"id": PATH, "properties": {"provisioningState": "Succeeded"}})),
        ])
        .await;
        let written = service.arm().put(PATH, "v1", &json!({"a": 1}), Some("tag")).await.unwrap();
        assert_eq!((written.status, written.body["id"].as_str()), (201, Some(PATH)));
        assert_eq!(
            service.lines(),
            [
                format!("PUT {PATH}?api-version=v1"),
                "GET /op/1?api-version=2016-03-30&t=1".into(),
                "GET /op/1?api-version=2016-03-30&t=1".into(),
                format!("GET {PATH}?api-version=v1")
            ]
        );
        assert_eq!(service.seen()[0].headers["if-match"], "tag");
        assert!(!service.seen()[1].headers.contains_key("if-match"));
    }

    #[tokio::test]
    async fn a_failed_operation_is_the_services_error() {
        let service = Service::telling([
            told(202, &[("location", "/op/2"), ("azure-asyncoperation", "HOST/op/2"), ("retry-after", "0")], ""),
            told(200, &[("x-ms-request-id", "r")], json!({"status": "Failed", "error": {"code": "Conflict", "message": "no"}})),
        ])
        .await;
        let failure = service.arm().put(PATH, "v1", &json!({}), None).await.unwrap_err();
        assert!(failure.is("conflict"));
        assert_eq!(Problem::from(failure).request_ids(), Some("request r"));
    }

    #[tokio::test]
    async fn a_throttled_poll_is_no_end() {
        let throttled = || told(429, &[("retry-after", "0")], "");
        let mut script = vec![told(202, &[("location", "HOST/op"), ("retry-after", "0")], "")];
        script.extend((0..7).map(|_| throttled()));
        script.extend([told(200, &[], ""), told(200, &[], json!({"id": PATH}))]);
        let service = Service::telling(script).await;
        assert_eq!(service.arm().put(PATH, "v1", &json!({}), None).await.unwrap().body["id"], PATH);
    }

    #[tokio::test]
    async fn a_long_operation_outlives_its_token() {
        let expired = json!({"error": {"code": "ExpiredAuthenticationToken", "message": "m"}});
        let service = Service::telling([
            told(202, &[("location", "HOST/op"), ("retry-after", "0")], ""),
            told(401, &[], expired),
            told(200, &[], ""),
            told(200, &[], json!({"id": PATH})),
        ])
        .await;
        service.arm().put(PATH, "v1", &json!({}), None).await.unwrap();
        let tokens: Vec<_> = service.seen().iter().map(|s| s.headers["authorization"].to_str().unwrap().to_owned()).collect();
        assert_eq!(tokens, ["Bearer token-1", "Bearer token-1", "Bearer token-2", "Bearer token-2"]);
    }

    #[tokio::test]
    async fn deleting_ends_when_it_is_gone() {
        let service = Service::telling([told(202, &[("location", "HOST/op"), ("retry-after", "0")], ""), told(404, &[], "")]).await;
        assert!(service.arm().delete(PATH, "v1").await.unwrap());
        let absent = Service::telling([told(204, &[], "")]).await;
        assert!(!absent.arm().delete(PATH, "v1").await.unwrap());
        let unknown = Service::telling([told(404, &[], json!({"error": {"code": "ResourceNotFound", "message": "m"}}))]).await;
        assert!(!unknown.arm().delete(PATH, "v1").await.unwrap());
        let doubtful = Service::telling([told(504, &[], ""), told(404, &[], "")]).await;
        assert!(doubtful.arm().delete(PATH, "v1").await.unwrap(), "the first try did it");
    }

    #[tokio::test]
    async fn a_vaults_connection_that_is_its_own_operation_ends() {
        let service = Service::telling([
            told(
                200,
                &[
                    ("azure-asyncoperation", "HOST/subscriptions/s/resourcegroups/g/providers/Microsoft.X/things/t?api-version=v1&id=9"),
                    ("retry-after", "0"),
                ],
                json!({"properties": {"provisioningState": "Updating"}}),
            ),
            told(200, &[("retry-after", "0")], json!({"status": "Pending", "properties": {"provisioningState": "Updating"}})),
            told(200, &[], json!({"status": "Approved", "properties": {"provisioningState": "Succeeded"}})),
        ])
        .await;
        let written = service.arm().put(PATH, "v1", &json!({}), None).await.unwrap();
        assert_eq!((written.body["status"].as_str(), service.seen().len()), (Some("Approved"), 4));
    }

    #[tokio::test]
    async fn our_token_goes_to_no_other_host_and_our_patience_ends() {
        let elsewhere = Service::telling([told(202, &[("location", "https://evil.example/op")], "")]).await;
        let problem = Problem::from(elsewhere.arm().put(PATH, "v1", &json!({}), None).await.unwrap_err());
        assert_eq!((problem.code(), elsewhere.seen().len()), ("KC4035", 1));
        let slow = Service::telling([told(202, &[("location", "HOST/op"), ("retry-after", "120")], "")]).await;
        let problem = Problem::from(slow.arm().with_limit(Duration::from_secs(60)).put(PATH, "v1", &json!({}), None).await.unwrap_err());
        assert_eq!((problem.code(), problem.kind()), ("KC4033", Kind::TimedOut));
    }
}
