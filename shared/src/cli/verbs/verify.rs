//! `kubectl connect verify NAME`.

use std::time::Duration;

use clap::{Args, Command};

use crate::cli::flags::values::duration;
use crate::cli::flags::which::{Which, named_or_asked_for};
use crate::cli::invocation::{Invocation, records, together};
use crate::cli::verbs::check_text::{self, FailOn};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::engine::record::ledger;
use crate::health::check::{Check, is_success};
use crate::health::connection::{Looking, everything};
use crate::health::report;
use crate::model::Result;
use crate::plan::record::Record;

/// The verb.
pub const VERB: Verb = Verb {
    name: "verify",
    aliases: &["test"],
    about: "Prove that a connection works, link by link",
    group: Group::Check,
    takes_service: false,
    examples: &["verify keyvault-my-vault --wait", "verify --all", "verify keyvault-my-vault -o short --fail-on warning"],
    flags,
    run: Run::Waiting(|call| Box::pin(verify(call))),
    az: Az::Shown(AzTable::CHECKS),
};

// Flags of verifying.
#[derive(Args, Debug)]
struct Verify {
    #[command(flatten)]
    which: Which,
    /// The connections of all namespaces
    #[arg(short = 'A', long, conflicts_with = "connection")]
    all_namespaces: bool,
    /// Wait for what may still be on its way through Azure
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m")]
    timeout: Duration,
    /// Also look up the target's name in a running pod of the workload
    ///
    /// Runs `getent`, or else `nslookup`, in one container and compares the result with the private endpoint. Needs
    /// the permissions to get and create pods/exec.
    #[arg(long)]
    from_pod: bool,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "error")]
    fail_on: FailOn,
}

fn flags(command: Command) -> Command {
    named_or_asked_for(Verify::augment_args(command))
        .mut_arg("connection", |arg| arg.required_unless_present_any(["all", "selector", "all_namespaces"]))
}

/// Goes through the whole chain of each connection.
async fn verify(call: &Invocation<'_>) -> Result<u8> {
    let asked: Verify = call.read()?;
    let (session, progress) = call.session().await?;
    let patience = if asked.wait { asked.timeout } else { Duration::ZERO };
    let mut verified = Vec::new();
    for mut record in records(&session.kube, &asked.which, asked.all_namespaces).await? {
        let found = everything(&session, &record, Looking { patience, from_pod: asked.from_pod }).await;
        progress.clear();
        let found = match found {
            Ok(found) => found,
            // One connection that can't be looked at keeps nobody from seeing the others.
            Err(problem) if asked.which.names.len() != 1 => {
                let what = format!("look at {}", record.name);
                vec![Check { message: Some(problem.to_string()), ..Check::skipped("KC5001", "proof", &what, "") }]
            }
            Err(problem) => return Err(problem),
        };
        ledger::remember(&session.kube, &mut record, is_success(&found)).await?;
        verified.push((record, found));
    }
    if verified.is_empty() {
        call.ui.say("No connections to verify.");
    }
    let text = |(record, found): &(Record, Vec<Check>)| {
        let who = record.workload.clone().unwrap_or_else(|| "service account".into());
        let title = format!("{} ({}, {who} → {})", record.name, record.namespace, record.target.name());
        check_text::text(call.ui, &title, found)
    };
    let values = verified.iter().map(|(record, found)| report::checks(record, found)).collect();
    let names: Vec<String> = verified.iter().map(|(record, _)| format!("connection/{}", record.name)).collect();
    call.ui.result(&together(&asked.which, values), || verified.iter().map(text).collect::<Vec<_>>().join("\n"), &names);
    Ok(verified.iter().map(|(_, found)| check_text::exit_code(found, asked.fail_on)).max().unwrap_or(0))
}
