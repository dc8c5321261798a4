//! `kubectl connect wait NAME`: waits until a connection is ready or deleted.

use std::time::Duration;

use clap::{Args, Command, ValueEnum};
use serde_json::json;

use crate::cli::flags::values::duration;
use crate::cli::invocation::Invocation;
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::clock;
use crate::lookup::records;
use crate::model::{Kind, Problem, Result};

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
    /// Name of the connection
    connection: String,
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
    Ready,
    /// The connection is deleted
    Deleted,
}

fn flags(command: Command) -> Command {
    Wait::augment_args(command)
}

async fn wait(call: &Invocation<'_>) -> Result<u8> {
    let asked: Wait = call.read()?;
    let kube = call.cluster().await?;
    let (name, events) = (&asked.connection, call.ui.progress().events());
    let state = if asked.until == Until::Deleted { "gone" } else { "ready" };
    let mut wait = clock::Wait::new(&events, "wait", format!("waiting for connection {name} to be {state}"));
    loop {
        let found = records::load(&kube, kube.namespace(), name).await?;
        let status = found.as_ref().map_or("Deleted", |s| s.record.status());
        let reached = match asked.until {
            Until::Ready => status == "Ready",
            Until::Deleted => found.is_none(),
        };
        if reached {
            let value = json!({"connection": {"name": name, "namespace": kube.namespace()}, "status": status});
            call.ui.result(&value, || format!("connection/{name} is {}", status.to_lowercase()), &[format!("connection/{name}")]);
            return Ok(0);
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
