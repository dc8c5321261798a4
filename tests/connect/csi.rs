//! Vault objects as files, through the CSI driver: from the add-on to the mounted volume, and back.

use base64::Engine as _;
use serde_json::{Value, json};
use stand_in::world::{SUBSCRIPTION, World};

use super::killed_while_connecting::completed_and_undone;
use harness::interrupt::{after_each_write, killed_after};
use harness::states::with_store;
use harness::{Case, same};

const CLASS: &str = "keyvault-my-vault";

/// A sandbox whose ready cluster has the add-on enabled.
async fn with_addon(context: &str) -> Case {
    Case::with(context, |world| *world = world.clone().with_secrets_provider(context)).await
}

fn object(case: &Case, cluster: &str, kind: &str, name: &str) -> Option<Value> {
    let all = case.cluster(cluster).objects();
    all.into_iter().find(|o| o["kind"] == kind && o["metadata"]["name"] == name && o["metadata"]["namespace"] == "shop")
}

fn roles(case: &Case) -> Vec<String> {
    let state = case.control().state();
    let mut all: Vec<String> = state["roleAssignments"]
        .as_object()
        .unwrap()
        .values()
        .filter(|a| a["role"].as_str().unwrap().starts_with("Key Vault"))
        .map(|a| format!("{} at {}", a["role"].as_str().unwrap(), a["scope"].as_str().unwrap().rsplit('/').next().unwrap()))
        .collect();
    all.sort();
    all
}

/// The driver's value in the synced Secret.
fn synced(case: &Case, cluster: &str, key: &str) -> Option<String> {
    let secret = object(case, cluster, "Secret", &format!("{CLASS}-vault"))?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(secret["data"][key].as_str()?).unwrap();
    Some(String::from_utf8(bytes).unwrap())
}

