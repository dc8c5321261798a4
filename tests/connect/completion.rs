//! Completion: what kubectl is offered, the link that a user installs for kubectl, and the scripts for shells.

use std::path::Path;
use std::process::Stdio;

use harness::{Case, Ran};

/// The name under which kubectl calls a plugin for completions.
const ASKED: &str = "kubectl_complete-connect";

async fn completed(case: &Case, words: &[&str]) -> Ran {
    let mut command = tokio::process::Command::new(case.sandbox.bin().join(ASKED));
    command.args(words).envs(case.sandbox.env()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    case.finish(command).await.ended(0)
}

/// The product on PATH under the names that kubectl uses.
async fn installed(case: &Case, folder: &Path, names: &[&str], words: &[&str]) -> Ran {
    std::fs::create_dir_all(folder).unwrap();
    let program = std::fs::canonicalize(case.sandbox.bin().join("kubectl-connect")).unwrap();
    for name in names {
        let _ = std::os::unix::fs::symlink(&program, folder.join(name));
    }
    let mut command = tokio::process::Command::new(folder.join(names[0]));
    command.args(words).env_clear().env("PATH", folder).env("HOME", case.sandbox.dir().join("home")).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    case.finish(command).await
}

async fn asked(link: &Path, case: &Case) -> String {
    let mut command = tokio::process::Command::new(link);
    command.args(["keyva"]).envs(case.sandbox.env()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    case.finish(command).await.ended(0).stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn completion_asks_the_cluster_and_azure() {
    let case = Case::on("aks-ready").await;
    case.sandbox.link(ASKED, harness::program()).unwrap();
    for (words, expected) in [
        (&["keyva"][..], "keyvault\tConnect to Key Vault\n:4\n"),
        (&["keyvault", "my"], "my-vault\tin rg-data\n:4\n"),
        (&["list", "-n", "sh"], "shop\n:4\n"),
        (&["list", "--context", "aks-r"], "aks-ready\n:4\n"),
        (&["keyvault", "my-vault", "-n", "shop", "--workload", "deployment/w"], "deployment/web\t2/2 ready\n:4\n"),
        (&["doctor", "-n", "shop", "deployment/w"], "deployment/web\t2/2 ready\n:4\n"),
        (&["explain", "keyv"], "keyvault\tKey Vault\n:4\n"),
        (&["keyvault", "my-vault", "--auth", "c"], "csi\n:4\n"),
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
    let case = Case::with("aks-ready", |world| world.knobs.az = stand_in::knobs::AzState::NotSignedIn).await;
    case.sandbox.link(ASKED, harness::program()).unwrap();
    for words in [&["keyvault", ""][..], &["list", "--context", "nowhere", "-n", ""], &["no", "such", "words", "--x"]] {
        let ran = completed(&case, words).await;
        assert_eq!((ran.stdout.lines().last(), ran.stderr.as_str()), (Some(":4"), ""), "{words:?}");
    }
}

/// If Azure and the cluster answer too late, nothing is suggested, and the shell gets its line back.
#[tokio::test(flavor = "multi_thread")]
async fn completion_does_not_wait_for_what_is_slow() {
    for words in [&["keyvault", ""][..], &["list", "-n", ""], &["verify", "-n", "shop", ""], &["keyvault", "v", "-n", "shop", "-w", ""]] {
        let case = Case::with("aks-ready", |world| world.knobs.latency = std::time::Duration::from_secs(30)).await;
        case.sandbox.link(ASKED, harness::program()).unwrap();
        let began = std::time::Instant::now();
        let ran = completed(&case, words).await;
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (":4\n", ""), "{words:?}");
        // The answer would have taken 30 s, far more than the limit of 1.5 s, however busy the machine is.
        assert!(began.elapsed().as_secs() < 20, "{words:?}: {:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn install_makes_the_link_that_kubectl_asks() {
    let case = Case::on("aks-ready").await;
    let install = ["completion", "install"];
    for (at, names, links) in [
        ("one", &["kubectl-connect"][..], &["kubectl_complete-connect"][..]),
        ("krew", &["kubectl-azure_connect"], &["kubectl_complete-azure_connect"]),
        ("both", &["kubectl-connect", "kubectl-azure_connect"], &["kubectl_complete-connect", "kubectl_complete-azure_connect"]),
    ] {
        let folder = case.sandbox.dir().join(at);
        for _ in 0..2 {
            let ran = installed(&case, &folder, names, &install).await.ended(0);
            assert!(ran.stdout.ends_with("has completion wherever kubectl has it.\n"), "{}", ran.stdout);
        }
        for link in links {
            assert_eq!(asked(&folder.join(link), &case).await, "keyvault\tConnect to Key Vault\n:4\n", "{at}: {link}");
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), names.len() + links.len(), "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn install_leaves_the_file_of_somebody_else() {
    let case = Case::on("aks-ready").await;
    let folder = case.sandbox.dir().join("theirs");
    std::fs::create_dir_all(&folder).unwrap();
    let theirs = folder.join("kubectl_complete-connect");
    std::fs::write(&theirs, "theirs").unwrap();
    installed(&case, &folder, &["kubectl-connect"], &["completion", "install"]).await.ended(1).says(&["KC1091", "not a link"]);
    assert_eq!(std::fs::read_to_string(&theirs).unwrap(), "theirs");
}

/// Runs the setup in a shell and lets the shell complete a line.
#[tokio::test(flavor = "multi_thread")]
async fn the_script_for_bash_completes_there() {
    let case = Case::on("aks-ready").await;
    let line = r#"source <(kubectl-connect completion bash); registered=$(complete -p kubectl-connect)
        function=${registered##*-F }; COMP_WORDS=(kubectl-connect keyva); COMP_CWORD=1
        "${function%% *}" kubectl-connect keyva kubectl-connect; echo "${COMPREPLY[@]}""#;
    let mut command = tokio::process::Command::new("bash");
    command.args(["--norc", "-ec", line]).envs(case.sandbox.env()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = case.finish(command).await.ended(0);
    assert_eq!(ran.stdout, "keyvault\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_has_a_script_and_no_other_word_is_taken() {
    let case = Case::on("aks-ready").await;
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef kubectl-connect"),
        ("fish", "complete -c kubectl-connect"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let ran = case.run(&format!("completion {shell}")).await.ended(0);
        assert!(ran.stdout.contains(sign) && ran.stderr.is_empty(), "{shell}: {}", ran.stderr);
    }
    case.run("completion tcsh").await.ended(2).says(&["powershell", "install"]);
}
