//! Verify: every link of a connection, each with a planted fault.

use std::time::Duration;

use serde_json::json;
use stand_in::world::World;

use super::handmade::{findings, fix, object};
use harness::Case;

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes --verify=false";
const VERIFY: &str = "verify keyvault-my-vault -n shop -o json";

async fn connected(change: impl FnOnce(&mut World)) -> Case {
    let case = Case::with("aks-ready", change).await;
    case.run(CONNECT).await.ended(0);
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_connection_has_no_finding() {
    for words in ["keyvault my-vault", "keyvault policy-vault", "blob shopdata", "openai shop-openai"] {
        let case = Case::on("aks-ready").await;
        case.run(&format!("{words} -w deployment/web -n shop --yes --verify=false")).await.ended(0);
        let name = case.run("list -n shop -o name").await.stdout.trim().replace("connection/", "");
        let ran = case.run(&format!("verify {name} -n shop -o json --fail-on warning")).await.ended(0);
        assert_eq!(findings(&ran), Vec::<String>::new(), "{}", ran.stdout);
        let groups: Vec<String> =
            ran.json()["categories"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap().to_owned()).collect();
        for group in ["cluster", "webhook", "service account", "trust", "grant", "variables", "workload", "pods", "target", "proof"] {
            assert!(groups.iter().any(|g| g == group), "{words}: no {group} in {groups:?}");
        }
        let text = case.run(&format!("verify {name} -n shop -o short")).await.ended(0).stdout;
        assert!(!text.contains('✓') && text.contains("No problem found"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_role_is_told_from_a_young_one() {
    let case = connected(|w| w.knobs.role_propagation = Duration::from_secs(120)).await;
    let ran = case.run(VERIFY).await.ended(1);
    assert_eq!(findings(&ran), ["KC5402"], "{}", ran.stdout);
    let waited = case.control().clone();
    let run = case.finish(case.command(&format!("{VERIFY} --wait --timeout 60s")));
    let clock = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        waited.advance(Duration::from_secs(130));
    };
    let (ran, ()) = tokio::join!(run, clock);
    ran.ended(0);
    // The role is removed.
    let gone = Case::on("aks-ready").await;
    gone.run(CONNECT).await.ended(0);
    gone.take_roles_away().await;
    let ran = gone.run(VERIFY).await.ended(1);
    assert_eq!(findings(&ran), ["KC5400"], "{}", ran.stdout);
    assert!(fix(&ran, "KC5400").contains("--role 'Key Vault Secrets User'"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_drifted_in_the_cluster_is_found() {
    type Plant = fn(&Case);
    let cases: [(&str, &str, Plant); 5] = [
        ("KC5500", "repair keyvault-my-vault", |c| c.cluster("aks-ready").remove_object("Secret", "shop", "keyvault-my-vault")),
        ("KC5501", "repair keyvault-my-vault", |c| {
            let mut secret = object(c, "Secret", "keyvault-my-vault");
            secret["data"]["AZURE_KEYVAULT_SCOPE"] = json!("eA==");
            c.cluster("aks-ready").apply_object("somebody", secret);
        }),
        ("KC5207", "repair keyvault-my-vault", |c| {
            let mut account = object(c, "ServiceAccount", "web");
            account["metadata"]["annotations"]["azure.workload.identity/client-id"] = json!("99999999-0000-4000-8000-000000000000");
            c.cluster("aks-ready").apply_object("somebody", account);
        }),
        ("KC5120", "--enable-workload-identity", |c| {
            c.cluster("aks-ready").remove_object("MutatingWebhookConfiguration", "", "azure-wi-webhook-mutating-webhook-configuration");
        }),
        ("KC5211", "kubectl set serviceaccount deployment/web web", |c| {
            let mut web = object(c, "Deployment", "web");
            let spec = web["spec"]["template"]["spec"].as_object_mut().unwrap();
            spec.insert("serviceAccountName".into(), json!("default"));
            spec.insert("serviceAccount".into(), json!("default"));
            c.cluster("aks-ready").apply_object("somebody", web);
        }),
    ];
    for (code, remedy, plant) in cases {
        let case = connected(|_| {}).await;
        plant(&case);
        let ran = case.run(VERIFY).await.ended(1);
        assert!(findings(&ran).iter().any(|f| f == code), "{code}: {}", ran.stdout);
        assert!(fix(&ran, code).contains(remedy), "{code}: {}", fix(&ran, code));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_and_the_target_are_judged() {
    let close = |w: &mut World| w.resource_mut("my-vault").unwrap()["properties"]["publicNetworkAccess"] = json!("Disabled");
    let ran = connected(close).await.run(VERIFY).await.ended(1);
    assert_eq!(findings(&ran), ["KC5701"], "{}", ran.stdout);
    assert!(fix(&ran, "KC5701").contains("--group-id vault"), "{}", ran.stdout);
    let endpoint =
        |state: &str| json!([{"id": "/subscriptions/s/pe", "properties": {"privateLinkServiceConnectionState": {"status": state}}}]);
    for (state, code, exit) in [("Pending", "KC5703", 1), ("Approved", "KC5704", 0)] {
        let case = connected(|w| {
            let vault = &mut w.resource_mut("my-vault").unwrap()["properties"];
            vault["publicNetworkAccess"] = json!("Disabled");
            vault["privateEndpointConnections"] = endpoint(state);
        })
        .await;
        let ran = case.run(VERIFY).await.ended(exit);
        assert_eq!(findings(&ran), [code], "{}", ran.stdout);
    }
    let walled = |w: &mut World| {
        w.resource_mut("my-vault").unwrap()["properties"]["networkAcls"] = json!({"defaultAction": "Deny", "bypass": "AzureServices"})
    };
    let ran = connected(walled).await.run(VERIFY).await.ended(1);
    assert_eq!(findings(&ran), ["KC5702"], "{}", ran.stdout);
    assert!(fix(&ran, "KC5702").contains("az keyvault network-rule add --name my-vault"), "{}", ran.stdout);
}
