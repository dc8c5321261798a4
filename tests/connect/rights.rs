//! The permissions granted by `docs/rights` are sufficient for create, verify and delete, and none is unnecessary.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stand_in::{Entry, Kind};

use harness::{Case, same};

const USER: &str = "deployer@contoso.example";

/// A file that users are told to apply.
fn shipped(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/rights").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn cluster_role(name: &str) -> Value {
    serde_saphyr::from_str(&shipped(name)).unwrap()
}

fn azure_role(name: &str) -> Value {
    serde_json::from_str(&shipped(name)).unwrap()
}

/// A world in which the signed-in user has only these roles, in Azure and in the cluster; there the role is limited
/// to the namespace.
async fn limited(context: &str, azure: &[Value], kube: &Value) -> Case {
    let case = Case::with(context, |world| *world = std::mem::take(world).with_only_roles(azure)).await;
    let cluster = case.cluster(context);
    cluster.apply_object("", kube.clone());
    let group = "rbac.authorization.k8s.io";
    cluster.apply_object(
        "",
        json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": "kubectl-connect", "namespace": "shop"},
            "subjects": [{"kind": "User", "apiGroup": group, "name": USER}],
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": kube["metadata"]["name"]}}),
    );
    rules_are(&case, context, kube).await;
    case
}

/// A real API server takes a moment to apply a new rule.
async fn rules_are(case: &Case, context: &str, kube: &Value) {
    let client = case.http_client();
    let (host, token) = case.api_server(context);
    let began = Instant::now();
    loop {
        let answer = client
            .post(format!("https://{host}/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"))
            .bearer_auth(&token)
            .header("impersonate-user", USER)
            .json(&json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "shop"}}))
            .send()
            .await
            .unwrap();
        let known: Value = answer.json().await.unwrap();
        let known: BTreeSet<Right> = rules(&known["status"]["resourceRules"]);
        // Everybody may ask about their own permissions; that comes in addition.
        let known = known.into_iter().filter(|r| !r.1.starts_with("selfsubject")).collect::<BTreeSet<_>>();
        if known == rules(&kube["rules"]) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the rules are not in force: {known:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Verb, and resource with its group.
type Right = (String, String);

fn rules(rules: &Value) -> BTreeSet<Right> {
    let list = |value: &Value| value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect::<Vec<_>>();
    let mut all = BTreeSet::new();
    for rule in rules.as_array().unwrap() {
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                let full = if group.is_empty() { resource } else { format!("{resource}.{group}") };
                all.extend(list(&rule["verbs"]).into_iter().map(|verb| (verb, full.clone())));
            }
        }
    }
    all
}

/// The permission that a request to the API server in the namespace used or asked about.
fn kube_right(entry: &Entry) -> Option<Right> {
    let parts: Vec<&str> = entry.path.trim_matches('/').split('/').collect();
    if entry.path.ends_with("/selfsubjectaccessreviews") {
        let asked = &entry.request_body["spec"]["resourceAttributes"];
        let text = |key: &str| asked[key].as_str().map(str::to_owned);
        let sub = text("subresource").map_or_else(String::new, |s| format!("/{s}"));
        let group = text("group").map_or_else(String::new, |g| format!(".{g}"));
        return Some((text("verb")?, format!("{}{sub}{group}", text("resource")?)));
    }
    let (group, rest) = match parts.as_slice() {
        ["api", _, rest @ ..] => (String::new(), rest),
        ["apis", group, _, rest @ ..] => (format!(".{group}"), rest),
        _ => return None,
    };
    let ["namespaces", "shop", resource, rest @ ..] = rest else { return None };
    let watch = entry.query.iter().any(|(key, value)| key == "watch" && value == "true");
    let verb = match (entry.method.as_str(), rest.is_empty()) {
        ("GET", true) if watch => "watch",
        ("GET", true) => "list",
        ("GET", false) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        _ => "delete",
    };
    let sub = rest.get(1).map_or_else(String::new, |s| format!("/{s}"));
    Some((verb.to_owned(), format!("{resource}{sub}{group}")))
}

/// The action that a request to ARM used, as the resource providers name it.
fn azure_action(entry: &Entry) -> Option<String> {
    let (_, rest) = entry.path.rsplit_once("/providers/")?;
    let mut parts = rest.split('/');
    let mut kind = parts.next()?.to_owned();
    for word in parts.step_by(2) {
        kind = format!("{kind}/{word}");
    }
    let verb = match entry.method.as_str() {
        "GET" => "read",
        "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        _ => return None,
    };
    Some(format!("{kind}/{verb}"))
}

