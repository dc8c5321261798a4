use super::*;
use crate::azure::testing::{FakeAz, Said};

const SCOPE: &str = "https://vault.azure.net/.default";

async fn refused(said: Said) -> Problem {
    SignIn::with_executor(FakeAz::saying([said])).token(Some("t1"), SCOPE).await.unwrap_err()
}

#[tokio::test]
async fn starts_az_once_per_tenant_and_scope() {
    let az = FakeAz::saying([]);
    let sign_in = SignIn::with_executor(az.clone());
    let all = futures::future::join_all((0..5).map(|n| sign_in.token(Some(if n % 2 == 0 { "T1" } else { "t1" }), SCOPE))).await;
    assert!(all.iter().all(|t| t.as_ref().unwrap().secret() == "token-1"));
    assert_eq!(sign_in.starts(), 1);
    assert_eq!(sign_in.token(None, SCOPE).await.unwrap().secret(), "token-2");
    assert_eq!(sign_in.token(None, "https://x/.default").await.unwrap().secret(), "token-3");
    assert_eq!(az.most_at_once(), 1);
    assert!(az.commands()[0].contains("--scope https://vault.azure.net/.default --tenant") && !az.commands()[1].contains("--tenant"));
}

#[tokio::test]
async fn asks_anew_before_expiry_and_when_told_to_forget() {
    let sign_in = SignIn::with_executor(FakeAz::saying([]));
    let token = sign_in.token(None, SCOPE).await.unwrap();
    let old = (clock::now() + SignedDuration::from_mins(4), clock::now() - SignedDuration::from_mins(60));
    sign_in.held().tokens.insert((None, SCOPE.into()), (Token::new("old".into(), old.0), old.1));
    let fresh = sign_in.token(None, SCOPE).await.unwrap();
    assert_eq!(fresh.secret(), "token-2");
    sign_in.forget(None, SCOPE, &token);
    assert_eq!(sign_in.token(None, SCOPE).await.unwrap().secret(), "token-2", "another token was refused");
    sign_in.forget(None, SCOPE, &fresh);
    assert_eq!(sign_in.token(None, SCOPE).await.unwrap().secret(), "token-3");
}

#[tokio::test]
async fn a_token_that_az_gives_shortly_before_its_end_is_used() {
    let sign_in = SignIn::with_executor(FakeAz::saying([Said::token("short", 100)]));
    for _ in 0..3 {
        assert_eq!(sign_in.token(None, SCOPE).await.unwrap().secret(), "short");
    }
    assert_eq!(sign_in.starts(), 1);
}

#[tokio::test]
async fn asks_once_more_when_the_cache_was_half_written() {
    for race in ["ERROR: User 'me' does not exist in MSAL token cache. Run `az login`.", "ERROR: Can't find token from MSAL cache."] {
        let sign_in = SignIn::with_executor(FakeAz::saying([Said::error(race)]));
        assert_eq!(sign_in.token(None, SCOPE).await.unwrap().secret(), "token-2");
        let twice = SignIn::with_executor(FakeAz::saying([Said::error(race), Said::error(race)]));
        assert_eq!(twice.token(None, SCOPE).await.unwrap_err().code(), "KC2002");
    }
}

#[tokio::test]
async fn concurrent_requests_share_one_refusal() {
    let sign_in = SignIn::with_executor(FakeAz::saying([Said::error("ERROR: Please run 'az login' to setup account.")]));
    let all = futures::future::join_all((0..4).map(|_| sign_in.token(None, SCOPE))).await;
    assert!(all.iter().all(|t| t.as_ref().is_err_and(|p| p.code() == "KC2002" && p.kind() == Kind::NotSignedIn)));
    assert_eq!(sign_in.starts(), 1);
}

#[tokio::test]
async fn each_failure_has_its_code_and_fix() {
    let missing = refused(Said::exit(127, "/bin/sh: 1: exec: az: not found")).await;
    assert_eq!((missing.code(), missing.kind()), ("KC2001", Kind::Failed));
    assert!(missing.fixes()[0].contains("aka.ms/installazurecli"));

    let nobody = refused(Said::error("Please run 'az login' to setup account.")).await;
    assert_eq!((nobody.code(), nobody.fixes()), ("KC2002", &["az login --tenant t1".to_owned()][..]));

    let old = refused(Said::exit_with(0, r#"{"accessToken":"x","expiresOn":"2030-01-01 00:00:00.000000","tokenType":"Bearer"}"#)).await;
    assert_eq!((old.code(), old.fixes()), ("KC2003", &["az upgrade".to_owned()][..]));

    let mfa = refused(Said::error(
        "WARNING: x\nERROR: AADSTS50076: Due to a configuration change you must use multi-factor authentication. \
         Trace ID: 1 Correlation ID: 2 Timestamp: 3\nInteractive authentication is needed. Please run:\naz login",
    ))
    .await;
    assert_eq!((mfa.code(), mfa.kind()), ("KC2004", Kind::NotSignedIn));
    assert_eq!(mfa.fixes(), ["az login --tenant t1 --scope https://vault.azure.net/.default"]);
    assert_eq!(mfa.reason().unwrap(), "AADSTS50076: Due to a configuration change you must use multi-factor authentication");

    let slow = refused(Said::hangs()).await;
    assert_eq!((slow.code(), slow.kind()), ("KC2005", Kind::TimedOut));

    let other = refused(Said::error("WARNING: a\nERROR: The provided cloud is broken.\n")).await;
    assert_eq!((other.code(), other.reason()), ("KC2006", Some("The provided cloud is broken")));
    for problem in [missing, nobody, old, mfa, slow, other] {
        assert!(!format!("{problem} {:?}", problem.fixes()).contains("troubleshoot"), "{problem}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn az_replaces_the_shell_and_gets_no_input() {
    assert_eq!(in_the_shells_place("cd /bin && az account x".as_ref()), "cd /bin && exec az account x");
    assert_eq!(in_the_shells_place("-c".as_ref()), "-c");
    // Without input `cat` ends at once.
    let output = AzProcess.run("/bin/sh".as_ref(), &["-c".as_ref(), "cat; echo done".as_ref()]).await.unwrap();
    assert_eq!(output.stdout, b"done\n");
}

#[tokio::test]
async fn debug_output_and_errors_contain_no_token() {
    let jwt = format!("eyJ{}.eyJ{}.sig", "a".repeat(30), "b".repeat(30));
    let broken = refused(Said::exit_with(0, &format!(r#"{{"accessToken":"{jwt}","expires_on":"{jwt}","tokenType":"Bearer"}}"#))).await;
    assert!(!format!("{broken:?} {:?}", broken.fixes()).contains("eyJ"), "{broken:?}");
    let token = Token::new(jwt, Timestamp::UNIX_EPOCH);
    assert_eq!(format!("{token:?}"), "Token(until 1970-01-01T00:00:00Z)");
}
