//! A fault at every request in turn: the run succeeds or reports the reason clearly, its record is correct, and the
//! same command completes it afterwards.

use stand_in::fault::{Action, Fault, every_kind};

use harness::{Case, same};

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes --verify=false --request-timeout 2s";
const DELETE: &str = "delete keyvault-my-vault -n shop --yes";

async fn requests() -> usize {
    let case = Case::on("aks-ready").await;
    case.run(CONNECT).await.ended(0);
    case.control().log().len()
}

async fn broken(nth: usize, action: Action, host: &str) {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    case.control().fail(Fault::new(action.clone()).host(host).skip(nth).times(1));
    let ran = case.run(CONNECT).await;
    let what = format!("{action:?} at request {nth}");
    if ran.code != 0 {
        assert!(ran.stderr.contains("error [KC") && ran.stderr.contains("fix"), "{what}: {}", ran.stderr);
    }
    case.control().heal();
    // The next run relies on the record.
    let again = case.run(CONNECT).await;
    assert_eq!(again.code, 0, "{what}: first\n{}\nagain\n{}", ran.stderr, again.stderr);
    case.run("verify keyvault-my-vault -n shop").await.ended(0);
    case.run(DELETE).await.ended(0);
    same(&before, &case.everything(), &format!("{what}: something was left"));
}

/// Each request gets two of the faults, so that overall every fault occurs at requests of every kind.
async fn half(odd: usize) {
    let all = requests().await;
    assert!(all > 25, "only {all} requests were seen");
    for nth in (0..all).filter(|n| n % 2 == odd) {
        let of = |offset: usize| every_kind()[(nth / 2 + offset) % 7].clone();
        broken(nth, of(0), "").await;
        broken(nth, of(3), "").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_at_any_even_request_can_be_continued() {
    half(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_at_any_odd_request_can_be_continued() {
    half(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_hangs_is_not_waited_for_for_ever() {
    for nth in [0, 3, 9, 15, 20, 24] {
        broken(nth, Action::Hang, "azmk8s.io").await;
    }
}
