//! Sign-in plugins (kubelogin and its like): run once, with a limit, and with everything they say passed on.
//!
//! kube would run the plugin three times, one after the other, without a limit, and repeat raw output, which may be the
//! token, in its errors.

use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use kube::config::{ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::model::{Event, Events, Kind, Problem, Result};

/// How long a plugin may take when nobody is asked.
const LIMIT: Duration = Duration::from_secs(30);
/// How long it may take when a person signs in.
const LIMIT_WITH_A_PERSON: Duration = Duration::from_secs(300);

/// What a plugin gave.
pub(crate) struct Given {
    pub token: Option<SecretString>,
    /// PEM of certificate and key.
    pub certificate: Option<(String, SecretString)>,
    pub expires: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Credential {
    status: Option<CredentialStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialStatus {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<Timestamp>,
}

/// Runs the plugin of a user entry.
pub(crate) async fn run(exec: &ExecConfig, cluster: Option<ExecAuthCluster>, interactive: bool, events: &Events) -> Result<Given> {
    let limit = if interactive { LIMIT_WITH_A_PERSON } else { LIMIT };
    run_within(exec, cluster, interactive, events, limit).await
}

async fn run_within(
    exec: &ExecConfig,
    cluster: Option<ExecAuthCluster>,
    interactive: bool,
    events: &Events,
    limit: Duration,
) -> Result<Given> {
    let Some(command) = exec.command.as_deref().filter(|command| !command.is_empty()) else {
        return Err(Problem::new(Kind::NotSignedIn, "KC3020", "the user entry's sign-in plugin names no command"));
    };
    let mode = exec.interactive_mode.clone().unwrap_or(ExecInteractiveMode::IfAvailable);
    if mode == ExecInteractiveMode::Always && !interactive {
        return Err(Problem::new(Kind::NotSignedIn, "KC3025", format!("the sign-in plugin {command} needs a terminal"))
            .why("its kubeconfig entry says interactiveMode: Always")
            .fix("kubelogin convert-kubeconfig -l azurecli   # signs in without asking"));
    }
    let ask = interactive && mode != ExecInteractiveMode::Never;
    let mut child = command_for(exec, command, cluster, ask).spawn().map_err(|error| not_started(exec, command, &error))?;
    let stderr = child.stderr.take();
    let stdout = child.stdout.take();
    let told = async {
        let mut last = Vec::new();
        if let Some(stderr) = stderr {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if !line.trim().is_empty() {
                    // A device code must be seen while the plugin waits for it.
                    events.say(Event::Note(format!("{}: {}", base_name(command), line.trim_end())));
                    last.push(line);
                }
            }
        }
        last
    };
    let answered = async {
        let mut out = Vec::new();
        if let Some(mut stdout) = stdout {
            // A cut answer is found out when it is parsed.
            let _ = stdout.read_to_end(&mut out).await;
        }
        out
    };
    let ended = tokio::time::timeout(limit, async { tokio::join!(child.wait(), answered, told) }).await;
    let Ok((status, out, told)) = ended else {
        let problem =
            Problem::new(Kind::NotSignedIn, "KC3023", format!("the sign-in plugin {command} did not end within {} s", limit.as_secs()));
        return Err(if interactive {
            problem.fix("run the command again and finish the sign-in in time")
        } else {
            problem
                .why("it may be waiting for a person, and nobody can be asked here")
                .fix("kubelogin convert-kubeconfig -l azurecli   # uses the sign-in of az login")
        });
    };
    let status = status.map_err(|error| not_started(exec, command, &error))?;
    if !status.success() {
        let why = told.iter().rev().take(3).rev().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        let why = if why.is_empty() { status.to_string() } else { super::error::shorten(&why) };
        return Err(signing_in(
            Problem::new(Kind::NotSignedIn, "KC3022", format!("the sign-in plugin {command} failed")).why(why),
            command,
        ));
    }
    parse(&out, command)
}

fn command_for(exec: &ExecConfig, command: &str, cluster: Option<ExecAuthCluster>, ask: bool) -> tokio::process::Command {
    let version = exec.api_version.as_deref().unwrap_or("client.authentication.k8s.io/v1");
    let mut info = serde_json::json!({
        "apiVersion": version, "kind": "ExecCredential", "spec": { "interactive": ask },
    });
    if let Some(cluster) = cluster.filter(|_| exec.provide_cluster_info) {
        info["spec"]["cluster"] = serde_json::to_value(cluster).unwrap_or_default();
    }
    let mut process = tokio::process::Command::new(command);
    process
        .args(exec.args.iter().flatten())
        .env("KUBERNETES_EXEC_INFO", info.to_string())
        .stdin(if ask { Stdio::inherit() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for pair in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (pair.get("name"), pair.get("value")) {
            process.env(name, value);
        }
    }
    process
}

fn not_started(exec: &ExecConfig, command: &str, error: &std::io::Error) -> Problem {
    if error.kind() != std::io::ErrorKind::NotFound {
        return Problem::new(Kind::NotSignedIn, "KC3022", format!("the sign-in plugin {command} can't be run")).why(error.to_string());
    }
    let mut problem = Problem::new(Kind::NotSignedIn, "KC3021", format!("the sign-in plugin {command} is not installed"))
        .why("the kubeconfig's user signs in with it");
    if base_name(command) == "kubelogin" {
        problem = problem.fix("az aks install-cli   # installs kubelogin");
    }
    match exec.install_hint.as_deref().map(str::trim).filter(|hint| !hint.is_empty()) {
        Some(hint) => problem.fix(hint.to_owned()),
        None => problem,
    }
}

fn signing_in(problem: Problem, command: &str) -> Problem {
    if base_name(command) == "kubelogin" {
        return problem.fix("az login").fix("kubelogin convert-kubeconfig -l azurecli   # uses the sign-in of az login");
    }
    problem.fix(format!("run {command} by itself to see what it misses, or: kubectl auth whoami"))
}

fn parse(out: &[u8], command: &str) -> Result<Given> {
    // Never the output itself: it may be the token.
    let bad = |why: &str| {
        Problem::new(Kind::NotSignedIn, "KC3024", format!("the sign-in plugin {command} gave no credential")).why(why.to_owned())
    };
    let credential: Credential = serde_json::from_slice(out)
        .map_err(|error| bad(&format!("its output is not an ExecCredential (line {}, column {})", error.line(), error.column())))?;
    let status = credential.status.ok_or_else(|| bad("its answer holds no status"))?;
    let token = status.token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()).map(SecretString::from);
    let certificate = match (status.client_certificate_data, status.client_key_data) {
        (Some(certificate), Some(key)) => Some((certificate, SecretString::from(key))),
        (None, None) => None,
        _ => return Err(bad("it gave a certificate without its key, or a key without its certificate")),
    };
    if token.is_none() && certificate.is_none() {
        return Err(bad("its status holds neither a token nor a certificate"));
    }
    Ok(Given { token, certificate, expires: status.expiration_timestamp })
}

/// File name of a command without directories and `.exe`.
pub(crate) fn base_name(command: &str) -> &str {
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command);
    name.strip_suffix(".exe").unwrap_or(name)
}
