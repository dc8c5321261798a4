//! Clusters outside AKS.

use serde_json::{Value, json};
use stand_in::world::{ELSEWHERE, SUBSCRIPTION, World};

use super::handmade::{PRINCIPAL, SUBJECT, by_hand, credential, plant_identity, settled};
use harness::interrupt::killed_after;
use harness::{Case, same};

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --resource-group rg-shop --location westeurope";

async fn edge(change: impl FnOnce(&mut World)) -> Case {
    Case::with(ELSEWHERE, |w| {
        *w = std::mem::take(w).with_cluster_elsewhere();
        w.current_context = ELSEWHERE.into();
        change(w);
    })
    .await
}

/// The state, including the cluster outside AKS.
fn all(case: &Case) -> Value {
    serde_json::json!({"known": case.everything(), "edge": case.cluster(ELSEWHERE).snapshot()})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_elsewhere_connects_verifies_and_is_left_as_it_was() {
    let case = edge(|_| {}).await;
    let before = all(&case);
    let plan = case.run(&format!("plan {CONNECT} -o json")).await.ended(0).json();
    let kinds: Vec<&str> = plan["changes"].as_array().unwrap().iter().map(|c| c["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"managedIdentity") && !kinds.contains(&"managedCluster"), "{kinds:?}");
    assert!(case.writes().is_empty());
    case.run(&format!("{CONNECT} --yes")).await.ended(0);
    settled(&case, ELSEWHERE, "web").await;
    case.run("verify keyvault-my-vault -n shop").await.ended(0);
    case.run("doctor deployment/web -n shop").await.ended(0);
    case.run("doctor").await.ended(0);
    case.run("diff keyvault-my-vault -n shop").await.ended(0);
    case.run("show keyvault-my-vault -n shop --live").await.ended(0);
    case.run("tree keyvault-my-vault -n shop").await.ended(0);
    case.run("wait keyvault-my-vault -n shop").await.ended(0);
    case.run("events keyvault-my-vault -n shop").await.ended(0);
    case.run(&format!("{CONNECT} --yes")).await.ended(0).says(&["Nothing to change"]);
    // The record says where its identity is, and the workload's next connection shares that identity.
    let again = "keyvault my-vault -w deployment/web -n shop --yes";
    case.run(again).await.ended(0).says(&["Nothing to change"]);
    let plan = case.run("plan blob shopdata -w deployment/web -n shop -o json").await.ended(0).json();
    let made = plan["changes"].as_array().unwrap().iter().find(|c| c["kind"] == "managedIdentity").unwrap();
    assert_eq!(made["action"], "no-op", "{made}");
    case.run("plan blob shopdata --service-account other -n shop").await.ended(2).says(&["KC1107"]);
    // The credential is gone: repair creates it again with the recorded issuer.
    let credentials = case.control().state()["resources"].as_object().unwrap().clone();
    let made = credentials.keys().find(|k| k.contains("/federatedidentitycredentials/shop-web")).unwrap();
    case.arm_delete(made, "2024-11-30").await;
    case.run("verify keyvault-my-vault -n shop").await.ended(1);
    case.run("repair keyvault-my-vault -n shop --yes").await.ended(0);
    case.run("verify keyvault-my-vault -n shop").await.ended(0);
    case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
    same(&before, &all(&case), "something was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_need_no_place_for_an_identity() {
    let case = edge(|_| {}).await;
    let before = all(&case);
    case.run("blob shopdata --auth secret -w deployment/web -n shop --yes").await.ended(0);
    case.run("verify storage-blob-shopdata -n shop").await.ended(0);
    case.run("delete storage-blob-shopdata -n shop --yes").await.ended(0);
    same(&before, &all(&case), "something was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_is_named_needs_no_place() {
    let case = edge(|_| {}).await;
    let before = all(&case);
    case.run("keyvault my-vault -w deployment/web -n shop --identity id-shared --yes").await.ended(0);
    case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
    same(&before, &all(&case), "something was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cluster_elsewhere_lacks_is_told_before_anything_is_written() {
    let case = edge(|_| {}).await;
    let bare = "keyvault my-vault -w deployment/web -n shop --yes";
    case.run(bare).await.ended(2).says(&["KC1107", "--resource-group GROUP --location REGION", "--aks-id"]);
    case.run(&format!("{bare} --resource-group rg-shop")).await.ended(2).says(&["KC1107"]);
    case.run(&format!("{bare} --location westeurope")).await.ended(2);
    let nowhere = CONNECT.replace("rg-shop", "rg-nowhere");
    case.run(&format!("{nowhere} --yes")).await.ended(3).says(&["KC1111", "az group create --name rg-nowhere"]);
    for (wrong, near) in [("westeurop", "did you mean `westeurope`"), ("europe", "KC1112"), ("mars", "az account list-locations -o table")]
    {
        let typed = CONNECT.replace("westeurope", wrong);
        case.run(&format!("{typed} --yes")).await.ended(2).says(&["KC1112", near]);
    }
    case.cluster(ELSEWHERE).remove_object("MutatingWebhookConfiguration", "", "azure-wi-webhook-mutating-webhook-configuration");
    case.run(&format!("{CONNECT} --yes")).await.ended(1).says(&["KC1105", "helm install workload-identity-webhook"]);
    assert!(case.writes().is_empty(), "{:?}", case.writes());

    let private = |w: &mut World| w.clusters.last_mut().unwrap().issuer = "https://kubernetes.default.svc.cluster.local".into();
    let case = edge(private).await;
    case.run(&format!("{CONNECT} --yes")).await.ended(1).says(&["KC1108", "can't be read from the internet", "--service-account-issuer"]);
    case.run("doctor").await.ended(1);
    let case = edge(|w| w.clusters.last_mut().unwrap().issuer = "http://kube.edge.contoso.example/".into()).await;
    case.run(&format!("{CONNECT} --yes")).await.ended(1).says(&["KC1108", "is not an https URL"]);
    assert!(case.writes().is_empty());

    let case = Case::on("aks-ready").await;
    case.run(&format!("{CONNECT} --yes")).await.ended(2).says(&["KC1109", "--location"]);
    assert!(case.writes().is_empty());
}

/// Users may lack permission to read the issuer: the role for it is bound only to service accounts.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_tell_its_issuer_is_told() {
    let case = edge(|_| {}).await;
    let group = "rbac.authorization.k8s.io";
    for (kind, name, rest) in [
        ("ClusterRole", "all-in-shop", json!({"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]})),
        (
            "RoleBinding",
            "all-in-shop",
            json!({"subjects": [{"kind": "User", "apiGroup": group, "name": "guest@contoso.example"}],
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "all-in-shop"}}),
        ),
    ] {
        let mut object = json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": name, "namespace": "shop"}});
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        if kind == "ClusterRole" {
            object["metadata"] = json!({"name": name});
        }
        case.cluster(ELSEWHERE).apply_object("", object);
    }
    let ran = case.run(&format!("{CONNECT} --yes --as guest@contoso.example")).await.ended(1);
    ran.says(&["KC1110", "HTTP 403", "system:service-account-issuer-discovery"]);
    assert!(case.writes().is_empty(), "{:?}", case.writes());
}

/// Regions can be written as Azure's own tools accept them.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_may_be_spelled_as_it_is_shown() {
    let case = edge(|_| {}).await;
    let mut command = case.command("keyvault my-vault -w deployment/web -n shop --resource-group rg-shop --yes --verify=false");
    command.args(["--location", "West Europe"]);
    case.finish(command).await.ended(0);
    let state = case.control().state();
    let made = state["resources"].as_object().unwrap().values().find(|r| {
        r["type"] == "Microsoft.ManagedIdentity/userAssignedIdentities" && r["name"].as_str().is_some_and(|n| n.contains("shop-web"))
    });
    assert_eq!(made.unwrap_or_else(|| panic!("{state:#}"))["location"], "westeurope");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_made_set_up_elsewhere_is_taken_over_and_left_as_it_was() {
    let case = edge(|w| {
        let issuer = w.clusters.last().unwrap().issuer.clone();
        plant_identity(w, Some(credential(&issuer, SUBJECT, "api://AzureADTokenExchange")));
        let vault = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-data/providers/Microsoft.KeyVault/vaults/my-vault");
        w.assignments.push((vault, PRINCIPAL.into(), "ServicePrincipal", "4633458b-17de-408a-b874-0445c86b69e6".into()));
    })
    .await;
    by_hand(case.cluster(ELSEWHERE));
    settled(&case, ELSEWHERE, "api").await;
    let before = all(&case);
    case.run("adopt keyvault-my-vault -n shop --yes").await.ended(0);
    case.run("verify keyvault-my-vault -n shop").await.ended(0);
    case.run("diff keyvault-my-vault -n shop").await.ended(0);
    case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
    same(&before, &all(&case), "taking over and deleting changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connection_elsewhere_is_continued_or_deleted() {
    for (next, then) in [(format!("{CONNECT} --yes --verify=false"), true), ("list -n shop".to_owned(), false)] {
        for nth in 1..30 {
            let case = edge(|_| {}).await;
            let before = all(&case);
            let reached = killed_after(&case, &format!("{CONNECT} --yes --verify=false"), nth).await;
            case.run(&next).await.ended(0);
            if then {
                let shown = case.run("show keyvault-my-vault -n shop -o json").await.ended(0).json();
                assert_eq!(shown["status"]["phase"], "Ready", "killed after write {nth}");
            }
            case.run("delete keyvault-my-vault -n shop --yes --ignore-not-found").await.ended(0);
            same(&before, &all(&case), &format!("killed after write {nth}: something was left"));
            if !reached {
                assert!(nth > 8, "only {nth} writes were seen");
                break;
            }
        }
    }
}
