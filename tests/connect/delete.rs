//! Deleting removes exactly what was created, and never what others created or need.

use serde_json::json;

use harness::{Case, same};

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_one_workload_go_in_any_order() {
    let names = ["keyvault-my-vault", "storage-blob-shopdata", "cognitiveservices-shop-openai"];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let case = Case::on("aks-ready").await;
        let before = case.everything();
        for words in ["keyvault my-vault", "blob shopdata", "openai shop-openai"] {
            case.run(&format!("{words} -w deployment/web -n shop --yes --verify=false")).await.ended(0);
        }
        for (at, which) in order.into_iter().enumerate() {
            case.run(&format!("delete {} -n shop --yes", names[which])).await.ended(0);
            for left in order.iter().skip(at + 1) {
                case.holds(names[*left]).await;
            }
        }
        same(&before, &case.everything(), &format!("order {order:?} left something"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_stays() {
    let case = Case::on("aks-ready").await;
    case.run("keyvault my-vault -w deployment/web -n shop --yes").await.ended(0);
    case.run("delete keyvault-my-vault -n shop --yes --dry-run=client").await.ended(0);
    assert_eq!(case.run("list -n shop -o name").await.stdout, "connection/keyvault-my-vault\n", "a dry run deleted");
    let ran = case.run("delete keyvault-my-vault -n shop --yes -o json").await.ended(0).json();
    let cluster = ran["changes"].as_array().unwrap().iter().find(|c| c["kind"] == "managedCluster").unwrap();
    assert_eq!(cluster["action"], "no-op");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_connection_is_an_error_unless_told_otherwise() {
    let case = Case::on("aks-ready").await;
    case.run("keyvault my-vault -w deployment/web -n shop --yes --verify=false").await.ended(0);
    case.run("delete keyvault-my-valt -n shop --yes").await.ended(3).says(&["KC1201", "`keyvault-my-vault`"]);
    case.run("delete nothing -n default --yes --ignore-not-found").await.ended(0);
    case.run("delete keyvault-my-vault -n default --yes").await.ended(3).says(&["-n shop"]);
    case.run("show nothing -n shop").await.ended(3).says(&["KC1201"]);
    case.run("delete keyvault-my-vault -n shop").await.ended(2).says(&["--yes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_others_took_over_are_left() {
    let case = Case::on("aks-ready").await;
    case.run("keyvault my-vault -w deployment/web -n shop --yes --verify=false").await.ended(0);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keyvault-my-vault", "namespace": "shop",
        "labels": {"app.kubernetes.io/managed-by": "somebody"}}, "stringData": {"mine": "now"}});
    case.cluster("aks-ready").apply_object("somebody", secret);
    let ran = case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
    assert!(ran.stderr.contains("belongs to somebody else now: kept"), "{}", ran.stderr);
    let objects = case.cluster("aks-ready").objects();
    assert!(objects.iter().any(|o| o["kind"] == "Secret" && o["metadata"]["name"] == "keyvault-my-vault"), "it was deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_an_identity_that_somebody_deleted_goes_too() {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    let made = case.run("keyvault my-vault -w deployment/web -n shop --yes --verify=false -o json").await.ended(0).json();
    case.arm_delete(made["status"]["identity"].as_str().unwrap(), "2024-11-30").await;
    case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
    same(&before, &case.everything(), "something was left");
}
