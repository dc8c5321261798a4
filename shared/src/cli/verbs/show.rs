//! `kubectl connect show NAME`: reads only the cluster; `--live` compares the record with the current state.

use clap::{Args, Command};
use serde_json::json;

use crate::cli::invocation::{Invocation, record};
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
    about: "Show one connection",
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
    /// Name of the connection
    connection: String,
    /// Also read every part in Azure and in the cluster
    #[arg(long)]
    live: bool,
}

fn flags(command: Command) -> Command {
    Show::augment_args(command)
}

async fn show(call: &Invocation<'_>) -> Result<u8> {
    let asked: Show = call.read()?;
    // Without --live only the cluster is read, so no Azure sign-in is needed.
    let (record, looked) = if asked.live {
        let (session, progress) = call.session().await?;
        let record = record(&session.kube, &asked.connection).await?;
        let looked = live::look(&session, &record).await;
        progress.clear();
        (record, Some(looked?))
    } else {
        (record(&call.cluster().await?, &asked.connection).await?, None)
    };
    let mut value = report::connection(&record);
    if let Some(looked) = &looked {
        value["status"]["live"] = json!(looked);
    }
    call.ui.result(&value, || text(call.ui, &record, looked.as_deref()), &[format!("connection/{}", record.name)]);
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
