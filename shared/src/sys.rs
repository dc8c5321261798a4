//! Environment and processes: everything impure except the network. Only `azure`, `kube` and `ui` use it.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

/// Lock for running az, one process at a time: two concurrent processes read each other's half-written token cache
/// and then report that nobody is signed in (measured in 2 of 120 runs). Hold the lock while starting az, or any
/// program that starts az.
pub static AZ_TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Reads an environment variable. An empty variable counts as unset, as it does for kubectl and az.
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// The user's home directory.
pub fn home() -> Option<PathBuf> {
    var("HOME").or_else(|| var("USERPROFILE")).map(PathBuf::from)
}

/// This machine's name, shown to users as part of who holds a lock.
pub fn host_name() -> String {
    var("HOSTNAME")
        .or_else(|| var("COMPUTERNAME"))
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|s| s.trim().to_owned()))
        .unwrap_or_else(|| "this-machine".into())
}

/// Whether a process of this machine still runs; `None` on systems without `/proc`.
pub fn process_is_alive(pid: u32) -> Option<bool> {
    let proc = PathBuf::from("/proc");
    proc.join("self").exists().then(|| proc.join(pid.to_string()).exists())
}

/// Variables with which the az extension hands its session over: the token endpoint, the key for this run and the
/// active subscription. Child processes don't inherit them.
pub const HANDED_OVER: [&str; 3] = ["AZ_CONNECT_TOKEN_ENDPOINT", "AZ_CONNECT_TOKEN_KEY", "AZ_CONNECT_SUBSCRIPTION"];

/// A command for a child process, without the variables of [`HANDED_OVER`].
pub fn child(program: impl AsRef<std::ffi::OsStr>) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    for name in HANDED_OVER {
        command.env_remove(name);
    }
    command
}

/// Runs a program to its end without input. It is killed after `limit`, or when the future is dropped.
///
/// # Errors
/// `NotFound` if the program is missing, `TimedOut` after `limit`, otherwise the system's error.
pub async fn run(program: &std::ffi::OsStr, args: &[&std::ffi::OsStr], limit: Duration) -> std::io::Result<Output> {
    let child = child(program).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    match tokio::time::timeout(limit, child.wait_with_output()).await {
        Ok(output) => output,
        Err(_) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs()))),
    }
}
