//! Killed after any write of an update, a repair, a roll-back, or a connection whose key is stored in a vault: the
//! next run completes it. Also on real API servers, see `Case::with`.

use serde_json::Value;
use stand_in::fault::Fault;

use harness::interrupt::{after_each_write, killed_after};
use harness::states::{drifted, with_store};
use harness::{Case, same};

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes --verify=false";
const NAME: &str = "keyvault-my-vault";
const REPAIR: &str = "repair keyvault-my-vault -n shop --yes";
const DELETE: &str = "delete keyvault-my-vault -n shop --yes --ignore-not-found";

/// Deletes the result of a killed command and of the next one, and checks that nothing is left.
async fn nothing_is_left(case: &Case, delete: &str, before: &Value, nth: usize) {
    case.run(delete).await.ended(0);
    same(before, &case.everything(), &format!("killed after write {nth}: something was left"));
}

#[tokio::test(flavor = "multi_thread")]
async fn repair_is_finished_by_the_next() {
    after_each_write(4, async |nth| {
        let case = Case::on("aks-ready").await;
        let before = drifted(&case).await;
        let reached = killed_after(&case, REPAIR, nth).await;
        case.run(REPAIR).await.ended(0);
        case.holds(NAME).await;
        nothing_is_left(&case, DELETE, &before, nth).await;
        reached
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn update_is_finished_by_the_next() {
    let update = format!("{CONNECT} --access admin");
    after_each_write(3, async |nth| {
        let case = Case::on("aks-ready").await;
        let before = case.everything();
        case.run(CONNECT).await.ended(0);
        let reached = killed_after(&case, &update, nth).await;
        case.run(&update).await.ended(0);
        case.holds(NAME).await;
        nothing_is_left(&case, DELETE, &before, nth).await;
        reached
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roll_back_can_be_deleted() {
    after_each_write(8, async |nth| {
        let case = Case::on("aks-ready").await;
        let before = case.everything();
        case.control().fail(Fault::status(400, "Broken").host("management.azure.com").path("roleAssignments").method("PUT").times(100));
        let reached = killed_after(&case, &format!("{CONNECT} --atomic"), nth).await;
        nothing_is_left(&case, DELETE, &before, nth).await;
        reached
    })
    .await;
}

/// Creation is killed at every second write, undoing at the others, so that both together take no longer than one of
/// them.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_on_its_way_into_the_vault_is_neither_lost_nor_left() {
    const STORE: &str = "blob shopdata --auth secret --secret-store keyvault:my-vault -w deployment/web -n shop --yes --verify=false";
    const DELETE: &str = "delete storage-blob-shopdata -n shop --yes --ignore-not-found";
    let mut met = [0, 0];
    for nth in 1..60 {
        let case = with_store().await;
        let before = case.everything();
        let reached = if nth % 2 == 1 {
            killed_after(&case, STORE, nth).await
        } else {
            case.run(STORE).await.ended(0);
            killed_after(&case, DELETE, nth).await
        };
        if nth % 2 == 1 {
            case.run(STORE).await.ended(0);
            case.holds("storage-blob-shopdata").await;
        }
        nothing_is_left(&case, DELETE, &before, nth).await;
        met[nth % 2] += usize::from(reached);
        if !reached && nth % 2 == 1 {
            break;
        }
    }
    assert!(met[0] >= 3 && met[1] >= 4, "only {met:?} writes of deletion and creation were met");
}
