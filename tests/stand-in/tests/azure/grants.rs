//! How other clients sign in: a service principal's secret, a device code, a refresh token.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use stand_in::keys::peek_claims;
use stand_in::world::{APPLICATION, APPLICATION_OBJECT, APPLICATION_SECRET, TENANT, USER, World};

use crate::support::{ARM, Bench, VAULT, group};

const CLIENT: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn post(bench: &Bench, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let answer = bench.send(bench.http.post(format!("https://login.microsoftonline.com/{path}")).form(form)).await;
    (answer.status.as_u16(), answer.json())
}

fn code(body: &Value) -> u64 {
    body["error_codes"][0].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_gets_a_token_of_its_own_application() {
    let mut bench = Bench::with(World::planted().with_service_principal()).await;
    let token = format!("{TENANT}/oauth2/v2.0/token");
    let form = |secret: &'static str| {
        [("grant_type", "client_credentials"), ("client_id", APPLICATION), ("client_secret", secret), ("scope", ARM)]
    };
    let (status, body) = post(&bench, &token, &form("guessed")).await;
    assert_eq!((status, code(&body)), (401, 7_000_215));
    let (status, body) = post(&bench, &token, &form(APPLICATION_SECRET)).await;
    assert_eq!(status, 200, "{body}");
    bench.arm_token = body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(peek_claims(&bench.arm_token).unwrap()["oid"], APPLICATION_OBJECT);
    assert_eq!(bench.get(&group("rg-shop"), "2025-04-01").await.status, 200);
    let (status, body) = post(&bench, "organizations/oauth2/v2.0/token", &form(APPLICATION_SECRET)).await;
    assert_eq!((status, code(&body)), (400, 90002), "an application is of one tenant");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_not_planted_is_not_known() {
    let bench = Bench::start().await;
    let form = [("grant_type", "client_credentials"), ("client_id", APPLICATION), ("client_secret", APPLICATION_SECRET), ("scope", ARM)];
    let (status, body) = post(&bench, &format!("{TENANT}/oauth2/v2.0/token"), &form).await;
    assert_eq!((status, code(&body)), (400, 700_016));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_is_pending_then_good_for_its_client_and_leads_to_other_resources() {
    let bench = Bench::start().await;
    let scope = format!("{ARM} offline_access openid profile");
    let (status, flow) = post(&bench, "organizations/oauth2/v2.0/devicecode", &[("client_id", CLIENT), ("scope", &scope)]).await;
    assert_eq!(status, 200, "{flow}");
    let device = flow["device_code"].as_str().unwrap();
    let form = |client: &'static str| [("grant_type", DEVICE), ("client_id", client), ("device_code", device)];
    let (status, body) = post(&bench, "organizations/oauth2/v2.0/token", &form(CLIENT)).await;
    assert_eq!((status, code(&body)), (400, 70016));
    bench.sandbox.control().advance(Duration::from_secs(2));
    let (status, body) = post(&bench, "organizations/oauth2/v2.0/token", &form(APPLICATION)).await;
    assert_eq!((status, code(&body)), (400, 700_005));
    let (status, body) = post(&bench, "organizations/oauth2/v2.0/token", &form(CLIENT)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(peek_claims(body["id_token"].as_str().unwrap()).unwrap()["aud"], CLIENT);
    assert_eq!(peek_claims(body["access_token"].as_str().unwrap()).unwrap()["oid"], USER);

    let refresh = body["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", refresh), ("scope", VAULT)];
    let (status, body) = post(&bench, &format!("{TENANT}/oauth2/v2.0/token"), &form).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(peek_claims(body["access_token"].as_str().unwrap()).unwrap()["aud"], "https://vault.azure.net");
    let form = [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", "made.up.token"), ("scope", VAULT)];
    assert_eq!(post(&bench, &format!("{TENANT}/oauth2/v2.0/token"), &form).await.0, 400);
    bench.sandbox.control().advance(Duration::from_secs(1000));
    let form = [("grant_type", DEVICE), ("client_id", CLIENT), ("device_code", device)];
    let (status, body) = post(&bench, "organizations/oauth2/v2.0/token", &form).await;
    assert_eq!((status, code(&body)), (400, 70020));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_tells_who_stands_behind_an_object_id() {
    let bench = Bench::start().await;
    let made = bench.make_identity("id-known").await;
    let token = bench.user_token("https://graph.microsoft.com/.default").await;
    let ids = serde_json::json!({"ids": [USER, made["properties"]["principalId"], TENANT], "types": []});
    let ask = |token: &str| {
        bench.http.request(Method::POST, "https://graph.microsoft.com/v1.0/directoryObjects/getByIds").bearer_auth(token).json(&ids)
    };
    let answer = bench.send(ask(&token)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let names: Vec<Value> = answer.json()["value"].as_array().unwrap().iter().map(|one| one["displayName"].clone()).collect();
    assert_eq!(names, ["dev@contoso.example", "id-known"]);
    assert_eq!(bench.send(ask(&bench.arm_token)).await.status, 401, "a token for ARM is none for the directory");
}
