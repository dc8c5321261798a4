//! Keys and given secrets on a real API server (see `Case::with`): the Secret has exactly the value, no other object
//! has it, and a second run changes nothing. The tests in `services` check all other places to which a secret could
//! leak.

use base64::Engine as _;
use serde_json::Value;

use harness::{Case, same};

const GIVEN: &str = "planted-given-secret-3f9c";

async fn alone_in_its_secret(words: &str, connection: &str, secret: &str) {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    let file = case.sandbox.dir().join("given");
    std::fs::write(&file, format!("{GIVEN}\n")).unwrap();
    let connect = format!("{words} -w deployment/web -n shop --yes").replace("FILE", &file.display().to_string());
    case.run(&connect).await.ended(0);
    let holds = |object: &Value| {
        let data = object["data"].as_object().into_iter().flat_map(|data| data.values());
        let decoded = data.filter_map(|v| base64::engine::general_purpose::STANDARD.decode(v.as_str()?).ok());
        object.to_string().contains(secret) || decoded.into_iter().any(|bytes| String::from_utf8_lossy(&bytes).contains(secret))
    };
    let holding: Vec<Value> = case.cluster("aks-ready").objects().into_iter().filter(holds).collect();
    let named: Vec<_> = holding.iter().map(|o| (o["kind"].as_str().unwrap(), o["metadata"]["name"].as_str().unwrap())).collect();
    assert_eq!(named, [("Secret", connection)], "{words}");
    case.run(&connect).await.ended(0).says(&["Nothing to change"]);
    case.run(&format!("verify {connection} -n shop")).await.ended(0);
    case.run(&format!("delete {connection} -n shop --yes")).await.ended(0);
    same(&before, &case.everything(), &format!("{words}: something was left"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_key_is_in_the_secret_alone() {
    alone_in_its_secret("blob shopdata --auth secret", "storage-blob-shopdata", "planted-key-value-shopdata-1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_an_ai_account_is_in_the_secret_alone() {
    alone_in_its_secret("openai shop-openai --auth secret", "cognitiveservices-shop-openai", "planted-key-value-shop-openai-1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_secret_is_in_the_secret_alone() {
    let words = "keyvault my-vault --auth service-principal --client-id 99999999-aaaa-4bbb-8ccc-000000000009 --secret-file FILE";
    alone_in_its_secret(words, "keyvault-my-vault", GIVEN).await;
}
