//! `kubectl connect show NAME`: from the cluster alone.

use clap::ArgMatches;

use super::args;
use crate::engine::{ledger, report, undo};
use crate::kube::Cluster;
use crate::model::Result;
use crate::plan::record::{Ownership, Record};
use crate::ui::{Ui, age};

/// Shows one connection.
pub(super) async fn show(ui: &Ui, root: &ArgMatches, matches: &ArgMatches) -> Result<u8> {
    let name = args::one(matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    let kube = Cluster::connect(&flags, &progress.events()).await?;
    let Some(stored) = ledger::load(&kube, kube.namespace(), &name).await? else {
        let records = ledger::list(&kube, kube.namespace()).await?;
        return Err(undo::no_such_connection(&records, kube.namespace(), &name));
    };
    let record = stored.record;
    ui.result(&report::connection(&record), || text(&record), &[format!("connection/{name}")]);
    Ok(0)
}

fn text(record: &Record) -> String {
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
        ("Cluster", record.cluster.to_string()),
        ("Identity", record.identity().map_or_else(|| "<none>".into(), ToString::to_string)),
        ("Client type", record.client.word().to_owned()),
        ("Client id", record.client_id.clone().unwrap_or_else(|| "<unknown>".into())),
    ];
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
    }
    text
}