async fn create_verify_delete(case: &Case) {
    let who = format!("-n shop --as {USER}");
    case.run(&format!("keyvault my-vault --workload deployment/web {who} --yes --verify=false")).await.ended(0);
    let ran = case.run(&format!("verify keyvault-my-vault {who} -o json")).await;
    let real = harness::real::is_on();
    assert_eq!((ran.code, ran.json()["success"].as_bool()), (i32::from(real), Some(!real)), "{}", ran.stdout);
    case.run(&format!("delete keyvault-my-vault {who} --yes")).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_roles_are_enough_and_none_of_their_rights_is_to_spare() {
    let (azure, kube) = (azure_role("azure-role.json"), cluster_role("cluster-role.yaml"));
    let case = limited("aks-ready", std::slice::from_ref(&azure), &kube).await;
    let before = case.everything();
    case.control().clear_log();
    create_verify_delete(&case).await;
    same(&before, &case.everything(), "create and delete leave nothing");

    let log = case.control().log();
    let of = |kind: Kind| log.iter().filter(move |e| e.kind == kind);
    let used: BTreeSet<Right> = of(Kind::Kube).filter_map(kube_right).collect();
    // Every kind of workload needs the same permissions as the connected one.
    let granted = rules(&kube["rules"]);
    let mut needed = used.clone();
    for kind in ["statefulsets.apps", "daemonsets.apps", "jobs.batch", "cronjobs.batch"] {
        needed.extend(used.iter().filter(|(_, what)| what == "deployments.apps").map(|(verb, _)| (verb.clone(), kind.to_owned())));
    }
    assert_eq!(granted, needed, "docs/rights/cluster-role.yaml against what was asked for");

    let used: BTreeSet<String> = of(Kind::Arm).filter_map(azure_action).map(|a| a.to_lowercase()).collect();
    let granted: BTreeSet<String> = azure["Actions"].as_array().unwrap().iter().map(|a| a.as_str().unwrap().to_lowercase()).collect();
    assert_eq!(granted, used, "docs/rights/azure-role.json against what was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_s_features_take_a_role_of_their_own() {
    let (daily, features) = (azure_role("azure-role.json"), azure_role("azure-role-cluster.json"));
    let kube = cluster_role("cluster-role.yaml");
    let case = limited("aks-shop", std::slice::from_ref(&daily), &kube).await;
    let before = case.everything();
    let command = format!("keyvault my-vault --workload deployment/web -n shop --as {USER} --yes");
    case.run(&command).await.ended(5).says(&[
        "KC1501",
        "you lack the permission Microsoft.ContainerService/managedClusters/write on `aks-shop`",
        "--role 'Azure Kubernetes Service Contributor Role'",
    ]);
    same(&before, &case.everything(), "nothing is written where a right is missing");
    drop(case);

    let case = limited("aks-shop", &[daily, features], &kube).await;
    create_verify_delete(&case).await;
}

/// Missing permissions: without each of them the command fails with this code and these words, and nothing is
/// written.
#[tokio::test(flavor = "multi_thread")]
async fn without_an_azure_action_the_command_names_it_and_its_remedy() {
    let kube = cluster_role("cluster-role.yaml");
    for (action, words) in [
        (
            "Microsoft.Authorization/roleAssignments/write",
            [
                "KC1501",
                "you lack the permission Microsoft.Authorization/roleAssignments/write on `my-vault`",
                "Role Based Access Control Administrator",
            ],
        ),
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities/write",
            [
                "KC1501",
                "you lack the permission Microsoft.ManagedIdentity/userAssignedIdentities/write on `rg-shop`",
                "Managed Identity Contributor",
            ],
        ),
        ("Microsoft.ContainerService/managedClusters/read", ["KC1101", "is not an AKS cluster that you can see", "az account set"]),
        ("Microsoft.KeyVault/vaults/read", ["KC1301", "there is no vault `my-vault` that you can see", "az resource list"]),
    ] {
        let mut azure = azure_role("azure-role.json");
        azure["Actions"].as_array_mut().unwrap().retain(|one| one != action);
        let case = limited("aks-ready", &[azure], &kube).await;
        let before = case.everything();
        let ran = case.run(&format!("keyvault my-vault --workload deployment/web -n shop --as {USER} --yes")).await;
        assert_ne!(ran.code, 0, "without {action}");
        ran.says(&words);
        same(&before, &case.everything(), action);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_in_the_cluster_the_command_names_it_and_its_remedy() {
    let azure = [azure_role("azure-role.json")];
    for (verb, resource, words) in [
        (
            "create",
            "secrets",
            ["KC1502", "you lack the permission to create secrets in namespace `shop`", "kubectl auth can-i create secrets -n shop"],
        ),
        (
            "patch",
            "deployments",
            ["KC3102", "may not patch deployments.apps in namespace shop", "kubectl auth can-i patch deployments.apps -n shop"],
        ),
        (
            "create",
            "configmaps",
            ["KC1502", "you lack the permission to create configmaps in namespace `shop`", "kubectl auth can-i create configmaps -n shop"],
        ),
        ("get", "deployments", ["KC3102", "may not get deployments", "kubectl auth can-i get deployments"]),
    ] {
        let mut kube = cluster_role("cluster-role.yaml");
        for rule in kube["rules"].as_array_mut().unwrap() {
            if rule["resources"].as_array().unwrap().iter().any(|one| one == resource) {
                rule["verbs"].as_array_mut().unwrap().retain(|one| one != verb);
            }
        }
        let case = limited("aks-ready", &azure, &kube).await;
        let before = case.everything();
        let ran = case.run(&format!("keyvault my-vault --workload deployment/web -n shop --as {USER} --yes")).await;
        ran.ended(5).says(&words);
        same(&before, &case.everything(), &format!("{verb} {resource}"));
    }
}
