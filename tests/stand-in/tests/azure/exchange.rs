//! The OIDC exchange: a Kubernetes token for an Entra token.

use std::time::Duration;

use serde_json::{Value, json};
use stand_in::keys::{RsaKey, peek_claims};

use crate::support::{AUDIENCE, Answer, Bench, READY_ISSUER, VAULT, client, principal};

const SUBJECT: &str = "system:serviceaccount:shop:api";

fn refusal(answer: &Answer) -> (u16, u64) {
    let body = answer.json();
    assert!(body["error"].is_string() && body["trace_id"].is_string() && body["correlation_id"].is_string());
    assert!(body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{}: ", body["error_codes"][0])));
    (answer.status.as_u16(), body["error_codes"][0].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vouched_for_token_becomes_the_identitys() {
    let bench = Bench::start().await;
    let (id, token) = bench.federated("id-web", VAULT).await;
    let claims = peek_claims(&token).unwrap();
    assert_eq!(claims["oid"], principal(&id));
    assert_eq!((&claims["aud"], &claims["appid"]), (&json!("https://vault.azure.net"), &json!(client(&id))));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_that_does_not_fit_has_its_code() {
    let bench = Bench::start().await;
    let assertion = bench.kube_token("aks-ready", "shop", "api", AUDIENCE).await;
    let ask = async |identity: &Value, assertion: &str| refusal(&bench.exchange(client(identity), assertion, VAULT).await);
    let id = bench.make_identity("id-web").await;
    assert_eq!(ask(&id, &assertion).await, (401, 70025));
    bench.make_credential("id-web", "fic", "https://westeurope.oic.prod-aks.azure.com/x/y/", SUBJECT).await;
    assert_eq!(ask(&id, &assertion).await, (401, 700_211));
    bench.make_credential("id-web", "fic", READY_ISSUER.trim_end_matches('/'), SUBJECT).await;
    assert_eq!(ask(&id, &assertion).await, (401, 700_211), "the slash at the end counts");
    bench.make_credential("id-web", "fic", READY_ISSUER, "system:serviceaccount:shop:web").await;
    assert_eq!(ask(&id, &assertion).await, (401, 700_213));
    bench.make_credential("id-web", "fic", READY_ISSUER, "system:serviceaccount:Shop:api").await;
    assert_eq!(ask(&id, &assertion).await, (401, 7_002_138));
    bench.make_credential("id-web", "fic", READY_ISSUER, SUBJECT).await;
    let other = bench.kube_token("aks-ready", "shop", "api", "api://other").await;
    assert_eq!(ask(&id, &other).await, (401, 700_212));
    assert_eq!(ask(&id, "not-a-token").await, (401, 50027));
    assert_eq!(ask(&json!({"properties": {"clientId": "00000000-0000-4000-8000-000000000000"}}), &assertion).await, (400, 700_016));
    assert_eq!(bench.exchange(client(&id), &assertion, VAULT).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_cluster_did_not_sign_is_refused() {
    let bench = Bench::start().await;
    let (id, _) = bench.federated("id-web", VAULT).await;
    let forged = RsaKey::pooled(1).sign_jwt(&json!({"iss": READY_ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "exp": 9_999_999_999_u64}));
    assert_eq!(refusal(&bench.exchange(client(&id), &forged, VAULT).await), (401, 700_027));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_token_is_refused() {
    let bench = Bench::start().await;
    let (id, _) = bench.federated("id-web", VAULT).await;
    let assertion = bench.kube_token("aks-ready", "shop", "api", AUDIENCE).await;
    bench.sandbox.control().advance(Duration::from_secs(25 * 3600));
    assert_eq!(refusal(&bench.exchange(client(&id), &assertion, VAULT).await), (401, 700_024));
}

#[tokio::test(flavor = "multi_thread")]
async fn scope_and_tenant_are_checked() {
    let bench = Bench::start().await;
    let (id, _) = bench.federated("id-web", VAULT).await;
    let assertion = bench.kube_token("aks-ready", "shop", "api", AUDIENCE).await;
    assert_eq!(refusal(&bench.exchange(client(&id), &assertion, "https://vault.azure.net").await), (400, 70011));
    assert_eq!(refusal(&bench.exchange(client(&id), &assertion, "https://example.com/.default").await), (400, 500_011));
    let url = "https://login.microsoftonline.com/00000000-0000-4000-8000-000000000000/oauth2/v2.0/token";
    let answer = bench.send(bench.http.post(url).form(&[("grant_type", "client_credentials")])).await;
    assert_eq!(refusal(&answer), (400, 90002));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_credential_takes_its_time_and_may_relapse() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| {
        knobs.credential_propagation = Duration::from_secs(30);
        knobs.credential_relapse = 2;
    });
    let id = bench.make_identity("id-web").await;
    bench.make_credential("id-web", "fic", READY_ISSUER, SUBJECT).await;
    let assertion = bench.kube_token("aks-ready", "shop", "api", AUDIENCE).await;
    let ask = async || bench.exchange(client(&id), &assertion, VAULT).await;
    assert_eq!(refusal(&ask().await), (401, 70021));
    bench.sandbox.control().advance(Duration::from_secs(30));
    assert_eq!(ask().await.status, 200);
    assert_eq!(refusal(&ask().await), (401, 70021));
    assert_eq!(refusal(&ask().await), (401, 70021));
    assert_eq!(ask().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_published_only_where_the_issuer_is_on() {
    let bench = Bench::start().await;
    let get = async |url: String| bench.send(bench.http.get(url)).await;
    let discovery = get(format!("{READY_ISSUER}.well-known/openid-configuration")).await.json();
    assert_eq!(discovery["issuer"], READY_ISSUER);
    let keys = get(discovery["jwks_uri"].as_str().unwrap().to_owned()).await.json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    let off = READY_ISSUER.replace("0002/", "0001/");
    assert_eq!(get(format!("{off}.well-known/openid-configuration")).await.status, 404);
}
