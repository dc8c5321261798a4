//! Runs every command shown in the README and the quick start unchanged and in order.

use std::path::PathBuf;

use harness::{Case, same};

/// The commands in the `sh` blocks below a heading, without comments.
fn commands(file: &str, heading: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
    let text = format!("\n{text}");
    let (_, section) = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{file} has no {heading}"));
    let level = heading.split(' ').next().unwrap_or_default();
    let section = section.split(&format!("\n{level} ")).next().unwrap_or_default();
    let mut found = Vec::new();
    let mut inside = false;
    for line in section.lines().map(str::trim) {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => {
                let line = line.split(" #").next().unwrap_or_default().trim();
                if !line.is_empty() {
                    found.push(line.to_owned());
                }
            }
            _ => {}
        }
    }
    found
}

/// Lines that are tested elsewhere or can't be run here, with the reason.
const ELSEWHERE: [(&str, &str); 1] =
    [("kubectl connect completion install", "it writes beside the installed program; tests/real/run installs it with krew")];

async fn run_all(file: &str, heading: &str, least: usize) {
    let case = Case::on("aks-shop").await;
    // The commands say `kubectl`. If none is installed, the sandbox's own starts the plugin.
    if which::which("kubectl").is_err() {
        case.sandbox.link("kubectl", harness::program()).unwrap();
    }
    // The reader's context is set to the namespace of the workload.
    let kubeconfig = case.sandbox.dir().join("kubeconfig");
    let text = std::fs::read_to_string(&kubeconfig).unwrap().replace("namespace: default", "namespace: shop");
    std::fs::write(&kubeconfig, text).unwrap();
    let before = case.everything_but_features();
    let lines = commands(file, heading);
    assert!(lines.len() >= least, "{file}: {lines:?}");
    for line in &lines {
        if ELSEWHERE.iter().any(|(other, _)| line == other) {
            continue;
        }
        // The command asks for consent at a terminal; here nobody can answer, and the message says which flag to add.
        let asks = ["kubectl connect keyvault", "kubectl connect blob"].iter().any(|c| line.starts_with(c))
            || line.contains(" repair ")
            || line.contains(" refresh ")
            || line.contains(" delete ");
        let line = if asks && !line.contains("--yes") { format!("{line} --yes") } else { line.clone() };
        let mut command = tokio::process::Command::new("sh");
        command.args(["-c", &line]).envs(case.sandbox.env()).current_dir(case.sandbox.dir()).kill_on_drop(true);
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let ran = case.finish(command).await;
        // On real API servers no webhook runs behind the registration; these two commands report that, see
        // `Case::holds`.
        let found = harness::real::is_on() && (line.contains(" verify ") || line.contains(" doctor "));
        assert_eq!(ran.code, i32::from(found), "{file}: {line}\n{}{}", ran.stdout, ran.stderr);
    }
    for made in ["keyvault-my-vault", "storage-blob-shopdata"] {
        case.run(&format!("delete {made} -n shop --yes --ignore-not-found")).await.ended(0);
    }
    same(&before, &case.everything_but_features(), "what the commands made is gone again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_s_commands_work() {
    run_all("README.md", "## Use it", 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quick_start_s_commands_work() {
    run_all("docs/quick-start.md", "# Quick start", 4).await;
}
