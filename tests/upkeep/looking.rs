//! Reading verbs: lists by label, watched lists, and the current state of parts.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use harness::Case;

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes --verify=false";

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_narrowed_by_labels_and_labels_stay() {
    let case = Case::on("aks-ready").await;
    case.run(CONNECT).await.ended(0);
    case.run("blob shopdata -w deployment/api -n shop --yes --verify=false").await.ended(0);
    let names = async |selector: &str| case.run(&format!("list -n shop -o name -l {selector}")).await.ended(0).stdout;
    assert_eq!(names("kubectl-connect.dev/service=keyvault").await, "connection/keyvault-my-vault\n");
    assert_eq!(names("kubectl-connect.dev/service!=keyvault").await, "connection/storage-blob-shopdata\n");
    assert_eq!(names("team=shop").await, "");
    // Labels of users are kept when the record is written again.
    let objects = case.cluster("aks-ready").objects();
    let mut record = objects.iter().find(|o| o["metadata"]["name"] == "kubectl-connect.keyvault-my-vault").unwrap().clone();
    record["metadata"]["labels"]["team"] = json!("shop");
    record["metadata"].as_object_mut().unwrap().remove("managedFields");
    case.cluster("aks-ready").apply_object("people", record);
    assert_eq!(names("team=shop").await, "connection/keyvault-my-vault\n");
    case.run(&format!("{CONNECT} --access admin")).await.ended(0);
    assert_eq!(names("team=shop").await, "connection/keyvault-my-vault\n", "the label was lost");
    case.run("list -n shop -l a=b=c").await.ended(2).says(&["KC1209"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_list_tells_every_change() {
    let case = Case::on("aks-ready").await;
    case.run("blob shopdata -w deployment/api -n shop --yes --verify=false").await.ended(0);
    let mut child = case.command("list -n shop -w").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.expect("a line comes").unwrap().unwrap();
    assert!(next().await.starts_with("NAME"));
    assert!(next().await.starts_with("storage-blob-shopdata"));
    case.run(CONNECT).await.ended(0);
    let line = next().await;
    assert!(line.starts_with("keyvault-my-vault") && line.contains("Incomplete"), "{line}");
    while !next().await.contains("Ready") {}
    case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
    while !next().await.contains("Deleted") {}
    child.kill().await.unwrap();
    assert!(child.wait_with_output().await.unwrap().stderr.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_shown_as_they_are_now_only_when_asked() {
    let case = Case::on("aks-ready").await;
    case.run(CONNECT).await.ended(0);
    case.control().clear_log();
    let plain = case.run("show keyvault-my-vault -n shop").await.ended(0).stdout;
    assert!(!plain.contains(" now ") && case.azure_requests().is_empty(), "{plain}");
    let live = case.run("show keyvault-my-vault -n shop --live").await.ended(0).stdout;
    assert!(live.contains("Target now  as recorded") && !live.contains("missing") && !live.contains("unknown"), "{live}");
    case.take_roles_away().await;
    case.cluster("aks-ready").remove_object("ServiceAccount", "shop", "web");
    let writes = case.writes().len();
    let shown = case.run("show keyvault-my-vault -n shop --live -o json").await.ended(0).json();
    let state = |step: &str| {
        let all = shown["status"]["live"].as_array().unwrap();
        all.iter().find(|l| l["step"].as_str().unwrap().starts_with(step)).unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        [state("target"), state("identity"), state("role:"), state("service-account")],
        ["as-recorded", "as-recorded", "missing", "missing"]
    );
    assert_eq!(case.writes().len(), writes, "looking wrote");
    case.run("show nothing -n shop --live").await.ended(3).says(&["KC1201"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_list_records_alone_sees_them() {
    let case = super::adopt::connected_vault().await;
    case.run("blob shopdata -w deployment/web -n shop --yes --verify=false").await.ended(0);
    let cluster = case.cluster("aks-ready");
    cluster.add_token("viewer-token", stand_in::kube::UserInfo::new("viewer", &[]));
    let rbac = "rbac.authorization.k8s.io";
    cluster.apply_object(
        "",
        json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": {"name": "viewer", "namespace": "shop"},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}],
        }),
    );
    cluster.apply_object(
        "",
        json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": {"name": "viewer", "namespace": "shop"},
            "subjects": [{"kind": "User", "apiGroup": rbac, "name": "viewer"}],
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "viewer"},
        }),
    );
    let names = case.run("list -n shop -o name --token viewer-token").await.ended(0).stdout;
    assert_eq!(names, "connection/storage-blob-shopdata\n", "what may not be seen is left out");
    case.run("list -A --token viewer-token").await.ended(5);
    case.run("show storage-blob-shopdata -n shop --token viewer-token").await.ended(0);
    case.run("adopt -n shop --token viewer-token").await.ended(5);
}
