//! Connections with keys and given secrets: the value is in the Kubernetes Secret and nowhere else.

use super::support::{Case, Ran, same};

const GIVEN: &str = "planted-given-secret-3f9c";

async fn nothing_leaks(words: &str, connection: &str, secret: &str) {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    let file = case.sandbox.dir().join("given");
    std::fs::write(&file, format!("{GIVEN}\n")).unwrap();
    let connect = format!("{words} -w deployment/web -n shop").replace("FILE", &file.display().to_string());
    let mut said = String::new();
    let mut keep = |ran: Ran| said.push_str(&format!("{}{}", ran.stdout, ran.stderr));
    keep(case.run(&format!("plan {connect} -o json -v 9")).await.ended(0));
    keep(case.run(&format!("{connect} --yes -v 9 -o json")).await.ended(0));
    let held = case.cluster("aks-ready").objects();
    let object = |kind: &str, name: &str| held.iter().find(|o| o["kind"] == kind && o["metadata"]["name"] == name).unwrap().clone();
    let values = object("Secret", connection)["data"].to_string();
    let text: Vec<u8> =
        object("Secret", connection)["data"].as_object().unwrap().values().flat_map(|v| decoded(v.as_str().unwrap())).collect();
    assert!(String::from_utf8_lossy(&text).contains(secret), "the Secret does not hold it");
    let record = object("ConfigMap", &format!("kubectl-connect.{connection}"));
    keep(case.run(&format!("{connect} --yes -v 9")).await.ended(0).says(&["Nothing to change"]));
    for words in ["show NAME -n shop -o yaml", "list -n shop -o json", "verify NAME -n shop -v 9", "delete NAME -n shop --yes -v 9"] {
        keep(case.run(&words.replace("NAME", connection)).await.ended(0));
    }
    for (place, text) in [("output", &said), ("record", &record.to_string()), ("pod template", &object("Deployment", "web").to_string())] {
        assert!(!text.contains(secret), "{words}: the {place} holds the secret");
        for encoded in values.split('"').filter(|v| v.len() > 24) {
            assert!(
                !text.contains(encoded) || !String::from_utf8_lossy(&decoded(encoded)).contains(secret),
                "{words}: the {place} holds it in base64"
            );
        }
    }
    same(&before, &case.everything(), &format!("{words}: something was left"));
}

fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_key_is_in_the_secret_alone() {
    nothing_leaks("blob shopdata --auth secret", "storage-blob-shopdata", "planted-key-value-shopdata-1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_an_ai_account_is_in_the_secret_alone() {
    nothing_leaks("openai shop-openai --auth secret", "cognitiveservices-shop-openai", "planted-key-value-shop-openai-1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_secret_is_in_the_secret_alone() {
    let words = "keyvault my-vault --auth service-principal --client-id 99999999-aaaa-4bbb-8ccc-000000000009 --secret-file FILE";
    nothing_leaks(words, "keyvault-my-vault", GIVEN).await;
}
