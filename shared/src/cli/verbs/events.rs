//! `kubectl connect events NAME`: what Kubernetes reports about the objects of a connection.

use clap::{Args, Command};
use serde_json::{Value, json};

use crate::cli::invocation::{Invocation, record};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::kube::resources;
use crate::model::Result;
use crate::plan::record::Record;
use crate::ui::{Table, age};

/// The verb.
pub const VERB: Verb = Verb {
    name: "events",
    aliases: &[],
    about: "Show the Kubernetes events of a connection's objects",
    group: Group::Look,
    takes_service: false,
    examples: &["events keyvault-my-vault"],
    flags,
    run: Run::Waiting(|call| Box::pin(events(call))),
    az: Az::Shown(AzTable::PLAIN),
};

// Flags of the events.
#[derive(Args, Debug)]
struct Events {
    /// Name of the connection
    connection: String,
}

fn flags(command: Command) -> Command {
    Events::augment_args(command)
}

/// Shows events of the connection's objects in the cluster and of the workload's pods.
async fn events(call: &Invocation<'_>) -> Result<u8> {
    let asked: Events = call.read()?;
    let kube = call.cluster().await?;
    let record = record(&kube, &asked.connection).await?;
    let mut names: Vec<String> = record
        .receipts
        .values()
        .filter(|r| !r.id.starts_with("/subscriptions/"))
        .filter_map(|r| Some(r.id.rsplit_once('/')?.1.to_owned()))
        .collect();
    names.push(Record::object_name(&record.name));
    let workload = record.workload.as_deref().and_then(|w| w.split_once('/')).map(|(_, name)| format!("{name}-")).unwrap_or_default();
    let text_of = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let about = |event: &Value| event["involvedObject"]["name"].as_str().unwrap_or_default().to_owned();
    let listed = kube.list(&resources::EVENT, Some(&record.namespace), None).await?;
    let concerns = |event: &Value| {
        let name = about(event);
        names.contains(&name) || (!workload.is_empty() && name.starts_with(&workload))
    };
    let mut found: Vec<Value> = listed.into_iter().filter(concerns).collect();
    let at = |event: &Value| {
        [&event["lastTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"]]
            .into_iter()
            .find_map(|t| t.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    found.sort_by_key(at);
    let text = || {
        if found.is_empty() {
            return format!("No events for connection {}.", record.name);
        }
        let mut table = Table::new(&["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]);
        for event in &found {
            let kind = event["involvedObject"]["kind"].as_str().unwrap_or_default().to_lowercase();
            table.row(vec![
                age(&at(event)),
                text_of(event, "type"),
                text_of(event, "reason"),
                format!("{kind}/{}", about(event)),
                text_of(event, "message"),
            ]);
        }
        table.render(call.ui.no_headers)
    };
    let shown: Vec<String> = found.iter().filter_map(|e| Some(format!("event/{}", e["metadata"]["name"].as_str()?))).collect();
    call.ui.result(&json!({"events": found}), text, &shown);
    Ok(0)
}
