//! Sign-in plugins such as kubelogin: run once, with a time limit, with their messages passed on to the user.
//!
//! kube would run the plugin three times in sequence, without a time limit, and would repeat raw output, which may be
//! the token, in its errors.

#[cfg(test)]
#[cfg(unix)]
pub(crate) mod tests;

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::config::{ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;

use crate::clock::Wait;
use crate::model::{Event, Events, Kind, Problem, Result};
use crate::sys;

/// Time limit of a plugin that asks nobody.
const LIMIT: Duration = Duration::from_secs(30);
/// Time limit of a plugin with which a user signs in.
const LIMIT_WITH_A_PERSON: Duration = Duration::from_secs(300);
/// How long to read on after the plugin's end, while its pipes stay open.
const LINGER: Duration = Duration::from_secs(1);
/// How long an incomplete line is held back before it is shown.
const PROMPT: Duration = Duration::from_millis(400);

/// Output of a plugin.
pub(crate) struct Given {
    pub token: Option<SecretString>,
    /// Certificate and key as PEM.
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
        return Err(Problem::new(Kind::NotSignedIn, "KC3020", "the user entry's sign-in plugin has no command"));
    };
    let mode = exec.interactive_mode.clone().unwrap_or(ExecInteractiveMode::IfAvailable);
    if mode == ExecInteractiveMode::Always && !interactive {
        return Err(Problem::new(Kind::NotSignedIn, "KC3025", format!("the sign-in plugin {command} needs a terminal"))
            .why("its kubeconfig entry says interactiveMode: Always")
            .fix("kubelogin convert-kubeconfig -l azurecli   # signs in without asking"));
    }
    let ask = interactive && mode != ExecInteractiveMode::Never;
    let mut child = command_for(exec, command, cluster, ask).spawn().map_err(|error| not_started(exec, command, &error))?;
    let (mut out, mut told) = (Vec::new(), Told { command: base_name(command), events, line: Vec::new(), lines: Vec::new() });
    let mut wait = Wait::new(events, "sign-in", format!("waiting for the sign-in plugin {}", base_name(command)));
    let ended = tokio::time::timeout(limit, wait.during(read_to_end(&mut child, &mut out, &mut told))).await;
    drop(wait);
    let Ok(status) = ended else {
        let problem =
            Problem::new(Kind::NotSignedIn, "KC3023", format!("the sign-in plugin {command} did not end within {} s", limit.as_secs()));
        return Err(if interactive {
            problem.fix("run the command again and finish the sign-in in time")
        } else {
            problem
                .why("it may be waiting for input, but there is no terminal")
                .fix("kubelogin convert-kubeconfig -l azurecli   # uses the sign-in of az login")
        });
    };
    let status = status.map_err(|error| not_started(exec, command, &error))?;
    if !status.success() {
        let why = told.lines[told.lines.len().saturating_sub(3)..].join(" ");
        let why = if why.is_empty() { status.to_string() } else { super::error::shorten(&why) };
        return Err(signing_in(
            Problem::new(Kind::NotSignedIn, "KC3022", format!("the sign-in plugin {command} failed")).why(why),
            command,
        ));
    }
    parse(&out, command)
}

/// Passes the plugin's stderr on as it arrives: the user must see a device code while the plugin waits for it.
struct Told<'a> {
    command: &'a str,
    events: &'a Events,
    line: Vec<u8>,
    lines: Vec<String>,
}

impl Told<'_> {
    fn hear(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' { self.pass_on() } else { self.line.push(*byte) }
        }
    }

    fn pass_on(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned();
        if !line.is_empty() {
            self.events.say(Event::Note(format!("{}: {line}", self.command)));
            self.lines.push(line);
        }
    }
}

/// Reads the plugin's output until it ends. A helper process that it leaves behind may keep the pipes open, so
/// reading stops a moment after the plugin's end.
async fn read_to_end(child: &mut Child, out: &mut Vec<u8>, told: &mut Told<'_>) -> std::io::Result<ExitStatus> {
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let mut ended: Option<(ExitStatus, Instant)> = None;
    let (mut chunk, mut said) = ([0_u8; 4096], [0_u8; 1024]);
    while stdout.is_some() || stderr.is_some() {
        let rest = match ended {
            Some((_, at)) => match LINGER.checked_sub(at.elapsed()) {
                Some(rest) => rest,
                None => break,
            },
            // A prompt has no line end and must be shown nevertheless.
            None => PROMPT,
        };
        tokio::select! {
            read = read_some(&mut stdout, &mut chunk) => match read {
                0 => stdout = None,
                count => out.extend_from_slice(&chunk[..count]),
            },
            read = read_some(&mut stderr, &mut said) => match read {
                0 => stderr = None,
                count => told.hear(&said[..count]),
            },
            status = child.wait(), if ended.is_none() => ended = Some((status?, Instant::now())),
            () = tokio::time::sleep(rest) => told.pass_on(),
        }
    }
    told.pass_on();
    match ended {
        Some((status, _)) => Ok(status),
        None => child.wait().await,
    }
}

/// Reads once. Returns 0 at the end and on errors; never completes if the pipe is closed.
async fn read_some(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    match pipe {
        Some(pipe) => pipe.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

fn command_for(exec: &ExecConfig, command: &str, cluster: Option<ExecAuthCluster>, ask: bool) -> tokio::process::Command {
    let version = exec.api_version.as_deref().unwrap_or("client.authentication.k8s.io/v1");
    let mut info = serde_json::json!({
        "apiVersion": version, "kind": "ExecCredential", "spec": { "interactive": ask },
    });
    if let Some(cluster) = cluster.filter(|_| exec.provide_cluster_info) {
        info["spec"]["cluster"] = serde_json::to_value(cluster).unwrap_or_default();
    }
    let mut process = sys::child(command);
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
    problem.fix(format!("run {command} directly to see its error, or: kubectl auth whoami"))
}

fn parse(out: &[u8], command: &str) -> Result<Given> {
    // The message must not contain the output, which may be the token.
    let bad = |why: &str| {
        Problem::new(Kind::NotSignedIn, "KC3024", format!("the sign-in plugin {command} returned no credential")).why(why.to_owned())
    };
    let credential: Credential = serde_json::from_slice(out)
        .map_err(|error| bad(&format!("its output is not an ExecCredential (line {}, column {})", error.line(), error.column())))?;
    let status = credential.status.ok_or_else(|| bad("its output has no status"))?;
    let token = status.token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()).map(SecretString::from);
    let certificate = match (status.client_certificate_data, status.client_key_data) {
        (Some(certificate), Some(key)) => Some((certificate, SecretString::from(key))),
        (None, None) => None,
        _ => return Err(bad("it returned a certificate without its key, or a key without its certificate")),
    };
    if token.is_none() && certificate.is_none() {
        return Err(bad("its status has neither a token nor a certificate"));
    }
    Ok(Given { token, certificate, expires: status.expiration_timestamp })
}

/// File name of a command, without directories and `.exe`.
pub(crate) fn base_name(command: &str) -> &str {
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command);
    name.strip_suffix(".exe").unwrap_or(name)
}
