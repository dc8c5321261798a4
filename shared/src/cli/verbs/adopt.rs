//! `kubectl connect adopt` shows what can be adopted; `kubectl connect adopt NAME` writes a record of it.

use clap::{Args, Command};
use serde_json::json;

use crate::cli::flags::changing::Changing;
use crate::cli::interactive::consent::Question;
use crate::cli::invocation::Invocation;
use crate::cli::verbs::change::{change, show_connection};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::engine::report;
use crate::engine::upkeep::adopt::candidate::{Candidate, Found};
use crate::engine::upkeep::adopt::candidates;
use crate::engine::upkeep::adopt::take::{Taking, Wish, take};
use crate::model::{PREFIX, Result};
use crate::ui::{Format, Table, Ui};

/// The verb.
pub const VERB: Verb = Verb {
    name: "adopt",
    aliases: &[],
    about: "Manage an existing set-up from here, without changing it",
    group: Group::Change,
    takes_service: false,
    examples: &["adopt", "adopt keyvault_ab12 --workload deployment/web"],
    flags,
    run: Run::Waiting(|call| Box::pin(adopt(call))),
    // Candidates, or the adopted connection.
    az: Az::Shown(AzTable {
        rows: "",
        columns: &[
            ("Name", "/name|/metadata/name"),
            ("MadeBy", "/madeBy|/status/madeBy"),
            ("Service", "/service|/spec/service"),
            ("Target", "/target#|/spec/target#"),
            ("ServiceAccount", "/serviceAccount|/status/serviceAccount"),
        ],
    }),
};

// Flags of adopting.
#[derive(Args, Debug)]
struct Adopt {
    /// The set-up to adopt [default: list the candidates]
    candidate: Option<String>,
    /// Name of the connection [default: the one shown]
    #[arg(long, value_name = "NAME", requires = "candidate")]
    name: Option<String>,
    /// The workload, if several use the set-up
    #[arg(short, long, value_name = "KIND/NAME", requires = "candidate")]
    workload: Option<String>,
    #[command(flatten)]
    changing: Changing,
}

fn flags(command: Command) -> Command {
    Adopt::augment_args(command).after_help(
        "Existing set-ups are those that Service Connector made and those made by hand. Only a record is\n\
         written: what was there stays, also when the connection is deleted. To make it a connection of\n\
         this tool, connect to the same target under the same name.",
    )
}

/// Shows the candidates, or adopts one.
async fn adopt(call: &Invocation<'_>) -> Result<u8> {
    let asked: Adopt = call.read()?;
    let (session, progress) = call.session().await?;
    let Some(candidate) = asked.candidate else {
        let found = candidates::find(&session).await;
        progress.clear();
        show(call.ui, session.kube.namespace(), &found?);
        return Ok(0);
    };
    let wish = Wish { candidate, name: asked.name, workload: asked.workload, timeout: asked.changing.timeout };
    let prepared = take(&session, &wish).await;
    progress.clear();
    let prepared = match prepared? {
        Taking::Ready(prepared) => prepared,
        Taking::Already(record) => {
            let name = format!("connection/{}", record.name);
            call.ui.result(&report::connection(&record), || format!("Connection {} has already been adopted.", record.name), &[name]);
            return Ok(0);
        }
    };
    let Some(made) = change(call, &asked.changing, &*prepared, Question::Whether("Adopt it")).await? else { return Ok(0) };
    let record = made.record;
    let text = || {
        format!(
            "Adopted connection {0}, made by {1}. Check it: kubectl connect verify {0} -n {2}",
            record.name,
            record.origin.made_by(),
            record.namespace
        )
    };
    show_connection(call.ui, &record, &prepared.plan, text);
    Ok(0)
}

fn show(ui: &Ui, namespace: &str, found: &Found) {
    let candidates = &found.candidates;
    // Reported in every output format, since az shows only the items of a list.
    for why in &found.passed_over {
        ui.say(format!("Can't be adopted: {why}."));
    }
    if candidates.is_empty() {
        ui.say(format!("Nothing to adopt in namespace {namespace}."));
        if matches!(ui.format, Format::Table | Format::Wide) {
            return;
        }
    }
    let items: Vec<_> = candidates.iter().map(Candidate::to_json).collect();
    let value =
        json!({"apiVersion": format!("{PREFIX}/v1alpha1"), "kind": "CandidateList", "items": items, "passedOver": found.passed_over});
    let names: Vec<String> = candidates.iter().map(|c| format!("candidate/{}", c.name)).collect();
    let text = || {
        let wide = ui.format == Format::Wide;
        let mut heads = vec!["NAME", "MADE-BY", "SERVICE", "TARGET", "WORKLOAD"];
        if wide {
            heads.extend(["AUTH", "IDENTITY", "SERVICE-ACCOUNT"]);
        }
        let none = || "<none>".to_owned();
        let mut table = Table::new(&heads);
        for c in candidates {
            let workloads = if c.workloads.is_empty() { none() } else { c.workloads.join(", ") };
            let mut row = vec![c.name.clone(), c.origin.made_by().into(), c.service.name.into(), c.target.name().into(), workloads];
            if wide {
                let identity = c.identity.as_ref().map_or_else(none, |i| i.id.name().to_owned());
                row.extend([c.auth.to_string(), identity, c.account.clone().unwrap_or_else(none)]);
            }
            table.row(row);
        }
        table.render(ui.no_headers)
    };
    ui.result(&value, text, &names);
}
