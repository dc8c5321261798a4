//! Drift and its repair, roll-back, keeping parts, and reading the state. Runs killed at every write:
//! tests/connect/killed_while_changing.rs.

use std::time::Duration;

use serde_json::json;
use stand_in::fault::Fault;

use super::handmade::{object, settled};
use harness::{Case, same};

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes --verify=false";
const REPAIR: &str = "repair keyvault-my-vault -n shop --yes";
const DELETE: &str = "delete keyvault-my-vault -n shop --yes --ignore-not-found";

/// A connection whose Secret, service account and role are gone.
async fn drifted() -> (Case, serde_json::Value) {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    case.run(CONNECT).await.ended(0);
    case.cluster("aks-ready").remove_object("Secret", "shop", "keyvault-my-vault");
    case.cluster("aks-ready").remove_object("ServiceAccount", "shop", "web");
    case.take_roles_away().await;
    case.control().clear_log();
    (case, before)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_drifted_is_put_back_and_nothing_else() {
    let (case, before) = drifted().await;
    let differs = case.run("diff keyvault-my-vault -n shop -o name").await.ended(1);
    let names: Vec<&str> = differs.stdout.lines().map(|l| l.split('/').next().unwrap()).collect();
    assert_eq!(names, ["roleAssignment", "serviceaccount", "secret", "configmap"], "{}", differs.stdout);
    assert!(case.writes().is_empty(), "diff wrote");
    case.run("repair keyvault-my-vault -n shop").await.ended(2).says(&["--yes"]);
    case.run(REPAIR).await.ended(0);
    let touched: Vec<String> = case.writes().into_iter().filter(|w| !w.contains("kubectl-connect.") && !w.contains("/leases")).collect();
    assert!(
        touched.iter().all(|w| ["roleAssignments", "serviceaccounts", "secrets", "/configmaps"].iter().any(|t| w.contains(t))),
        "{touched:?}"
    );
    case.run("diff keyvault-my-vault -n shop").await.ended(0);
    case.run("verify keyvault-my-vault -n shop").await.ended(0);
    let writes = case.writes().len();
    assert!(case.run(REPAIR).await.ended(0).stdout.contains("needs no repair"));
    assert_eq!(case.writes().len(), writes, "a repair of nothing wrote");
    case.run("diff nothing -n shop").await.ended(3);
    case.run(DELETE).await.ended(0);
    same(&before, &case.everything(), "something was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn atomic_leaves_nothing_of_a_failure() {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    case.control()
        .fail(Fault::status(500, "InternalServerError").host("management.azure.com").path("roleAssignments").method("PUT").times(100));
    case.run(&format!("{CONNECT} --atomic")).await.ended(1).says(&["was deleted"]);
    same(&before, &case.everything(), "a failed step left something");

    let case = Case::with("aks-ready", |w| w.knobs.role_propagation = Duration::from_secs(3600)).await;
    let before = case.everything();
    case.run("keyvault my-vault -w deployment/web -n shop --yes --atomic --timeout 3s").await.ended(1).says(&["KC6012", "was deleted"]);
    same(&before, &case.everything(), "a failed proof left something");

    let case = Case::on("aks-ready").await;
    case.run(CONNECT).await.ended(0);
    case.run(&format!("{CONNECT} --atomic")).await.ended(2).says(&["KC1010"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_can_be_kept() {
    for (part, kept, gone) in [
        ("azure", "managedIdentity", "Secret"),
        ("identity", "managedIdentity", "roleAssignment"),
        ("workload", "Secret", "managedIdentity"),
    ] {
        let case = Case::on("aks-ready").await;
        case.run(CONNECT).await.ended(0);
        let ran = case.run(&format!("{DELETE} --keep {part} -o json")).await.ended(0).json();
        let action = |kind: &str| ran["changes"].as_array().unwrap().iter().find(|c| c["kind"] == kind).unwrap()["action"].clone();
        assert_eq!((action(kept), action(gone)), ("no-op".into(), "delete".into()), "{part}: {ran}");
        assert_eq!(case.run("list -n shop -o name").await.stdout, "");
        let identities = case.control().state()["resources"]
            .as_object()
            .unwrap()
            .keys()
            .filter(|k| k.contains("/userassignedidentities/id-aks-ready"))
            .count();
        assert_eq!(identities > 0, part != "workload", "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_needs_the_cluster_alone() {
    let case = Case::on("aks-ready").await;
    case.run(CONNECT).await.ended(0);
    case.control().clear_log();
    let tree = case.run("tree keyvault-my-vault -n shop").await.ended(0).stdout;
    assert!(tree.contains("├─ azure") && tree.contains("└─ cluster") && tree.contains("created by this connection"), "{tree}");
    assert_eq!(case.run("wait keyvault-my-vault -n shop --for ready").await.ended(0).stdout, "connection/keyvault-my-vault is ready\n");
    case.run("wait keyvault-my-vault -n shop --for deleted --timeout 1s").await.ended(6).says(&["KC6011"]);
    case.run("wait nothing -n shop --for deleted").await.ended(0);
    case.run("events keyvault-my-vault -n shop").await.ended(0);
    case.run("tree nothing -n shop").await.ended(3).says(&["KC1201"]);
    assert!(case.azure_requests().is_empty(), "looking asked Azure");
}

/// A manual change of an object in the cluster, as made by `kubectl`.
async fn by_kubectl(case: &Case, manager: &str, path: &str, change: serde_json::Value) {
    let (host, token) = case.api_server("aks-ready");
    let url = format!("https://{host}/api/v1/namespaces/shop/{path}?fieldManager={manager}");
    let request = case.http_client().patch(url).bearer_auth(token).header("content-type", "application/merge-patch+json");
    let answer = request.body(change.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// Values in objects that the connection created belong to it, whoever changed them last.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_hand_changed_in_objects_of_ours_is_put_back() {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    for target in ["keyvault my-vault", "blob shopdata"] {
        case.run(&format!("{target} -w deployment/web -n shop --yes --verify=false")).await.ended(0);
    }
    let annotation = json!({"metadata": {"annotations": {"azure.workload.identity/client-id": "00000000-0000-4000-8000-000000000000"}}});
    by_kubectl(&case, "kubectl-annotate", "serviceaccounts/web", annotation).await;
    let data = json!({"data": {"AZURE_KEYVAULT_SCOPE": "aGVsbG8=", "OF_SOMEBODY": "aGVsbG8="}});
    by_kubectl(&case, "kubectl-edit", "secrets/keyvault-my-vault", data).await;
    case.run("diff keyvault-my-vault -n shop").await.ended(1);
    case.run("repair keyvault-my-vault -n shop --yes").await.ended(0);
    case.run("diff keyvault-my-vault -n shop").await.ended(0);
    settled(&case, "aks-ready", "web").await;
    case.run("verify keyvault-my-vault -n shop").await.ended(0);
    case.run("verify storage-blob-shopdata -n shop").await.ended(0);
    let secret = object(&case, "Secret", "keyvault-my-vault");
    assert_eq!(secret["data"]["OF_SOMEBODY"], "aGVsbG8=", "a key of somebody else was touched");
    for name in ["keyvault-my-vault", "storage-blob-shopdata"] {
        case.run(&format!("delete {name} -n shop --yes")).await.ended(0);
    }
    same(&before, &case.everything(), "something was left");
}
