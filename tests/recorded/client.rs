//! The child process: makes the recorded calls with the product's ARM client and compares the results.

use std::time::Duration;

use connect_core::azure::{Arm, Failure, SignIn, retry_while};
use connect_core::clock::Wait;
use connect_core::model::{Cloud, Events};
use serde_json::Value;

use crate::recording::{Exchange, Recording, Step, is_bad};

/// Codes of 404 answers that don't mean absence.
const NOT_ABSENCE: [&str; 5] =
    ["SubscriptionNotFound", "InvalidSubscriptionId", "InvalidResourceType", "InvalidResourceNamespace", "NoRegisteredProviderFound"];

/// Replays the recordings of a file.
pub async fn replay(recordings: &[Recording]) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (sign_in, silent) = (SignIn::new(), Events::silent());
    for recording in recordings {
        let arm = Arm::new(Cloud::public(), sign_in.clone(), None, silent.clone()).unwrap();
        for step in &recording.steps {
            let first = recording.exchange(step.first());
            let what = format!("{} #{} {} {}", recording.name, first.index, first.method, first.uri);
            let (path, version, query) = first.question();
            let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            // The recorded client repeated the same requests.
            arm.forget(&path);
            match step {
                Step::Read { .. } => read(first, &what, arm.read(&path, &version, &query).await),
                Step::List { pages } => {
                    let items: Vec<Value> =
                        pages.iter().flat_map(|page| recording.exchange(*page).body["value"].as_array().unwrap().clone()).collect();
                    let listed = arm.list(&path, &version, &query).await;
                    assert_eq!(listed.unwrap_or_else(|failure| panic!("{what}: {failure:?}")), items, "{what}");
                }
                Step::Patient { tries } => {
                    let waits = std::iter::repeat_n(Duration::ZERO, tries.len() - 1);
                    let again = |failure: &Failure| failure.is("PrincipalNotFound");
                    let wait = Wait::new(&silent, "recording", "waiting for the recorded service");
                    let outcome = retry_while(wait, again, waits, || arm.put(&path, &version, &first.sent, None)).await;
                    let last = recording.exchange(tries[tries.len() - 1]);
                    match outcome {
                        Ok(written) => assert_eq!((written.status, &written.body), (last.status, &last.body), "{what}"),
                        Err(failure) => refused(&failure, last.status, &last.body, &what),
                    }
                }
                Step::Write { polls, result, .. } => {
                    let last = polls.last().map(|at| recording.exchange(*at));
                    let result = result.map(|at| recording.exchange(at));
                    write(&arm, first, last, result, &what).await;
                }
            }
        }
    }
    assert!(sign_in.starts() <= 1, "one token is enough");
}

fn read(first: &Exchange, what: &str, answer: Result<Option<Value>, Failure>) {
    let code = code_of(&first.body);
    match answer {
        Ok(Some(body)) => assert_eq!((first.status, &body), (200, &first.body), "{what}"),
        Ok(None) if first.status == 404 => assert!(!NOT_ABSENCE.contains(&code.unwrap_or_default()), "{what}"),
        Ok(None) => assert_eq!((first.status, &first.body), (204, &Value::Null), "{what}"),
        Err(failure) => refused(&failure, first.status, &first.body, what),
    }
}

async fn write(arm: &Arm, first: &Exchange, last: Option<&Exchange>, result: Option<&Exchange>, what: &str) {
    let (path, version, _) = first.question();
    let body = &result.or(last).unwrap_or(first).body;
    let outcome = match first.method.as_str() {
        "PUT" => arm.put(&path, &version, &first.sent, None).await.map(|written| (Some(written.status), written.body)),
        "PATCH" => arm.patch(&path, &version, &first.sent).await.map(|written| (Some(written.status), written.body)),
        "POST" => arm.post(&path, &version, &first.sent).await.map(|body| (None, body)),
        _ => {
            let existed = arm.delete(&path, &version).await;
            let gone = matches!(first.status, 204 | 404);
            return match existed {
                Ok(existed) => assert_eq!(existed, !gone, "{what}"),
                Err(failure) => refused(&failure, first.status, &first.body, what),
            };
        }
    };
    match outcome {
        Ok((status, written)) => {
            assert!(status.is_none_or(|status| status == first.status) && first.status < 400, "{what}: {status:?}");
            assert!(!last.is_some_and(|poll| poll.word().is_some_and(is_bad)), "{what}: a failed operation is no success");
            assert_eq!(&written, body, "{what}");
        }
        Err(failure) => {
            let told = last.unwrap_or(first);
            refused(&failure, told.status, &told.body, what);
        }
    }
}

/// Checks that the failure has the recorded status, code and message.
fn refused(failure: &Failure, status: u16, body: &Value, what: &str) {
    assert_eq!(failure.status(), Some(status), "{what}: {failure:?}");
    if let Some(code) = code_of(body) {
        assert!(failure.is(code), "{what}: {code} is not in {failure:?}");
    }
    let Failure::Service(error) = failure else { panic!("{what}: {failure:?}") };
    let message = error_of(body).and_then(|error| ["message", "Message"].iter().find_map(|name| error[*name].as_str()));
    let start: String = message.unwrap_or_default().chars().take_while(|one| one.is_ascii_alphanumeric() || *one == ' ').collect();
    let told = error.details.iter().map(|(_, text)| text).chain([&error.message]);
    assert!(told.into_iter().any(|text| text.contains(start.trim())), "{what}: '{start}' is not in {error:?}");
    assert!(!error.message.is_empty(), "{what}: {error:?}");
}

fn error_of(body: &Value) -> Option<&Value> {
    let inner = [&body["error"], &body["Error"], &body["properties"]["error"], body];
    inner.into_iter().find(|one| one["code"].is_string() || one["Code"].is_string())
}

fn code_of(body: &Value) -> Option<&str> {
    error_of(body).and_then(|error| error["code"].as_str().or(error["Code"].as_str())).filter(|code| !code.is_empty())
}
