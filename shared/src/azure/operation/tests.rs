use super::*;
use crate::azure::testing::{Service, told};
use serde_json::json;

const PATH: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.X/things/t";

fn seen<'a>(status: u16, operation: Option<&'a str>, location: Option<&'a str>, body: &'a Value) -> Look<'a> {
    Look { status, operation, location, body }
}

#[test]
fn the_first_answer_tells_what_to_watch() {
    let (none, creating, ready) =
        (Value::Null, json!({"properties": {"provisioningState": "Creating"}}), json!({"properties": {"provisioningState": "Succeeded"}}));
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
fn only_three_statuses_end_an_operation() {
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
async fn a_throttled_poll_does_not_end_the_operation() {
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
async fn an_operation_url_that_is_the_resource_itself_ends() {
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
async fn the_token_is_sent_to_no_other_host_and_polling_stops_at_the_limit() {
    let elsewhere = Service::telling([told(202, &[("location", "https://evil.example/op")], "")]).await;
    let problem = Problem::from(elsewhere.arm().put(PATH, "v1", &json!({}), None).await.unwrap_err());
    assert_eq!((problem.code(), elsewhere.seen().len()), ("KC4035", 1));
    let slow = Service::telling([told(202, &[("location", "HOST/op"), ("retry-after", "120")], "")]).await;
    let problem = Problem::from(slow.arm().with_limit(Duration::from_secs(60)).put(PATH, "v1", &json!({}), None).await.unwrap_err());
    assert_eq!((problem.code(), problem.kind()), ("KC4033", Kind::TimedOut));
}
