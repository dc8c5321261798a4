//! Connecting to every service on both kinds of cluster: proven independently of the product, cheap, and idempotent.

use std::collections::BTreeMap;

use stand_in::{Kind, is_write};

use harness::{Case, same, steady};

const VAULT: (&str, &str) = ("https://vault.azure.net/.default", "https://my-vault.vault.azure.net/secrets?api-version=7.6");
const BLOB: (&str, &str) = ("https://storage.azure.com/.default", "https://shopdata.blob.core.windows.net/?comp=list");
const OPENAI: (&str, &str) =
    ("https://cognitiveservices.azure.com/.default", "https://shop-openai.openai.azure.com/openai/models?api-version=2024-10-21");

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_connection_on_a_bare_cluster() {
    let case = Case::on("aks-shop").await;
    let ran = case.run("keyvault my-vault --workload deployment/web -n shop --yes").await.ended(0);
    snapshot::file("tests/connect/snapshots/fresh_connection_stderr.txt", &steady(&ran.stderr));
    snapshot::file("tests/connect/snapshots/fresh_connection_stdout.txt", &ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_lets_in_after_and_not_before() {
    for context in ["aks-shop", "aks-ready"] {
        for (words, (scope, url)) in [("keyvault my-vault", VAULT), ("blob shopdata", BLOB), ("openai shop-openai", OPENAI)] {
            let case = Case::on(context).await;
            let before = case.everything_but_features();
            assert!(!case.lets_in(context, "shop", "web", scope, url).await, "{words} on {context}: open before");
            case.run(&format!("{words} -w deployment/web -n shop --yes")).await.ended(0);
            assert!(case.lets_in(context, "shop", "web", scope, url).await, "{words} on {context}: closed after");
            let writes = case.writes().len();
            let again = case.run(&format!("{words} -w deployment/web -n shop --yes")).await.ended(0).says(&["Nothing to change"]);
            assert_eq!(case.writes().len(), writes, "the second run wrote:\n{}", again.stderr);
            let name = case.run("list -n shop -o name").await.ended(0).stdout.trim().replace("connection/", "");
            case.run(&format!("delete {name} -n shop --yes")).await.ended(0);
            same(&before, &case.everything_but_features(), &format!("{words} on {context}: delete left something"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_account_and_vault_works() {
    for target in ["openai shop-ai", "ai shop-vision", "keyvault policy-vault"] {
        let case = Case::on("aks-ready").await;
        let before = case.everything();
        let ran = case.run(&format!("{target} -w deployment/web -n shop --yes -o json")).await.ended(0);
        let checks = ran.json()["status"]["checks"].clone();
        assert!(checks.as_array().unwrap().iter().all(|c| c["result"] == "success"), "{target}: {checks}");
        let name = ran.json()["metadata"]["name"].as_str().unwrap().to_owned();
        case.run(&format!("delete {name} -n shop --yes")).await.ended(0);
        same(&before, &case.everything(), &format!("{target}: delete left something"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_workload_is_patched_and_let_go() {
    for workload in ["deployment/api", "statefulset/db", "daemonset/agent", "cronjob/report"] {
        let case = Case::on("aks-ready").await;
        let before = case.everything();
        case.run(&format!("keyvault my-vault -w {workload} -n shop --yes")).await.ended(0);
        let (kind, name) = workload.split_once('/').unwrap();
        let objects = case.cluster("aks-ready").objects();
        let patched =
            objects.iter().find(|o| o["kind"].as_str().unwrap().eq_ignore_ascii_case(kind) && o["metadata"]["name"] == name).unwrap();
        let template = if kind == "cronjob" { &patched["spec"]["jobTemplate"]["spec"]["template"] } else { &patched["spec"]["template"] };
        assert_eq!(template["metadata"]["labels"]["azure.workload.identity/use"], "true", "{workload}");
        let env = template["spec"]["containers"][0]["env"].to_string();
        assert!(env.contains("AZURE_KEYVAULT_RESOURCEENDPOINT"), "{workload}: {env}");
        case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
        same(&before, &case.everything(), &format!("{workload}: delete left something"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jobs_patch_is_printed() {
    let case = Case::on("aks-ready").await;
    let ran = case.run("keyvault my-vault -w job/migrate -n shop --yes -o json").await.ended(0).says(&["Not patched", "can't be changed"]);
    let patch = &ran.json()["status"]["patch"];
    assert_eq!(patch["spec"]["template"]["metadata"]["labels"]["azure.workload.identity/use"], "true");
    assert_eq!(patch["kind"], "Job");
    assert!(case.writes().iter().all(|w| !w.contains("/jobs/")), "the job was written to");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_connection_costs_nine_requests_and_one_start_of_az() {
    let case = Case::on("aks-ready").await;
    case.run("keyvault my-vault -w deployment/web -n shop --yes --verify=false").await.ended(0);
    let asked: Vec<String> = case.azure_requests().iter().map(|e| format!("{} {}", e.method, e.path)).collect();
    assert!(asked.len() <= 9, "{} requests:\n{}", asked.len(), asked.join("\n"));
    assert_eq!(case.control().log_of(Kind::Az).len(), 1, "az was started more than once");
    let mut counts = BTreeMap::new();
    for entry in case.azure_requests() {
        *counts.entry(format!("{} {} {:?} {}", entry.method, entry.path, entry.query, entry.request_body)).or_insert(0) += 1;
    }
    assert!(counts.values().all(|n| *n == 1), "asked twice: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_and_a_dry_run_write_nothing() {
    let case = Case::on("aks-shop").await;
    let before = case.everything();
    let plan = case.run("plan keyvault my-vault -w deployment/web -n shop -o json").await.ended(0).json();
    assert_eq!(plan["formatVersion"], "2.0");
    let actions: Vec<(&str, &str)> =
        plan["changes"].as_array().unwrap().iter().map(|c| (c["kind"].as_str().unwrap(), c["action"].as_str().unwrap())).collect();
    assert_eq!(
        actions,
        [
            ("managedCluster", "update"),
            ("managedIdentity", "create"),
            ("roleAssignment", "create"),
            ("federatedCredential", "create"),
            ("ServiceAccount", "create"),
            ("Secret", "create"),
            ("Deployment", "update"),
            ("ConfigMap", "create"),
        ]
    );
    case.run("plan keyvault my-vault -w deployment/web -n shop --detailed-exitcode").await.ended(2);
    case.run("keyvault my-vault -w deployment/web -n shop --dry-run=client").await.ended(0);
    case.run("keyvault my-vault -w deployment/web -n shop --dry-run=server").await.ended(0);
    assert_eq!(case.writes(), Vec::<String>::new());
    same(&before, &case.everything(), "something was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_nothing_happens_unconfirmed() {
    let case = Case::on("aks-ready").await;
    case.run("keyvault my-vault -w deployment/web -n shop").await.ended(2).says(&["KC1007", "--yes"]);
    assert_eq!(case.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_propagation_is_waited_for() {
    let case = Case::with("aks-ready", |world| {
        world.knobs.role_propagation = std::time::Duration::from_secs(2);
        world.knobs.credential_propagation = std::time::Duration::from_secs(1);
        world.knobs.identity_replication = std::time::Duration::from_secs(1);
    })
    .await;
    case.run("keyvault my-vault -w deployment/web -n shop --yes").await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_update_of_a_cluster_keeps_everything_else() {
    let case = Case::on("aks-shop").await;
    let cluster = |case: &Case| {
        let state = case.control().state();
        state["resources"].as_object().unwrap().iter().find(|(id, _)| id.ends_with("/managedclusters/aks-shop")).unwrap().1.clone()
    };
    let mut before = cluster(&case);
    case.run("keyvault my-vault -w deployment/web -n shop --yes --verify=false").await.ended(0);
    let mut after = cluster(&case);
    let put =
        case.control().log().into_iter().find(|e| e.method == "PUT" && e.path.ends_with("/aks-shop")).expect("the cluster was updated");
    assert!(put.request_headers.iter().any(|(k, v)| k == "if-match" && !v.is_empty()), "the update was not guarded");
    for side in [&mut before, &mut after] {
        side["properties"].as_object_mut().unwrap().remove("oidcIssuerProfile");
        let security = side["properties"]["securityProfile"].as_object_mut();
        if let Some(security) = security {
            security.remove("workloadIdentity");
        }
    }
    same(&before, &after, "the update changed more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_identity_is_used_and_left() {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    case.run("keyvault my-vault -w deployment/web -n shop --identity id-shared --yes").await.ended(0);
    let made: Vec<String> =
        case.writes().into_iter().filter(|w| w.starts_with("PUT") && w.contains("userAssignedIdentities/id-shared")).collect();
    assert_eq!(made.len(), 1, "only the credential is written: {made:?}");
    case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
    same(&before, &case.everything(), "something was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_graph_that_lags_or_refuses_hides_is_found_all_the_same() {
    for denied in [true, false] {
        let case = Case::with("aks-ready", |world| {
            world.knobs.graph.denied = denied;
            world.knobs.graph.lag = std::time::Duration::from_secs(3600);
        })
        .await;
        case.run("keyvault my-vault -w deployment/web -n shop --yes").await.ended(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_come_in_every_form() {
    let case = Case::on("aks-ready").await;
    let made = case.run("keyvault my-vault -w deployment/web -n shop --yes -o json").await.ended(0).json();
    assert_eq!((&made["kind"], &made["status"]["phase"]), (&"Connection".into(), &"Ready".into()));
    assert_eq!(case.run("list -n shop -o name").await.ended(0).stdout, "connection/keyvault-my-vault\n");
    assert!(case.run("list -A").await.ended(0).stdout.starts_with("NAMESPACE   NAME"));
    assert!(!case.run("list -A --no-headers").await.ended(0).stdout.contains("NAMESPACE"));
    assert_eq!(case.run("list -n shop -o json").await.ended(0).json()["items"][0]["metadata"]["name"], "keyvault-my-vault");
    assert!(case.run("show keyvault-my-vault -n shop -o yaml").await.ended(0).stdout.contains("kind: Connection"));
    case.holds("keyvault-my-vault").await;
    case.control().clear_log();
    case.run("list -n shop").await.ended(0);
    case.run("show keyvault-my-vault -n shop").await.ended(0);
    assert!(case.azure_requests().is_empty() && case.control().log_of(Kind::Az).is_empty(), "looking asked Azure");
    assert!(case.control().log().iter().all(|e| !is_write(e)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_ever_printed() {
    let case = Case::on("aks-ready").await;
    let ran = case.run("keyvault my-vault -w deployment/web -n shop --yes -v 9 -o json").await.ended(0);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let mut secrets = 0;
    for entry in case.control().log() {
        let header = entry.request_headers.iter().find(|(k, _)| k == "authorization").map(|(_, v)| v.replace("Bearer ", ""));
        let answered = [&entry.response_body["access_token"], &entry.response_body["status"]["token"]];
        let tokens = answered.iter().filter_map(|t| t.as_str()).map(str::to_owned).chain(header);
        for token in tokens.filter(|t| t.len() > 20) {
            secrets += 1;
            assert!(!said.contains(&token), "a token was printed ({} {})", entry.method, entry.path);
        }
    }
    assert!(secrets > 10, "the case saw only {secrets} tokens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_that_something_else_manages_gets_its_patch_printed() {
    let case = Case::on("aks-ready").await;
    let objects = case.cluster("aks-ready").objects();
    let web = objects.iter().find(|o| o["kind"] == "Deployment" && o["metadata"]["name"] == "web").unwrap();
    let marked = serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop",
        "annotations": {"meta.helm.sh/release-name": "shop"}}, "spec": {"selector": web["spec"]["selector"], "template": web["spec"]["template"]}});
    case.cluster("aks-ready").apply_object("", marked);
    let ran = case.run("keyvault my-vault -w deployment/web -n shop --yes -o json").await.ended(0).says(&["Helm", "--patch=always"]);
    assert_eq!(ran.json()["status"]["patch"]["spec"]["template"]["spec"]["serviceAccountName"], "web");
    assert!(case.writes().iter().all(|w| !w.contains("/deployments/")), "the deployment was patched");
    case.run("keyvault my-vault -w deployment/web -n shop --yes --patch=always").await.ended(0);
    assert!(case.writes().iter().any(|w| w.contains("/deployments/")), "the deployment was not patched");
}
