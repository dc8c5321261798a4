//! Faults while a connection is deleted or repaired, while a key is stored in a vault, and services that never
//! answer: the run succeeds or reports the reason clearly, and the same command completes it afterwards.

use stand_in::fault::{Action, Fault, every_kind};

use harness::states::{drifted, with_store};
use harness::{Case, Ran, same};

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes";
const REPAIR: &str = "repair keyvault-my-vault -n shop --yes";
const DELETE: &str = "delete keyvault-my-vault -n shop --yes";
const STORE: &str = "blob shopdata --auth secret --secret-store keyvault:my-vault -w deployment/web -n shop --yes --verify=false";
const STORED: &str = "delete storage-blob-shopdata -n shop --yes";

/// Checks that a failure has a message and a fix.
#[track_caller]
fn clear(ran: &Ran, what: &str) {
    assert!(ran.code == 0 || (ran.stderr.contains("error [KC") && ran.stderr.contains("fix")), "{what}: {}", ran.stderr);
}

/// Lets the `nth` request of `words` fail, and then runs the same command again.
async fn broken(case: &Case, words: &str, fault: Fault, what: &str) {
    case.control().fail(fault);
    let ran = case.run(words).await;
    clear(&ran, what);
    case.control().heal();
    let again = case.run(words).await;
    // An object that was deleted despite the error no longer exists in the second run.
    let gone = words.starts_with("delete") && again.code == 3 && again.stderr.contains("KC1201");
    assert!(again.code == 0 || gone, "{what}: first\n{}\nagain\n{}", ran.stderr, again.stderr);
}

/// Every second request gets one of the faults, in rotation.
#[tokio::test(flavor = "multi_thread")]
async fn deletion_can_be_continued() {
    let probe = Case::on("aks-ready").await;
    probe.run(&format!("{CONNECT} --verify=false")).await.ended(0);
    probe.control().clear_log();
    probe.run(DELETE).await.ended(0);
    let all = probe.control().log().len();
    assert!(all > 12, "only {all} requests were seen");
    for nth in (0..all).step_by(2) {
        let case = Case::on("aks-ready").await;
        let before = case.everything();
        case.run(&format!("{CONNECT} --verify=false")).await.ended(0);
        let action = every_kind()[nth / 2 % 7].clone();
        let what = format!("{action:?} at request {nth}");
        broken(&case, DELETE, Fault::new(action).skip(nth).times(1), &what).await;
        same(&before, &case.everything(), &format!("{what}: something was left"));
    }
}

/// Every second request gets one of the faults, in rotation.
#[tokio::test(flavor = "multi_thread")]
async fn repair_can_be_continued() {
    let probe = Case::on("aks-ready").await;
    drifted(&probe).await;
    probe.run(REPAIR).await.ended(0);
    let all = probe.control().log().len();
    assert!(all > 12, "only {all} requests were seen");
    for nth in (1..all).step_by(2) {
        let case = Case::on("aks-ready").await;
        let before = drifted(&case).await;
        let action = every_kind()[nth / 2 % 7].clone();
        let what = format!("{action:?} at request {nth}");
        broken(&case, REPAIR, Fault::new(action).skip(nth).times(1), &what).await;
        case.run("verify keyvault-my-vault -n shop").await.ended(0);
        case.run(DELETE).await.ended(0);
        same(&before, &case.everything(), &format!("{what}: something was left"));
    }
}

/// Every fault at every request to the vault's data plane, each followed by its undoing.
#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_fails_loses_no_key_and_keeps_none() {
    const HOST: &str = "my-vault.vault.azure.net";
    let probe = with_store().await;
    let asked = || probe.control().log().iter().filter(|e| e.host.contains(HOST)).count();
    probe.run(STORE).await.ended(0);
    let made = asked();
    probe.run(STORED).await.ended(0);
    let undone = asked() - made;
    assert!(made > 0 && undone > 0, "{made} requests made it, {undone} undid it");
    for (turn, action) in every_kind().into_iter().enumerate() {
        let case = with_store().await;
        let before = case.everything();
        let what = format!("{action:?} in turn {turn}");
        let at = |requests: usize| Fault::new(action.clone()).host(HOST).skip(turn % requests).times(1);
        broken(&case, STORE, at(made), &what).await;
        case.run("verify storage-blob-shopdata -n shop").await.ended(0);
        broken(&case, STORED, at(undone), &what).await;
        same(&before, &case.everything(), &format!("{what}: something was left"));
    }
}

/// A request to Azure has a time limit of a minute, which no flag shortens. So only one write and one exchange are
/// left hanging, concurrently.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_answers_is_not_waited_for_for_ever() {
    async fn hung(fault: Fault, what: &str) {
        let case = Case::on("aks-ready").await;
        let before = case.everything();
        broken(&case, CONNECT, fault, what).await;
        case.run("verify keyvault-my-vault -n shop").await.ended(0);
        case.run(DELETE).await.ended(0);
        same(&before, &case.everything(), &format!("{what}: something was left"));
    }
    let write = Fault::new(Action::Hang).host("management.azure.com").path("userAssignedIdentities").method("PUT");
    let exchange = Fault::new(Action::Hang).host("login.microsoftonline.com").method("POST");
    tokio::join!(hung(write, "ARM hangs at a write"), hung(exchange, "Entra hangs at the exchange"));
}
