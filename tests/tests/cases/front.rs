//! What people see around the main job: completion as kubectl asks for it, and results in the form that was asked for.

use std::path::PathBuf;
use std::process::Stdio;

use super::support::{Case, Ran};

async fn completed(case: &Case, words: &[&str]) -> Ran {
    let mut command = tokio::process::Command::new(case.sandbox.bin().join("kubectl_complete-connect"));
    command.args(words).envs(case.sandbox.env()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    case.finish(command).await.ended(0)
}

async fn case() -> Case {
    let case = Case::on("aks-ready").await;
    case.sandbox.link("kubectl_complete-connect", &PathBuf::from(env!("CARGO_BIN_EXE_sandbox"))).unwrap();
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn completion_asks_the_cluster_and_azure() {
    let case = case().await;
    for (words, expected) in [
        (&["keyva"][..], "keyvault\tConnect to Key Vault\n:4\n"),
        (&["keyvault", "my"], "my-vault\tin rg-data\n:4\n"),
        (&["list", "-n", "sh"], "shop\n:4\n"),
        (&["list", "--context", "aks-r"], "aks-ready\n:4\n"),
        (&["keyvault", "my-vault", "-n", "shop", "--workload", "deployment/w"], "deployment/web\t2/2 ready\n:4\n"),
        (&["list", "--kubeconfig", ""], ":0\n"),
    ] {
        let ran = completed(&case, words).await;
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (expected, ""), "{words:?}");
    }
    case.run("keyvault my-vault -n shop --workload deployment/web --yes").await.ended(0);
    let ran = completed(&case, &["verify", "-n", "shop", ""]).await;
    assert_eq!(ran.stdout, "keyvault-my-vault\tkeyvault my-vault\n:4\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn completion_is_silent_when_it_fails() {
    let case = Case::with("aks-ready", |world| world.knobs.az = sandbox::knobs::AzState::NotSignedIn).await;
    case.sandbox.link("kubectl_complete-connect", &PathBuf::from(env!("CARGO_BIN_EXE_sandbox"))).unwrap();
    for words in [&["keyvault", ""][..], &["list", "--context", "nowhere", "-n", ""], &["no", "such", "words", "--x"]] {
        let ran = completed(&case, words).await;
        assert_eq!((ran.stdout.lines().last(), ran.stderr.as_str()), (Some(":4"), ""), "{words:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_come_in_the_form_that_was_asked_for() {
    let case = case().await;
    let made =
        case.run("keyvault my-vault -n shop --workload deployment/web --yes --progress=json -o jsonpath={.metadata.name}").await.ended(0);
    assert_eq!(made.stdout, "keyvault-my-vault\n");
    let told =
        made.stderr.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert!(told.filter(|event| event["event"] == "finished").count() >= 4, "{}", made.stderr);
    let listed = case.run("list -n shop -o custom-columns=NAME:.metadata.name,TARGET:.spec.service").await.ended(0);
    assert_eq!(listed.stdout, "NAME                TARGET\nkeyvault-my-vault   keyvault\n");
    case.run("list -o xml").await.ended(2).says(&["jsonpath="]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_where_nobody_can_answer() {
    let case = case().await;
    for (words, said) in [
        ("keyvault", "<TARGET>"),
        ("plan keyvault", "<TARGET>"),
        ("delete --yes", "<CONNECTION>"),
        ("show", "<CONNECTION>"),
        ("verify -n shop", "<CONNECTION>"),
        ("plan", "Usage: kubectl connect plan"),
        ("", "Usage: kubectl connect"),
        ("keyvault my-vault -n shop", "no workload was named"),
    ] {
        case.run(words).await.ended(2).says(&[said]);
    }
    assert_eq!(case.writes(), Vec::<String>::new());
}
