//! Runs a command in a container of a running pod, like `kubectl exec`: over one websocket, without input, until it
//! ends.

use std::time::Instant;

use futures::StreamExt;
use serde_json::Value;

use super::call::Call;
use super::connect::Cluster;
use super::error::{Failure, Why, from_kube};
use super::resources::POD;
use super::trace;

/// Channels of the subprotocols v4 and v5; the first byte of each message (apimachinery,
/// `remotecommand/constants.go`).
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
/// Maximum length of the kept output.
const KEPT: usize = 64 * 1024;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The command ran.
    Ran {
        /// Exit code.
        code: i64,
        /// Its standard output, followed by its standard error.
        said: String,
    },
    /// The container has no such program.
    NoSuchProgram,
    /// The container could not run the command; with the node's message.
    NotRun(String),
}

impl Cluster {
    /// Runs a command in a container and waits for its end.
    ///
    /// # Errors
    /// Any [`Failure`] before the command starts; its own result is in [`Ended`].
    pub async fn run_in(&self, namespace: &str, pod: &str, container: &str, command: &[&str]) -> Result<Ended, Failure> {
        let mut call = Call::read("running a command in", &POD, Some(namespace), Some(pod));
        call.path.push_str("/exec");
        let words = command.iter().map(|word| ("command", *word));
        let query: Vec<(&str, &str)> = words.chain([("container", container), ("stdout", "true"), ("stderr", "true")]).collect();
        let call = call.query(&query);
        let request = self.request(&call).await?.map(|_| Vec::new());
        let (host, started) = (&self.inner.host, Instant::now());
        let talk = async {
            let opened = self.inner.client.connect(request).await;
            let connection = opened.map_err(|error| {
                let failure = self.signed(from_kube(&call.doing, host, &error));
                trace::answer(host, &call, failure.status().unwrap_or(0), started, "-");
                failure
            })?;
            trace::answer(host, &call, 101, started, "-");
            let mut messages = connection.into_stream();
            let (mut out, mut err) = (Vec::new(), Vec::new());
            while let Some(Ok(message)) = messages.next().await {
                let data = message.into_data();
                match data.split_first() {
                    Some((&STDOUT, rest)) if out.len() < KEPT => out.extend_from_slice(rest),
                    Some((&STDERR, rest)) if err.len() < KEPT => err.extend_from_slice(rest),
                    Some((&STATUS, rest)) => return Ok(ended(rest, &[out, err].concat())),
                    _ => {}
                }
            }
            Err(Failure::Unreachable { host: host.clone(), why: Why::CutOff, may_have_happened: true })
        };
        self.within(talk).await?
    }
}

/// Parses the `Status` that ends a command. The exit code is among its causes.
fn ended(status: &[u8], said: &[u8]) -> Ended {
    let status: Value = serde_json::from_slice(status).unwrap_or_default();
    let message = status["message"].as_str().unwrap_or_default();
    let causes = status["details"]["causes"].as_array();
    let code = causes.into_iter().flatten().find(|c| c["reason"] == "ExitCode").and_then(|c| c["message"].as_str()?.parse().ok());
    let said = String::from_utf8_lossy(said).into_owned();
    match (status["status"].as_str(), code) {
        (Some("Success"), _) => Ended::Ran { code: 0, said },
        // Shells and some runtimes use these codes for a missing program.
        (_, Some(126 | 127)) => Ended::NoSuchProgram,
        (_, Some(code)) => Ended::Ran { code, said },
        (_, None) if ["executable file not found", "no such file or directory"].iter().any(|words| message.contains(words)) => {
            Ended::NoSuchProgram
        }
        (_, None) => Ended::NotRun(message.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_status_tells_how_a_command_ended() {
        let text = |text: &str| ended(text.as_bytes(), b"10.0.0.4 x\n");
        assert_eq!(text(r#"{"metadata":{},"status":"Success"}"#), Ended::Ran { code: 0, said: "10.0.0.4 x\n".into() });
        let failed = r#"{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"2"}]}}"#;
        assert_eq!(text(failed), Ended::Ran { code: 2, said: "10.0.0.4 x\n".into() });
        assert_eq!(text(&failed.replace("\"2\"", "\"127\"")), Ended::NoSuchProgram);
        let internal = |why: &str| text(&format!(r#"{{"status":"Failure","reason":"InternalError","code":500,"message":"{why}"}}"#));
        assert_eq!(internal("exec: getent: executable file not found in $PATH: unknown"), Ended::NoSuchProgram);
        assert_eq!(internal("container is not running"), Ended::NotRun("container is not running".into()));
    }
}