fn on_real_servers() -> bool {
    harness::real::is_on()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_mounted_and_everything_goes_again() {
    let case = with_addon("aks-ready").await;
    let before = case.everything();
    let connect = "keyvault my-vault --auth csi --secret db-password --mount-path /mnt/x -w deployment/web -n shop";
    let plan = case.run(&format!("plan {connect}")).await.ended(0);
    for told in ["SecretProviderClass", "secret db-password", "Key Vault Secrets User"] {
        assert!(plan.stdout.contains(told), "{}", plan.stdout);
    }
    same(&before, &case.everything(), "planning changed something");
    case.run(&format!("{connect} --yes")).await.ended(0).says(&["read secret db-password of my-vault"]);
    let class = object(&case, "aks-ready", "SecretProviderClass", CLASS).unwrap();
    assert_eq!((&class["spec"]["provider"], &class["spec"]["parameters"]["keyvaultName"]), (&json!("azure"), &json!("my-vault")));
    assert_eq!(class["spec"]["parameters"]["tenantID"], stand_in::world::TENANT);
    let pod = object(&case, "aks-ready", "Deployment", "web").unwrap()["spec"]["template"]["spec"].clone();
    let volume = json!({"name": CLASS, "csi": {
        "driver": "secrets-store.csi.k8s.io", "readOnly": true, "volumeAttributes": {"secretProviderClass": CLASS},
    }});
    assert_eq!(pod["volumes"], json!([volume]));
    for container in pod["containers"].as_array().unwrap() {
        assert_eq!(container["volumeMounts"], json!([{"name": CLASS, "mountPath": "/mnt/x", "readOnly": true}]));
    }
    assert_eq!(roles(&case), ["Key Vault Secrets User at my-vault"]);
    case.holds(CLASS).await;
    let writes = case.writes().len();
    case.run(&format!("{connect} --yes --verify=false")).await.ended(0).says(&["Nothing to change"]);
    assert_eq!(case.writes().len(), writes, "a second run wrote something");
    case.run(&format!("delete {CLASS} -n shop --yes")).await.ended(0);
    same(&before, &case.everything(), "something was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_add_on_comes_with_issuer_and_workload_identity_in_one_update() {
    let case = Case::on("aks-shop").await;
    let connect = "keyvault my-vault --secret db-password=DB_PASSWORD -w deployment/web -n shop";
    let plan = case.run(&format!("plan {connect}")).await.ended(0);
    for told in ["azureKeyvaultSecretsProvider", "oidcIssuer", "workloadIdentity"] {
        assert!(plan.stdout.contains(told), "{}", plan.stdout);
    }
    case.run(&format!("{connect} --yes")).await.ended(0);
    let updates = case.writes().into_iter().filter(|w| w.starts_with("PUT") && w.to_lowercase().ends_with("/managedclusters/aks-shop"));
    assert_eq!(updates.count(), 1);
    case.holds(CLASS).await;
    if !on_real_servers() {
        assert_eq!(synced(&case, "aks-shop", "DB_PASSWORD").as_deref(), Some("planted-secret-value-db-password"));
    }
    let again = case.run(&format!("plan {connect} -o json")).await.ended(0).json();
    assert_eq!(again["summary"], json!({"add": 0, "change": 0, "delete": 0}), "{again:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_objects_get_a_role_each_and_a_variable_where_asked() {
    let case = with_addon("aks-ready").await;
    let before = case.everything();
    let objects = "--secret db-password=DB_PASSWORD --secret web-tls:web.pem --key signing-key --cert web-tls=WEB_CERT";
    case.run(&format!("keyvault my-vault --auth csi {objects} -w deployment/web -c app -n shop --yes")).await.ended(0);
    let expected = ["Key Vault Certificate User at my-vault", "Key Vault Crypto User at my-vault", "Key Vault Secrets User at my-vault"];
    assert_eq!(roles(&case), expected);
    let class = object(&case, "aks-ready", "SecretProviderClass", CLASS).unwrap();
    let data = json!([{"key": "DB_PASSWORD", "objectName": "db-password"}, {"key": "WEB_CERT", "objectName": "web-tls"}]);
    assert_eq!(class["spec"]["secretObjects"], json!([{"secretName": format!("{CLASS}-vault"), "type": "Opaque", "data": data}]));
    let pod = object(&case, "aks-ready", "Deployment", "web").unwrap()["spec"]["template"]["spec"].clone();
    let env = pod["containers"][0]["env"].as_array().unwrap().clone();
    let from = |name: &str| env.iter().find(|e| e["name"] == name).unwrap()["valueFrom"]["secretKeyRef"].clone();
    assert_eq!(from("DB_PASSWORD"), json!({"name": format!("{CLASS}-vault"), "key": "DB_PASSWORD"}));
    assert_eq!(from("AZURE_KEYVAULT_NAME"), json!({"name": CLASS, "key": "AZURE_KEYVAULT_NAME"}));
    assert!(pod["containers"][1]["env"].is_null() && pod["containers"][1]["volumeMounts"].is_null(), "{pod}");
    case.holds(CLASS).await;
    if !on_real_servers() {
        assert_eq!(synced(&case, "aks-ready", "WEB_CERT").as_deref(), Some("planted-certificate"));
    }
    case.run(&format!("delete {CLASS} -n shop --yes")).await.ended(0);
    same(&before, &case.everything(), "something was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_add_ons_identity_needs_neither_issuer_nor_account() {
    let case = Case::on("aks-shop").await;
    let connect = "keyvault my-vault --csi-identity addon --secret db-password -w deployment/web -n shop";
    let plan = case.run(&format!("plan {connect} -o json")).await.ended(0).json();
    let kinds: Vec<&str> =
        plan["changes"].as_array().unwrap().iter().filter(|c| c["action"] != "no-op").map(|c| c["kind"].as_str().unwrap()).collect();
    assert!(
        !kinds.contains(&"ServiceAccount") && !kinds.contains(&"federatedCredential") && !kinds.contains(&"managedIdentity"),
        "{plan:#}"
    );
    case.run(&format!("{connect} --yes")).await.ended(0).says(&["only a node gets a token"]);
    let state = case.control().state();
    let cluster = state["resources"].as_object().unwrap().values().find(|r| r["name"] == "aks-shop").unwrap();
    assert_eq!(cluster["properties"]["oidcIssuerProfile"]["enabled"], false, "the issuer was switched on for nothing");
    let addon = &cluster["properties"]["addonProfiles"]["azureKeyvaultSecretsProvider"];
    let parameters = object(&case, "aks-shop", "SecretProviderClass", CLASS).unwrap()["spec"]["parameters"].clone();
    assert_eq!(
        (&parameters["useVMManagedIdentity"], &parameters["userAssignedIdentityID"]),
        (&json!("true"), &addon["identity"]["clientId"])
    );
    let granted = state["roleAssignments"].as_object().unwrap().values().any(|a| a["principalId"] == addon["identity"]["objectId"]);
    assert!(granted, "{state:#}");
    // The webhook is not involved, so this works on real API servers as well.
    case.run(&format!("verify {CLASS} -n shop")).await.ended(0);
    case.run(&format!("delete {CLASS} -n shop --yes")).await.ended(0);
    assert!(roles(&case).is_empty() && object(&case, "aks-shop", "SecretProviderClass", CLASS).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_of_the_nodes_is_granted_and_kept() {
    let case = with_addon("aks-ready").await;
    let before = case.everything();
    let client = "66666666-aaaa-4bbb-8ccc-000000000022";
    case.run(&format!("keyvault my-vault --csi-identity vm:{client} --secret db-password -w deployment/web -n shop --yes")).await.ended(0);
    let parameters = object(&case, "aks-ready", "SecretProviderClass", CLASS).unwrap()["spec"]["parameters"].clone();
    assert_eq!((&parameters["useVMManagedIdentity"], &parameters["userAssignedIdentityID"]), (&json!("true"), &json!(client)));
    case.run(&format!("verify {CLASS} -n shop")).await.ended(0);
    case.run(&format!("delete {CLASS} -n shop --yes")).await.ended(0);
    same(&before, &case.everything(), "something was left");
}

/// A scale set of the cluster's nodes with these identities.
fn scale_set(name: &str, identities: &[&str]) -> Value {
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/MC_rg-shop_aks-ready_westeurope/providers");
    let assigned: serde_json::Map<String, Value> = identities.iter().map(|id| ((*id).to_owned(), json!({}))).collect();
    json!({"id": format!("{group}/Microsoft.Compute/virtualMachineScaleSets/{name}"), "name": name, "location": "westeurope",
        "type": "Microsoft.Compute/virtualMachineScaleSets", "properties": {},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": assigned}})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_no_node_has_is_refused_and_one_that_some_lack_is_told() {
    let connect =
        "keyvault my-vault --csi-identity vm:66666666-aaaa-4bbb-8ccc-000000000022 --secret db-password -w deployment/web -n shop --yes";
    let shared = World::planted().id_of("id-shared").unwrap().to_owned();
    let world = |sets: Vec<Value>| {
        Case::with("aks-ready", |w| {
            *w = std::mem::take(w).with_secrets_provider("aks-ready");
            w.resources.extend(sets);
        })
    };
    let case = world(vec![scale_set("aks-system", &[])]).await;
    case.run(connect).await.ended(1).says(&[
        "KC1321",
        "no node of cluster `aks-ready` has the identity `id-shared`",
        "az vmss identity assign --resource-group MC_rg-shop_aks-ready_westeurope --name aks-system --identities /subscriptions/",
    ]);
    let by_id = format!("{connect} --aks-id {}", World::planted().id_of("aks-ready").unwrap());
    case.run(&by_id).await.ended(1).says(&["KC1321"]);
    assert!(case.writes().is_empty(), "{:?}", case.writes());
    drop(case);
    let case = world(vec![scale_set("aks-system", &[&shared.to_uppercase()]), scale_set("aks-user", &[])]).await;
    case.run(connect).await.ended(0).says(&[
        "some nodes lack the identity id-shared",
        "--name aks-user",
        "every pod on nodes with that identity",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_with_access_policies_gets_one_with_get_alone() {
    let case = with_addon("aks-ready").await;
    let before = case.everything();
    let connect = "keyvault policy-vault --auth csi --secret legacy-password --key signing-key -w deployment/web -n shop --yes";
    case.run(connect).await.ended(0);
    assert!(roles(&case).is_empty());
    let state = case.control().state();
    let vault = state["resources"].as_object().unwrap().values().find(|r| r["name"] == "policy-vault").unwrap().clone();
    let entry = vault["properties"]["accessPolicies"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(entry["permissions"], json!({"secrets": ["get"], "keys": ["get"]}));
    case.holds("keyvault-policy-vault").await;
    case.run("delete keyvault-policy-vault -n shop --yes").await.ended(0);
    same(&before, &case.everything(), "something was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_else_would_refuse_is_refused_by_name() {
    let case = with_addon("aks-ready").await;
    let before = case.everything();
    let table = [
        ("--secret a_b", "KC1619", "a_b"),
        ("--secret a/1", "KC1619", "version `1`"),
        ("--secret a:../x", "KC1619", "../x"),
        ("--secret a=1X", "KC1619", "1X"),
        ("--key a --cert a", "KC1621", "--cert a:FILE"),
        ("--auth csi", "KC1620", "--secret NAME"),
        ("--secret a --mount-path mnt", "KC1623", "must be absolute"),
        ("--secret a --mount-path /", "KC1623", "root"),
        ("--secret a --mount-path /var/run/secrets/azure", "KC1623", "hide"),
        ("--secret a --csi-identity vm:me", "KC1624", "GUID"),
        ("--secret a --csi-identity pod", "KC1624", "vm:CLIENT-ID"),
        ("--auth workload-identity --secret a", "KC1625", "--auth csi"),
        ("--secret a --access admin", "KC1615", "--access"),
        ("--secret a --csi-identity addon --service-account web", "KC1615", "--service-account"),
        ("--secret a=X --secret b=X", "KC1610", "X"),
        ("--secret a=AZURE_KEYVAULT_NAME", "KC1610", "AZURE_KEYVAULT_NAME"),
        ("--key a --scope secret=b", "KC1608", "key `a`"),
    ];
    for (words, code, told) in table {
        let ran = case.run(&format!("keyvault my-vault {words} -w deployment/web -n shop --yes")).await.ended(2);
        assert!(ran.stderr.contains(code) && ran.stderr.contains(told), "{words}: {}", ran.stderr);
    }
    case.run("blob shopdata --auth csi -w deployment/web -n shop --yes").await.ended(2).says(&["KC1601"]);
    same(&before, &case.everything(), "a refused command changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_stands_in_the_way() {
    let case = with_addon("aks-ready").await;
    let class = json!({"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass",
        "metadata": {"name": "theirs", "namespace": "shop"}, "spec": {"provider": "azure"}});
    case.cluster("aks-ready").apply_object("", class);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine-vault", "namespace": "shop"}});
    case.cluster("aks-ready").apply_object("", secret);
    let connect = "keyvault my-vault --secret db-password=A -w deployment/web -n shop --yes";
    case.run(&format!("{connect} --name theirs")).await.ended(1).says(&["KC1316", "theirs"]);
    case.run(&format!("{connect} --name mine")).await.ended(1).says(&["KC1305", "mine-vault"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_found_and_put_back() {
    let case = with_addon("aks-ready").await;
    case.run("keyvault my-vault --secret db-password -w deployment/web -n shop --yes").await.ended(0);
    case.kube_delete("aks-ready", &format!("/apis/secrets-store.csi.x-k8s.io/v1/namespaces/shop/secretproviderclasses/{CLASS}")).await;
    case.run(&format!("diff {CLASS} -n shop")).await.ended(1);
    let found = case.run(&format!("verify {CLASS} -n shop")).await;
    assert!(found.code == 1 && format!("{}{}", found.stdout, found.stderr).contains("KC5800"), "{found:?}");
    case.run(&format!("repair {CLASS} -n shop --yes")).await.ended(0);
    case.holds(CLASS).await;
}

/// Killed after each of its writes: the same command completes, and delete leaves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_while_the_add_on_is_switched_on_it_can_be_completed_and_undone() {
    let connect = "keyvault my-vault --secret db-password=DB -w deployment/web -n shop --yes --verify=false";
    completed_and_undone("aks-shop", connect, CLASS, 10).await;
}

/// Killed after each write of the deletion: the same command completes it.
#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_while_it_is_undone_nothing_is_left() {
    let delete = format!("delete {CLASS} -n shop --yes");
    after_each_write(6, async |nth| {
        let case = with_addon("aks-ready").await;
        let before = case.everything();
        case.run("keyvault my-vault --secret db-password=DB -w deployment/web -n shop --yes --verify=false").await.ended(0);
        let reached = killed_after(&case, &delete, nth).await;
        case.run(&format!("{delete} --ignore-not-found")).await.ended(0);
        same(&before, &case.everything(), &format!("killed after write {nth}: something was left"));
        reached
    })
    .await;
}

const STORED: &str = "storage-blob-shopdata";

fn vault_secrets(case: &Case) -> Vec<String> {
    let state = case.control().state();
    let all = state["azure"]["vaultObjects"].as_object().or(state["vaultObjects"].as_object()).unwrap().clone();
    all.into_iter().filter(|(_, o)| !o["tags"]["kubectl-connect.dev"].is_null()).map(|(name, _)| name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_string_lives_in_the_vault_and_nowhere_else() {
    const SECRET: &str = "planted-key-value-shopdata-1";
    let case = with_store().await;
    let before = case.everything();
    let connect = "blob shopdata --auth secret --secret-store keyvault:my-vault -w deployment/web -n shop";
    let mut said = String::new();
    let mut keep = |ran: harness::Ran| said.push_str(&format!("{}{}", ran.stdout, ran.stderr));
    keep(case.run(&format!("plan {connect} -v 9 -o json")).await.ended(0));
    same(&before, &case.everything(), "planning changed something");
    keep(case.run(&format!("{connect} --yes -v 9")).await.ended(0).says(&["read secret"]));
    assert_eq!(vault_secrets(&case).len(), 1);
    let pod = object(&case, "aks-ready", "Deployment", "web").unwrap()["spec"]["template"]["spec"].clone();
    let env = pod["containers"][0]["env"].as_array().unwrap().clone();
    let one = env.iter().find(|e| e["name"] == "AZURE_STORAGEBLOB_CONNECTIONSTRING").unwrap();
    assert_eq!(one["valueFrom"]["secretKeyRef"]["name"], format!("{STORED}-vault"));
    // The synced Secret is the only place in the cluster.
    for held in case.cluster("aks-ready").objects() {
        let name = held["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let data = held["data"].as_object().cloned().unwrap_or_default();
        let decoded = data.values().filter_map(|v| base64::engine::general_purpose::STANDARD.decode(v.as_str()?).ok());
        let holds = decoded.into_iter().any(|bytes| String::from_utf8_lossy(&bytes).contains(SECRET)) || held.to_string().contains(SECRET);
        assert_eq!(holds, name == format!("{STORED}-vault"), "{} {name}", held["kind"]);
    }
    let scopes: Vec<String> = roles(&case);
    assert!(scopes.iter().any(|s| s.starts_with("Key Vault Secrets User at shop-storage-blob-shopdata-")), "{scopes:?}");
    case.holds(STORED).await;
    keep(case.run(&format!("{connect} --yes -v 9")).await.ended(0).says(&["Nothing to change"]));
    for words in ["show NAME -n shop -o yaml", "list -n shop -o json", "verify NAME -n shop -v 9", "delete NAME -n shop --yes -v 9"] {
        // On real API servers no webhook runs behind the registration: see `Case::holds`.
        let wanting = on_real_servers() && words.starts_with("verify");
        keep(case.run(&words.replace("NAME", STORED)).await.ended(i32::from(wanting)));
    }
    assert!(!said.contains(SECRET), "the output holds the secret");
    same(&before, &case.everything(), "something was left");
    // The deleted secret blocks the name, so it is recovered.
    case.run(&format!("{connect} --yes --verify=false")).await.ended(0);
    assert_eq!(vault_secrets(&case).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_secrets_is_told_before_anything_is_written() {
    let case = with_addon("aks-ready").await;
    let before = case.everything();
    let connect = "blob shopdata --auth secret --secret-store keyvault:my-vault -w deployment/web -n shop --yes";
    case.run(connect).await.ended(5).says(&["Key Vault Secrets Officer"]);
    same(&before, &case.everything(), "a refused command changed something");
    for (words, code) in [
        ("blob shopdata --secret-store keyvault:my-vault", "KC1626"),
        ("blob shopdata --auth secret --secret-store my-vault", "KC1627"),
        ("blob shopdata --auth secret --secret-store keyvault:x", "KC1627"),
    ] {
        case.run(&format!("{words} -w deployment/web -n shop --yes")).await.ended(2).says(&[code]);
    }
    case.run("blob shopdata --auth secret --secret-store keyvault:no-vault -w deployment/web -n shop --yes")
        .await
        .ended(3)
        .says(&["KC1301"]);
}
