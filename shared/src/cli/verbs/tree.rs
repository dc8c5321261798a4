//! `kubectl connect tree NAME`: the parts of a connection, from the cluster only.

use clap::{Args, Command};
use serde_json::{Value, json};

use crate::cli::invocation::{Invocation, record};
use crate::cli::verbs::parts::{self, Part};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::model::Result;
use crate::plan::record::Record;
use crate::ui::{self, Ui};

/// The verb.
pub const VERB: Verb = Verb {
    name: "tree",
    aliases: &[],
    about: "Show what a connection consists of, and whose each part is",
    group: Group::Look,
    takes_service: false,
    examples: &["tree keyvault-my-vault"],
    flags,
    run: Run::Waiting(|call| Box::pin(tree(call))),
    az: Az::Shown(AzTable::PLAIN),
};

// Flags of the tree.
#[derive(Args, Debug)]
struct Tree {
    /// Name of the connection
    connection: String,
}

fn flags(command: Command) -> Command {
    Tree::augment_args(command)
}

/// Shows the parts in Azure and in the cluster.
async fn tree(call: &Invocation<'_>) -> Result<u8> {
    let asked: Tree = call.read()?;
    let record = record(&call.cluster().await?, &asked.connection).await?;
    let names: Vec<String> = record.steps.iter().map(|s| s.id()).collect();
    call.ui.result(&value(&record), || text(call.ui, &record), &names);
    Ok(0)
}

fn value(record: &Record) -> Value {
    let part = |part: &Part| {
        let layer = if part.is_in_azure() { "azure" } else { "cluster" };
        json!({"layer": layer, "step": part.step, "name": part.name, "id": part.id, "owner": part.owner, "state": part.state})
    };
    let parts: Vec<Value> = parts::of(record).iter().map(part).collect();
    let connection = json!({"name": record.name, "namespace": record.namespace});
    json!({"connection": connection, "target": record.target, "status": record.status(), "parts": parts})
}

fn text(ui: &Ui, record: &Record) -> String {
    let shown = |part: &Part| ui::Part {
        kind: part.kind().to_owned(),
        name: part.name.clone(),
        about: format!("{}, {}", part.owner, part.state),
        now: None,
    };
    let (azure, cluster): (Vec<Part>, Vec<Part>) = parts::of(record).into_iter().partition(Part::is_in_azure);
    let of = |parts: &[Part]| parts.iter().map(shown).collect();
    let (name, about) = (record.target.name().to_owned(), format!("in {}", record.target.resource_group()));
    let target = ui::Part { kind: record.service.clone(), name, about, now: None };
    let title = format!("connection/{} ({}) {}", record.name, record.namespace, record.status());
    ui.tree(&title, &[("target", vec![target]), ("azure", of(&azure)), ("cluster", of(&cluster))])
}
