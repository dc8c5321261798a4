//! One call to the API server: time limit, sign-in, retries where they can help, and evaluation of the answer.

use std::time::{Duration, Instant};

use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use kube::client::Body;
use serde_json::Value;

use super::call::Call;
use super::connect::Cluster;
use super::error::{Failure, Status, Why, from_answer, from_kube, not_kubernetes};
use super::trace;
use crate::clock;

/// Maximum number of tries for a request that may be repeated.
const TRIES: u32 = 3;
/// Longest wait before the next try, whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl Cluster {
    /// Sends a call, and repeats it if it may be repeated and that can help.
    pub(crate) async fn send(&self, call: &Call) -> Result<Value, Failure> {
        let (mut tried, began) = (1, Instant::now());
        loop {
            let failure = match self.send_once(call).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            // The server rejects a 401 before it acts, so any request may be repeated after it.
            if failure.status() == Some(401) && tried == 1 && self.inner.sign_in.let_go().await {
                tried += 1;
                continue;
            }
            let Some(wait) = wait_before_next(&failure, tried).filter(|_| call.again && tried < TRIES) else {
                return Err(failure);
            };
            let since = if tried > 1 { format!(", {} s since the first try", began.elapsed().as_secs()) } else { String::new() };
            let note = format!("{failure}; trying again in {:.1} s{since}", wait.as_secs_f32());
            clock::announced(&self.inner.events, note, wait).await;
            tried += 1;
        }
    }

    async fn send_once(&self, call: &Call) -> Result<Value, Failure> {
        let request = self.request(call).await?;
        trace::headers(">", request.headers().iter());
        if let Some(body) = &call.body {
            trace::body(call, ">", body.to_string().as_bytes());
        }
        let started = Instant::now();
        let host = &self.inner.host;
        let answered = self
            .within(async {
                let response = self.inner.client.send(request).await?;
                let (head, body) = response.into_parts();
                Ok::<_, kube::Error>((head, body.collect_bytes().await?))
            })
            .await;
        let answered = match answered {
            Ok(answered) => answered,
            Err(Failure::Unreachable { host, why, .. }) => {
                trace::answer(&host, call, 0, started, "-");
                return Err(Failure::Unreachable { host, why, may_have_happened: call.doing.writes() });
            }
            Err(failure) => return Err(failure),
        };
        let (head, body) = answered.map_err(|error| {
            trace::answer(host, call, 0, started, "-");
            from_kube(&call.doing, host, &error)
        })?;
        let code = head.status.as_u16();
        let id = head.headers.get("audit-id").and_then(|v| v.to_str().ok()).unwrap_or("-");
        trace::answer(host, call, code, started, id);
        trace::headers("<", head.headers.iter());
        trace::body(call, "<", &body);
        if head.status.is_success() {
            return serde_json::from_slice::<Value>(&body)
                .ok()
                .filter(Value::is_object)
                .ok_or_else(|| Failure::Other(not_kubernetes(host, code, &String::from_utf8_lossy(&body))));
        }
        if head.status.is_redirection() || head.status.is_informational() {
            return Err(Failure::Other(not_kubernetes(host, code, &String::from_utf8_lossy(&body))));
        }
        let retry_after =
            head.headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok()).map(Duration::from_secs);
        let mut failure = self.signed(from_answer(&call.doing, host, code, &body, retry_after));
        if let Failure::Status(status) = &mut failure {
            status.audit_id = head.headers.get("audit-id").and_then(|v| v.to_str().ok()).map(Into::into);
        }
        Err(failure)
    }

    pub(crate) async fn request(&self, call: &Call) -> Result<Request<Body>, Failure> {
        let body = call.body.as_ref().map(|body| body.to_string().into_bytes());
        let mut request = Request::builder().method(call.method.clone()).uri(call.path.as_str()).header(ACCEPT, call.accept);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, call.content_type);
        }
        if let Some(header) = self.inner.sign_in.header().await.map_err(Failure::Credentials)? {
            request = request.header(AUTHORIZATION, header);
        }
        request.body(Body::from(body.unwrap_or_default())).map_err(|error| {
            Failure::Other(
                crate::model::Problem::new(crate::model::Kind::Failed, "KC3315", format!("{}: the request can't be built", call.doing))
                    .why(error.to_string()),
            )
        })
    }

    /// Runs a request under the time limit.
    pub(crate) async fn within<T>(&self, request: impl Future<Output = T>) -> Result<T, Failure> {
        let Some(limit) = self.inner.limit else { return Ok(request.await) };
        tokio::time::timeout(limit, request).await.map_err(|_| Failure::Unreachable {
            host: self.inner.host.clone(),
            why: Why::NoAnswer(limit),
            may_have_happened: false,
        })
    }

    /// Adds to a 401 which credentials the request was sent with.
    pub(crate) fn signed(&self, mut failure: Failure) -> Failure {
        if let Failure::Status(status) = &mut failure
            && status.code == 401
        {
            status.credential = Some(self.inner.sign_in.describe());
        }
        failure
    }
}

/// The wait before the next try; `None` if another try can't help.
fn wait_before_next(failure: &Failure, tried: u32) -> Option<Duration> {
    let own = Duration::from_millis(250) * 4_u32.saturating_pow(tried.saturating_sub(1));
    match failure {
        Failure::Status(status) => match status.code {
            429 | 502 | 503 | 504 => Some(status.retry_after.unwrap_or(own).max(own).min(LONGEST_WAIT)),
            500 if !is_judgement(status) => Some(own),
            _ => None,
        },
        Failure::Unreachable { why: Why::CutOff, .. } => Some(own),
        _ => None,
    }
}

/// Whether a 500 is a verdict on the request body (unknown field, wrong version) and not a temporary fault: such a
/// `Status` has no reason.
fn is_judgement(status: &Status) -> bool {
    status.reason.is_empty() && ["not declared in schema", "strconv", "typed patch"].iter().any(|text| status.message.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::resources::SECRET;

    #[test]
    fn queries_are_encoded() {
        let call = Call::read("listing", &SECRET, Some("shop"), None).query(&[("labelSelector", "a=b,c in (d)"), ("limit", "2")]);
        assert_eq!(call.path, "/api/v1/namespaces/shop/secrets?labelSelector=a%3Db%2Cc%20in%20%28d%29&limit=2");
    }
}
