//! `kubectl connect show NAME`: from the cluster alone; `--live` puts what there is right now beside the record.

use clap::{ArgMatches, Args, Command};
use serde_json::json;

use super::args;
use crate::engine::report;
use crate::engine::upkeep::live::{self, Live};
use crate::kube::Cluster;
use crate::lookup::session::Session;
use crate::model::Result;
use crate::plan::record::{Ownership, Record};
use crate::ui::{Ui, age};

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
    ui.result(&value, || text(&record, looked.as_deref()), &[format!("connection/{}", record.name)]);
    Ok(0)
}

fn text(record: &Record, live: Option<&[Live]>) -> String {
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
        ("Target", record.target.to_string()),
        ("Workload", record.workload.clone().unwrap_or_else(|| "<none>".into())),
        ("Auth", record.auth.to_string()),
        ("Access", record.access.to_string()),
        ("Made by", record.origin.made_by().to_owned()),
        ("Cluster", record.cluster.to_string()),
        ("Identity", record.identity().map_or_else(|| "<none>".into(), ToString::to_string)),
        ("Client type", record.client.word().to_owned()),
        ("Client id", record.client_id.clone().unwrap_or_else(|| "<unknown>".into())),
    ];
    if let Some(state) = state("target") {
        lines.push(("Target now", state));
    }
    if let Some(verified) = &record.verified {
        let outcome = if verified.success { "works" } else { "does not work" };
        lines.push(("Verified", format!("{outcome}, {} ago", age(&verified.at))));
    }
    let mut text: String = lines.iter().map(|(key, value)| format!("{key:11} {value}\n")).collect();
    text.push_str("Objects:\n");
    for step in &record.steps {
        let id = step.id();
        let whose = match record.receipts.get(&id) {
            Some(r) if !r.done => "planned",
            Some(r) => match r.ownership {
                Ownership::Created => "made by this connection",
                Ownership::Joined => "shared with other connections",
                Ownership::Adopted => "was there before",
            },
            None => "planned",
        };
        let thing = record.receipts.get(&id).map_or("", |r| r.id.as_str());
        text.push_str(&format!("  {:22} {:30} {thing}\n", id.split(':').next().unwrap_or_default(), whose));
        if let Some(state) = state(&id) {
            text.push_str(&format!("  {:22} now {state}\n", ""));
        }
    }
    text
}
