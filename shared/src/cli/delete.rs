//! `kubectl connect delete NAME`: plan first, then exactly what was made.

use clap::ArgMatches;
use serde_json::json;

use super::agree::{Question, agreed, only_planned};
use super::args;
use crate::engine::undo::undo;
use crate::engine::{Session, Stop};
use crate::model::Result;
use crate::plan::change::{Action, Layer};
use crate::ui::Ui;

/// Undoes a connection.
pub(super) async fn delete(ui: &Ui, root: &ArgMatches, matches: &ArgMatches, stop: Stop) -> Result<u8> {
    let asked = args::delete(matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    let session = Session::open(&flags, &progress.events()).await?;
    let mut undoing = match undo(&session, &asked.connection, asked.timeout).await {
        Err(problem) if asked.ignore_not_found && problem.code() == "KC1201" => return Ok(0),
        other => other?,
    };
    progress.clear();
    undoing.keep(&asked.keep);
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
