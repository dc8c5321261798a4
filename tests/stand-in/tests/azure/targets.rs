//! Vaults, accounts, and access to their data planes.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use stand_in::world::{TENANT, USER, World};

use crate::support::{
    AI, Answer, BLOB_READER, Bench, COGNITIVE_USER, KEY_VAULT, OPENAI_USER, SECRETS_USER, STORAGE, VAULT, account, principal, storage,
    vault,
};

async fn secrets(bench: &Bench, vault: &str, token: &str) -> Answer {
    bench.send(bench.http.get(format!("https://{vault}.vault.azure.net/secrets?maxresults=1&api-version=7.6")).bearer_auth(token)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_lets_in_whom_a_role_names_and_only_then() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.role_propagation = Duration::from_secs(120));
    let (id, token) = bench.federated("id-web", VAULT).await;
    let before = secrets(&bench, "my-vault", &token).await;
    assert_eq!((before.status.as_u16(), before.inner_code()), (403, "ForbiddenByRbac".into()));
    assert_eq!(bench.grant(&vault("my-vault"), principal(&id), SECRETS_USER).await.status, 201);
    assert_eq!(secrets(&bench, "my-vault", &token).await.inner_code(), "ForbiddenByRbac", "not in effect yet");
    bench.sandbox.control().advance(Duration::from_secs(120));
    let list = secrets(&bench, "my-vault", &token).await;
    assert_eq!(list.status, 200, "{}", list.text);
    assert_eq!(list.json()["value"].as_array().unwrap().len(), 1);
    let next = list.json()["nextLink"].as_str().unwrap().to_owned();
    assert_eq!(bench.send(bench.http.get(next).bearer_auth(&token)).await.status, 200);
    let one = bench.send(bench.http.get("https://my-vault.vault.azure.net/secrets/db-password?api-version=7.4").bearer_auth(&token)).await;
    assert_eq!(one.json()["value"], "planted-secret-value-db-password");
    let none = bench.send(bench.http.get("https://my-vault.vault.azure.net/secrets/none?api-version=7.5").bearer_auth(&token)).await;
    assert_eq!(none.refusal(), (404, "SecretNotFound".into()));
    assert_eq!(secrets(&bench, "dup-vault", &token).await.inner_code(), "ForbiddenByRbac");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_reads_no_secrets() {
    let bench = Bench::start().await;
    let token = bench.user_token(VAULT).await;
    assert_eq!(secrets(&bench, "my-vault", &token).await.inner_code(), "ForbiddenByRbac");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_challenges_and_checks_token_and_version() {
    let bench = Bench::start().await;
    let bare = bench.send(bench.http.get("https://my-vault.vault.azure.net/secrets?api-version=7.6")).await;
    assert_eq!(bare.refusal(), (401, "Unauthorized".into()));
    assert!(bare.header("www-authenticate").unwrap().contains("resource=\"https://vault.azure.net\""));
    assert_eq!(secrets(&bench, "my-vault", &bench.arm_token).await.status, 401, "an ARM token is none for a vault");
    let token = bench.user_token(VAULT).await;
    let old = bench.send(bench.http.get("https://my-vault.vault.azure.net/secrets?api-version=2016-10-01").bearer_auth(&token)).await;
    assert_eq!(old.refusal(), (400, "BadParameter".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_is_looked_at_before_rights() {
    let mut world = World::planted();
    world.resource_mut("my-vault").unwrap()["properties"]["publicNetworkAccess"] = json!("Disabled");
    world.resource_mut("policy-vault").unwrap()["properties"]["networkAcls"] = json!({"defaultAction": "Deny", "bypass": "AzureServices"});
    world.resource_mut("shopdata").unwrap()["properties"]["networkAcls"]["defaultAction"] = json!("Deny");
    let bench = Bench::with(world).await;
    let token = bench.user_token(VAULT).await;
    assert_eq!(secrets(&bench, "my-vault", &token).await.inner_code(), "ForbiddenByConnection");
    assert_eq!(secrets(&bench, "policy-vault", &token).await.inner_code(), "ForbiddenByFirewall");
    let token = bench.user_token(STORAGE).await;
    assert!(containers(&bench, &token).await.text.contains("<Code>AuthorizationFailure</Code>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_vault_goes_by_policies_and_roles_have_no_effect() {
    let bench = Bench::start().await;
    let (id, token) = bench.federated("id-web", VAULT).await;
    bench.grant(&vault("policy-vault"), principal(&id), SECRETS_USER).await;
    assert_eq!(secrets(&bench, "policy-vault", &token).await.inner_code(), "AccessDenied");
    let policy = |verbs: Value| json!({"properties": {"accessPolicies": [{"tenantId": TENANT, "objectId": principal(&id), "permissions": {"secrets": verbs}}]}});
    let change =
        async |kind: &str, body: &Value| bench.put(&format!("{}/accessPolicies/{kind}", vault("policy-vault")), KEY_VAULT, body).await;
    let added = change("add", &policy(json!(["get"]))).await;
    assert_eq!(added.json()["properties"]["accessPolicies"].as_array().unwrap().len(), 2, "the foreign one stays");
    assert_eq!(secrets(&bench, "policy-vault", &token).await.inner_code(), "ForbiddenByPolicy");
    change("add", &policy(json!(["list"]))).await;
    assert_eq!(secrets(&bench, "policy-vault", &token).await.status, 200);
    let removed = change("remove", &policy(json!(["get", "list"]))).await;
    assert_eq!(removed.json()["properties"]["accessPolicies"].as_array().unwrap().len(), 1);
    assert_eq!(secrets(&bench, "policy-vault", &token).await.inner_code(), "AccessDenied");
    assert_eq!(change("merge", &policy(json!([]))).await.status, 400);
}

async fn containers(bench: &Bench, token: &str) -> Answer {
    let request = bench.http.get("https://shopdata.blob.core.windows.net/?comp=list&maxresults=1").header("x-ms-version", "2023-11-03");
    bench.send(request.bearer_auth(token)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_are_listed_with_a_data_role() {
    let bench = Bench::start().await;
    let (id, token) = bench.federated("id-web", STORAGE).await;
    let refused = containers(&bench, &token).await;
    assert_eq!((refused.status.as_u16(), refused.header("x-ms-error-code").as_deref()), (403, Some("AuthorizationPermissionMismatch")));
    bench.grant(&storage("shopdata"), principal(&id), BLOB_READER).await;
    let list = containers(&bench, &token).await;
    assert!(list.status == 200 && list.text.contains("<Name>images</Name>") && !list.text.contains("<Name>orders</Name>"), "{}", list.text);
    let bare = bench.http.get("https://shopdata.blob.core.windows.net/?comp=list").bearer_auth(&token);
    assert_eq!(bench.send(bare).await.header("x-ms-error-code").as_deref(), Some("AuthenticationFailed"));
    let none = bench.http.get("https://shopdata.blob.core.windows.net/?comp=list");
    assert!(bench.send(none).await.header("www-authenticate").unwrap().contains("resource_id=https://storage.azure.com"));
}

async fn models(bench: &Bench, url: &str, token: &str) -> Answer {
    bench.send(bench.http.get(url).bearer_auth(token)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ai_accounts_take_tokens_under_their_own_name_with_a_data_role() {
    let bench = Bench::start().await;
    let (id, token) = bench.federated("id-web", AI).await;
    let url = "https://shop-openai.openai.azure.com/openai/models?api-version=2024-10-21";
    let refused = models(&bench, url, &token).await;
    assert_eq!(refused.refusal(), (401, "PermissionDenied".into()));
    assert!(refused.text.contains("Microsoft.CognitiveServices/accounts/OpenAI/models/read"));
    bench.grant(&account("shop-openai"), principal(&id), OPENAI_USER).await;
    assert_eq!(models(&bench, url, &token).await.status, 200);
    let deployments = models(&bench, "https://shop-openai.openai.azure.com/openai/deployments?api-version=2022-12-01", &token).await.json();
    assert_eq!(deployments["data"][0]["id"], "gpt-4o");
    assert_eq!(models(&bench, url, &bench.arm_token).await.status, 401);
    let shared = models(&bench, "https://westeurope.api.cognitive.microsoft.com/openai/models?api-version=2024-10-21", &token).await;
    assert_eq!(shared.refusal(), (400, "BadRequest".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_kinds_have_reads_of_their_own() {
    let bench = Bench::start().await;
    let (id, token) = bench.federated("id-web", AI).await;
    let vision = "https://shop-vision.cognitiveservices.azure.com/vision/v3.2/models";
    bench.grant(&account("shop-vision"), principal(&id), OPENAI_USER).await;
    assert_eq!(models(&bench, vision, &token).await.refusal(), (401, "PermissionDenied".into()), "an OpenAI role is none for vision");
    for name in ["shop-vision", "shop-ai"] {
        bench.grant(&account(name), principal(&id), COGNITIVE_USER).await;
    }
    assert_eq!(models(&bench, vision, &token).await.status, 200);
    let foundry = "https://shop-ai.cognitiveservices.azure.com/openai/models?api-version=2024-10-21";
    assert_eq!(models(&bench, foundry, &token).await.status, 200);
    let wrong = "https://shop-vision.cognitiveservices.azure.com/openai/models?api-version=2024-10-21";
    assert_eq!(models(&bench, wrong, &token).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_keys_are_read_over_arm() {
    let bench = Bench::start().await;
    let old = bench.get(&account("old-openai"), "2025-06-01").await.json();
    assert!(old["properties"].get("customSubDomainName").is_none());
    let deployments = bench.get(&format!("{}/deployments", account("shop-openai")), "2025-06-01").await.json();
    assert_eq!(deployments["value"][0]["name"], "gpt-4o");
    let keys = bench.send(bench.arm_request(Method::POST, &format!("{}/listKeys", storage("shopdata")), "2025-01-01")).await.json();
    assert_eq!(keys["keys"][0]["value"], "planted-key-value-shopdata-1");
    assert!(bench.sandbox.control().writes().is_empty(), "listing keys changes nothing");
    bench.sandbox.control().knobs(|knobs| knobs.deny("*/listkeys/action", "/"));
    let refused = bench.send(bench.arm_request(Method::POST, &format!("{}/listKeys", storage("shopdata")), "2025-01-01")).await;
    assert_eq!(refused.refusal(), (403, "AuthorizationFailed".into()));
    assert!(refused.text.contains(USER));
}
