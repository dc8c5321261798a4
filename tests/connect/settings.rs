//! Defaults from the file and the environment, and their display.

use std::path::PathBuf;

use harness::{Case, Ran};

fn file(case: &Case, text: &str) -> PathBuf {
    let folder = case.sandbox.dir().join("home/.config/kubectl-connect");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.yaml"), text).unwrap();
    folder.join("config.yaml")
}

async fn with(case: &Case, words: &str, environment: &[(&str, &str)]) -> Ran {
    let mut command = case.command(words);
    command.envs(environment.iter().copied());
    case.finish(command).await
}

const PLAN: &str = "plan keyvault my-vault -n shop --workload deployment/web -o json";

/// The role that the plan grants.
fn role(ran: Ran) -> String {
    let plan = ran.ended(0).json();
    let grant = plan["changes"].as_array().unwrap().iter().find(|c| c["kind"] == "roleAssignment").cloned();
    grant.unwrap()["name"].as_str().unwrap().split(" → ").next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_beats_the_environment_and_that_the_file() {
    let case = Case::on("aks-ready").await;
    assert_eq!(role(case.run(PLAN).await), "Key Vault Secrets User");
    file(&case, "access: readwrite\n");
    assert_eq!(role(case.run(PLAN).await), "Key Vault Secrets Officer");
    let admin = [("KUBECTL_CONNECT_ACCESS", "admin")];
    assert_eq!(role(with(&case, PLAN, &admin).await), "Key Vault Administrator");
    assert_eq!(role(with(&case, &format!("{PLAN} --access read"), &admin).await), "Key Vault Secrets User");
    assert_eq!(role(case.run(&format!("{PLAN} --role Reader")).await), "Reader");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_does_what_it_says() {
    let case = Case::on("aks-ready").await;
    file(
        &case,
        "client-type: python\npatch: never\nverify: false\nenv-prefix: KV_\nidentity-group: rg-data\ntags:\n  cost-center: '42'\n  team: shop\n",
    );
    let made = case.run("keyvault my-vault -n shop --workload deployment/web --yes").await.ended(0).says(&["Not patched"]);
    assert!(!made.stderr.contains("No problem found"), "nothing is verified");
    let shown = case.run("show keyvault-my-vault -n shop -o json").await.ended(0).json();
    assert_eq!(shown["spec"]["clientType"], "python");
    assert!(shown["status"]["variables"].as_array().unwrap().iter().all(|v| v.as_str().unwrap().starts_with("KV_")), "{shown:#}");
    let id = shown["status"]["identity"].as_str().unwrap();
    assert!(id.contains("/resourceGroups/rg-data/"), "{id}");
    let identity = case.control().state()["azure"].clone();
    let state = if identity.is_null() { case.control().state() } else { identity };
    let tags = state["resources"][id.to_lowercase()]["tags"].clone();
    assert_eq!((tags["cost-center"].as_str(), tags["team"].as_str()), (Some("42"), Some("shop")), "{tags:#}");
    assert!(tags["kubectl-connect.dev"].is_string(), "our mark is there as well");
    // Without the settings the identity is still recognised as this tool's and deleted.
    file(&case, "");
    let again = case
        .run("plan keyvault my-vault -n shop --workload deployment/web --client-type python --patch never --env-prefix KV_ -o json")
        .await;
    let kept = again.ended(0).json()["changes"].as_array().unwrap().iter().find(|c| c["kind"] == "managedIdentity").cloned().unwrap();
    assert_eq!(kept["action"], "no-op", "{kept:#}");
    case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
    assert!(case.control().state()["resources"][id.to_lowercase()].is_null(), "the identity was ours");
}

/// Names of the identities in the state.
fn identities(case: &Case) -> Vec<String> {
    let state = case.control().state();
    let of = |id: &String| id.split_once("/userassignedidentities/").map(|(_, name)| name.to_owned()).filter(|name| !name.contains('/'));
    state["resources"].as_object().unwrap().keys().filter_map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_are_called_as_the_company_calls_them() {
    let case = Case::on("aks-ready").await;
    let before = identities(&case);
    let made = |case: &Case| identities(case).into_iter().filter(|name| !before.contains(name)).collect::<Vec<_>>();
    let path = file(&case, "identity-name: 'uami-{cluster}-{namespace}-{connection}'\n").display().to_string();
    let shown = case.run("config view -o json").await.ended(0).json();
    let item = shown["items"].as_array().unwrap().iter().find(|i| i["key"] == "identity-name").cloned().unwrap();
    assert_eq!((&item["value"], &item["file"]), (&"uami-{cluster}-{namespace}-{connection}".into(), &path.into()));
    case.run("keyvault my-vault -n shop --workload deployment/web --yes").await.ended(0);
    assert_eq!(made(&case), ["uami-aks-ready-shop-keyvault-my-vault"]);
    // The identity belongs to the service account, so other connections of the account use it too, whatever the file
    // says now.
    file(&case, "identity-name: 'other-{hash}'\n");
    case.run("blob shopdata -n shop --workload deployment/web --yes").await.ended(0);
    let again = case.run(PLAN).await.ended(0).json();
    assert!(again["changes"].as_array().unwrap().iter().all(|c| c["action"] == "no-op"), "{again:#}");
    assert_eq!(made(&case).len(), 1);
    // Another service account must not get it because of its name.
    let environment = [("KUBECTL_CONNECT_IDENTITY_NAME", "uami-{cluster}-{namespace}-keyvault-my-vault{hash}")];
    let plan =
        with(&case, "plan keyvault my-vault -n shop --workload deployment/api --name other -o json", &environment).await.ended(0).json();
    let planned = plan["changes"].as_array().unwrap().iter().find(|c| c["kind"] == "managedIdentity").cloned().unwrap();
    assert_eq!(planned["action"], "create", "the environment comes before the file: {planned:#}");
    let writes = case.writes().len();
    let api = "keyvault my-vault -n shop --workload deployment/api --name my-vault --yes --identity-name uami-{cluster}-{namespace}-keyvault-{connection}";
    case.run(api).await.ended(1).says(&["KC1322", "aks-ready/shop/web", "--identity-name"]);
    assert_eq!(case.writes().len(), writes);
    // It may be shared on purpose, and then for all connections of the account; the last of all sharing connections
    // deletes it.
    case.run(&api.replace("--identity-name uami-{cluster}-{namespace}-keyvault-{connection}", &format!("--identity {}", made(&case)[0])))
        .await
        .ended(0);
    case.run("blob shopdata -n shop --workload deployment/api --name api-data --yes").await.ended(0);
    assert_eq!(made(&case).len(), 1);
    for name in ["keyvault-my-vault", "storage-blob-shopdata", "my-vault"] {
        case.run(&format!("delete {name} -n shop --yes")).await.ended(0);
        assert_eq!(made(&case).len(), 1, "{name} took the identity from the others");
    }
    case.run("delete api-data -n shop --yes").await.ended(0);
    assert_eq!(made(&case), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn view_tells_where_each_value_comes_from() {
    let case = Case::on("aks-ready").await;
    let path = file(&case, "# our company\naccess: read\ntimeout: 5m\n").display().to_string();
    let environment = [("KUBECTL_CONNECT_TIMEOUT", "90s"), ("KUBECTL_CONNECT_TAGS", "team=shop, cost=7")];
    let shown = with(&case, "config view -o json", &environment).await.ended(0).json();
    let of = |key: &str| shown["items"].as_array().unwrap().iter().find(|i| i["key"] == key).cloned().unwrap();
    assert_eq!(of("access"), serde_json::json!({"key": "access", "value": "read", "from": "file", "file": path, "line": 2}));
    assert_eq!(
        of("timeout"),
        serde_json::json!({"key": "timeout", "value": "90s", "from": "environment", "variable": "KUBECTL_CONNECT_TIMEOUT"})
    );
    assert_eq!(of("tags")["value"], "team=shop,cost=7");
    assert_eq!(of("client-type"), serde_json::json!({"key": "client-type", "value": "none", "from": "default"}));
    let table = with(&case, "config view", &environment).await.ended(0).stdout;
    assert!(table.lines().any(|l| l.starts_with("access ") && l.contains("read") && l.ends_with(&format!("{path}:2"))), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_and_stops_what_would_use_it() {
    let case = Case::on("aks-ready").await;
    let path = file(&case, "\nacces: read\n").display().to_string();
    case.run(PLAN).await.ended(2).says(&["KC1013", "`acces` is not a setting", &format!("{path}:2"), "access"]);
    file(&case, "patch: never\naccess: everything\n");
    case.run("list -n shop").await.ended(2).says(&[
        "KC1013",
        "`access` can't be `everything`",
        &format!("{path}:2"),
        "read, readwrite, admin",
    ]);
    case.run("config view").await.ended(2).says(&["KC1013"]);
    // Help, version and completion work without settings.
    case.run("version").await.ended(0);
    case.run("keyvault --help").await.ended(0);
    file(&case, "");
    with(&case, PLAN, &[("KUBECTL_CONNECT_TIMEOUT", "soon")]).await.ended(2).says(&[
        "KC1013",
        "KUBECTL_CONNECT_TIMEOUT",
        "`soon` is not a duration",
    ]);
    with(&case, PLAN, &[("KUBECTL_CONNECT_CONFIG", "/nowhere/config.yaml")]).await.ended(2).says(&["KC1012", "/nowhere/config.yaml"]);
    case.run(&format!("{PLAN} --tag kubectl-connect.dev=mine")).await.ended(2).says(&["this tool uses it to recognise its identities"]);
    assert_eq!(case.writes(), Vec::<String>::new());
}
