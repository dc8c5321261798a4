//! `kubectl connect events NAME`: what Kubernetes reports about the objects of a connection.

use clap::{Args as _, Command};
use serde_json::{Value, json};

use crate::cli::flags::which::Which;
use crate::cli::invocation::{Invocation, records};
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

fn flags(command: Command) -> Command {
    Which::augment_args(command)
}

/// Shows events about the parts that lie in the cluster and about the workloads' pods.
async fn events(call: &Invocation<'_>) -> Result<u8> {
    let which: Which = call.read()?;
    let kube = call.cluster().await?;
    let about: Vec<Subject> = records(&kube, &which, false).await?.iter().map(Subject::of).collect();
    let listed = kube.list(&resources::EVENT, Some(kube.namespace()), None).await?;
    let mut found: Vec<Value> = listed.into_iter().filter(|event| about.iter().any(|subject| subject.concerns(event))).collect();
    found.sort_by_key(at);
    let place = match which.names.as_slice() {
        [] => format!("the connections of namespace {}", kube.namespace()),
        names => format!("connection {}", names.join(", ")),
    };
    let text = || if found.is_empty() { format!("No events about {place}.") } else { table(&found, call.ui.no_headers) };
    let shown: Vec<String> = found.iter().filter_map(|e| Some(format!("event/{}", e["metadata"]["name"].as_str()?))).collect();
    call.ui.result(&json!({"events": found}), text, &shown);
    Ok(0)
}

/// The objects of a connection that events can be about.
struct Subject {
    names: Vec<String>,
    /// What the names of the workload's pods and replica sets begin with; empty without a workload.
    workload: String,
}

impl Subject {
    fn of(record: &Record) -> Subject {
        let in_cluster = record.receipts.values().filter(|r| !r.id.starts_with("/subscriptions/"));
        let mut names: Vec<String> = in_cluster.filter_map(|r| Some(r.id.rsplit_once('/')?.1.to_owned())).collect();
        names.push(Record::object_name(&record.name));
        let workload = record.workload.as_deref().and_then(|w| w.split_once('/')).map(|(_, name)| format!("{name}-"));
        Subject { names, workload: workload.unwrap_or_default() }
    }

    fn concerns(&self, event: &Value) -> bool {
        let name = object(event);
        self.names.iter().any(|own| own == name) || (!self.workload.is_empty() && name.starts_with(&self.workload))
    }
}

/// The name of the object that an event is about.
fn object(event: &Value) -> &str {
    event["involvedObject"]["name"].as_str().unwrap_or_default()
}

/// When an event was seen last.
fn at(event: &Value) -> String {
    let times = [&event["lastTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"]];
    times.into_iter().find_map(|t| t.as_str().map(str::to_owned)).unwrap_or_default()
}

fn table(found: &[Value], no_headers: bool) -> String {
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let mut table = Table::new(&["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]);
    for event in found {
        let kind = event["involvedObject"]["kind"].as_str().unwrap_or_default().to_lowercase();
        let object = format!("{kind}/{}", object(event));
        table.row(vec![age(&at(event)), text(event, "type"), text(event, "reason"), object, text(event, "message")]);
    }
    table.render(no_headers)
}
