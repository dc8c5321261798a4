//! `kubectl connect tree NAME`: what a connection consists of, from the cluster alone.

use clap::{Args, Command};
use serde_json::{Value, json};

use crate::cli::invocation::{Invocation, record};
use crate::cli::verbs::parts::{self, Part};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::model::Result;
use crate::plan::record::Record;

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

/// Shows the parts, Azure's and the cluster's.
async fn tree(call: &Invocation<'_>) -> Result<u8> {
    let asked: Tree = call.read()?;
    let record = record(&call.cluster().await?, &asked.connection).await?;
    let names: Vec<String> = record.steps.iter().map(|s| s.id()).collect();
    call.ui.result(&value(&record), || text(&record), &names);
    Ok(0)
}

fn value(record: &Record) -> Value {
    let part = |part: &Part| {
        let layer = if part.is_in_azure() { "azure" } else { "cluster" };
        json!({"layer": layer, "step": part.step, "id": part.id, "owner": part.owner, "state": part.state})
    };
    let parts: Vec<Value> = parts::of(record).iter().map(part).collect();
    json!({"connection": {"name": record.name, "namespace": record.namespace}, "status": record.status(), "parts": parts})
}

fn text(record: &Record) -> String {
    let mut out = format!("connection/{} ({}) {}\n", record.name, record.namespace, record.status());
    let (azure, cluster): (Vec<Part>, Vec<Part>) = parts::of(record).into_iter().partition(Part::is_in_azure);
    for (layer, parts, stem, trunk) in [("azure", azure, "├─", "│ "), ("cluster", cluster, "└─", "  ")] {
        out.push_str(&format!("{stem} {layer}\n"));
        for (index, part) in parts.iter().enumerate() {
            let branch = if index + 1 == parts.len() { "└─" } else { "├─" };
            let name = part.id.rsplit_once("/providers/").map_or(part.id.as_str(), |(_, tail)| tail);
            out.push_str(&format!("{trunk} {branch} {:21} {name}  ({}, {})\n", part.kind(), part.owner, part.state));
        }
    }
    out
}
