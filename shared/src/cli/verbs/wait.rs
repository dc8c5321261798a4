//! `kubectl connect wait NAME`: waits until a connection is ready or deleted.

use std::time::Duration;

use clap::{Args, Command, ValueEnum};
use serde_json::{Value, json};

use crate::cli::flags::values::duration;
use crate::cli::flags::which::Which;
use crate::cli::invocation::{self, Invocation, together};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::clock;
use crate::kube::Cluster;
use crate::lookup::records;
use crate::model::{Events, Kind, Problem, Result};

/// The verb.
pub const VERB: Verb = Verb {
    name: "wait",
    aliases: &[],
    about: "Wait until a connection is ready or deleted",
    group: Group::Check,
    takes_service: false,
    examples: &["wait keyvault-my-vault --timeout 10m", "wait keyvault-my-vault --for deleted"],
    flags,
    run: Run::Waiting(|call| Box::pin(wait(call))),
    az: Az::Shown(AzTable::PLAIN),
};

// Flags of waiting.
#[derive(Args, Debug)]
struct Wait {
    #[command(flatten)]
    which: Which,
    /// What to wait for
    #[arg(long = "for", value_enum, value_name = "STATE", default_value = "ready")]
    until: Until,
    /// How long to wait
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Until {
    /// All steps are done
    #[value(alias = "condition=Ready", alias = "condition=ready")]
    Ready,
    /// The connection is gone
    #[value(alias = "delete")]
    Deleted,
}

fn flags(command: Command) -> Command {
    Wait::augment_args(command)
}

async fn wait(call: &Invocation<'_>) -> Result<u8> {
    let asked: Wait = call.read()?;
    let (kube, events) = (call.cluster().await?, call.ui.progress().events());
    let mut names = asked.which.names.clone();
    if names.is_empty() {
        names = invocation::records(&kube, &asked.which, false).await?.into_iter().map(|record| record.name).collect();
    }
    if names.is_empty() {
        call.ui.say(format!("No connections in namespace {}.", kube.namespace()));
    }
    let mut values = Vec::new();
    for name in &names {
        let status = until(&kube, &events, name, &asked).await?;
        values.push(json!({"connection": {"name": name, "namespace": kube.namespace()}, "status": status}));
    }
    let state = |value: &Value| value["status"].as_str().unwrap_or_default().to_lowercase();
    let text = || names.iter().zip(&values).map(|(name, value)| format!("connection/{name} is {}\n", state(value))).collect();
    let shown: Vec<String> = names.iter().map(|name| format!("connection/{name}")).collect();
    call.ui.result(&together(&asked.which, values.clone()), text, &shown);
    Ok(0)
}

/// Waits for one connection and says what it is then.
async fn until(kube: &Cluster, events: &Events, name: &str, asked: &Wait) -> Result<String> {
    let state = if asked.until == Until::Deleted { "gone" } else { "ready" };
    let mut wait = clock::Wait::new(events, "wait", format!("waiting for connection {name} to be {state}"));
    loop {
        let found = records::load(kube, kube.namespace(), name).await?;
        let status = found.as_ref().map_or("Deleted", |s| s.record.status());
        let reached = match asked.until {
            Until::Ready => status == "Ready",
            Until::Deleted => found.is_none(),
        };
        if reached {
            return Ok(status.to_owned());
        }
        if wait.elapsed() >= asked.timeout {
            let state = found.as_ref().map_or("absent".to_owned(), |s| s.record.status().to_lowercase());
            let seconds = wait.elapsed().as_secs();
            let seen = if asked.until == Until::Deleted { "still exists".to_owned() } else { format!("is {state}") };
            return Err(Problem::new(Kind::TimedOut, "KC6011", format!("timed out after {seconds} s: connection {name} {seen}"))
                .fix(format!("show its parts: kubectl connect tree {name} -n {}", kube.namespace()))
                .fix("or wait longer: --timeout 15m"));
        }
        wait.pause(Duration::from_millis(500)).await;
    }
}
