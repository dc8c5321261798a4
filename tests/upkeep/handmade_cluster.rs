//! Faults in the cluster besides those tested for the doctor: webhook, accounts, template and pods (known problems 5
//! to 7, 17 and 30).

use serde_json::{Value, json};
use stand_in::kube::KubeCluster;
use stand_in::world::TENANT;

use super::handmade::{
    CLIENT, SUBJECT, account, by_hand, credential, deployment, findings, fix, healthy, issuer, object, plant_identity, settled,
};
use harness::Case;

const DOCTOR: &str = "doctor deployment/api -n shop -o json";
const HOOK: &str = "azure-wi-webhook-mutating-webhook-configuration";
const MANAGER: &str = "azure-wi-webhook-controller-manager";

async fn planted() -> Case {
    Case::with("aks-ready", |w| plant_identity(w, Some(credential(&issuer(), SUBJECT, "api://AzureADTokenExchange")))).await
}

fn annotated(cluster: &KubeCluster, annotations: fn() -> Value) {
    cluster.apply_object("", account(json!({"azure.workload.identity/client-id": CLIENT})));
    cluster.apply_object("", deployment(|d| d["spec"]["template"]["metadata"]["annotations"] = annotations()));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_webhook_account_and_template_are_recognised() {
    type Plant = fn(&Case);
    let cases: [(&str, i32, &str, Plant); 9] = [
        ("KC5121", 1, "kubectl get pods,events -n kube-system -l azure-workload-identity.io/system=true", |c| {
            let cluster = c.cluster("aks-ready");
            by_hand(cluster);
            let mut manager = object(c, "Deployment", MANAGER);
            // Pods with a service account that does not exist are refused.
            manager["spec"]["template"]["spec"]["serviceAccountName"] = json!("nobody");
            cluster.remove_object("Deployment", "kube-system", MANAGER);
            cluster.apply_object("aks-addon-manager", manager);
        }),
        ("KC5124", 0, "kubectl patch mutatingwebhookconfiguration azure-wi-webhook-mutating-webhook-configuration", |c| {
            by_hand(c.cluster("aks-ready"));
            let mut hook = object(c, "MutatingWebhookConfiguration", HOOK);
            hook["webhooks"][0]["failurePolicy"] = json!("Ignore");
            c.cluster("aks-ready").apply_object("helm", hook);
        }),
        ("KC5200", 1, "kubectl create serviceaccount api -n shop", |c| {
            c.cluster("aks-ready").remove_object("ServiceAccount", "shop", "api");
            c.cluster("aks-ready").apply_object("", deployment(|_| {}));
        }),
        ("KC5212", 1, "kubectl create serviceaccount api -n shop", |c| {
            let mut elsewhere = account(json!({"azure.workload.identity/client-id": CLIENT}));
            elsewhere["metadata"]["namespace"] = json!("default");
            c.cluster("aks-ready").remove_object("ServiceAccount", "shop", "api");
            c.cluster("aks-ready").apply_object("", elsewhere);
            c.cluster("aks-ready").apply_object("", deployment(|_| {}));
        }),
        ("KC5510", 0, "inject-proxy-sidecar from the pod template of deployment/api", |c| {
            annotated(c.cluster("aks-ready"), || json!({"azure.workload.identity/inject-proxy-sidecar": "false"}));
        }),
        ("KC5511", 0, "skip-containers from the pod template of deployment/api", |c| {
            annotated(c.cluster("aks-ready"), || json!({"azure.workload.identity/skip-containers": "api"}));
        }),
        ("KC5512", 1, "az aks upgrade --name aks-ready --resource-group rg-shop", |c| {
            annotated(c.cluster("aks-ready"), || json!({"azure.workload.identity/use-identity-binding": "true"}));
        }),
        ("KC5600", 1, "kubectl describe pods -n shop -l app=api", |c| {
            let on_itself = |d: &mut Value| {
                d["spec"]["template"]["metadata"]["labels"] = json!({"app": "api"});
                d["metadata"]["labels"]["azure.workload.identity/use"] = json!("true");
            };
            c.cluster("aks-ready").remove_object("Deployment", "shop", "api");
            c.cluster("aks-ready").remove_object("ServiceAccount", "shop", "api");
            c.cluster("aks-ready").apply_object("", deployment(on_itself));
        }),
        ("KC5607", 1, "kubectl describe deployment/api -n shop", |c| {
            annotated(c.cluster("aks-ready"), || json!({"azure.workload.identity/service-account-token-expiration": "60"}));
        }),
    ];
    for (code, exit, remedy, plant) in cases {
        let case = planted().await;
        plant(&case);
        let ran = case.run(DOCTOR).await.ended(exit);
        assert!(findings(&ran).contains(&code.to_owned()), "{code}: {}", ran.stdout);
        assert!(fix(&ran, code).contains(remedy), "{code}: {}", fix(&ran, code));
    }
}

/// Waits until the running pods of deployment/api fulfil a condition.
async fn pods(case: &Case, fit: fn(&Value) -> bool) {
    for _ in 0..100 {
        let objects = case.cluster("aks-ready").objects();
        if objects.iter().any(|o| o["kind"] == "Pod" && o["metadata"]["labels"]["app"] == "api" && fit(o)) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no such pod came");
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_act_as_the_former_identity_are_told() {
    let case = planted().await;
    let cluster = case.cluster("aks-ready");
    cluster.apply_object("", account(json!({"azure.workload.identity/client-id": "99999999-0000-4000-8000-000000000000"})));
    cluster.apply_object("", deployment(|_| {}));
    pods(&case, |p| p.to_string().contains("99999999-0000-4000-8000-000000000000")).await;
    cluster.apply_object("", account(json!({"azure.workload.identity/client-id": CLIENT})));
    let ran = case.run(DOCTOR).await.ended(1);
    assert_eq!(findings(&ran), ["KC5603"], "{}", ran.stdout);
    assert_eq!(fix(&ran, "KC5603"), "kubectl rollout restart deployment/api -n shop");
}

/// The pods are created while the webhook is not registered, a second after all objects that request an identity.
#[tokio::test(flavor = "multi_thread")]
async fn pods_that_the_webhook_did_not_see_are_told() {
    let case = planted().await;
    let cluster = case.cluster("aks-ready");
    cluster.apply_object("", account(json!({"azure.workload.identity/client-id": CLIENT})));
    cluster.remove_object("MutatingWebhookConfiguration", "", HOOK);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    cluster.apply_object("", deployment(|_| {}));
    pods(&case, |p| p["metadata"]["labels"]["azure.workload.identity/use"] == "true").await;
    settled(&case, "aks-ready", "api").await;
    cluster.install_webhook(TENANT);
    let ran = case.run(DOCTOR).await.ended(1);
    assert_eq!(findings(&ran), ["KC5602"], "{}", ran.stdout);
    assert_eq!(fix(&ran, "KC5602"), "kubectl rollout restart deployment/api -n shop");
}

/// The manifest is corrected, but its new pods can't start: the running one still has the wrong path.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_path_that_leads_nowhere_is_told() {
    let case = planted().await;
    let cluster = case.cluster("aks-ready");
    cluster.apply_object("", account(json!({"azure.workload.identity/client-id": CLIENT})));
    cluster.apply_object(
        "",
        deployment(|d| {
            d["spec"]["template"]["spec"]["containers"][0]["env"] =
                json!([{"name": "AZURE_FEDERATED_TOKEN_FILE", "value": "/var/run/secrets/old/token"}]);
        }),
    );
    case.run("list -n shop").await.ended(0);
    pods(&case, |p| p["status"]["phase"] == "Running").await;
    cluster.webhook_down(true);
    cluster.apply_object("", deployment(|_| {}));
    let ran = case.run(DOCTOR).await.ended(1);
    assert!(findings(&ran).contains(&"KC5604".to_owned()), "{}", ran.stdout);
    assert!(fix(&ran, "KC5604").contains("remove AZURE_FEDERATED_TOKEN_FILE from the manifest of deployment/api"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_that_somebody_took_out_are_told_and_put_back() {
    let case = healthy(|_| {}).await;
    case.run("keyvault my-vault -w deployment/web -n shop --yes --verify=false").await.ended(0);
    let mut web = object(&case, "Deployment", "web");
    for container in web["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap() {
        container.as_object_mut().unwrap().shift_remove("env");
    }
    case.cluster("aks-ready").apply_object("somebody", web);
    let ran = case.run("verify keyvault-my-vault -n shop -o json").await.ended(1);
    assert!(findings(&ran).contains(&"KC5508".to_owned()), "{}", ran.stdout);
    assert_eq!(fix(&ran, "KC5508"), "kubectl connect repair keyvault-my-vault -n shop");
    case.run("repair keyvault-my-vault -n shop --yes").await.ended(0);
    case.holds("keyvault-my-vault").await;
}
