//! `kubectl connect delete NAME`: plan first, then exactly what was made.

use std::time::Duration;

use clap::{ArgMatches, Args, Command, ValueEnum};
use serde_json::json;

use super::agree::{Question, agreed, only_planned};
use super::args;
use crate::engine::Stop;
use crate::engine::undo::{Keep, undo};
use crate::lookup::session::Session;
use crate::model::Result;
use crate::plan::change::{Action, Layer};
use crate::ui::Ui;

// Flags of deleting.
#[derive(Args, Debug)]
struct Delete {
    /// Name of the connection
    connection: String,
    /// Do it without asking
    #[arg(short, long)]
    yes: bool,
    /// It is no error when there is no such connection
    #[arg(long)]
    ignore_not_found: bool,
    /// Leave this part as it is, may be repeated; it is nobody's connection then
    #[arg(long, value_enum, value_name = "PART")]
    keep: Vec<KeepWhat>,
    /// Only show what would be done
    #[arg(long, value_enum, value_name = "WHERE", default_value = "none")]
    dry_run: args::DryRun,
    /// Limit for everything that is waited for
    #[arg(long, value_name = "TIME", value_parser = args::duration, default_value = "15m")]
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeepWhat {
    /// Everything in Azure
    Azure,
    /// The managed identity
    Identity,
    /// The workload as it is patched, with its variables and its service account
    Workload,
}

impl From<KeepWhat> for Keep {
    fn from(part: KeepWhat) -> Keep {
        match part {
            KeepWhat::Azure => Keep::Azure,
            KeepWhat::Identity => Keep::Identity,
            KeepWhat::Workload => Keep::Workload,
        }
    }
}

/// The command.
pub(super) fn command() -> Command {
    Delete::augment_args(Command::new("delete").visible_alias("rm").about("Undo a connection, exactly what was made for it"))
}

/// Undoes a connection.
pub(super) async fn delete(ui: &Ui, root: &ArgMatches, matches: &ArgMatches, stop: Stop) -> Result<u8> {
    let asked: Delete = args::parse(matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    let session = Session::open(&flags, &progress.events()).await?;
    let mut undoing = match undo(&session, &asked.connection, asked.timeout).await {
        Err(problem) if asked.ignore_not_found && problem.code() == "KC1201" => return Ok(0),
        other => other?,
    };
    progress.clear();
    let keep: Vec<Keep> = asked.keep.iter().map(|part| (*part).into()).collect();
    undoing.keep(&keep);
    if only_planned(ui, &undoing.plan, asked.dry_run) {
        return Ok(0);
    }
    // What goes in Azure can't be brought back with its ids: the name is typed, not a letter.
    let azure = undoing.plan.changes.iter().any(|c| c.layer == Layer::Azure && c.action == Action::Delete);
    let question = if azure { Question::Name(&asked.connection) } else { Question::Whether("Delete") };
    agreed(ui, &undoing.plan, asked.yes, question).await?;
    undoing.carry_out(&stop).await?;
    let value = json!({"deleted": {"name": undoing.plan.connection, "namespace": undoing.plan.namespace}, "changes": undoing.plan.changes});
    let name = &undoing.plan.connection;
    ui.result(&value, || format!("Deleted connection {name}."), &[format!("connection/{name}")]);
    Ok(0)
}
