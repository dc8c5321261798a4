//! `kubectl connect refresh NAME` fetches rotated keys again.

use std::time::Duration;

use clap::{ArgMatches, Args, Command};

use super::agree::{Question, agreed, only_planned};
use super::args;
use crate::engine::upkeep::refresh::{Refresh, refresh as look};
use crate::engine::{Stop, report};
use crate::lookup::session::Session;
use crate::model::Result;
use crate::plan::Plan;
use crate::plan::change::Goal;
use crate::plan::record::Record;
use crate::plan::spec::StepSpec;
use crate::ui::Ui;

// Flags of refreshing.
#[derive(Args, Debug)]
struct RefreshKeys {
    /// Name of the connection
    connection: String,
    /// Do it without asking
    #[arg(short, long)]
    yes: bool,
    /// Only show what would be done
    #[arg(long, value_enum, value_name = "WHERE", default_value = "none")]
    dry_run: args::DryRun,
    /// Limit for everything that is waited for
    #[arg(long, value_name = "TIME", value_parser = args::duration, default_value = "15m")]
    timeout: Duration,
}

/// The command.
pub(super) fn command() -> Command {
    RefreshKeys::augment_args(Command::new("refresh").about("Fetch keys again that were rotated, and restart what reads them"))
}

/// Fetches the keys and puts them in place where they are others.
pub(super) async fn refresh(ui: &Ui, root: &ArgMatches, matches: &ArgMatches, stop: Stop) -> Result<u8> {
    let asked: RefreshKeys = args::parse(matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    let session = Session::open(&flags, &progress.events()).await?;
    let found = look(&session, &asked.connection, asked.timeout).await;
    progress.clear();
    let prepared = match found? {
        Refresh::NoKeys(record) => return Ok(unchanged(ui, &record, "holds no keys: nothing to refresh")),
        Refresh::Same(record) => return Ok(unchanged(ui, &record, "has the current keys: nothing to refresh")),
        Refresh::Rotated(prepared) => prepared,
    };
    if only_planned(ui, &prepared.plan, asked.dry_run) {
        return Ok(0);
    }
    agreed(ui, &prepared.plan, asked.yes, Question::Whether("Refresh")).await?;
    let record = prepared.carry_out(&stop, None).await?.record;
    if let Some(workload) = record.workload.as_ref().filter(|_| !record.steps.iter().any(|s| matches!(s, StepSpec::Workload(_)))) {
        ui.say(format!(
            "{workload} is not patched by this tool: restart it with kubectl rollout restart {workload} -n {}",
            record.namespace
        ));
    }
    let value = report::with_run(report::connection(&record), &prepared.plan, &[], None);
    ui.result(&value, || format!("Refreshed connection {}.", record.name), &[format!("connection/{}", record.name)]);
    Ok(0)
}

fn unchanged(ui: &Ui, record: &Record, why: &str) -> u8 {
    let plan = Plan::of(record, Goal::Present, Vec::new());
    let value = report::with_run(report::connection(record), &plan, &[], None);
    ui.result(&value, || format!("Connection {} {why}.", record.name), &[format!("connection/{}", record.name)]);
    0
}
