//! Concurrent operations stay correct: the proof during the rollout, and lease and record in one round.

use std::time::Duration;

use serde_json::{Value, json};
use stand_in::{Entry, Kind};

use harness::{Case, same};

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes";
const DELETE: &str = "delete keyvault-my-vault -n shop --yes";
const NAME: &str = "kubectl-connect.keyvault-my-vault";

fn first(log: &[Entry], what: impl Fn(&Entry) -> bool) -> usize {
    log.iter().position(what).expect("the request was sent")
}

fn record(case: &Case) -> Value {
    let objects = case.cluster("aks-ready").objects();
    let found = objects.iter().find(|o| o["kind"] == "ConfigMap" && o["metadata"]["name"] == NAME).expect("there is a record");
    serde_json::from_str(found["data"]["record"].as_str().unwrap()).unwrap()
}

fn unlocks(e: &Entry) -> bool {
    e.method == "DELETE" && e.path.ends_with(&format!("/leases/{NAME}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_succeeds_at_once_is_in_the_closing_write() {
    let case = Case::on("aks-ready").await;
    case.run(CONNECT).await.ended(0);
    let log = case.control().log();
    let (proven, unlocked) = (first(&log, |e| e.kind == Kind::KeyVault), first(&log, unlocks));
    assert!(proven < unlocked, "the proof began when the connection was closed");
    let late: Vec<&str> = log[unlocked + 1..].iter().map(|e| e.path.as_str()).collect();
    assert_eq!(late, Vec::<&str>::new(), "something came after the end");
    assert_eq!(record(&case)["verified"]["success"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_proof_holds_no_lock() {
    let case = Case::with("aks-ready", |world| world.knobs.credential_propagation = Duration::from_secs(5)).await;
    case.run(CONNECT).await.ended(0);
    let log = case.control().log();
    let (proven, unlocked) = (first(&log, |e| e.kind == Kind::KeyVault), first(&log, unlocks));
    assert!(unlocked < proven, "others had to wait for Entra");
    let record = record(&case);
    assert_eq!((&record["phase"], &record["verified"]["success"]), (&json!("Ready"), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_former_version_was_let_in_by_is_gone_before_the_proof() {
    let case = Case::on("aks-ready").await;
    case.run(&format!("{CONNECT} --access readwrite")).await.ended(0);
    case.control().clear_log();
    case.run(&format!("{CONNECT} --access read")).await.ended(0);
    let log = case.control().log();
    let revoked = first(&log, |e| e.method == "DELETE" && e.path.to_lowercase().contains("/roleassignments/"));
    let proven = first(&log, |e| e.kind == Kind::KeyVault);
    assert!(revoked < proven, "the proof may have rested on the former role");
}

/// A process on another machine has taken the lease and has written nothing yet: the second one undoes its write.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_to_come_leaves_the_record_as_it_was() {
    let case = Case::on("aks-ready").await;
    case.run(CONNECT).await.ended(0);
    let at = format!("{:.6}", jiff::Timestamp::now() + Duration::from_secs(600));
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME, "namespace": "shop"},
            "spec": {"holderIdentity": "another-machine/1", "leaseDurationSeconds": 30, "acquireTime": at, "renewTime": at}});
    case.cluster("aks-ready").apply_object("", lease);
    let before = (case.everything(), record(&case));
    for words in [DELETE, "keyvault my-vault -w deployment/web -n shop --yes --access readwrite"] {
        case.run(words).await.ended(1).says(&["KC6001", "another-machine/1"]);
        same(&before.0, &case.everything(), words);
        assert_eq!(before.1, record(&case), "{words}");
    }
}
