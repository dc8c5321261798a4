//! `kubectl connect show NAME`: from the cluster alone; `--live` puts what there is right now beside the record.

use clap::{ArgMatches, Args, Command};
use serde_json::json;

use super::args;
use crate::engine::report;
use crate::engine::upkeep::live::{self, Live};
use crate::kube::Cluster;
use crate::lookup::session::Session;
use crate::model::{ResourceId, Result};
use crate::plan::record::{Ownership, Record};
use crate::plan::spec::StepSpec;
use crate::ui::{Format, Part, Ui, age};

// Flags of showing.
#[derive(Args, Debug)]
struct Show {
    /// Name of the connection
    connection: String,
    /// Look at every part in Azure and in the cluster, too
    #[arg(long)]
    live: bool,
}

/// The command.
pub(super) fn command() -> Command {
    Show::augment_args(Command::new("show").visible_alias("describe").about("Show one connection"))
}

/// Shows one connection.
pub(super) async fn show(ui: &Ui, root: &ArgMatches, matches: &ArgMatches) -> Result<u8> {
    let asked: Show = args::parse(matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    // Without --live nobody but the cluster is asked, and nobody needs to be signed in to Azure.
    let session = if asked.live { Some(Session::open(&flags, &progress.events()).await?) } else { None };
    let kube = match &session {
        Some(session) => session.kube.clone(),
        None => Cluster::connect(&flags, &progress.events()).await?,
    };
    let Some(stored) = crate::lookup::records::load(&kube, kube.namespace(), &asked.connection).await? else {
        let records = crate::lookup::records::list(&kube, kube.namespace()).await?;
        return Err(crate::lookup::records::no_such_connection(&records, kube.namespace(), &asked.connection));
    };
    let record = stored.record;
    let looked = match &session {
        Some(session) => Some(live::look(session, &record).await),
        None => None,
    };
    progress.clear();
    let looked = looked.transpose()?;
    let mut value = report::connection(&record);
    if let Some(looked) = &looked {
        value["status"]["live"] = json!(looked);
    }
    ui.result(&value, || text(ui, &record, looked.as_deref()), &[format!("connection/{}", record.name)]);
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
    let mut lines = vec![
        ("Name", record.name.clone()),
        ("Namespace", record.namespace.clone()),
        ("Status", record.status().to_owned()),
        ("Age", age(&record.created)),
        ("Service", record.service.clone()),
        ("Target", place(ui, &record.target)),
        ("Workload", record.workload.clone().unwrap_or_else(|| "<none>".into())),
        ("Auth", record.auth.to_string()),
        ("Access", record.access.to_string()),
        ("Made by", record.origin.made_by().to_owned()),
        ("Cluster", place(ui, &record.cluster)),
        ("Identity", record.identity().map_or_else(|| "<none>".into(), |id| place(ui, id))),
        ("Client type", record.client.word().to_owned()),
        ("Client id", record.client_id.clone().unwrap_or_else(|| "<unknown>".into())),
    ];
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
    let part = |step: &StepSpec| {
        let id = step.id();
        let about = match record.receipts.get(&id) {
            Some(r) if !r.done => "planned",
            Some(r) => match r.ownership {
                Ownership::Created => "made by this connection",
                Ownership::Joined => "shared with other connections",
                Ownership::Adopted => "was there before",
            },
            None => "planned",
        };
        let kind = id.split(':').next().unwrap_or_default().to_owned();
        Part { kind, name: record.name_of(step), about: about.to_owned(), now: state(&id) }
    };
    ui.parts(&mut page, &record.steps.iter().map(part).collect::<Vec<_>>());
    page.into_text()
}
