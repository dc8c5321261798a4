use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::json;

use super::*;
use crate::kube::Flags;
use crate::kube::resources::SECRET;
use crate::kube::testing::{Server, remembered};

/// A plugin named `kubelogin`: a link to the shell, with the script as its argument. Running a newly written file
/// directly sometimes fails with "text file busy" while other tests start processes.
fn script(dir: &Path, body: &str) -> ExecConfig {
    let (link, script) = (dir.join("kubelogin"), dir.join("script"));
    std::os::unix::fs::symlink("/bin/sh", &link).unwrap();
    std::fs::write(&script, body).unwrap();
    ExecConfig { args: Some(vec![script.display().to_string()]), ..plugin(&link) }
}

fn plugin(path: &Path) -> ExecConfig {
    ExecConfig { command: Some(path.display().to_string()), ..ExecConfig::default() }
}

async fn ran(body: &str, limit: Duration) -> (Result<Given>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let exec = script(dir.path(), body);
    let (events, notes) = remembered();
    let given = run_within(&exec, None, false, &events, limit).await;
    let notes = notes.lock().unwrap().clone();
    (given, notes)
}

const TEN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_plugin_runs_once_per_connection() {
    let dir = tempfile::tempdir().unwrap();
    let count = dir.path().join("count");
    let exec = script(dir.path(), &format!("echo run >> {}; printf '%s' '{{\"status\":{{\"token\":\" tok \\n\"}}}}'", count.display()));
    let server = Server::start(vec![]).await;
    let user = json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1beta1", "command": exec.command, "args": exec.args, "interactiveMode": "IfAvailable" } });
    let cluster = server.cluster_with(user, &Flags::default(), &Events::silent()).await.unwrap();
    let (a, b) = tokio::join!(cluster.get(&SECRET, Some("shop"), "a"), cluster.get(&SECRET, Some("shop"), "b"));
    a.unwrap();
    b.unwrap();
    assert_eq!(std::fs::read_to_string(count).unwrap(), "run\n");
    assert!(server.asked().iter().all(|asked| asked.header("authorization") == Some("Bearer tok")));
}

#[tokio::test]
async fn a_past_expiry_does_not_run_the_plugin_for_every_request() {
    let dir = tempfile::tempdir().unwrap();
    let count = dir.path().join("count");
    let answer = r#"{"status":{"token":"t","expirationTimestamp":"2020-01-01T00:00:00Z"}}"#;
    let exec = script(dir.path(), &format!("echo run >> {}; echo '{answer}'", count.display()));
    let server = Server::start(vec![]).await;
    let cluster = server.cluster_with(json!({ "exec": exec }), &Flags::default(), &Events::silent()).await.unwrap();
    for _ in 0..3 {
        cluster.get(&SECRET, Some("shop"), "a").await.unwrap();
    }
    assert_eq!(std::fs::read_to_string(count).unwrap(), "run\n");
}

#[tokio::test]
async fn the_plugin_gets_cluster_info_and_its_environment() {
    let dir = tempfile::tempdir().unwrap();
    let exec =
        script(dir.path(), r#"cat > /dev/null; printf '%s' "$KUBERNETES_EXEC_INFO" > "$INFO_FILE"; echo '{"status":{"token":"t"}}'"#);
    let info = dir.path().join("info");
    let pair = |name: &str, value: &str| [("name".to_owned(), name.to_owned()), ("value".to_owned(), value.to_owned())].into();
    let exec = ExecConfig { env: Some(vec![pair("INFO_FILE", info.to_str().unwrap())]), provide_cluster_info: true, ..exec };
    let cluster = ExecAuthCluster { server: Some("https://a.example".into()), ..ExecAuthCluster::default() };
    run_within(&exec, Some(cluster), false, &Events::silent(), TEN).await.unwrap();
    let info: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(info).unwrap()).unwrap();
    assert_eq!(info["spec"], json!({ "interactive": false, "cluster": { "server": "https://a.example" } }));
}

#[tokio::test]
async fn the_plugins_messages_are_passed_on_and_repeated_in_its_failure() {
    let (given, notes) = ran("echo 'enter the code ABC' >&2; printf 'Password: ' >&2; sleep 1; echo secret-out; exit 3", TEN).await;
    let problem = given.err().unwrap();
    assert_eq!(notes, ["kubelogin: enter the code ABC", "kubelogin: Password:"]);
    assert_eq!((problem.code(), problem.kind()), ("KC3022", Kind::NotSignedIn));
    assert!(problem.reason().unwrap().contains("enter the code ABC") && !problem.reason().unwrap().contains("secret-out"));
    assert!(problem.fixes().iter().any(|fix| fix == "az login"));
}

#[tokio::test]
async fn a_hanging_plugin_is_killed_at_the_limit() {
    let started = Instant::now();
    let (given, _) = ran("exec sleep 60", Duration::from_millis(300)).await;
    assert_eq!(given.err().unwrap().code(), "KC3023");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_helper_left_behind_by_the_plugin_is_not_waited_for() {
    let (given, _) = ran("sleep 50 & echo '{\"status\":{\"token\":\"t\"}}'", TEN).await;
    assert_eq!(given.unwrap().token.unwrap().expose_secret(), "t");
}

#[tokio::test]
async fn a_missing_plugin_is_reported_with_its_install_hint() {
    let exec = ExecConfig { install_hint: Some("  brew install kubelogin\n".into()), ..plugin(Path::new("/nowhere/kubelogin")) };
    let problem = run_within(&exec, None, false, &Events::silent(), TEN).await.err().unwrap();
    assert_eq!(problem.code(), "KC3021");
    assert_eq!(problem.fixes(), ["az aks install-cli   # installs kubelogin", "brew install kubelogin"]);
}

#[tokio::test]
async fn answers_without_a_credential_are_refused_and_never_repeated() {
    for body in [
        "s3cret",
        r#"{"kind":"ExecCredential"}"#,
        r#"{"status":{}}"#,
        r#"{"status":{"token":" "}}"#,
        r#"{"status":{"clientCertificateData":"s3cret"}}"#,
    ] {
        let (given, _) = ran(&format!("echo '{body}'"), TEN).await;
        let problem = given.err().unwrap();
        assert_eq!(problem.code(), "KC3024", "{body}");
        assert!(!format!("{problem:?}").contains("s3cret"), "{problem}");
    }
}

#[tokio::test]
async fn an_interactive_plugin_is_not_started_without_a_terminal() {
    let exec = ExecConfig { interactive_mode: Some(ExecInteractiveMode::Always), ..plugin(Path::new("/nowhere/x")) };
    assert_eq!(run_within(&exec, None, false, &Events::silent(), TEN).await.err().unwrap().code(), "KC3025");
}
