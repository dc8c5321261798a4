//! Faults of the network and the services: retried if that is safe, otherwise reported, and the run can always be
//! continued.

use std::time::Duration;

use stand_in::fault::{Action, Fault};

use harness::{Case, same};

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes";

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_obeyed() {
    let case = Case::on("aks-ready").await;
    case.control().fail(Fault::throttled(2).host("management.azure.com").path("userAssignedIdentities").method("PUT").times(1));
    let began = std::time::Instant::now();
    case.run(CONNECT).await.ended(0);
    assert!(began.elapsed() >= Duration::from_secs(2), "Retry-After was not waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_failures_of_the_services_pass() {
    for action in [Action::Status(503, "ServiceUnavailable".into(), None), Action::Reset, Action::Html, Action::Truncated] {
        let case = Case::on("aks-ready").await;
        case.control().fail(Fault::new(action.clone()).host("management.azure.com").method("GET").times(1));
        let ran = case.run(CONNECT).await;
        // An unsafe retry may end the run, but never half-way: nothing has been written at the first read.
        if ran.code != 0 {
            assert!(ran.stderr.contains("error [KC"), "{action:?}: {}", ran.stderr);
            assert_eq!(case.writes(), Vec::<String>::new(), "{action:?}");
        }
        case.run(CONNECT).await.ended(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stays_down_is_told_and_the_run_continues_later() {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    case.control()
        .fail(Fault::status(500, "InternalServerError").host("management.azure.com").path("roleAssignments").method("PUT").times(100));
    case.run(CONNECT).await.ended(1).says(&["roleAssignment", "run the same command again", "correlation"]);
    assert_eq!(case.run("list -n shop").await.ended(0).stdout.matches("Incomplete").count(), 1);
    case.control().heal();
    case.run(CONNECT).await.ended(0);
    case.run("delete keyvault-my-vault -n shop --yes").await.ended(0);
    same(&before, &case.everything(), "something was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_on_the_way_is_asked_for_anew() {
    let case = Case::with("aks-shop", |world| {
        world.knobs.cluster_update = Duration::from_secs(600);
        world.knobs.token_lifetime = 3600;
    })
    .await;
    let control = case.control().clone();
    // The clusters use the real clock, so after the jump one of their tokens would be expired for Entra.
    let run = case.finish(case.command(&format!("{CONNECT} --verify=false")));
    let clock = async {
        // While the update runs, the clock jumps past the token's expiry and then past the end of the update.
        while !control.log().iter().any(|e| e.method == "PUT" && e.path.ends_with("/aks-shop")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        control.advance(Duration::from_secs(3700));
    };
    let (ran, ()) = tokio::join!(run, clock);
    ran.ended(0);
    assert!(case.control().log_of(stand_in::Kind::Az).len() >= 2, "no new token was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_update_of_the_cluster_is_told() {
    let case = Case::with("aks-shop", |world| world.knobs.cluster_update_fails = Some("QuotaExceeded".into())).await;
    case.run(CONNECT).await.ended(1).says(&["QuotaExceeded", "aks-shop"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_lets_the_running_steps_finish_and_says_how_to_go_on() {
    let case = Case::with("aks-shop", |world| world.knobs.cluster_update = Duration::from_secs(3)).await;
    let control = case.control().clone();
    let child = case.command(CONNECT).spawn().expect("the command runs");
    let pid = child.id().expect("it runs");
    while !control.log().iter().any(|e| e.method == "PUT" && e.path.ends_with("/aks-shop")) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let killed = std::process::Command::new("kill").args(["-INT", &pid.to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let output = child.wait_with_output().await.expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    for told in ["interrupted: waiting for the running step; Ctrl-C again stops now", "not started", "run the same command again"] {
        assert!(said.contains(told), "`{told}` was not said: {said}");
    }
    case.run(CONNECT).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_down_is_told_before_anything_is_written() {
    let case = Case::on("aks-ready").await;
    case.cluster("aks-ready").webhook_down(true);
    let ran = case.run(&format!("{CONNECT} --timeout 20s")).await;
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("webhook"), "{}", ran.stderr);
}
