//! Faults, latency, held answers, the log.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stand_in::Kind;
use stand_in::fault::{Action, Fault};
use stand_in::world::{SUBSCRIPTION, World};

use crate::support::{Bench, KEY_VAULT, MSI, identity, vault};

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_error_comes_so_often_and_no_more() {
    let bench = Bench::start().await;
    bench.sandbox.control().fail(Fault::throttled(3).path("/vaults/").skip(1).times(2));
    let mut seen = Vec::new();
    for _ in 0..4 {
        let answer = bench.get(&vault("my-vault"), KEY_VAULT).await;
        seen.push((answer.status.as_u16(), answer.header("retry-after")));
    }
    let throttled = (429, Some("3".to_owned()));
    assert_eq!(seen, [(200, None), throttled.clone(), throttled, (200, None)]);
    assert_eq!(bench.get("/subscriptions", "2022-12-01").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_break_before_and_after_the_deed() {
    let bench = Bench::start().await;
    for (action, done) in [(Action::Reset, false), (Action::ResetAfter, true)] {
        bench.sandbox.control().fail(Fault::new(action.clone()).method("PUT"));
        let name = format!("id-{}", u8::from(done));
        let request = bench.arm_request(reqwest::Method::PUT, &identity(&name), MSI).json(&json!({"location": "westeurope"}));
        assert!(request.send().await.is_err(), "{action:?}");
        assert_eq!(bench.get(&identity(&name), MSI).await.status == 200, done, "{action:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_can_be_cut_or_be_no_answers() {
    let bench = Bench::start().await;
    bench.sandbox.control().fail(Fault::new(Action::Truncated));
    let response = bench.arm_request(reqwest::Method::GET, &vault("my-vault"), KEY_VAULT).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.text().await.is_err());
    bench.sandbox.control().fail(Fault::new(Action::Html));
    let page = bench.get(&vault("my-vault"), KEY_VAULT).await;
    assert_eq!((page.status.as_u16(), page.text.starts_with("<!DOCTYPE html>")), (503, true));
    bench.sandbox.control().fail(Fault::new(Action::Hang));
    let request = bench.arm_request(reqwest::Method::GET, &vault("my-vault"), KEY_VAULT).timeout(Duration::from_millis(200));
    assert!(request.send().await.unwrap_err().is_timeout());
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_is_at_least_what_was_set() {
    let bench = Bench::start().await;
    bench.sandbox.control().set_latency(Duration::from_millis(150));
    let started = Instant::now();
    bench.get("/subscriptions", "2022-12-01").await;
    assert!(started.elapsed() >= Duration::from_millis(150));
    assert!(bench.sandbox.control().log_of(Kind::Arm)[0].micros >= 150_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nth_write_is_done_but_never_answered_and_nothing_follows_until_the_client_is_gone() {
    let bench = Bench::start().await;
    let held = bench.sandbox.control().hold_after_write(2);
    bench.make_identity("id-1st").await;
    let put = |name: &str| {
        let request = bench.arm_request(reqwest::Method::PUT, &identity(name), MSI).json(&json!({"location": "westeurope"}));
        tokio::spawn(async move { request.send().await.map(|response| response.status()) })
    };
    let second = put("id-2nd");
    held.await.unwrap();
    let third = put("id-3rd");
    let names = || {
        let state: Value = bench.sandbox.control().state();
        state["resources"]
            .as_object()
            .unwrap()
            .keys()
            .filter_map(|id| id.strip_prefix(&identity("").to_lowercase()).map(ToOwned::to_owned))
            .filter(|name| !name.contains('/'))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(), ["id-1st", "id-2nd", "id-full", "id-shared"]);
    let answered = tokio::time::timeout(Duration::from_millis(200), third).await;
    assert!(answered.is_err(), "the third write must not be carried out while the second is held");
    assert_eq!(names(), ["id-1st", "id-2nd", "id-full", "id-shared"]);
    second.abort();
    // The sandbox notices that the client is gone, and then answers requests again.
    let mut fourth = bench
        .arm_request(reqwest::Method::PUT, &identity("id-4th"), MSI)
        .json(&json!({"location": "westeurope"}))
        .timeout(Duration::from_millis(500))
        .send()
        .await;
    for _ in 0..20 {
        if fourth.is_ok() {
            break;
        }
        fourth = bench
            .arm_request(reqwest::Method::PUT, &identity("id-4th"), MSI)
            .json(&json!({"location": "westeurope"}))
            .timeout(Duration::from_millis(500))
            .send()
            .await;
    }
    assert_eq!(fourth.unwrap().status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_writes_from_reads() {
    let bench = Bench::start().await;
    bench.sandbox.control().clear_log();
    bench.get(&vault("my-vault"), KEY_VAULT).await;
    bench.make_identity("id-web").await;
    let world = World::planted();
    let cluster = &world.clusters[0];
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}});
    let url = format!("https://{}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", cluster.fqdn);
    bench.send(bench.http.post(url).bearer_auth(&cluster.token).json(&review)).await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}});
    let maps = format!("https://{}/api/v1/namespaces/shop/configmaps", cluster.fqdn);
    for query in ["?dryRun=All", ""] {
        let answer = bench.send(bench.http.post(format!("{maps}{query}")).bearer_auth(&cluster.token).json(&map)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let control = bench.sandbox.control();
    let writes: Vec<_> = control.writes().into_iter().map(|entry| (entry.method, entry.kind)).collect();
    assert_eq!(writes, [("PUT".to_owned(), Kind::Arm), ("POST".to_owned(), Kind::Kube)]);
    assert_eq!(control.log().len(), 5);
    let entry = &control.log_of(Kind::Arm)[0];
    assert_eq!(entry.response_body["name"], "my-vault");
    assert!(entry.path.contains(SUBSCRIPTION) && entry.query.contains(&("api-version".to_owned(), KEY_VAULT.to_owned())));
}
