use super::*;
use crate::azure::testing::{Service, told};

const VAULT: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v";

#[tokio::test]
async fn a_read_is_sent_once() {
    let service = Service::telling([told(200, &[], json!({"id": VAULT}))]).await;
    let arm = service.arm();
    let upper = VAULT.to_uppercase();
    let reads = (0..4).map(|n| {
        let (arm, path) = (arm.clone(), if n % 2 == 0 { VAULT } else { &upper });
        async move { arm.read(path, "v1", &[]).await }
    });
    assert!(futures::future::join_all(reads).await.iter().all(|r| r.as_ref().is_ok_and(Option::is_some)));
    assert_eq!(service.seen().len(), 1);
    arm.read(VAULT, "v2", &[]).await.unwrap();
    arm.with_tenant("t2").read(VAULT, "v1", &[]).await.unwrap();
    assert_eq!(service.seen().len(), 3, "another version and another tenant are other questions");
    arm.get(VAULT, "v1").await.unwrap();
    arm.read(VAULT, "v1", &[]).await.unwrap();
    assert_eq!(service.seen().len(), 5, "what was read before a fresh look is old");
}

#[tokio::test]
async fn absence_and_refusals_are_cached_but_temporary_failures_are_not() {
    let absent = Service::telling([told(404, &[], json!({"error": {"code": "ResourceNotFound", "message": "m"}}))]).await;
    let arm = absent.arm();
    for _ in 0..2 {
        assert_eq!(arm.read(VAULT, "v1", &[]).await.unwrap(), None);
        assert_eq!(arm.list("/x/children", "v1", &[]).await.unwrap_err().status(), Some(404));
    }
    assert_eq!(absent.seen().len(), 2);
    let refused = Service::telling([told(403, &[], json!({"error": {"code": "AuthorizationFailed", "message": "m"}}))]).await;
    let arm = refused.arm();
    for _ in 0..2 {
        assert!(arm.read(VAULT, "v1", &[]).await.unwrap_err().is("authorizationfailed"));
    }
    assert_eq!(refused.seen().len(), 1);
    let trouble = Service::telling([told(501, &[], "")]).await;
    let arm = trouble.arm();
    for _ in 0..2 {
        assert!(arm.read(VAULT, "v1", &[]).await.is_err());
    }
    assert_eq!(trouble.seen().len(), 2);
}

#[tokio::test]
async fn a_wrong_subscription_is_not_a_missing_resource() {
    for code in NOT_ABSENCE {
        let service = Service::telling([told(404, &[], json!({"error": {"code": code, "message": "m"}}))]).await;
        assert!(service.arm().read(VAULT, "v1", &[]).await.unwrap_err().is(code));
        assert!(service.arm().delete(VAULT, "v1").await.unwrap_err().is(code));
    }
}

#[tokio::test]
async fn a_write_makes_reads_fresh_and_an_action_that_lists_does_not() {
    let service = Service::telling([told(200, &[], "{}")]).await;
    let arm = service.arm();
    let child = format!("{VAULT}/secrets/a");
    arm.read(VAULT, "v1", &[]).await.unwrap();
    arm.post(&format!("{VAULT}/listKeys"), "v1", &Value::Null).await.unwrap();
    arm.read(VAULT, "v1", &[]).await.unwrap();
    assert_eq!(service.seen().len(), 2);
    arm.put(&child, "v1", &json!({"x": 1}), None).await.unwrap();
    arm.read(VAULT, "v1", &[]).await.unwrap();
    assert_eq!(service.seen().len(), 4);
    assert_eq!((service.seen()[1].body.as_str(), service.seen()[2].body.as_str()), ("", r#"{"x":1}"#));
    assert_eq!(service.seen()[1].headers["content-length"], "0", "a POST without a body says so");
}

#[tokio::test]
async fn all_pages_are_read() {
    let service = Service::telling([
        told(200, &[], json!({"value": [1, 2], "nextLink": "HOST/next?api-version=v1&%24skiptoken=a%2Bb"})),
        told(200, &[], json!({"value": [3], "nextLink": null})),
    ])
    .await;
    let arm = service.arm();
    for _ in 0..2 {
        assert_eq!(arm.list("/x/children", "v1", &[]).await.unwrap(), [json!(1), json!(2), json!(3)]);
    }
    assert_eq!(service.lines(), ["GET /x/children?api-version=v1", "GET /next?api-version=v1&%24skiptoken=a%2Bb"]);
    let elsewhere = Service::telling([told(200, &[], json!({"value": [], "nextLink": "https://evil.example/"}))]).await;
    assert!(matches!(elsewhere.arm().list("/x", "v1", &[]).await, Err(Failure::Problem(p)) if p.code() == "KC4035"));
}

#[tokio::test]
async fn asks_resource_graph_page_by_page() {
    let service = Service::telling([
        told(200, &[], json!({"data": [{"a": 1}], "$skipToken": "next"})),
        told(200, &[], json!({"data": [{"a": 2}], "$skipToken": null})),
    ])
    .await;
    assert_eq!(service.arm().graph("Resources", &[]).await.unwrap(), [json!({"a": 1}), json!({"a": 2})]);
    let seen = service.seen();
    assert_eq!(seen[0].line(), "POST /providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01");
    assert_eq!(seen[0].body, r#"{"query":"Resources","options":{"resultFormat":"objectArray","$top":1000}}"#);
    assert!(seen[1].body.contains(r#""$skipToken":"next""#));
    let one = Service::telling([told(200, &[], json!({"data": []}))]).await;
    one.arm().graph("Resources", &["s".into()]).await.unwrap();
    assert!(one.seen()[0].body.contains(r#""subscriptions":["s"]"#));
}

#[tokio::test]
async fn the_first_request_uses_the_token_that_was_fetched_meanwhile() {
    let service = Service::telling([told(200, &[], "{}")]).await;
    let arm = service.arm();
    arm.prefetch_token();
    arm.read(VAULT, "v1", &[]).await.unwrap();
    assert_eq!(arm.sign_in().starts(), 1);
}

#[test]
fn tokens_go_to_https_only() {
    let cloud = Cloud { authority: "http://login.example".into(), ..Cloud::public() };
    let problem = Arm::new(cloud, SignIn::new(), None, Events::silent()).unwrap_err();
    assert_eq!((problem.code(), problem.kind()), ("KC2103", Kind::Usage));
}
