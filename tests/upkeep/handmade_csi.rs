//! Mounted vaults: a fault in class, driver, add-on, volume or grant, with its finding and remedy (known problems 15,
//! 16 and 22 to 24).

use serde_json::{Value, json};
use stand_in::kube::KubeCluster;
use stand_in::kube::csi::DRIVER;
use stand_in::world::TENANT;

use super::handmade::{CLIENT, PRINCIPAL, SUBJECT, account, credential, deployment, findings, fix, issuer, object, plant_identity};
use harness::Case;

const DOCTOR: &str = "doctor deployment/api -n shop -o json";
const CONNECT: &str = "keyvault my-vault --auth csi --secret db-password -w deployment/web -n shop --yes --verify=false";
const VERIFY: &str = "verify keyvault-my-vault -n shop -o json";
const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
const AUDIENCE: &str = "api://AzureADTokenExchange";
const CLUSTERS: &str = "2026-05-01";

/// A cluster with the add-on, and an identity as which api's service account may act; with a role on the vault if
/// `granted`.
async fn with_addon(granted: bool) -> Case {
    Case::with("aks-ready", |world| {
        *world = world.clone().with_secrets_provider("aks-ready");
        plant_identity(world, Some(credential(&issuer(), SUBJECT, AUDIENCE)));
        let vault = world.id_of("my-vault").unwrap().to_owned();
        if granted {
            world.assignments.push((vault, PRINCIPAL.into(), "ServicePrincipal", SECRETS_USER.into()));
        }
    })
    .await
}

/// A class that fetches `object`, with a change in its spec.
fn class(object: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut spec = json!({"provider": "azure", "parameters": {
        "clientID": CLIENT, "keyvaultName": "my-vault", "tenantID": TENANT,
        "objects": format!("array:\n  - |\n    objectName: {object}\n    objectType: secret\n"),
    }});
    change(&mut spec);
    json!({"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass",
        "metadata": {"name": "vault", "namespace": "shop"}, "spec": spec})
}

fn without(parameter: &'static str) -> Value {
    class("db-password", |spec| {
        spec["parameters"].as_object_mut().unwrap().shift_remove(parameter);
    })
}

fn synced(object: &'static str) -> Value {
    class("db-password", |spec| {
        spec["secretObjects"] = json!([{"secretName": "synced", "type": "Opaque", "data": [{"key": "PASSWORD", "objectName": object}]}]);
    })
}

/// Lets deployment/api mount the class, with a change in its container.
fn mounting(cluster: &KubeCluster, change: fn(&mut Value)) {
    cluster.apply_object("", account(json!({})));
    let volume = json!({"name": "vault", "csi": {
        "driver": DRIVER, "readOnly": true, "volumeAttributes": {"secretProviderClass": "vault"},
    }});
    let workload = deployment(|d| {
        d["spec"]["template"]["metadata"]["labels"] = json!({"app": "api"});
        let spec = &mut d["spec"]["template"]["spec"];
        spec["volumes"] = json!([volume]);
        spec["containers"][0]["volumeMounts"] = json!([{"name": "vault", "mountPath": "/mnt/vault", "readOnly": true}]);
        change(&mut spec["containers"][0]);
    });
    cluster.apply_object("", workload);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_mounted_by_hand_has_no_finding() {
    let case = with_addon(true).await;
    let cluster = case.cluster("aks-ready");
    cluster.apply_object("", synced("db-password"));
    mounting(cluster, |_| {});
    let ran = case.run(&format!("{DOCTOR} --fail-on warning")).await.ended(0);
    assert_eq!(findings(&ran), Vec::<String>::new(), "{}", ran.stdout);
    assert!(ran.stdout.contains("driver and SecretProviderClass"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_class_driver_and_volume_are_recognised() {
    type Plant = fn(&KubeCluster);
    let cases: [(&str, &str, Plant); 9] = [
        ("KC5800", "kubectl get secretproviderclass -n shop", |c| mounting(c, |_| {})),
        ("KC5801", "spec.parameters.clientID of vault", |c| {
            c.apply_object("", without("clientID"));
            mounting(c, |_| {});
        }),
        ("KC5802", "--name aks-ready --resource-group rg-shop --addons azure-keyvault-secrets-provider", |c| {
            c.apply_object("", class("db-password", |_| {}));
            c.remove_object("CSIDriver", "", DRIVER);
            mounting(c, |_| {});
        }),
        ("KC5803", "kubectl patch csidriver secrets-store.csi.k8s.io", |c| {
            c.apply_object("", class("db-password", |_| {}));
            c.remove_object("CSIDriver", "", DRIVER);
            c.apply_object(
                "helm",
                json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": DRIVER},
                "spec": {"attachRequired": false, "podInfoOnMount": true, "volumeLifecycleModes": ["Ephemeral"]}}),
            );
            mounting(c, |_| {});
        }),
        ("KC5804", "spec.parameters.keyvaultName of vault", |c| {
            c.apply_object("", without("keyvaultName"));
            mounting(c, |_| {});
        }),
        ("KC5804", "spec.parameters.tenantID of vault", |c| {
            c.apply_object("", without("tenantID"));
            mounting(c, |_| {});
        }),
        ("KC5805", "mount the volume of vault in every container that reads secret synced", |c| {
            c.apply_object("", synced("db-password"));
            mounting(c, |container| {
                container.as_object_mut().unwrap().shift_remove("volumeMounts");
                container["env"] = json!([{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "synced", "key": "PASSWORD"}}}]);
            });
        }),
        ("KC5806", "spec.secretObjects of vault to one of: db-password", |c| {
            c.apply_object("", synced("DB_PASSWORD"));
            mounting(c, |_| {});
        }),
        ("KC5807", "kubectl describe pod api-", |c| {
            c.apply_object("", class("no-such-secret", |_| {}));
            mounting(c, |_| {});
        }),
    ];
    for (code, remedy, plant) in cases {
        let case = with_addon(true).await;
        plant(case.cluster("aks-ready"));
        let ran = case.run(DOCTOR).await.ended(1);
        assert_eq!(findings(&ran), [code], "{}", ran.stdout);
        assert!(fix(&ran, code).contains(remedy), "{code}: {}", fix(&ran, code));
    }
}

