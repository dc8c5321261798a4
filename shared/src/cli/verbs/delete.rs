//! `kubectl connect delete NAME`: shows the plan, then deletes exactly what was created.

use clap::{Args, Command, ValueEnum};
use serde_json::json;

use crate::cli::flags::changing::Changing;
use crate::cli::interactive::consent::Question;
use crate::cli::invocation::Invocation;
use crate::cli::verbs::change::change;
use crate::cli::verbs::verb::{Az, Group, Run, Verb};
use crate::engine::undo::{Keep, undo};
use crate::model::Result;
use crate::plan::change::{Action, Layer};

/// The verb.
pub const VERB: Verb = Verb {
    name: "delete",
    aliases: &["rm"],
    about: "Undo a connection: exactly what was made for it",
    group: Group::Change,
    takes_service: false,
    examples: &["delete keyvault-my-vault --dry-run", "delete keyvault-my-vault --keep identity"],
    flags,
    run: Run::Waiting(|call| Box::pin(delete(call))),
    az: Az::Silent,
};

// Flags of deleting.
#[derive(Args, Debug)]
struct Delete {
    /// Name of the connection
    connection: String,
    /// Don't fail if the connection does not exist
    #[arg(long)]
    ignore_not_found: bool,
    /// Keep this part; afterwards no connection manages it (repeatable)
    #[arg(long, value_enum, value_name = "PART")]
    keep: Vec<KeepWhat>,
    #[command(flatten)]
    changing: Changing,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeepWhat {
    /// Everything in Azure
    Azure,
    /// The managed identity
    Identity,
    /// The workload's patch: label, variables and service account
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

fn flags(command: Command) -> Command {
    Delete::augment_args(command)
}

async fn delete(call: &Invocation<'_>) -> Result<u8> {
    let asked: Delete = call.read()?;
    let (session, progress) = call.session().await?;
    let mut undoing = match undo(&session, &asked.connection, asked.changing.timeout).await {
        Err(problem) if asked.ignore_not_found && problem.code() == "KC1201" => return Ok(0),
        other => other?,
    };
    progress.clear();
    let keep: Vec<Keep> = asked.keep.iter().map(|part| (*part).into()).collect();
    undoing.keep(&keep);
    // Objects deleted in Azure can't be restored with the same ids: the user must type the name.
    let azure = undoing.plan.changes.iter().any(|c| c.layer == Layer::Azure && c.action == Action::Delete);
    let question = if azure { Question::Name(&asked.connection) } else { Question::Whether("Delete") };
    if change(call, &asked.changing, &undoing, question).await?.is_none() {
        return Ok(0);
    }
    let plan = &undoing.plan;
    let value = json!({"deleted": {"name": plan.connection, "namespace": plan.namespace}, "changes": plan.changes});
    let name = &plan.connection;
    call.ui.result(&value, || format!("Deleted connection {name}."), &[format!("connection/{name}")]);
    Ok(0)
}
