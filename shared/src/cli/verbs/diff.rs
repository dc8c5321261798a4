//! `kubectl connect diff NAME`: shows what `repair` would restore.

use std::time::Duration;

use clap::{Args, Command};

use crate::cli::invocation::Invocation;
use crate::cli::verbs::change::show_plan;
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::engine::upkeep::repair::repair as plan_repair;
use crate::model::Result;

/// The verb.
pub const VERB: Verb = Verb {
    name: "diff",
    aliases: &[],
    about: "Show drift (exit 0: none, 1: drift, 2 or more: error)",
    group: Group::Check,
    takes_service: false,
    examples: &["diff keyvault-my-vault"],
    flags,
    run: Run::Waiting(|call| Box::pin(diff(call))),
    az: Az::Shown(AzTable::CHANGES),
};

// Flags of comparing.
#[derive(Args, Debug)]
struct Diff {
    /// Name of the connection
    connection: String,
}

fn flags(command: Command) -> Command {
    Diff::augment_args(command)
}

async fn diff(call: &Invocation<'_>) -> Result<u8> {
    match compare(call).await {
        Ok(code) => Ok(code),
        Err(problem) => {
            // Exit code 1 means a difference, so errors must have another code.
            call.ui.problem(&problem);
            Ok(problem.kind().exit_code().max(2))
        }
    }
}

async fn compare(call: &Invocation<'_>) -> Result<u8> {
    let asked: Diff = call.read()?;
    let (session, progress) = call.session().await?;
    let prepared = plan_repair(&session, &asked.connection, Duration::ZERO).await;
    progress.clear();
    let prepared = prepared?;
    show_plan(call.ui, &prepared);
    Ok(u8::from(prepared.plan.writes()))
}
