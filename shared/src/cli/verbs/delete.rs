//! `kubectl connect delete NAME`: shows the plan, then deletes exactly what was created.

use clap::{Args, Command, ValueEnum};
use serde_json::json;

use crate::cli::flags::changing::Changing;
use crate::cli::flags::which::{Which, named_or_asked_for};
use crate::cli::interactive::consent::Question;
use crate::cli::invocation::{Invocation, records, together};
use crate::cli::verbs::change::change;
use crate::cli::verbs::verb::{Az, Group, Run, Verb};
use crate::engine::undo::{Keep, undo};
use crate::model::Result;
use crate::plan::Plan;
use crate::plan::change::{Action, Layer};

/// The verb.
pub const VERB: Verb = Verb {
    name: "delete",
    aliases: &["rm"],
    about: "Undo a connection: exactly what was made for it",
    group: Group::Change,
    takes_service: false,
    examples: &["delete keyvault-my-vault --dry-run", "delete -l team=shop", "delete keyvault-my-vault --keep identity"],
    flags,
    run: Run::Waiting(|call| Box::pin(delete(call))),
    az: Az::Silent,
};

// Flags of deleting.
#[derive(Args, Debug)]
struct Delete {
    #[command(flatten)]
    which: Which,
    /// It is no error when there is no such connection
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
    named_or_asked_for(Delete::augment_args(command))
}

async fn delete(call: &Invocation<'_>) -> Result<u8> {
    let asked: Delete = call.read()?;
    let mut names = asked.which.names.clone();
    if names.is_empty() {
        let found = records(&call.cluster().await?, &asked.which, false).await?;
        names = found.into_iter().map(|record| record.name).collect();
    }
    // One after the other: what two of them share goes with the last one, whose plan must not count on the first.
    let mut deleted = Vec::new();
    for name in &names {
        deleted.extend(delete_one(call, &asked, name).await?);
    }
    if deleted.is_empty() {
        return Ok(0);
    }
    let text = || deleted.iter().map(|plan| format!("Deleted connection {}.\n", plan.connection)).collect();
    let value = |plan: &Plan| json!({"deleted": {"name": plan.connection, "namespace": plan.namespace}, "changes": plan.changes});
    let shown: Vec<String> = deleted.iter().map(|plan| format!("connection/{}", plan.connection)).collect();
    call.ui.result(&together(&asked.which, deleted.iter().map(value).collect()), text, &shown);
    Ok(0)
}

/// Undoes one connection and says what was done; nothing where it was not wanted, or is not there.
async fn delete_one(call: &Invocation<'_>, asked: &Delete, name: &str) -> Result<Option<Plan>> {
    let (session, progress) = call.session().await?;
    let mut undoing = match undo(&session, name, asked.changing.timeout).await {
        Err(problem) if asked.ignore_not_found && problem.code() == "KC1201" => return Ok(None),
        other => other?,
    };
    progress.clear();
    let keep: Vec<Keep> = asked.keep.iter().map(|part| (*part).into()).collect();
    undoing.keep(&keep);
    // Objects deleted in Azure can't be restored with the same ids: the user must type the name.
    let azure = undoing.plan.changes.iter().any(|c| c.layer == Layer::Azure && c.action == Action::Delete);
    let question = if azure { Question::Name(name) } else { Question::Whether("Delete") };
    Ok(change(call, &asked.changing, &undoing, question).await?.map(|()| undoing.plan))
}
