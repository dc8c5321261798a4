//! Decides whether and when a request is repeated. Pure; the HTTP client does the waiting.
//!
//! A write is repeated only if that can't do it twice. PUT and DELETE name their resource; a POST does not, so it is
//! repeated only if the service said that it had not begun (429, 503) or if the request was never sent.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderMap;

use super::Failure;
use crate::clock::Wait;

/// Longest single wait. A longer one is split, so that the user sees progress.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Error code of the identity service for concurrent writes under one identity (Entra docs: federation
/// considerations; terraform and pulumi serialise these writes).
const CONCURRENT_CREDENTIALS: &str = "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity";

/// How one try of a request failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome<'a> {
    /// The service answered with an error.
    Refused { status: u16, code: &'a str, retry_after: Option<Duration> },
    /// The request was never sent.
    NotSent,
    /// The connection broke; the service may have acted.
    Broken,
    /// No answer in time; the service may have acted.
    TimedOut,
}

/// The wait before the next try; `None` if there is none. `tries` counts the tries so far. `reads`: the request
/// changes nothing, whatever its method.
pub(crate) fn wait_before_next(method: &Method, reads: bool, outcome: Outcome<'_>, tries: u32) -> Option<Duration> {
    let repeatable = reads || matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE);
    let backoff = Duration::from_millis(300 * 2_u64.pow(tries.clamp(1, 8) - 1));
    let (limit, wait) = match outcome {
        Outcome::Refused { status: 429, retry_after, .. } => (5, retry_after.unwrap_or(Duration::from_secs(2_u64.pow(tries.clamp(1, 5))))),
        Outcome::Refused { status: 409, code, .. } if code.eq_ignore_ascii_case(CONCURRENT_CREDENTIALS) => {
            (5, Duration::from_secs(2_u64.pow(tries.clamp(1, 5))))
        }
        Outcome::Refused { status: 503, retry_after, .. } => (4, retry_after.unwrap_or(backoff)),
        Outcome::Refused { status: 408 | 500 | 502 | 504, retry_after, .. } if repeatable => (4, retry_after.unwrap_or(backoff)),
        Outcome::NotSent => (4, backoff),
        Outcome::Broken if repeatable => (4, backoff),
        // A timeout has already taken a minute, so only one more try.
        Outcome::TimedOut if repeatable => (2, backoff),
        _ => return None,
    };
    (tries < limit).then(|| wait.min(LONGEST_WAIT))
}

/// When the service wants to be asked again: `Retry-After` in seconds or as a date, the millisecond headers of some
/// services, or Resource Graph's `x-ms-user-quota-resets-after` (`hh:mm:ss`).
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    if let Some(ms) = ["retry-after-ms", "x-ms-retry-after-ms"].iter().find_map(|name| text(name)?.parse::<u64>().ok()) {
        return Some(Duration::from_millis(ms));
    }
    if let Some(value) = text("retry-after") {
        if let Ok(seconds) = value.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
        return Some(Duration::try_from(now.duration_until(date)).unwrap_or_default());
    }
    let reset: Vec<u64> = text("x-ms-user-quota-resets-after")?.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    match reset[..] {
        [hours, minutes, seconds] if text("x-ms-user-quota-remaining") == Some("0") => {
            Some(Duration::from_secs(hours * 3600 + minutes * 60 + seconds))
        }
        _ => None,
    }
}