/// A fault that is visible only in a pod's events is reported with its cause.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_mount_is_told_by_its_cause() {
    let case = with_addon(false).await;
    case.cluster("aks-ready").apply_object("", class("db-password", |_| {}));
    mounting(case.cluster("aks-ready"), |_| {});
    let ran = case.run(DOCTOR).await.ended(1);
    assert_eq!(findings(&ran), ["KC5400"], "{}", ran.stdout);
    assert!(fix(&ran, "KC5400").contains(&format!("--assignee-object-id {PRINCIPAL}")), "{}", ran.stdout);
}

async fn connected() -> Case {
    let case = Case::with("aks-ready", |world| *world = world.clone().with_secrets_provider("aks-ready")).await;
    case.run(CONNECT).await.ended(0);
    let ran = case.run(&format!("{VERIFY} --fail-on warning")).await.ended(0);
    assert_eq!(findings(&ran), Vec::<String>::new(), "{}", ran.stdout);
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn an_add_on_that_was_switched_off_is_told() {
    let case = connected().await;
    let id = stand_in::world::World::planted().id_of("aks-ready").unwrap().to_owned();
    let mut body = stand_in::sendable_cluster(&case.arm("GET", &id, CLUSTERS, None).await);
    body["properties"]["addonProfiles"]["azureKeyvaultSecretsProvider"]["enabled"] = json!(false);
    case.arm("PUT", &id, CLUSTERS, Some(body)).await;
    case.control().advance(std::time::Duration::from_secs(60));
    while case.arm("GET", &id, CLUSTERS, None).await["properties"]["provisioningState"] != "Succeeded" {
        case.control().advance(std::time::Duration::from_secs(60));
    }
    let ran = case.run(VERIFY).await.ended(1);
    let seen = findings(&ran);
    assert!(seen.contains(&"KC5808".to_owned()) && seen.contains(&"KC5802".to_owned()), "{}", ran.stdout);
    let remedy = "az aks enable-addons --name aks-ready --resource-group rg-shop --addons azure-keyvault-secrets-provider";
    assert_eq!(fix(&ran, "KC5808"), remedy);
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_the_provider_that_do_not_run_are_told() {
    let case = connected().await;
    let mut set = object(&case, "DaemonSet", "aks-secrets-store-provider-azure");
    // Pods with a service account that does not exist are refused.
    set["spec"]["template"]["spec"]["serviceAccountName"] = json!("nobody");
    case.cluster("aks-ready").apply_object("aks-addon-manager", set);
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let objects = case.cluster("aks-ready").objects();
        let set = objects.iter().find(|o| o["metadata"]["name"] == "aks-secrets-store-provider-azure" && o["kind"] == "DaemonSet");
        if set.unwrap()["status"]["numberReady"] == 0 {
            break;
        }
    }
    let ran = case.run(VERIFY).await.ended(1);
    assert_eq!(findings(&ran), ["KC5809"], "{}", ran.stdout);
    assert!(ran.stdout.contains("0 of 1 pods of aks-secrets-store-provider-azure are ready"), "{}", ran.stdout);
    assert!(fix(&ran, "KC5809").contains("kubectl get pods -n kube-system"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_is_not_mounted_as_the_connection_says_is_told_and_put_back() {
    let case = connected().await;
    let mut web = object(&case, "Deployment", "web");
    for container in web["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap() {
        container.as_object_mut().unwrap().shift_remove("volumeMounts");
    }
    case.cluster("aks-ready").apply_object("somebody", web);
    let ran = case.run(VERIFY).await.ended(1);
    assert!(findings(&ran).contains(&"KC5810".to_owned()), "{}", ran.stdout);
    assert_eq!(fix(&ran, "KC5810"), "kubectl connect repair keyvault-my-vault -n shop");
    case.run("repair keyvault-my-vault -n shop --yes").await.ended(0);
    case.holds("keyvault-my-vault").await;
}
