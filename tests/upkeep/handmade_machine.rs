//! Faults of the machine and of the user's permissions (known problem 28).

use super::handmade::{findings, fix};
use harness::{Case, Ran};

/// Runs the doctor with only these folders on PATH.
async fn with_path(case: &Case, path: &str) -> Ran {
    let mut command = case.command("doctor -n shop -o json");
    command.env("PATH", path);
    case.finish(command).await
}

fn bin(case: &Case) -> String {
    case.sandbox.bin().display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_are_missing_or_double_are_told() {
    let case = Case::on("aks-ready").await;
    let ran = with_path(&case, &bin(&case)).await.ended(0);
    assert_eq!(findings(&ran), ["KC5904"], "{}", ran.stdout);
    assert_eq!(fix(&ran, "KC5904"), "az aks install-cli");

    let nothing = case.sandbox.dir().join("nothing");
    std::fs::create_dir(&nothing).unwrap();
    let ran = with_path(&case, &nothing.display().to_string()).await.ended(1);
    assert!(findings(&ran).contains(&"KC5900".to_owned()), "{}", ran.stdout);
    assert!(fix(&ran, "KC5900").contains("install-azure-cli"), "{}", ran.stdout);

    let second = case.sandbox.dir().join("second");
    std::fs::create_dir(&second).unwrap();
    std::fs::copy(case.sandbox.bin().join("kubectl-connect"), second.join("kubectl-connect")).unwrap();
    let ran = with_path(&case, &format!("{}:{}", bin(&case), second.display())).await.ended(0);
    assert!(findings(&ran).contains(&"KC5905".to_owned()), "{}", ran.stdout);
    assert!(fix(&ran, "KC5905").contains(&second.display().to_string()), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubeconfig_that_wants_kubelogin_where_none_is_is_told() {
    let case = Case::on("aks-ready").await;
    let config = case.sandbox.dir().join("kubeconfig");
    let text = std::fs::read_to_string(&config).unwrap();
    let changed = text.replace(
        "    token: planted-cluster-token-aks-ready\n",
        "    exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin, args: [get-token], interactiveMode: Never}\n",
    );
    assert_ne!(text, changed);
    std::fs::write(&config, changed).unwrap();
    let ran = with_path(&case, &bin(&case)).await;
    assert!(findings(&ran).contains(&"KC5902".to_owned()), "{}", ran.stdout);
    assert_eq!(fix(&ran, "KC5902"), "az aks install-cli");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_azure_does_not_show_is_told() {
    let case = Case::with("aks-ready", |w| w.resources.retain(|r| r["name"] != "aks-ready")).await;
    let ran = case.run("doctor -n shop -o json").await.ended(1);
    assert!(findings(&ran).contains(&"KC5908".to_owned()), "{}", ran.stdout);
    assert!(!fix(&ran, "KC5908").is_empty() && !fix(&ran, "KC5908").contains('{'), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_in_azure_that_lacks_is_told() {
    let reader: serde_json::Value = serde_json::json!({
        "Name": "88888888-aaaa-4bbb-8ccc-000000000001", "IsCustom": true, "Description": "Reads everything",
        "Actions": ["*/read"], "NotActions": [], "DataActions": [], "NotDataActions": [],
        "AssignableScopes": [format!("/subscriptions/{}", stand_in::world::SUBSCRIPTION)],
    });
    let case = Case::with("aks-ready", |w| *w = std::mem::take(w).with_only_roles(&[reader])).await;
    let ran = case.run("doctor -n shop -o json").await.ended(0);
    assert_eq!(findings(&ran), ["KC5910"], "{}", ran.stdout);
    assert!(fix(&ran, "KC5910").contains("az role assignment create --assignee"), "{}", ran.stdout);
}
