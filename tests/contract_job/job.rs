//! The main task through the product's binary: none of its requests, and none of the answers, violates the contract.

use std::process::{Output, Stdio};

use contract::Contract;
use stand_in::world::World;
use stand_in::{Kind, Sandbox};

/// A sandbox for the product. The current context selects a cluster with issuer (aks-ready) or without (aks-shop).
pub async fn started(context: &str) -> Sandbox {
    let sandbox = Sandbox::start(World { current_context: context.into(), ..World::planted() }).await.unwrap();
    for name in ["az", "kubectl-connect"] {
        sandbox.link(name, harness::program()).unwrap();
    }
    sandbox
}

async fn product(sandbox: &Sandbox, line: &str) -> Output {
    let mut command = tokio::process::Command::new(sandbox.bin().join("kubectl-connect"));
    command.args(line.split(' ')).envs(sandbox.env()).stdin(Stdio::null()).output().await.unwrap()
}

/// Runs a command line and expects success.
pub async fn run(sandbox: &Sandbox, line: &str) {
    let output = product(sandbox, line).await;
    assert!(output.status.success(), "{line}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// Plans, makes, verifies, repeats and deletes a connection.
async fn life(sandbox: &Sandbox, target: &str, workload: &str, connection: &str) {
    for line in [
        format!("plan {target} -w {workload} -n shop"),
        format!("{target} -w {workload} -n shop --yes"),
        format!("{target} -w {workload} -n shop --yes"),
        "list -n shop".into(),
        format!("show {connection} -n shop -o json"),
        format!("verify {connection} -n shop"),
        format!("delete {connection} -n shop --yes"),
    ] {
        run(sandbox, &line).await;
    }
}

async fn lives(context: &str) {
    if Contract::of_this_machine().is_none() {
        return contract::skipped();
    }
    let sandbox = started(context).await;
    life(&sandbox, "keyvault my-vault", "deployment/web", "keyvault-my-vault").await;
    life(&sandbox, "keyvault policy-vault", "deployment/web", "keyvault-policy-vault").await;
    life(&sandbox, "storage-blob shopdata", "deployment/web", "storage-blob-shopdata").await;
    life(&sandbox, "openai shop-openai", "deployment/web", "cognitiveservices-shop-openai").await;
    let log = sandbox.control().log();
    for kind in [Kind::Arm, Kind::Graph, Kind::KeyVault] {
        assert!(log.iter().any(|entry| entry.kind == kind), "nothing was asked of {kind:?}");
    }
    contract::check(&sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster_with_an_issuer() {
    lives("aks-ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster_whose_issuer_is_switched_on() {
    lives("aks-shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_resource_graph_is_denied_and_things_are_searched_by_lists() {
    if Contract::of_this_machine().is_none() {
        return contract::skipped();
    }
    let sandbox = started("aks-ready").await;
    sandbox.control().knobs(|knobs| knobs.graph.denied = true);
    run(&sandbox, "keyvault my-vault -w deployment/web -n shop --yes").await;
    assert!(!product(&sandbox, "keyvault no-such-vault -w deployment/web -n shop --yes").await.status.success());
    contract::check(&sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_role_is_named_and_an_identity_is_brought() {
    if Contract::of_this_machine().is_none() {
        return contract::skipped();
    }
    let sandbox = started("aks-ready").await;
    run(&sandbox, "keyvault my-vault -w deployment/web -n shop --yes --verify=false").await;
    let log = sandbox.control().log();
    let made = log.iter().find(|entry| entry.method == "PUT" && entry.path.contains("/userAssignedIdentities/")).unwrap();
    let identity = made.path.rsplit('/').next().unwrap().to_owned();
    let line = format!("blob shopdata -w deployment/api -n shop --yes --verify=false --identity {identity} --role");
    let output = tokio::process::Command::new(sandbox.bin().join("kubectl-connect"))
        .args(line.split(' '))
        .arg("Storage Blob Data Reader")
        .envs(sandbox.env())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    contract::check(&sandbox);
}
