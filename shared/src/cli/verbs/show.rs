//! `kubectl connect show NAME`: reads only the cluster; `--live` compares the record with the current state.

use clap::{Args, Command};
use serde_json::json;

use crate::cli::flags::which::Which;
use crate::cli::invocation::{Invocation, records, together};
use crate::cli::verbs::parts::{self, Part};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::engine::report;
use crate::engine::upkeep::live::{self, Live};
use crate::model::{ResourceId, Result};
use crate::plan::record::Record;
use crate::ui::{self, Format, Ui, age};

/// The verb.
pub const VERB: Verb = Verb {
    name: "show",
    aliases: &["describe"],
    about: "Show connections: one, or all of the namespace",
    group: Group::Look,
    takes_service: false,
    examples: &["show keyvault-my-vault --live"],
    flags,
    run: Run::Waiting(|call| Box::pin(show(call))),
    az: Az::Shown(AzTable::CONNECTION),
};

// Flags of showing.
#[derive(Args, Debug)]
struct Show {
    #[command(flatten)]
    which: Which,
    /// Look at every part in Azure and in the cluster, too
    #[arg(long)]
    live: bool,
}

fn flags(command: Command) -> Command {
    Show::augment_args(command)
}

async fn show(call: &Invocation<'_>) -> Result<u8> {
    let Show { which, live } = call.read()?;
    // Without --live nobody but the cluster is asked, and nobody needs to be signed in to Azure.
    let mut shown = Vec::new();
    let namespace = if live {
        let (session, progress) = call.session().await?;
        for record in records(&session.kube, &which, false).await? {
            let looked = live::look(&session, &record).await;
            progress.clear();
            shown.push((record, Some(looked?)));
        }
        session.kube.namespace().to_owned()
    } else {
        let kube = call.cluster().await?;
        shown.extend(records(&kube, &which, false).await?.into_iter().map(|record| (record, None)));
        kube.namespace().to_owned()
    };
    if shown.is_empty() {
        call.ui.say(format!("No connections in namespace {namespace}."));
    }
    let value = |(record, looked): &(Record, Option<Vec<Live>>)| {
        let mut value = report::connection(record);
        if let Some(looked) = looked {
            value["status"]["live"] = json!(looked);
        }
        value
    };
    let names: Vec<String> = shown.iter().map(|(record, _)| format!("connection/{}", record.name)).collect();
    let text = || shown.iter().map(|(record, looked)| text(call.ui, record, looked.as_deref())).collect::<Vec<_>>().join("\n");
    call.ui.result(&together(&which, shown.iter().map(value).collect()), text, &names);
    Ok(0)
}

/// A resource by its name and group; `-o wide` shows its whole id.
fn place(ui: &Ui, id: &ResourceId) -> String {
    match (ui.format, id.resource_group()) {
        (Format::Wide, _) => id.to_string(),
        (_, "") => id.name().to_owned(),
        (_, group) => format!("{} ({group})", id.name()),
    }
}

fn text(ui: &Ui, record: &Record, live: Option<&[Live]>) -> String {
    let state = |step: &str| {
        let found = live.and_then(|all| all.iter().find(|l| l.step == step));
        found.map(|l| l.message.as_ref().map_or_else(|| l.state.words().to_owned(), |m| format!("{}: {m}", l.state.words())))
    };
    let none = || "<none>".to_owned();
    let mut lines = vec![
        ("Name", record.name.clone()),
        ("Namespace", record.namespace.clone()),
        ("Status", record.status().to_owned()),
        ("Age", age(&record.created)),
        ("Service", record.service.clone()),
        ("Target", place(ui, &record.target)),
        ("Workload", record.workload.clone().unwrap_or_else(none)),
        ("Auth", record.auth.to_string()),
        ("Access", record.access.to_string()),
        ("Made by", record.origin.made_by().to_owned()),
        ("Cluster", place(ui, &record.cluster)),
        ("Identity", record.identity().map_or_else(none, |id| place(ui, id))),
        ("Client type", record.client.word().to_owned()),
        ("Client id", record.client_id.clone().unwrap_or_else(|| "<unknown>".into())),
    ];
    if let Some(secret) = record.secret() {
        let names: Vec<&str> = secret.variables.iter().map(|v| v.name.as_str()).collect();
        lines.push(("Variables", names.join(", ")));
    }
    if let Some(state) = state("target") {
        lines.push(("Target now", state));
    }
    if let Some(verified) = &record.verified {
        let outcome = if verified.success { "works" } else { "failing" };
        lines.push(("Verified", format!("{outcome}, {} ago", age(&verified.at))));
    }
    let mut page = ui.page();
    lines.iter().for_each(|(key, value)| page.line(&format!("{key:11} "), value));
    page.push("Objects:");
    let shown = |part: &Part| ui::Part {
        kind: part.kind().to_owned(),
        name: part.name.clone(),
        about: part.whose().to_owned(),
        now: state(&part.step),
    };
    ui.parts(&mut page, &parts::of(record).iter().map(shown).collect::<Vec<_>>());
    page.into_text()
}
