//! Rotated keys are fetched again and written, and nothing else changes.

use base64::Engine as _;
use serde_json::Value;

use super::handmade::settled;
use harness::interrupt::killed_after;
use harness::{Case, same};

const CONNECT: &str = "blob shopdata --auth secret -w deployment/web -n shop --yes";
const REFRESH: &str = "refresh storage-blob-shopdata -n shop --yes";

fn object(case: &Case, kind: &str, name: &str) -> Value {
    let objects = case.cluster("aks-ready").objects();
    objects.iter().find(|o| o["kind"] == kind && o["metadata"]["name"] == name && o["metadata"]["namespace"] == "shop").unwrap().clone()
}

fn holds(case: &Case, key: &str) -> bool {
    let secret = object(case, "Secret", "storage-blob-shopdata");
    let mut values = secret["data"].as_object().unwrap().values();
    values.any(|v| {
        let text = base64::engine::general_purpose::STANDARD.decode(v.as_str().unwrap()).unwrap();
        String::from_utf8_lossy(&text).contains(key)
    })
}

/// A connection whose account has new keys.
async fn rotated() -> (Case, Value) {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    case.run(CONNECT).await.ended(0);
    case.control().knobs(|k| k.rotated.push("shopdata".into()));
    case.control().clear_log();
    (case, before)
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_keys_are_put_in_place_and_the_pods_restarted() {
    let (case, before) = rotated().await;
    let told = case.run("verify storage-blob-shopdata -n shop -o json").await.ended(1).stdout;
    assert!(told.contains("KC5005") && told.contains("kubectl connect refresh storage-blob-shopdata -n shop"), "{told}");
    let template = object(&case, "Deployment", "web")["spec"]["template"].clone();
    case.control().clear_log();
    let plan = case.run("refresh storage-blob-shopdata -n shop --dry-run=client -o json").await.ended(0).json();
    let writes = plan["changes"].as_array().unwrap().iter().filter(|c| c["action"] != "no-op");
    let kinds: Vec<&str> = writes.map(|c| c["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Secret", "Deployment", "ConfigMap"], "{plan}");
    case.run("refresh storage-blob-shopdata -n shop").await.ended(2).says(&["1 rollout", "--yes"]);
    assert!(case.writes().is_empty(), "looking wrote");
    let ran = case.run(&format!("{REFRESH} -v 9")).await.ended(0);
    assert!(ran.stdout.contains("Refreshed connection") && !format!("{ran:?}").contains("planted-key-value-shopdata-rotated-1-1"));
    assert!(holds(&case, "planted-key-value-shopdata-rotated-1-1") && !holds(&case, "planted-key-value-shopdata-1"));
    let now = object(&case, "Deployment", "web")["spec"]["template"].clone();
    assert_ne!(template["metadata"]["annotations"], now["metadata"]["annotations"], "the pods were not restarted");
    assert_eq!(template["spec"], now["spec"], "the workload was changed otherwise");
    let touched: Vec<String> = case.writes().into_iter().filter(|w| !w.contains("/configmaps") && !w.contains("/leases")).collect();
    assert_eq!(touched.len(), 2, "{touched:?}");
    settled(&case, "aks-ready", "web").await;
    case.run("verify storage-blob-shopdata -n shop").await.ended(0);

    case.control().clear_log();
    assert!(case.run(REFRESH).await.ended(0).stdout.contains("has the current keys"));
    assert!(case.writes().is_empty(), "a refresh of nothing wrote");
    case.run("delete storage-blob-shopdata -n shop --yes").await.ended(0);
    same(&before, &case.everything(), "something was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_refresh_is_finished_by_the_next() {
    for nth in 1..20 {
        let (case, before) = rotated().await;
        let template = object(&case, "Deployment", "web")["spec"]["template"]["metadata"].clone();
        let reached = killed_after(&case, REFRESH, nth).await;
        case.run(REFRESH).await.ended(0);
        assert!(holds(&case, "planted-key-value-shopdata-rotated-1-1"), "killed after write {nth}");
        assert_ne!(template, object(&case, "Deployment", "web")["spec"]["template"]["metadata"], "killed after write {nth}: no restart");
        let shown = case.run("show storage-blob-shopdata -n shop -o json").await.ended(0).json();
        assert_eq!(shown["status"]["phase"], "Ready", "killed after write {nth}");
        case.run("delete storage-blob-shopdata -n shop --yes").await.ended(0);
        same(&before, &case.everything(), &format!("killed after write {nth}: something was left"));
        if !reached {
            assert!(nth > 4, "only {nth} writes were seen");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_key_of_the_service_is_left_alone() {
    let case = Case::on("aks-ready").await;
    case.run("keyvault my-vault -w deployment/web -n shop --yes --verify=false").await.ended(0);
    let writes = case.writes().len();
    assert!(case.run("refresh keyvault-my-vault -n shop --yes").await.ended(0).stdout.contains("has no keys"));
    case.run("refresh nothing -n shop --yes").await.ended(3).says(&["KC1201"]);
    assert_eq!(case.writes().len(), writes);

    // A missing Secret does not count as a rotated key.
    let (case, _) = rotated().await;
    case.cluster("aks-ready").remove_object("Secret", "shop", "storage-blob-shopdata");
    case.run(REFRESH).await.ended(1).says(&["KC6014", "kubectl connect repair"]);
    // A missing permission to fetch the keys is reported.
    let (case, _) = rotated().await;
    case.control().knobs(|k| k.deny("Microsoft.Storage/storageAccounts/listKeys/action", "/"));
    case.run(REFRESH).await.ended(5);
    assert!(case.writes().is_empty());
}
