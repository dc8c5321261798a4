//! Commands in containers: `pods/exec` over a websocket, with the few programs that images have for resolving names.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::request::Call;
use super::status::{Failure, Outcome};
use super::{KubeCluster, State};
use crate::http::{Body, Response};

/// Address of names without a planted address: a public one, as public DNS would return.
const PUBLIC: &str = "20.61.97.10";

/// DNS and programs inside containers.
pub struct Inside {
    /// Addresses by name in the cluster's DNS; an empty list means that the name does not exist.
    pub names: HashMap<String, Vec<String>>,
    /// Programs in every image.
    pub programs: Vec<String>,
}

impl Default for Inside {
    fn default() -> Self {
        Self { names: HashMap::new(), programs: vec!["getent".into(), "nslookup".into()] }
    }
}

impl KubeCluster {
    /// Sets the addresses that the cluster's DNS returns for a name; with none, the name does not exist.
    pub fn resolve_to(&self, name: &str, addresses: &[&str]) {
        self.state().inside.names.insert(name.to_owned(), addresses.iter().map(|a| (*a).to_owned()).collect());
    }

    /// Sets the programs in all images; with none, they are distroless.
    pub fn images_have(&self, programs: &[&str]) {
        self.state().inside.programs = programs.iter().map(|p| (*p).to_owned()).collect();
    }
}

impl State {
    /// Answers a request to run a command. Refusals are normal answers; everything from the container comes in
    /// messages of the websocket.
    pub fn exec(&self, call: &Call) -> Outcome<Response> {
        // Opening a websocket is a GET, but since Kubernetes 1.35 it requires the `create` permission.
        call.check(self, "create")?;
        let resource = call.resource()?;
        let pod = self.store.get(resource, &call.namespace, &call.name).ok_or_else(|| Failure::not_found(resource, &call.name))?;
        let names: Vec<&str> = pod["spec"]["containers"].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
        match (call.request.q("container").unwrap_or_default(), names.as_slice()) {
            ("", [_]) => {}
            ("", all) => {
                let choice = all.join(" ");
                return Err(Failure::bad_request(format!(
                    "a container name must be specified for pod {}, choose one of: [{choice}]",
                    call.name
                )));
            }
            (named, all) if all.contains(&named) => {}
            (named, _) => return Err(Failure::bad_request(format!("container {named} is not valid for pod {}", call.name))),
        }
        if pod["status"]["phase"] != "Running" {
            return Err(Failure::bad_request(format!("pod {} does not have a host assigned", call.name)));
        }
        let upgrade = call.request.header("upgrade").is_some_and(|u| u.eq_ignore_ascii_case("websocket"));
        let key = call.request.header("sec-websocket-key").filter(|_| upgrade);
        let Some(key) = key else { return Err(Failure::bad_request("Upgrade request required")) };
        let offered: Vec<&str> = call.request.header("sec-websocket-protocol").unwrap_or_default().split(',').map(str::trim).collect();
        let known = offered.into_iter().find(|p| ["v5.channel.k8s.io", "v4.channel.k8s.io"].contains(p));
        let Some(protocol) = known else { return Err(Failure::bad_request("unable to negotiate protocol")) };
        let command: Vec<&str> = call.request.query.iter().filter(|(key, _)| key == "command").map(|(_, word)| word.as_str()).collect();
        let (code, out) = self.inside.run(&command);
        let mut messages = Vec::new();
        if !out.is_empty() {
            messages.push(message(1, &out));
        }
        messages.push(message(3, &status(code, &command).to_string()));
        Ok(Response { status: 101, headers: Vec::new(), body: Body::Socket(messages) }
            .with("upgrade", "websocket")
            .with("connection", "Upgrade")
            .with("sec-websocket-accept", derive_accept_key(key.as_bytes()))
            .with("sec-websocket-protocol", protocol))
    }
}

/// The first byte is the channel.
fn message(channel: u8, text: &str) -> Vec<u8> {
    [&[channel], text.as_bytes()].concat()
}

/// The kubelet's final status; without a code the program could not be started (containerd's message).
fn status(code: Option<i32>, command: &[&str]) -> Value {
    match code {
        Some(0) => json!({"metadata": {}, "status": "Success"}),
        Some(code) => json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: error executing command {command:?}, exit code {code}"),
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        }),
        None => {
            let program = command.first().unwrap_or(&"");
            let why = format!(
                "error executing command in container: failed to exec in container: failed to start exec \"0a1b2c\": OCI runtime exec \
                 failed: exec failed: unable to start container process: exec: {program:?}: executable file not found in $PATH: unknown"
            );
            json!({
                "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
                "message": format!("Internal error occurred: {why}"), "details": {"causes": [{"message": why}]},
            })
        }
    }
}

impl Inside {
    fn run(&self, command: &[&str]) -> (Option<i32>, String) {
        let answer = |name: &str| self.names.get(name).cloned().unwrap_or_else(|| vec![PUBLIC.to_owned()]);
        match command {
            [program, ..] if !self.programs.iter().any(|p| p == program) => (None, String::new()),
            ["getent", "hosts", name] => {
                let lines: String = answer(name).iter().map(|a| format!("{a:<15} {name}\n")).collect();
                (Some(if lines.is_empty() { 2 } else { 0 }), lines)
            }
            ["nslookup", name] => {
                let server = "Server:\t\t10.0.0.10\nAddress:\t10.0.0.10:53\n\n";
                let all = answer(name);
                if all.is_empty() {
                    return (Some(1), format!("{server}** server can't find {name}: NXDOMAIN\n"));
                }
                let lines: String = all.iter().map(|a| format!("Address: {a}\n")).collect();
                (Some(0), format!("{server}Name:\t{name}\n{lines}"))
            }
            _ => (Some(1), String::new()),
        }
    }
}
