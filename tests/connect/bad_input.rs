//! Wrong input and bad circumstances: a clear error with the documented exit code, and nothing written.

use stand_in::fault::{Action, Fault};
use stand_in::knobs::AzState;
use stand_in::world::World;

use harness::{Case, same, steady};

pub struct Bad {
    pub name: &'static str,
    pub words: &'static str,
    pub code: i32,
    says: &'static [&'static str],
    pub world: fn(&mut World),
}

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes";

pub fn cases() -> Vec<Bad> {
    let bad = |name, words, code, says| Bad { name, words, code, says, world: |_| {} };
    let in_world = |name, words, code, says, world| Bad { name, words, code, says, world };
    vec![
        bad("unknown_service", "keyvalt my-vault -w deployment/web -n shop --yes", 2, &["keyvault"]),
        bad("no_such_vault", "keyvault my-valt -w deployment/web -n shop --yes", 3, &["KC1301", "did you mean `my-vault`?"]),
        bad("several_vaults", "keyvault dup-vault -w deployment/web -n shop --yes", 2, &["KC1308", "rg-data", "rg-other"]),
        bad("wrong_workload_kind", "keyvault my-vault -w widget/web -n shop --yes", 2, &["KC3401", "deployment/"]),
        bad("workload_without_kind", "keyvault my-vault -w web -n shop --yes", 2, &["--workload deployment/web"]),
        bad("no_such_workload", "keyvault my-vault -w deployment/wob -n shop --yes", 3, &["KC1202", "deployment/web"]),
        bad("no_such_namespace", "keyvault my-vault -w deployment/web -n shoop --yes", 3, &["KC1202", "no namespace `shoop`"]),
        bad("no_such_container", "keyvault my-vault -w deployment/web -c ap -n shop --yes", 3, &["KC1203", "app, sidecar"]),
        bad("no_workload", "keyvault my-vault -n shop --yes", 2, &["KC1006", "--workload"]),
        bad("bad_name", "keyvault my-vault -w deployment/web -n shop --yes --name My_Name", 2, &["KC1002", "`M`"]),
        bad("bad_target_name", "keyvault my'vault -w deployment/web -n shop --yes", 2, &["KC1002"]),
        bad("bad_namespace", "keyvault my-vault -w deployment/web -n Shop! --yes", 2, &["Shop!"]),
        bad("no_such_identity", "keyvault my-vault -w deployment/web -n shop --identity id-nobody --yes", 3, &["KC1302", "id-nobody"]),
        bad("full_identity", "keyvault my-vault -w deployment/web -n shop --identity id-full --yes", 1, &["KC1303", "20 of 20"]),
        bad("no_subdomain", "openai old-openai -w deployment/web -n shop --yes", 1, &["KC1401", "--custom-domain old-openai"]),
        bad("unknown_client", "keyvault my-vault -w deployment/web -n shop --client-type cobol --yes", 2, &["KC1005", "python"]),
        bad(
            "long_identity_name",
            "keyvault my-vault -w deployment/web -n shop --identity-name {hash}-{cluster}-{cluster}-{cluster}-{cluster}-{cluster}-{cluster}-{cluster}-{cluster}-{cluster}-{cluster}-{cluster}-{cluster}-{cluster} --yes",
            2,
            &["KC1323", "Azure allows 3 to 128"],
        ),
        bad("no_such_role", "keyvault my-vault -w deployment/web -n shop --role Nonsense --yes", 3, &["KC1310"]),
        bad("no_such_context", "keyvault my-vault -w deployment/web -n shop --context nowhere --yes", 2, &["KC3005", "aks-shop"]),
        bad("no_kubeconfig", "keyvault my-vault -w deployment/web -n shop --kubeconfig /does/not/exist --yes", 2, &["KC300"]),
        in_world("not_signed_in", CONNECT, 4, &["KC2002", "az login"], |w| w.knobs.az = AzState::NotSignedIn),
        in_world("sign_in_ran_out", CONNECT, 4, &["KC2004", "az login"], |w| w.knobs.az = AzState::Expired),
        in_world("az_too_old", CONNECT, 1, &["KC2003", "az upgrade"], |w| w.knobs.az = AzState::TooOld),
        in_world("no_right_on_the_vault", CONNECT, 5, &["KC1501", "roleAssignments/write", "my-vault"], |w| {
            let vault = w.id_of("my-vault").unwrap().to_owned();
            w.knobs.deny("Microsoft.Authorization/roleAssignments/write", &vault);
        }),
        in_world("cluster_stopped", CONNECT, 1, &["KC1103", "az aks start"], |w| {
            w.resource_mut("aks-ready").unwrap()["properties"]["powerState"]["code"] = "Stopped".into();
        }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_and_nothing_is_written() {
    let mut said = String::new();
    for bad in cases() {
        let case = Case::with("aks-ready", bad.world).await;
        let before = case.everything();
        let ran = case.run(bad.words).await;
        said.push_str(&format!("## {} (exit {})\n{}\n\n", bad.name, ran.code, steady(&ran.stderr)));
        assert_eq!(ran.code, bad.code, "{}:\n{}", bad.name, ran.stderr);
        let ran = ran.says(bad.says);
        assert!(ran.stdout.is_empty(), "{}: stdout is for results: {}", bad.name, ran.stdout);
        assert_eq!(case.writes(), Vec::<String>::new(), "{} wrote", bad.name);
        same(&before, &case.everything(), &format!("{} changed something", bad.name));
    }
    snapshot::file("tests/connect/snapshots/bad_input.txt", &said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_cluster_is_left_alone() {
    let case =
        Case::with("aks-shop", |w| w.resource_mut("aks-shop").unwrap()["properties"]["provisioningState"] = "Upgrading".into()).await;
    case.run(CONNECT).await.ended(1).says(&["KC1104", "Upgrading"]);
    assert_eq!(case.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_in_the_namespace_is_told_before_anything_is_written() {
    for (verb, group, resource) in [("create", "", "secrets"), ("patch", "apps", "deployments"), ("create", "", "configmaps")] {
        let case = Case::on("aks-ready").await;
        case.cluster("aks-ready").deny("clusterUser", verb, group, resource, Some("shop"));
        case.run(CONNECT).await.ended(5).says(&[resource, "shop"]);
        assert_eq!(case.writes(), Vec::<String>::new(), "{verb} {resource}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_api_server_is_told_in_plain_words() {
    let case = Case::on("aks-ready").await;
    case.run(&format!("{CONNECT} --server https://127.0.0.1:1")).await.ended(1).says(&["127.0.0.1"]);
    case.control().fail(Fault::new(Action::Reset).host("azmk8s.io").times(1000));
    case.run(CONNECT).await.ended(1);
    assert_eq!(case.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_kubeconfig_is_told_without_its_secrets() {
    let case = Case::on("aks-ready").await;
    let broken = case.sandbox.dir().join("broken");
    std::fs::write(&broken, "apiVersion: v1\nkind: Config\nusers: [{name: x, user: {token: \"planted-secret\"\n").unwrap();
    let ran = case.run(&format!("{CONNECT} --kubeconfig {}", broken.display())).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(!ran.stderr.contains("planted-secret"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_the_user_sets_is_left_to_him() {
    let case = Case::on("aks-ready").await;
    let objects = case.cluster("aks-ready").objects();
    let web = objects.iter().find(|o| o["kind"] == "Deployment" && o["metadata"]["name"] == "web").unwrap();
    let mut mine = serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": web["spec"]["selector"], "template": {"metadata": {"labels": web["spec"]["template"]["metadata"]["labels"]},
        "spec": {"containers": [{"name": "app", "image": "nginx", "env": [{"name": "AZURE_KEYVAULT_SCOPE", "value": "mine"}]}]}}}});
    mine["spec"]["template"]["spec"]["containers"][0]["image"] = web["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    case.cluster("aks-ready").apply_object("", mine);
    case.run(CONNECT).await.ended(1).says(&["KC1306", "AZURE_KEYVAULT_SCOPE"]);
    assert_eq!(case.writes(), Vec::<String>::new());
}
