//! `kubectl connect repair NAME` puts back what drifted, and only that; `kubectl connect diff NAME` says what that is.

use std::time::Duration;

use clap::{ArgMatches, Args, Command};

use super::agree::{Question, agreed};
use super::args;
use crate::engine::upkeep::repair::repair as plan_repair;
use crate::engine::{Stop, report};
use crate::lookup::session::Session;
use crate::model::Result;
use crate::ui::Ui;

// Flags of repairing.
#[derive(Args, Debug)]
struct Repair {
    /// Name of the connection
    connection: String,
    /// Do it without asking
    #[arg(short, long)]
    yes: bool,
    /// Limit for everything that is waited for
    #[arg(long, value_name = "TIME", value_parser = args::duration, default_value = "15m")]
    timeout: Duration,
}

// Flags of comparing.
#[derive(Args, Debug)]
struct Diff {
    /// Name of the connection
    connection: String,
}

/// The command `repair`.
pub(super) fn command() -> Command {
    Repair::augment_args(Command::new("repair").about("Put back what drifted, and only that"))
}

/// The command `diff`.
pub(super) fn diff_command() -> Command {
    let about = "Show what differs from the connection as it was made: exit 0 nothing, 1 something, above 1 an error";
    Diff::augment_args(Command::new("diff").about(about))
}

/// Puts back what drifted.
pub(super) async fn repair(ui: &Ui, root: &ArgMatches, matches: &ArgMatches, stop: Stop) -> Result<u8> {
    let asked: Repair = args::parse(matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    let session = Session::open(&flags, &progress.events()).await?;
    let prepared = plan_repair(&session, &asked.connection, asked.timeout).await;
    progress.clear();
    let prepared = prepared?;
    agreed(ui, &prepared.plan, asked.yes, Question::Whether("Repair")).await?;
    let changed = prepared.plan.writes();
    let record = prepared.carry_out(&stop, None).await?.record;
    let value = report::with_run(report::connection(&record), &prepared.plan, &[], None);
    let name = &record.name;
    let text = || if changed { format!("Repaired connection {name}.") } else { format!("Connection {name} needs no repair.") };
    ui.result(&value, text, &[format!("connection/{name}")]);
    Ok(0)
}

/// Says what drifted, with kubectl's exit codes.
pub(super) async fn diff(ui: &Ui, root: &ArgMatches, matches: &ArgMatches) -> Result<u8> {
    match compare(ui, root, matches).await {
        Ok(code) => Ok(code),
        Err(problem) => {
            // 1 means a difference here, so no error may end with it.
            ui.problem(&problem);
            Ok(problem.kind().exit_code().max(2))
        }
    }
}

async fn compare(ui: &Ui, root: &ArgMatches, matches: &ArgMatches) -> Result<u8> {
    let asked: Diff = args::parse(matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    let session = Session::open(&flags, &progress.events()).await?;
    let prepared = plan_repair(&session, &asked.connection, Duration::ZERO).await;
    progress.clear();
    let prepared = prepared?;
    ui.result(&prepared.plan.to_json(), || ui.plan_text(&prepared.plan), &prepared.plan.names());
    Ok(u8::from(prepared.plan.writes()))
}
