//! `kubectl connect refresh NAME`: fetches rotated keys again.

use clap::{Args, Command};

use crate::cli::flags::changing::Changing;
use crate::cli::interactive::consent::Question;
use crate::cli::invocation::Invocation;
use crate::cli::verbs::change::{change, show_connection};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::engine::upkeep::refresh::{Refresh, refresh as look};
use crate::model::Result;
use crate::plan::Plan;
use crate::plan::change::Goal;
use crate::plan::record::Record;
use crate::ui::Ui;

/// The verb.
pub const VERB: Verb = Verb {
    name: "refresh",
    aliases: &[],
    about: "Fetch rotated keys again, and restart what reads them",
    group: Group::Change,
    takes_service: false,
    examples: &["refresh storage-blob-shopdata"],
    flags,
    run: Run::Waiting(|call| Box::pin(refresh(call))),
    az: Az::Shown(AzTable::CONNECTION),
};

// Flags of refreshing.
#[derive(Args, Debug)]
struct RefreshKeys {
    /// Name of the connection
    connection: String,
    #[command(flatten)]
    changing: Changing,
}

fn flags(command: Command) -> Command {
    RefreshKeys::augment_args(command)
}

async fn refresh(call: &Invocation<'_>) -> Result<u8> {
    let asked: RefreshKeys = call.read()?;
    let (session, progress) = call.session().await?;
    let found = look(&session, &asked.connection, asked.changing.timeout).await;
    progress.clear();
    let prepared = match found? {
        Refresh::NoKeys(record) => return Ok(unchanged(call.ui, &record, "has no keys: nothing to refresh")),
        Refresh::Same(record) => return Ok(unchanged(call.ui, &record, "has the current keys: nothing to refresh")),
        Refresh::Rotated(prepared) => prepared,
    };
    let Some(made) = change(call, &asked.changing, &*prepared, Question::Whether("Refresh")).await? else { return Ok(0) };
    let record = made.record;
    if let Some(workload) = record.workload.as_ref().filter(|_| record.patched().is_none()) {
        call.ui.say(format!(
            "{workload} is not patched by this tool: restart it with kubectl rollout restart {workload} -n {}",
            record.namespace
        ));
    }
    show_connection(call.ui, &record, &prepared.plan, || format!("Refreshed connection {}.", record.name));
    Ok(0)
}

fn unchanged(ui: &Ui, record: &Record, why: &str) -> u8 {
    let plan = Plan::of(record, Goal::Present, Vec::new());
    show_connection(ui, record, &plan, || format!("Connection {} {why}.", record.name));
    0
}
