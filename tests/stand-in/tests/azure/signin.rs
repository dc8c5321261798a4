//! `az`, and tokens accepted by ARM.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use stand_in::Kind;
use stand_in::keys::RsaKey;
use stand_in::knobs::AzState;
use stand_in::world::{SUBSCRIPTION, TENANT};

use crate::support::{ARM, Bench, VAULT};

#[tokio::test(flavor = "multi_thread")]
async fn az_is_found_on_path_and_each_start_is_counted() {
    let bench = Bench::start().await;
    bench.sandbox.control().clear_log();
    let output = bench.shell(&format!("az account get-access-token -o json --scope {ARM} --tenant {TENANT}")).await;
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&body["tenant"], &body["tokenType"]), (&json!(TENANT), &json!("Bearer")));
    assert!(body["expires_on"].is_u64() && body["subscription"].is_null());
    for line in ["az version -o json", "az cloud show -o json", "az account show -o json"] {
        let output = bench.shell(line).await;
        assert!(output.status.success() && serde_json::from_slice::<Value>(&output.stdout).is_ok(), "{line}");
    }
    assert_eq!(bench.sandbox.control().log_of(Kind::Az).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn az_tells_when_nobody_is_signed_in() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.az = AzState::NotSignedIn);
    let output = bench.shell(&format!("az account get-access-token -o json --scope {ARM}")).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "ERROR: Please run 'az login' to setup account.\n");
    assert!(output.stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_az_tells_no_epoch() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.az = AzState::TooOld);
    let output = bench.shell(&format!("az account get-access-token -o json --scope {ARM}")).await;
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(body["expires_on"].is_null() && body["expiresOn"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_resources_tenants_and_commands_are_refused() {
    let bench = Bench::start().await;
    for (line, code, part) in [
        ("az account get-access-token --scope https://example.com/.default", 1, "AADSTS500011"),
        ("az account get-access-token --tenant 00000000-0000-0000-0000-000000000000", 1, "AADSTS90002"),
        ("az account get-access-token --subscription nope", 1, "not found"),
        ("az grup list", 2, "misspelled"),
    ] {
        let output = bench.shell(line).await;
        assert_eq!(output.status.code(), Some(code), "{line}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(part), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn arm_refuses_what_is_no_token_of_its_own() {
    let bench = Bench::start().await;
    let ask = async |token: &str| {
        let url = format!("https://management.azure.com/subscriptions/{SUBSCRIPTION}?api-version=2022-12-01");
        bench.send(bench.http.get(url).header("authorization", token)).await
    };
    assert_eq!(ask(&format!("Bearer {}", bench.arm_token)).await.status, 200);
    assert_eq!(ask("Basic eDp5").await.refusal(), (401, "AuthenticationFailed".into()));
    assert_eq!(ask("Bearer x.y.z").await.refusal(), (401, "InvalidAuthenticationToken".into()));
    let other = bench.user_token(VAULT).await;
    assert_eq!(ask(&format!("Bearer {other}")).await.refusal(), (401, "InvalidAuthenticationTokenAudience".into()));
    let forged =
        RsaKey::pooled(1).sign_jwt(&json!({"aud": "https://management.azure.com", "exp": 9_999_999_999_u64, "tid": TENANT, "oid": "x"}));
    assert_eq!(ask(&format!("Bearer {forged}")).await.refusal(), (401, "InvalidAuthenticationToken".into()));
    bench.sandbox.control().advance(Duration::from_secs(3601));
    let late = ask(&format!("Bearer {}", bench.arm_token)).await;
    assert_eq!(late.refusal(), (401, "ExpiredAuthenticationToken".into()));
    assert!(late.header("www-authenticate").unwrap().contains(TENANT));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_tenant_opens_nothing() {
    let mut bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.az = AzState::OtherTenant);
    bench.arm_token = bench.user_token(ARM).await;
    let answer = bench.get(&format!("/subscriptions/{SUBSCRIPTION}"), "2022-12-01").await;
    assert_eq!(answer.refusal(), (401, "InvalidAuthenticationTokenTenant".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_version_must_be_one_that_is_known_for_the_type() {
    let bench = Bench::start().await;
    let path = crate::support::vault("my-vault");
    let bare = bench.http.request(Method::GET, format!("https://management.azure.com{path}")).bearer_auth(&bench.arm_token);
    assert_eq!(bench.send(bare).await.refusal(), (400, "MissingApiVersionParameter".into()));
    assert_eq!(bench.get(&path, "latest").await.refusal(), (400, "InvalidApiVersionParameter".into()));
    assert_eq!(bench.get(&path, "2019-09-01").await.refusal(), (400, "NoRegisteredProviderFound".into()));
    assert_eq!(bench.get(&path, "2026-02-01").await.status, 200);
    bench.sandbox.control().knobs(|knobs| knobs.strict_api_versions = false);
    assert_eq!(bench.get(&path, "2019-09-01").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_told_apart() {
    let bench = Bench::start().await;
    let other = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v";
    assert_eq!(bench.get(other, "2025-05-01").await.refusal(), (404, "SubscriptionNotFound".into()));
    let no_group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/none/providers/Microsoft.KeyVault/vaults/v");
    assert_eq!(bench.get(&no_group, "2025-05-01").await.refusal(), (404, "ResourceGroupNotFound".into()));
    let missing = bench.get(&crate::support::vault("none"), "2025-05-01").await;
    assert_eq!(missing.refusal(), (404, "ResourceNotFound".into()));
    assert_eq!(missing.header("x-ms-failure-cause").as_deref(), Some("gateway"));
    let cased = bench.get(&crate::support::vault("MY-VAULT").to_uppercase(), "2025-05-01").await;
    assert_eq!(cased.json()["name"], "my-vault");
    assert!(bench.http.get("https://no-such-vault.vault.azure.net/secrets").send().await.is_err());
    assert_eq!(bench.sandbox.control().log_of(Kind::Unknown)[0].status, 502);
}
