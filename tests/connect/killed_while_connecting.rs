//! Killed after each of its writes in turn: the same command completes, and delete leaves nothing.

use harness::interrupt::killed_after;
use harness::{Case, same};

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes --verify=false";

/// A cluster update that is just long enough to be interrupted.
pub async fn quick(context: &str) -> Case {
    Case::with(context, |world| world.knobs.cluster_update = std::time::Duration::from_millis(200)).await
}

async fn number_of_writes(context: &str, words: &str) -> usize {
    let case = quick(context).await;
    case.run(words).await.ended(0);
    case.writes().len()
}

/// Kills `connect` after each of its writes in turn: the same command completes, and deleting `name` leaves only the
/// features of the cluster.
pub async fn completed_and_undone(context: &str, connect: &str, name: &str, at_least: usize) {
    let writes = number_of_writes(context, connect).await;
    assert!(writes >= at_least, "only {writes} writes were seen");
    let mut reached = 0;
    for nth in 1..=writes {
        let case = quick(context).await;
        let before = case.everything_but_features();
        reached += usize::from(killed_after(&case, connect, nth).await);
        case.run(connect).await.ended(0);
        case.holds(name).await;
        case.run(&format!("delete {name} -n shop --yes")).await.ended(0);
        same(&before, &case.everything_but_features(), &format!("killed after write {nth} of {writes}: something was left"));
    }
    // Receipts that arrive together are written together, so the number of the last writes varies.
    assert!(reached + 4 >= writes, "only {reached} of {writes} writes came");
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_on_a_bare_cluster_survives() {
    completed_and_undone("aks-shop", CONNECT, "keyvault-my-vault", 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_on_a_ready_cluster_survives() {
    completed_and_undone("aks-ready", CONNECT, "keyvault-my-vault", 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_that_is_given_up_can_be_deleted() {
    let writes = number_of_writes("aks-ready", CONNECT).await;
    for nth in 1..=writes {
        let case = Case::on("aks-ready").await;
        let before = case.everything();
        if !killed_after(&case, CONNECT, nth).await {
            assert!(nth + 4 > writes, "write {nth} of {writes} never came");
        }
        // Before the record exists, only the lease must be undone.
        case.run("delete keyvault-my-vault -n shop --yes --ignore-not-found").await.ended(0);
        same(&before, &case.everything(), &format!("killed after write {nth} of {writes}: delete left something"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_survives() {
    // Dropped before the others start: each takes a pair of real API servers.
    let writes = {
        let probe = Case::on("aks-ready").await;
        probe.run(CONNECT).await.ended(0);
        probe.control().clear_log();
        probe.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
        probe.writes().len()
    };
    for nth in 1..=writes {
        let case = Case::on("aks-ready").await;
        let before = case.everything();
        case.run(CONNECT).await.ended(0);
        if !killed_after(&case, "delete keyvault-my-vault -n shop --yes", nth).await {
            assert!(nth + 4 > writes, "write {nth} of {writes} never came");
        }
        case.run("delete keyvault-my-vault -n shop --yes --ignore-not-found").await.ended(0);
        same(&before, &case.everything(), &format!("killed after write {nth} of {writes}: something was left"));
    }
}
