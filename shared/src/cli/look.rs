//! `tree`, `wait` and `events`: looking at a connection from the cluster alone.

use std::time::{Duration, Instant};

use clap::{ArgMatches, Args, Command, ValueEnum};
use serde_json::{Value, json};

use super::args;
use crate::kube::{Cluster, resources};
use crate::model::{Kind, Problem, Result};
use crate::plan::record::{Ownership, Receipt, Record};
use crate::ui::{Part, Table, Ui, age};

// Name of a connection.
#[derive(Args, Debug)]
struct Named {
    /// Name of the connection
    connection: String,
}

// Flags of waiting.
#[derive(Args, Debug)]
struct Wait {
    /// Name of the connection
    connection: String,
    /// What to wait for
    #[arg(long = "for", value_enum, value_name = "STATE", default_value = "ready")]
    until: Until,
    /// How long to wait
    #[arg(long, value_name = "TIME", value_parser = args::duration, default_value = "5m")]
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Until {
    /// All steps are done
    Ready,
    /// It is gone
    Deleted,
}

/// The three commands.
pub(super) fn commands() -> [Command; 3] {
    [
        Named::augment_args(Command::new("tree").about("Show what a connection consists of, and whose it is")),
        Wait::augment_args(Command::new("wait").about("Wait until a connection is ready, or gone")),
        Named::augment_args(Command::new("events").about("Show what the cluster says about the parts of a connection")),
    ]
}

async fn load(kube: &Cluster, name: &str) -> Result<Record> {
    match crate::lookup::records::load(kube, kube.namespace(), name).await? {
        Some(stored) => Ok(stored.record),
        None => Err(crate::lookup::records::no_such_connection(
            &crate::lookup::records::list(kube, kube.namespace()).await?,
            kube.namespace(),
            name,
        )),
    }
}

async fn cluster(ui: &Ui, root: &ArgMatches) -> Result<Cluster> {
    Cluster::connect(&args::flags(ui, root)?, &ui.progress().events()).await
}

/// Whose a thing is and how far it is.
fn whose(receipt: Option<&Receipt>) -> (&'static str, &'static str) {
    match receipt {
        None => ("nobody's yet", "planned"),
        Some(receipt) => {
            let owner = match receipt.ownership {
                Ownership::Created => "made by this connection",
                Ownership::Joined => "shared with other connections",
                Ownership::Adopted => "was there before",
            };
            (owner, if receipt.done { "done" } else { "planned" })
        }
    }
}

/// Shows the parts, Azure's and the cluster's.
pub(super) async fn tree(ui: &Ui, root: &ArgMatches, matches: &ArgMatches) -> Result<u8> {
    let asked: Named = args::parse(matches)?;
    let kube = cluster(ui, root).await?;
    let record = load(&kube, &asked.connection).await?;
    let parts: Vec<Value> = record
        .steps
        .iter()
        .map(|step| {
            let (id, receipt) = (step.id(), record.receipts.get(&step.id()));
            let (owner, state) = whose(receipt);
            let thing = receipt.map_or("", |r| r.id.as_str());
            let layer = if thing.starts_with("/subscriptions/") { "azure" } else { "cluster" };
            json!({"layer": layer, "step": id, "name": record.name_of(step), "id": thing, "owner": owner, "state": state})
        })
        .collect();
    let text = || {
        let word = |part: &Value, key: &str| part[key].as_str().unwrap_or_default().to_owned();
        let of = |layer: &str| -> Vec<Part> {
            let shown = |part: &Value| Part {
                kind: word(part, "step").split(':').next().unwrap_or_default().to_owned(),
                name: word(part, "name"),
                about: format!("{}, {}", word(part, "owner"), word(part, "state")),
                now: None,
            };
            parts.iter().filter(|p| p["layer"] == layer).map(shown).collect()
        };
        let (name, about) = (record.target.name().to_owned(), format!("in {}", record.target.resource_group()));
        let target = Part { kind: record.service.clone(), name, about, now: None };
        let title = format!("connection/{} ({}) {}", record.name, record.namespace, record.status());
        ui.tree(&title, &[("target", vec![target]), ("azure", of("azure")), ("cluster", of("cluster"))])
    };
    let value = json!({"connection": {"name": record.name, "namespace": record.namespace}, "target": record.target, "status": record.status(), "parts": parts});
    let names: Vec<String> = record.steps.iter().map(|s| s.id()).collect();
    ui.result(&value, text, &names);
    Ok(0)
}

/// Waits.
pub(super) async fn wait(ui: &Ui, root: &ArgMatches, matches: &ArgMatches) -> Result<u8> {
    let asked: Wait = args::parse(matches)?;
    let kube = cluster(ui, root).await?;
    let (name, began) = (&asked.connection, Instant::now());
    loop {
        let found = crate::lookup::records::load(&kube, kube.namespace(), name).await?;
        let status = found.as_ref().map_or("Deleted", |s| s.record.status());
        let reached = match asked.until {
            Until::Ready => status == "Ready",
            Until::Deleted => found.is_none(),
        };
        if reached {
            let value = json!({"connection": {"name": name, "namespace": kube.namespace()}, "status": status});
            ui.result(&value, || format!("connection/{name} is {}", status.to_lowercase()), &[format!("connection/{name}")]);
            return Ok(0);
        }
        if began.elapsed() >= asked.timeout {
            let state = found.as_ref().map_or("not there".to_owned(), |s| s.record.status().to_lowercase());
            let seconds = began.elapsed().as_secs();
            let seen = if asked.until == Until::Deleted { "still exists".to_owned() } else { format!("is {state}") };
            return Err(Problem::new(Kind::TimedOut, "KC6011", format!("timed out after {seconds} s: connection {name} {seen}"))
                .fix(format!("look at it: kubectl connect tree {name} -n {}", kube.namespace()))
                .fix("or wait longer: --timeout 15m"));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Shows events about the parts that lie in the cluster and about the workload's pods.
pub(super) async fn events(ui: &Ui, root: &ArgMatches, matches: &ArgMatches) -> Result<u8> {
    let asked: Named = args::parse(matches)?;
    let kube = cluster(ui, root).await?;
    let record = load(&kube, &asked.connection).await?;
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
            return format!("No events about connection {}.", record.name);
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
        table.render(ui.no_headers)
    };
    let shown: Vec<String> = found.iter().filter_map(|e| Some(format!("event/{}", e["metadata"]["name"].as_str()?))).collect();
    ui.result(&json!({"events": found}), text, &shown);
    Ok(0)
}
