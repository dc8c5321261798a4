//! `kubectl connect repair NAME`: restores what drifted, and only that.

use clap::{Args, Command};

use crate::cli::flags::changing::Changing;
use crate::cli::interactive::consent::Question;
use crate::cli::invocation::Invocation;
use crate::cli::verbs::change::{change, show_connection};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::engine::upkeep::repair::repair as plan_repair;
use crate::model::Result;

/// The verb.
pub const VERB: Verb = Verb {
    name: "repair",
    aliases: &[],
    about: "Put back what has drifted, and nothing else",
    group: Group::Change,
    takes_service: false,
    examples: &["repair keyvault-my-vault --dry-run", "repair keyvault-my-vault --yes"],
    flags,
    run: Run::Waiting(|call| Box::pin(repair(call))),
    az: Az::Shown(AzTable::PLAIN),
};

// Flags of repairing.
#[derive(Args, Debug)]
struct Repair {
    /// Name of the connection
    connection: String,
    #[command(flatten)]
    changing: Changing,
}

fn flags(command: Command) -> Command {
    Repair::augment_args(command)
}

async fn repair(call: &Invocation<'_>) -> Result<u8> {
    let asked: Repair = call.read()?;
    let (session, progress) = call.session().await?;
    let prepared = plan_repair(&session, &asked.connection, asked.changing.timeout).await;
    progress.clear();
    let prepared = prepared?;
    let Some(made) = change(call, &asked.changing, &prepared, Question::Whether("Repair")).await? else { return Ok(0) };
    let (record, name) = (&made.record, &made.record.name);
    let changed = prepared.plan.writes();
    let text = || if changed { format!("Repaired connection {name}.") } else { format!("Connection {name} needs no repair.") };
    show_connection(call.ui, record, &prepared.plan, text);
    Ok(0)
}
