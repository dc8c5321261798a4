//! `kubectl connect adopt` shows what can be taken over; `kubectl connect adopt NAME` writes a record of it.

use std::time::Duration;

use clap::{ArgMatches, Args, Command};
use serde_json::json;

use super::agree::{Question, agreed, only_planned};
use super::args;
use crate::engine::upkeep::adopt::candidate::Found;
use crate::engine::upkeep::adopt::candidates;
use crate::engine::upkeep::adopt::take::{Taking, Wish, take};
use crate::engine::{Stop, report};
use crate::lookup::session::Session;
use crate::model::{PREFIX, Result};
use crate::ui::{Format, Table, Ui};

// Flags of taking over.
#[derive(Args, Debug)]
struct Adopt {
    /// What to take over [default: show what there is]
    candidate: Option<String>,
    /// Name of the connection [default: the one shown]
    #[arg(long, value_name = "NAME", requires = "candidate")]
    name: Option<String>,
    /// The workload, where several use it
    #[arg(short, long, value_name = "KIND/NAME", requires = "candidate")]
    workload: Option<String>,
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

const ABOUT: &str = "Take over what Service Connector or somebody by hand set up, without changing it";

/// The command.
pub(super) fn command() -> Command {
    Adopt::augment_args(Command::new("adopt").about(ABOUT)).after_help(
        "Only a record is written. Everything that was there stays its maker's: deleting the connection leaves it as it is.\n\
         Connecting again under the same name (kubectl connect SERVICE TARGET --name NAME) makes it a connection of this tool.",
    )
}

/// Shows candidates, or takes one over.
pub(super) async fn adopt(ui: &Ui, root: &ArgMatches, matches: &ArgMatches, stop: Stop) -> Result<u8> {
    let asked: Adopt = args::parse(matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    let session = Session::open(&flags, &progress.events()).await?;
    let Some(candidate) = asked.candidate else {
        let found = candidates::find(&session).await;
        progress.clear();
        show(ui, session.kube.namespace(), &found?);
        return Ok(0);
    };
    let wish = Wish { candidate, name: asked.name, workload: asked.workload, timeout: asked.timeout };
    let prepared = take(&session, &wish).await;
    progress.clear();
    let prepared = match prepared? {
        Taking::Ready(prepared) => prepared,
        Taking::Already(record) => {
            let name = format!("connection/{}", record.name);
            ui.result(&report::connection(&record), || format!("Connection {} is taken over already.", record.name), &[name]);
            return Ok(0);
        }
    };
    if only_planned(ui, &prepared.plan, asked.dry_run) {
        return Ok(0);
    }
    agreed(ui, &prepared.plan, asked.yes, Question::Whether("Take it over")).await?;
    let record = prepared.carry_out(&stop, None).await?.record;
    let value = report::with_run(report::connection(&record), &prepared.plan, &[], None);
    let (name, namespace) = (&record.name, &record.namespace);
    let text = || {
        format!(
            "Took over connection {name}, made by {}. Does it work? kubectl connect verify {name} -n {namespace}",
            record.origin.made_by()
        )
    };
    ui.result(&value, text, &[format!("connection/{name}")]);
    Ok(0)
}

fn show(ui: &Ui, namespace: &str, found: &Found) {
    let candidates = &found.candidates;
    // Said in every form: of a list, az shows nothing but its items.
    for why in &found.passed_over {
        ui.say(format!("Not to be taken over: {why}."));
    }
    if candidates.is_empty() {
        ui.say(format!("Nothing to take over in namespace {namespace}."));
        if matches!(ui.format, Format::Table | Format::Wide) {
            return;
        }
    }
    let items: Vec<_> = candidates.iter().map(crate::engine::upkeep::adopt::candidate::Candidate::to_json).collect();
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
