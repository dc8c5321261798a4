//! The doctor: one planted fault for each known problem in cluster or Azure, with its finding and remedy; and no
//! finding if all is well.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use stand_in::knobs::AzState;
use stand_in::kube::KubeCluster;

use super::handmade::{
    CLIENT, PRINCIPAL, SUBJECT, account, by_hand, credential, deployment, findings, fix, healthy, issuer, plant_identity, settled,
};
use harness::{Case, Ran};

const DOCTOR: &str = "doctor deployment/api -n shop -o json";
const AUDIENCE: &str = "api://AzureADTokenExchange";

fn right() -> Value {
    credential(&issuer(), SUBJECT, AUDIENCE)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_set_up_has_no_finding() {
    let case = healthy(|w| plant_identity(w, Some(right()))).await;
    let ran = case.run(&format!("{DOCTOR} --fail-on warning")).await.ended(0);
    assert_eq!(findings(&ran), Vec::<String>::new(), "{}", ran.stdout);
    assert!(ran.stdout.contains("Entra accepts the token"), "{}", ran.stdout);
    let bare = Case::on("aks-ready").await.run("doctor -n shop -o json --fail-on warning").await.ended(0);
    assert_eq!(findings(&bare), Vec::<String>::new(), "{}", bare.stdout);
    // A workload without workload identity is not checked.
    let plain = Case::on("aks-ready").await.run("doctor statefulset/db -n shop -o json").await.ended(0);
    assert_eq!(findings(&plain), Vec::<String>::new(), "{}", plain.stdout);
}

/// The credential (known problems 1, 2, 3 and 12).
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_do_not_fit_are_compared() {
    let issuer = issuer();
    let other = issuer.replace("000000000002", "999999999999");
    let cases = [
        ("KC5300", None),
        ("KC5302", Some(credential(issuer.trim_end_matches('/'), SUBJECT, AUDIENCE))),
        ("KC5303", Some(credential(&issuer, "system:serviceaccount:shop:Api", AUDIENCE))),
        ("KC5304", Some(credential(&issuer, "system:serviceaccount:shop:default", AUDIENCE))),
        ("KC5305", Some(credential(&issuer, SUBJECT, "api://AKSIdentityBinding"))),
        ("KC5306", Some(credential(&other, SUBJECT, AUDIENCE))),
        ("KC5301", Some(credential("https://issuer.example/", SUBJECT, AUDIENCE))),
        ("KC5308", Some(credential(&format!(" {issuer}"), SUBJECT, AUDIENCE))),
    ];
    for (code, credential) in cases {
        let compared = credential.is_some();
        let mut case = healthy(|w| plant_identity(w, credential)).await;
        // An issuer with a blank before it is not a URI, but such credentials exist.
        case.described = code != "KC5308";
        let ran = case.run(DOCTOR).await.ended(1);
        assert_eq!(findings(&ran), [code], "{}", ran.stdout);
        let remedy = fix(&ran, code);
        assert!(
            remedy.contains("az identity federated-credential")
                && remedy.contains(&format!("--issuer {issuer}"))
                && remedy.contains(SUBJECT),
            "{remedy}"
        );
        if compared {
            let text = case.run("doctor deployment/api -n shop").await.stdout;
            assert!(text.contains('^') && text.contains('≠') && text.contains("credential  "), "{text}");
        }
    }
}

type Plant = fn(&KubeCluster);

struct Fault {
    pain: u8,
    code: &'static str,
    remedy: &'static str,
    plant: Plant,
}

fn annotated(cluster: &KubeCluster, annotations: Value) {
    cluster.apply_object("", account(annotations));
    cluster.apply_object("", deployment(|_| {}));
}

const PATCH: &str = r#"{"spec":{"template":{"metadata":{"labels":{"azure.workload.identity/use":"true"}}}}}"#;

fn unlabelled(cluster: &KubeCluster, change: fn(&mut Value)) {
    cluster.apply_object("", account(json!({"azure.workload.identity/client-id": CLIENT})));
    cluster.apply_object(
        "",
        deployment(|d| {
            d["spec"]["template"]["metadata"]["labels"] = json!({"app": "api"});
            change(d);
        }),
    );
}

fn in_cluster() -> Vec<Fault> {
    let fault = |pain, code, remedy, plant: Plant| Fault { pain, code, remedy, plant };
    vec![
        fault(4, "KC5502", PATCH, |c| unlabelled(c, |_| {})),
        fault(4, "KC5503", PATCH, |c| unlabelled(c, |d| d["metadata"]["labels"]["azure.workload.identity/use"] = json!("true"))),
        fault(4, "KC5505", PATCH, |c| {
            unlabelled(c, |d| d["spec"]["template"]["metadata"]["annotations"] = json!({"azure.workload.identity/use": "true"}))
        }),
        fault(4, "KC5506", PATCH, |c| {
            unlabelled(c, |d| d["spec"]["template"]["metadata"]["labels"]["azure.workload.identity/use"] = json!("True"))
        }),
        fault(4, "KC5504", PATCH, |c| {
            unlabelled(c, |_| {});
            let mut labelled = account(json!({"azure.workload.identity/client-id": CLIENT}));
            labelled["metadata"]["labels"] = json!({"azure.workload.identity/use": "true"});
            c.apply_object("", labelled);
        }),
        fault(5, "KC5202", "azure.workload.identity/client_id- azure.workload.identity/client-id=", |c| {
            annotated(c, json!({"azure.workload.identity/client_id": CLIENT}));
        }),
        fault(5, "KC5203", "kubectl annotate serviceaccount api", |c| {
            c.apply_object(
                "",
                deployment(|d| d["spec"]["template"]["metadata"]["annotations"] = json!({"azure.workload.identity/client-id": CLIENT})),
            );
        }),
        fault(5, "KC5203", "kubectl annotate serviceaccount api", |c| {
            c.apply_object(
                "",
                json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "api", "namespace": "shop", "annotations": {"azure.workload.identity/client-id": CLIENT}},
                "spec": {"selector": {"app": "api"}, "ports": [{"port": 80}]}}),
            );
            c.apply_object("", deployment(|_| {}));
        }),
        fault(5, "KC5211", "kubectl set serviceaccount deployment/api api-sa", |c| {
            let mut other = account(json!({"azure.workload.identity/client-id": CLIENT}));
            other["metadata"]["name"] = json!("api-sa");
            c.apply_object("", other);
            c.apply_object("", deployment(|_| {}));
        }),
        fault(5, "KC5201", "azure.workload.identity/client-id=", |c| c.apply_object("", deployment(|_| {}))),
        fault(7, "KC5120", "--enable-workload-identity", |c| {
            by_hand(c);
            c.remove_object("MutatingWebhookConfiguration", "", "azure-wi-webhook-mutating-webhook-configuration");
        }),
        fault(8, "KC5122", "helm uninstall", |c| {
            by_hand(c);
            c.apply_object(
                "helm",
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "azure-workload-identity-system"}}),
            );
            let labels = json!({"app": "wi"});
            c.apply_object("helm", json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "azure-wi-webhook-controller-manager", "namespace": "azure-workload-identity-system"},
                "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "manager", "image": "mcr.microsoft.com/oss/azure/workload-identity/webhook:v1.6.0"}]}}}}));
        }),
        fault(19, "KC5204", CLIENT, |c| annotated(c, json!({"azure.workload.identity/client-id": "id-api"}))),
        fault(19, "KC5205", CLIENT, |c| annotated(c, json!({"azure.workload.identity/client-id": PRINCIPAL}))),
        fault(19, "KC5206", "az identity list", |c| {
            annotated(c, json!({"azure.workload.identity/client-id": "99999999-0000-4000-8000-000000000000"}))
        }),
        fault(19, "KC5209", "tenant-id=11111111", |c| {
            annotated(
                c,
                json!({"azure.workload.identity/client-id": CLIENT, "azure.workload.identity/tenant-id": "99999999-0000-4000-8000-000000000000"}),
            );
        }),
        fault(19, "KC5208", "tenant-id-", |c| {
            annotated(c, json!({"azure.workload.identity/client-id": CLIENT, "azure.workload.identity/tenant-id": ""}));
        }),
        fault(18, "KC5210", "expiration=3600", |c| {
            annotated(
                c,
                json!({"azure.workload.identity/client-id": CLIENT, "azure.workload.identity/service-account-token-expiration": "60"}),
            );
        }),
        fault(17, "KC5507", "kubectl set env deployment/api -n shop -c api AZURE_CLIENT_ID-", |c| {
            c.apply_object("", account(json!({"azure.workload.identity/client-id": CLIENT})));
            c.apply_object(
                "",
                deployment(|d| {
                    d["spec"]["template"]["spec"]["containers"][0]["env"] =
                        json!([{"name": "AZURE_CLIENT_ID", "value": "99999999-0000-4000-8000-000000000001"}]);
                }),
            );
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_in_the_cluster_are_recognised() {
    for fault in in_cluster() {
        let case = Case::with("aks-ready", |w| plant_identity(w, Some(right()))).await;
        (fault.plant)(case.cluster("aks-ready"));
        let ran = case.run(DOCTOR).await.ended(1);
        let seen = findings(&ran);
        assert!(seen.iter().any(|f| f == fault.code), "pain {}: {} is not in {seen:?}\n{}", fault.pain, fault.code, ran.stdout);
        assert!(fix(&ran, fault.code).contains(fault.remedy), "pain {}: {}", fault.pain, fix(&ran, fault.code));
    }
}

/// The account was annotated after the pods were created (known problem 6).
#[tokio::test(flavor = "multi_thread")]
async fn pods_older_than_the_change_are_told() {
    let case = Case::with("aks-ready", |w| plant_identity(w, Some(right()))).await;
    let cluster = case.cluster("aks-ready");
    cluster.apply_object("", deployment(|_| {}));
    case.run("list -n shop").await.ended(0);
    cluster.apply_object("", account(json!({"azure.workload.identity/client-id": CLIENT})));
    let ran = case.run(DOCTOR).await.ended(1);
    assert_eq!(findings(&ran), ["KC5601"], "{}", ran.stdout);
    assert!(fix(&ran, "KC5601").contains("kubectl rollout restart deployment/api -n shop"));
}

/// The webhook does not answer, so new pods are refused (known problem 7).
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_down_is_told() {
    let case = healthy(|w| plant_identity(w, Some(right()))).await;
    case.run("list -n shop").await.ended(0);
    let cluster = case.cluster("aks-ready");
    cluster.webhook_down(true);
    cluster.apply_object("", deployment(|d| d["spec"]["template"]["spec"]["containers"][0]["image"] = json!("contoso.azurecr.io/api:3")));
    settled(&case, "aks-ready", "api").await;
    let ran = case.run(DOCTOR).await.ended(1);
    assert!(findings(&ran).iter().any(|f| f == "KC5606"), "{}", ran.stdout);
    assert!(fix(&ran, "KC5606").contains("azure-workload-identity.io/system=true"));
}

/// The issuer's documents (known problem 20), kube-system (31), no connection to the internet (32).
#[tokio::test(flavor = "multi_thread")]
async fn the_surroundings_are_judged() {
    let case = healthy(|w| plant_identity(w, Some(right()))).await;
    case.control().fail(stand_in::fault::Fault::status(404, "NotFound").path("openid-configuration").times(20));
    let ran = case.run(DOCTOR).await.ended(1);
    assert!(findings(&ran).contains(&"KC5112".to_owned()), "{}", ran.stdout);
    assert!(fix(&ran, "KC5112").contains("az aks update"), "{}", ran.stdout);

    let case = healthy(|w| {
        plant_identity(w, Some(right()));
        w.resource_mut("aks-ready").unwrap()["properties"]["networkProfile"]["outboundType"] = json!("none");
    })
    .await;
    let ran = case.run(DOCTOR).await.ended(0);
    assert_eq!(findings(&ran), ["KC5115"], "{}", ran.stdout);
    assert!(fix(&ran, "KC5115").contains("login.microsoftonline.com"), "{}", ran.stdout);

    let case = Case::with("aks-ready", |w| plant_identity(w, Some(right()))).await;
    let in_system = |mut o: Value| {
        o["metadata"]["namespace"] = json!("kube-system");
        o
    };
    case.cluster("aks-ready").apply_object("", in_system(account(json!({"azure.workload.identity/client-id": CLIENT}))));
    case.cluster("aks-ready").apply_object("", in_system(deployment(|_| {})));
    let ran = case.run("doctor deployment/api -n kube-system -o json").await.ended(1);
    assert!(findings(&ran).contains(&"KC5509".to_owned()), "{}", ran.stdout);
}

/// The machine (known problem 28 and others).
#[tokio::test(flavor = "multi_thread")]
async fn the_machine_is_judged() {
    let ran = Case::with("aks-ready", |w| w.knobs.az = AzState::NotSignedIn).await.run("doctor -o json").await.ended(1);
    assert_eq!(findings(&ran), ["KC5901"], "{}", ran.stdout);
    assert!(fix(&ran, "KC5901").contains("az login"));

    let case = Case::on("aks-ready").await;
    script(&case, "kubelogin", "echo 'kubelogin version v1.34.1 (go1.24.5 linux_amd64)'");
    let config = case.sandbox.dir().join("kubeconfig");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(
        "    token: planted-cluster-token-aks-ready\n",
        "    exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin, args: [get-token], interactiveMode: Never}\n",
    );
    std::fs::write(&config, text).unwrap();
    let ran = case.run("doctor -o json").await.ended(1);
    assert!(findings(&ran).contains(&"KC5903".to_owned()), "{}", ran.stdout);
    assert!(fix(&ran, "KC5903").contains("az aks install-cli"));

    let case = Case::on("aks-ready").await;
    script(&case, "kubectl-connect-keyvault", "true");
    let ran = case.run("doctor -o json").await.ended(0);
    assert_eq!(findings(&ran), ["KC5906"], "{}", ran.stdout);

    let case = Case::on("aks-ready").await;
    case.cluster("aks-ready").deny("clusterUser", "create", "", "secrets", Some("shop"));
    let ran = case.run("doctor -n shop -o json").await.ended(0);
    assert_eq!(findings(&ran), ["KC5909"], "{}", ran.stdout);
    let ran = case.run("doctor -n shop -o json --server https://nowhere.invalid").await.ended(1);
    assert!(findings(&ran).contains(&"KC5907".to_owned()), "{}", ran.stdout);
}

fn script(case: &Case, name: &str, line: &str) {
    let path = case.sandbox.bin().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_listed_and_explained() {
    let case = Case::on("aks-ready").await;
    let listed = case.run("doctor --list -o json").await.ended(0).json();
    assert!(listed["findings"].as_array().unwrap().len() > 60);
    let explain = |code: &'static str| {
        let case = &case;
        async move { case.run(&format!("doctor {code}")).await.ended(0) }
    };
    let told: Ran = explain("AADSTS700024").await;
    assert!(told.stdout.starts_with("KC5320") && told.stdout.contains("AZURE_FEDERATED_TOKEN_FILE"), "{}", told.stdout);
    assert!(explain("AADSTS7002138").await.stdout.starts_with("KC5303"));
    case.run("doctor AADSTS1").await.ended(3).says(&["doctor --list"]);
    case.run("doctor deployment/nobody -n shop").await.ended(3).says(&["KC1202"]);
}