/// Runs `work`, and repeats it after each pause of `schedule` as long as `again` accepts its failure. `wait` says what the
/// pauses are for. For failures
/// that only the caller knows to be temporary, such as a 404 for something just created, or `PrincipalNotFound`.
///
/// # Errors
/// The last failure.
pub async fn retry_while<T, W, F>(
    mut wait: Wait<'_>,
    again: impl Fn(&Failure) -> bool,
    schedule: impl IntoIterator<Item = Duration>,
    mut work: W,
) -> Result<T, Failure>
where
    W: FnMut() -> F,
    F: Future<Output = Result<T, Failure>>,
{
    let mut pauses = schedule.into_iter();
    loop {
        match work().await {
            Err(failure) if again(&failure) => match pauses.next() {
                Some(pause) => wait.pause(pause).await,
                None => return Err(failure),
            },
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Events;
    use reqwest::header::HeaderValue;

    fn refused(status: u16) -> Outcome<'static> {
        Outcome::Refused { status, code: "", retry_after: None }
    }

    fn waits(method: &Method, outcome: Outcome<'_>) -> Vec<f64> {
        (1..).map_while(|tries| wait_before_next(method, false, outcome, tries)).map(|w| w.as_secs_f64()).collect()
    }

    #[test]
    fn only_requests_that_are_safe_to_repeat_are_repeated() {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            for status in [408, 500, 502, 503, 504] {
                assert_eq!(waits(&method, refused(status)), [0.3, 0.6, 1.2], "{method} {status}");
            }
            assert_eq!(waits(&method, Outcome::Broken).len(), 3);
            assert_eq!(waits(&method, Outcome::TimedOut).len(), 1);
        }
        assert_eq!(waits(&Method::POST, refused(503)).len(), 3);
        assert_eq!(waits(&Method::POST, refused(429)), [2.0, 4.0, 8.0, 16.0]);
        assert_eq!(waits(&Method::POST, Outcome::NotSent).len(), 3);
        for outcome in [refused(500), refused(504), refused(408), Outcome::Broken, Outcome::TimedOut] {
            assert!(waits(&Method::POST, outcome).is_empty(), "{outcome:?}");
            assert!(wait_before_next(&Method::POST, true, outcome, 1).is_some(), "a POST that reads: {outcome:?}");
        }
        for status in [400, 401, 403, 404, 409, 412, 501] {
            assert!(waits(&Method::GET, refused(status)).is_empty(), "{status}");
        }
    }

    #[test]
    fn waits_as_long_as_the_service_asks_but_never_more_than_a_minute_at_once() {
        let asked = |seconds| Outcome::Refused { status: 429, code: "", retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(waits(&Method::GET, asked(7)), [7.0; 4]);
        assert_eq!(waits(&Method::GET, asked(300)), [60.0; 4]);
        assert_eq!(waits(&Method::GET, asked(0)), [0.0; 4]);
    }

    #[test]
    fn concurrent_writes_under_one_identity_are_retried() {
        let busy = Outcome::Refused { status: 409, code: &CONCURRENT_CREDENTIALS.to_lowercase(), retry_after: None };
        assert_eq!(waits(&Method::PUT, busy), [2.0, 4.0, 8.0, 16.0]);
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let of = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs.iter().map(|(k, v)| (k.parse().unwrap(), HeaderValue::from_static(v))).collect();
            retry_after(&headers, now).map(|d| d.as_millis())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("retry-after", "17")]), Some(17_000));
        assert_eq!(of(&[("retry-after", "Thu, 01 Jan 2026 00:00:30 GMT")]), Some(30_000));
        assert_eq!(of(&[("retry-after", "Wed, 31 Dec 2025 00:00:30 GMT")]), Some(0));
        assert_eq!(of(&[("retry-after", "soon")]), None);
        assert_eq!(of(&[("x-ms-retry-after-ms", "1500"), ("retry-after", "9")]), Some(1500));
        assert_eq!(of(&[("x-ms-user-quota-resets-after", "00:00:05"), ("x-ms-user-quota-remaining", "0")]), Some(5000));
        assert_eq!(of(&[("x-ms-user-quota-resets-after", "00:00:05"), ("x-ms-user-quota-remaining", "14")]), None);
    }

    #[tokio::test]
    async fn retry_while_follows_the_schedule_and_no_longer() {
        let failure = || Failure::Network { host: "h".into(), message: "m".into(), timed_out: false, maybe_done: false };
        let tries = std::cell::Cell::new(0);
        let work = || {
            tries.set(tries.get() + 1);
            async { Err::<(), _>(failure()) }
        };
        let (schedule, events) = ([Duration::ZERO; 2], Events::silent());
        let wait = || Wait::new(&events, "x", "waiting");
        assert!(retry_while(wait(), |_| true, schedule, work).await.is_err());
        assert_eq!(tries.replace(0), 3);
        assert!(retry_while(wait(), |f| f.status() == Some(404), schedule, work).await.is_err());
        assert_eq!(tries.get(), 1);
    }
}
