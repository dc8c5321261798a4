//! The impure edge that is not the network: environment, clock, processes. Only `azure`, `kube` and `ui` look here.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

/// The right to run az, one at a time: two at once read each other's half-written token cache and then claim that nobody
/// is signed in (2 of 120 runs in `facts/az-extension.md`). Whoever starts az, or a program that starts it, takes it.
pub static AZ_TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// An environment variable; unset and empty are the same, as for the tools we stand beside.
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// The user's home directory.
pub fn home() -> Option<PathBuf> {
    var("HOME").or_else(|| var("USERPROFILE")).map(PathBuf::from)
}

/// The current time in UTC.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// This machine's name, for telling people who holds a lock.
pub fn host_name() -> String {
    var("HOSTNAME")
        .or_else(|| var("COMPUTERNAME"))
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|s| s.trim().to_owned()))
        .unwrap_or_else(|| "this-machine".into())
}

/// Whether a process of this machine is still there; `None` where the system gives no cheap answer.
pub fn process_is_alive(pid: u32) -> Option<bool> {
    let proc = PathBuf::from("/proc");
    proc.join("self").exists().then(|| proc.join(pid.to_string()).exists())
}

/// The variables by which the az extension hands its session over: where to ask for tokens, the key for this run, and the
/// subscription that is in force. No process that we start inherits them.
pub const HANDED_OVER: [&str; 3] = ["AZ_CONNECT_TOKEN_ENDPOINT", "AZ_CONNECT_TOKEN_KEY", "AZ_CONNECT_SUBSCRIPTION"];

/// A process to be started, without what was meant for this one alone.
pub fn child(program: impl AsRef<std::ffi::OsStr>) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    for name in HANDED_OVER {
        command.env_remove(name);
    }
    command
}

/// Runs a program to its end with no input, killed when `limit` is over or the caller goes away.
///
/// # Errors
/// `NotFound` where the program is missing, `TimedOut` when the limit is over, otherwise what the system says.
pub async fn run(program: &std::ffi::OsStr, args: &[&std::ffi::OsStr], limit: Duration) -> std::io::Result<Output> {
    let child = child(program).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    match tokio::time::timeout(limit, child.wait_with_output()).await {
        Ok(output) => output,
        Err(_) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs()))),
    }
}
