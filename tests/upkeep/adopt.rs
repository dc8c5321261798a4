//! Adopting: set-ups of Service Connector and manual ones become connections. Neither adopting nor deleting the
//! connection changes them.

use std::time::Duration;

use serde_json::{Value, json};
use stand_in::world::{SUBSCRIPTION, World};

use super::handmade::{CLIENT, PRINCIPAL, SUBJECT, by_hand, credential, deployment, issuer, plant_identity, settled};
use harness::interrupt::killed_after;
use harness::{Case, same};

const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
const SHARED: &str = "66666666-aaaa-4bbb-8ccc-000000000022";
const LINKERS: &str = "2024-04-01";
const AUDIENCE: &str = "api://AzureADTokenExchange";

fn cluster() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-shop/providers/Microsoft.ContainerService/managedClusters/aks-ready")
}

fn target(kind: &str, name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-data/providers/{kind}/{name}")
}

/// Lets Service Connector make a connection in namespace shop, as `az aks connection create` does.
pub async fn service_connector(case: &Case, name: &str, target: &str, auth: Value) {
    let path = format!("{}/providers/Microsoft.ServiceLinker/linkers/{name}", cluster());
    let body = json!({"properties": {
        "targetService": {"type": "AzureResource", "id": target}, "authInfo": auth, "clientType": "none", "scope": "shop",
    }});
    case.arm("PUT", &path, LINKERS, Some(body)).await;
    assert_eq!(case.arm("GET", &path, LINKERS, None).await["properties"]["provisioningState"], "Succeeded");
}

fn as_identity() -> Value {
    json!({"authType": "userAssignedIdentity", "clientId": SHARED, "subscriptionId": SUBSCRIPTION})
}

/// A vault connected by Service Connector, and deployment/api using it as documented.
pub async fn connected_vault() -> Case {
    let case = Case::with("aks-ready", |w| w.knobs.cluster_update = Duration::ZERO).await;
    service_connector(&case, "keyvault_ab12", &target("Microsoft.KeyVault/vaults", "my-vault"), as_identity()).await;
    let uses = deployment(|d| {
        let pod = &mut d["spec"]["template"]["spec"];
        pod["serviceAccountName"] = json!(format!("sc-account-{SHARED}"));
        pod["containers"][0]["envFrom"] = json!([{"secretRef": {"name": "sc-keyvaultab12-secret"}}]);
    });
    case.cluster("aks-ready").apply_object("", uses);
    settled(&case, "aks-ready", "api").await;
    case.control().clear_log();
    case
}

/// A vault to which deployment/api has access through a manually created identity.
async fn hand_made_vault(change: impl FnOnce(&mut World)) -> Case {
    let case = Case::with("aks-ready", |w| {
        plant_identity(w, Some(credential(&issuer(), SUBJECT, AUDIENCE)));
        w.assignments.push((target("Microsoft.KeyVault/vaults", "my-vault"), PRINCIPAL.into(), "ServicePrincipal", SECRETS_USER.into()));
        change(w);
    })
    .await;
    by_hand(case.cluster("aks-ready"));
    settled(&case, "aks-ready", "api").await;
    case
}

/// Writes except those of the record and its lease.
fn foreign_writes(case: &Case) -> Vec<String> {
    case.writes().into_iter().filter(|w| !w.contains("/configmaps") && !w.contains("/leases")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_service_connector_made_is_listed_from_the_cluster_alone() {
    let case = connected_vault().await;
    let listed = case.run("list -n shop").await.ended(0);
    assert!(listed.stdout.contains("sc-keyvaultab12   keyvault") && listed.stdout.contains("ServiceConnector"), "{}", listed.stdout);
    assert!(listed.stderr.contains("kubectl connect adopt"), "{}", listed.stderr);
    assert_eq!(case.run("list -n shop -o name").await.stdout, "service-connector/sc-keyvaultab12\n");
    let json = case.run("list -A -o json").await.ended(0).json();
    let status = &json["items"][0]["status"];
    assert_eq!((&status["madeBy"], &status["secret"]), (&json!("service-connector"), &json!("sc-keyvaultab12-secret")));
    assert_eq!(status["serviceAccount"], format!("sc-account-{SHARED}").as_str());
    assert!(status["variables"].as_array().unwrap().contains(&json!("AZURE_KEYVAULT_RESOURCEENDPOINT")), "{json}");
    assert!(case.run("list").await.ended(0).stderr.contains("No connections"), "it is in another namespace");
    assert!(case.azure_requests().is_empty(), "list asked Azure");
    let secrets = case.control().log().into_iter().filter(|e| e.path.ends_with("/secrets"));
    let answers: Vec<String> = secrets.map(|e| e.response_body.to_string()).collect();
    assert!(!answers.is_empty() && answers.iter().all(|a| !a.contains("\"data\":")), "contents of Secrets were asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_service_connector_is_taken_over_and_left_as_it_was() {
    let case = connected_vault().await;
    let before = case.everything();
    let shown = case.run("adopt -n shop").await.ended(0).stdout;
    assert!(shown.contains("sc-keyvaultab12   Service Connector   keyvault   my-vault   deployment/api"), "{shown}");
    case.run("adopt sc-keyvaultab12 -n shop --dry-run=client").await.ended(0);
    case.run("adopt sc-keyvaultab12 -n shop").await.ended(2).says(&["adopted unchanged", "--yes"]);
    assert!(case.writes().is_empty(), "looking wrote");
    let plan = case.run("adopt keyvault_ab12 -n shop --dry-run=client -o json").await.ended(0).json();
    let actions: Vec<&str> = plan["changes"].as_array().unwrap().iter().map(|c| c["action"].as_str().unwrap()).collect();
    assert_eq!(actions.iter().filter(|a| **a != "no-op").collect::<Vec<_>>(), [&"create"], "{plan}");

    let made = case.run("adopt sc-keyvaultab12 -n shop --yes -o json").await.ended(0).json();
    assert!(foreign_writes(&case).is_empty(), "{:?}", foreign_writes(&case));
    let receipts = made["status"]["receipts"].as_object().unwrap();
    assert!(receipts.len() >= 8 && receipts.values().all(|r| r["ownership"] == "adopted" && r["done"] == true), "{receipts:#?}");
    assert_eq!((&made["status"]["madeBy"], &made["status"]["phase"]), (&json!("service-connector"), &json!("Ready")));

    assert_eq!(case.run("list -n shop -o name").await.stdout, "connection/sc-keyvaultab12\n", "it is listed once");
    assert!(case.run("adopt -n shop").await.ended(0).stderr.contains("Nothing to adopt"));
    case.run("verify sc-keyvaultab12 -n shop").await.ended(0);
    case.run("diff sc-keyvaultab12 -n shop").await.ended(0);
    assert!(case.run("repair sc-keyvaultab12 -n shop --yes").await.ended(0).stdout.contains("needs no repair"));
    assert!(case.run("refresh sc-keyvaultab12 -n shop --yes").await.ended(0).stdout.contains("nothing to refresh"));
    case.run("doctor deployment/api -n shop").await.ended(0);
    let tree = case.run("tree sc-keyvaultab12 -n shop").await.ended(0).stdout;
    assert!(!tree.contains("created by this connection") && tree.contains("existed before"), "{tree}");
    case.run("wait sc-keyvaultab12 -n shop --for ready").await.ended(0);
    case.run("events sc-keyvaultab12 -n shop").await.ended(0);
    assert!(case.run("show sc-keyvaultab12 -n shop").await.ended(0).stdout.contains("Made by     Service Connector"));

    case.run("delete sc-keyvaultab12 -n shop --yes").await.ended(0);
    assert!(foreign_writes(&case).is_empty(), "{:?}", foreign_writes(&case));
    same(&before, &case.everything(), "taking over and deleting changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_made_by_hand_is_taken_over_and_left_as_it_was() {
    let case = hand_made_vault(|_| {}).await;
    let before = case.everything();
    let shown = case.run("adopt -n shop -o wide").await.ended(0).stdout;
    assert!(shown.contains("keyvault-my-vault   hand      keyvault   my-vault   deployment/api"), "{shown}");
    let made = case.run("adopt keyvault-my-vault -n shop --yes -o json").await.ended(0).json();
    assert!(foreign_writes(&case).is_empty(), "{:?}", foreign_writes(&case));
    assert_eq!((&made["status"]["clientId"], &made["spec"]["access"]), (&json!(CLIENT), &json!("read")));
    assert!(case.run("list -n shop -o wide").await.stdout.trim_end().ends_with("hand"));
    case.run("verify keyvault-my-vault -n shop").await.ended(0);
    case.run("diff keyvault-my-vault -n shop").await.ended(0);
    case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
    assert!(foreign_writes(&case).is_empty(), "{:?}", foreign_writes(&case));
    same(&before, &case.everything(), "taking over and deleting changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_keys_keeps_them_in_its_secret_alone() {
    let case = Case::with("aks-ready", |w| w.knobs.cluster_update = Duration::ZERO).await;
    let account = target("Microsoft.Storage/storageAccounts", "shopdata") + "/blobServices/default";
    service_connector(&case, "blob.x1", &account, json!({"authType": "secret"})).await;
    let before = case.everything();
    let made = case.run("adopt sc-blobx1 -n shop --yes --name blobs -v 9").await.ended(0);
    assert!(made.stdout.contains("Adopted connection blobs"), "{made:?}");
    case.run("verify blobs -n shop").await.ended(0);
    assert!(case.run("refresh blobs -n shop --yes").await.ended(0).stdout.contains("nothing to refresh"));
    let record = case.run("show blobs -n shop -o json").await.ended(0).stdout;
    assert!(!record.contains("planted-key-value") && !format!("{made:?}").contains("planted-key-value"), "{record}");
    case.control().knobs(|k| k.rotated.push("shopdata".into()));
    case.run("refresh blobs -n shop --yes").await.ended(1).says(&["KC6019", "az aks connection update", "--name blobs"]);
    case.control().knobs(|k| k.rotated.clear());
    case.run("delete blobs -n shop --yes").await.ended(0);
    same(&before, &case.everything(), "taking over and deleting changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_adoption_is_finished_or_deleted_by_the_next() {
    let adopt = "adopt sc-keyvaultab12 -n shop --yes";
    for (next, phase) in [(adopt, "Ready"), ("delete sc-keyvaultab12 -n shop --yes --ignore-not-found", "")] {
        for nth in 1..20 {
            let case = connected_vault().await;
            let before = case.everything();
            let reached = killed_after(&case, adopt, nth).await;
            case.run(next).await.ended(0);
            if !phase.is_empty() {
                let shown = case.run("show sc-keyvaultab12 -n shop -o json").await.ended(0).json();
                assert_eq!(shown["status"]["phase"], phase);
                case.run("delete sc-keyvaultab12 -n shop --yes").await.ended(0);
            }
            assert!(foreign_writes(&case).is_empty(), "{:?}", foreign_writes(&case));
            same(&before, &case.everything(), &format!("killed after write {nth}: something was changed"));
            if !reached {
                assert!(nth > 2, "only {nth} writes were seen");
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting_anew_makes_it_ours_and_leaves_the_makers_things() {
    let case = connected_vault().await;
    let before = case.everything();
    case.run("adopt sc-keyvaultab12 -n shop --yes --name vault").await.ended(0);
    case.run("keyvault my-vault -w deployment/api -n shop --name vault --yes").await.ended(0);
    let shown = case.run("show vault -n shop -o json").await.ended(0).json();
    assert_eq!((&shown["status"]["madeBy"], &shown["status"]["secret"]), (&json!("kubectl-connect"), &json!("vault")));
    case.run("verify vault -n shop").await.ended(0);
    case.run("delete vault -n shop --yes").await.ended(0);
    same(&before, &case.everything(), "something of Service Connector's was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_later_is_told_and_not_written() {
    let case = connected_vault().await;
    case.run("adopt sc-keyvaultab12 -n shop --yes").await.ended(0);
    case.cluster("aks-ready").remove_object("Secret", "shop", "sc-keyvaultab12-secret");
    case.run("repair sc-keyvaultab12 -n shop --yes").await.ended(3).says(&["KC6016", "az aks connection update"]);
    case.run("verify sc-keyvaultab12 -n shop").await.ended(1);
    let live = case.run("show sc-keyvaultab12 -n shop --live").await.ended(0).stdout;
    assert!(live.contains("now missing: secret `sc-keyvaultab12-secret` is gone"), "{live}");
    assert!(foreign_writes(&case).is_empty());
    case.run("delete sc-keyvaultab12 -n shop --yes").await.ended(0);

    let case = hand_made_vault(|_| {}).await;
    case.run("adopt keyvault-my-vault -n shop --yes").await.ended(0);
    case.cluster("aks-ready").apply_object("", deployment(|d| d["spec"]["template"]["metadata"]["labels"] = json!({"app": "api"})));
    case.run("repair keyvault-my-vault -n shop --yes").await.ended(1).says(&["KC6018", "kubectl patch deployment api"]);
    // The grants missing in Azure are created, and from then on belong to this tool.
    case.cluster("aks-ready").apply_object("", deployment(|_| {}));
    let before = case.everything();
    case.take_roles_away().await;
    case.run("repair keyvault-my-vault -n shop --yes").await.ended(0);
    settled(&case, "aks-ready", "api").await;
    case.run("verify keyvault-my-vault -n shop").await.ended(0);
    case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
    assert_ne!(before["azure"]["roleAssignments"], case.everything()["azure"]["roleAssignments"], "the role that repair made stayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_taken_over_says_why() {
    let case = connected_vault().await;
    case.run("adopt nothing -n shop").await.ended(3).says(&["KC1206", "`sc-keyvaultab12`"]);
    case.run("adopt sc-keyvaultab12 -n shop --name My_Name").await.ended(2).says(&["KC1002"]);
    case.run("adopt sc-keyvaultab12 -n shop -w deployment/web").await.ended(2).says(&["KC1210", "deployment/api"]);
    case.run("adopt sc-keyvaultab12 -n shop -w web").await.ended(2).says(&["KC3401"]);
    case.run("adopt --name x -n shop").await.ended(2);
    case.run("adopt sc-keyvaultab12 -n shop --yes").await.ended(0);
    assert!(case.run("adopt sc-keyvaultab12 -n shop --yes").await.ended(0).stdout.contains("has already been adopted"));
    case.run("adopt sc-keyvaultab12 -n shop --yes --name other").await.ended(3).says(&["KC1206"]);

    // Two workloads use the account, so one must be named.
    let case = connected_vault().await;
    let second = deployment(|d| {
        d["metadata"]["name"] = json!("worker");
        d["metadata"]["labels"] = json!({"app": "worker"});
        d["spec"]["selector"]["matchLabels"] = json!({"app": "worker"});
        d["spec"]["template"]["metadata"]["labels"] = json!({"app": "worker", "azure.workload.identity/use": "true"});
        d["spec"]["template"]["spec"]["serviceAccountName"] = json!(format!("sc-account-{SHARED}"));
    });
    case.cluster("aks-ready").apply_object("", second);
    case.run("adopt sc-keyvaultab12 -n shop --yes").await.ended(2).says(&["KC1207", "deployment/api, deployment/worker"]);
    case.run("adopt sc-keyvaultab12 -n shop --yes -w deployment/worker").await.ended(0);

    // The Secret is gone: it can't be adopted, and the reason is reported.
    let case = connected_vault().await;
    case.cluster("aks-ready").remove_object("Secret", "shop", "sc-keyvaultab12-secret");
    case.run("adopt -n shop").await.ended(0).says(&["keyvault_ab12: its secret sc-keyvaultab12-secret is not in this namespace"]);
    case.run("adopt keyvault_ab12 -n shop --yes").await.ended(3).says(&["KC1206", "is not in this namespace"]);

    // Incomplete: the trust is for another service account.
    let case = Case::with("aks-ready", |w| {
        plant_identity(w, Some(credential(&issuer(), "system:serviceaccount:shop:other", AUDIENCE)));
        w.assignments.push((target("Microsoft.KeyVault/vaults", "my-vault"), PRINCIPAL.into(), "ServicePrincipal", SECRETS_USER.into()));
    })
    .await;
    by_hand(case.cluster("aks-ready"));
    case.run("adopt keyvault-my-vault -n shop --yes").await.ended(1).says(&["KC6015", "federatedCredential", "doctor deployment/api"]);
    assert!(case.writes().is_empty());

    // The identity has no role of any service.
    let case = Case::with("aks-ready", |w| plant_identity(w, Some(credential(&issuer(), SUBJECT, AUDIENCE)))).await;
    by_hand(case.cluster("aks-ready"));
    case.run("adopt -n shop").await.ended(0).says(&["id-api has no role", "Nothing to adopt"]);

    // A missing permission for linkers is reported.
    let case = Case::with("aks-ready", |w| w.knobs.deny("Microsoft.ServiceLinker/linkers/read", &cluster())).await;
    case.run("adopt -n shop").await.ended(0).says(&["you lack the permission to list Service Connector's connections"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn set_ups_of_the_same_target_are_told_apart() {
    const BLOB_READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";
    let case = hand_made_vault(|w| {
        w.assignments.push((
            target("Microsoft.Storage/storageAccounts", "shopdata"),
            PRINCIPAL.into(),
            "ServicePrincipal",
            BLOB_READER.into(),
        ));
    })
    .await;
    let second = deployment(|d| {
        d["metadata"]["name"] = json!("worker");
        d["metadata"]["labels"] = json!({"app": "worker"});
        d["spec"]["selector"]["matchLabels"] = json!({"app": "worker"});
        d["spec"]["template"]["metadata"]["labels"] = json!({"app": "worker", "azure.workload.identity/use": "true"});
    });
    case.cluster("aks-ready").apply_object("", second);
    settled(&case, "aks-ready", "worker").await;
    let names = case.run("adopt -n shop -o name").await.ended(0).stdout;
    let expected = ["keyvault-my-vault-api", "keyvault-my-vault-worker", "storage-blob-shopdata-api", "storage-blob-shopdata-worker"];
    assert_eq!(names.lines().map(|l| l.trim_start_matches("candidate/")).collect::<Vec<_>>(), expected);
    let before = case.everything();
    for name in expected {
        case.run(&format!("adopt {name} -n shop --yes")).await.ended(0);
        case.run(&format!("verify {name} -n shop")).await.ended(0);
    }
    // Objects shared by four connections are kept, whichever is deleted first.
    for name in expected {
        case.run(&format!("delete {name} -n shop --yes")).await.ended(0);
    }
    assert!(foreign_writes(&case).is_empty(), "{:?}", foreign_writes(&case));
    same(&before, &case.everything(), "taking over and deleting changed something");
}
