//! `kubectl connect list`: reads only the cluster, including Service Connector's set-ups; `--watch` reports changes.

use std::collections::HashSet;

use clap::{Args, Command};
use futures::StreamExt;
use futures::future::join;
use serde_json::{Value, json};

use crate::cli::invocation::Invocation;
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::engine::report;
use crate::kube::{Cluster, WorkloadKind};
use crate::lookup::records;
use crate::lookup::service_connector::{self, Seen};
use crate::model::{PREFIX, Problem, Result};
use crate::plan::record::Record;
use crate::ui::{Format, Table, Ui, age};

/// The verb.
pub const VERB: Verb = Verb {
    name: "list",
    aliases: &["ls", "get"],
    about: "List connections, including those of Service Connector",
    group: Group::Look,
    takes_service: false,
    examples: &["list -A", "list -l kubectl-connect.dev/service=keyvault -o wide"],
    flags,
    run: Run::Waiting(|call| Box::pin(list(call))),
    az: Az::Shown(AzTable::CONNECTION),
};

// Flags of listing.
#[derive(Args, Debug)]
struct List {
    /// Connections of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only connections with these labels: team=shop, kubectl-connect.dev/service=keyvault
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Only connections of this workload
    #[arg(long, value_name = "KIND/NAME", value_parser = workload)]
    workload: Option<String>,
    /// Watch for changes
    #[arg(short, long)]
    watch: bool,
}

fn flags(command: Command) -> Command {
    List::augment_args(command)
}

async fn list(call: &Invocation<'_>) -> Result<u8> {
    let asked: List = call.read()?;
    let (ui, kube) = (call.ui, call.cluster().await?);
    let own = kube.namespace().to_owned();
    let namespace = (!asked.all_namespaces).then_some(own.as_str());
    let labels = asked.selector.as_deref();
    let (found, made) = join(records::select(&kube, namespace, labels), service_connector::seen(&kube, namespace, labels)).await;
    let (found, version) = found?;
    let is_asked = |record: &Record| asked.workload.is_none() || asked.workload == record.workload;
    let mut records: Vec<Record> = found.into_iter().map(|s| s.record).filter(is_asked).collect();
    records.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    let taken: HashSet<(&str, &str)> = records.iter().filter_map(|r| Some((r.namespace.as_str(), r.secret()?.name.as_str()))).collect();
    let mut made: Vec<Seen> =
        made?.into_iter().filter(|_| asked.workload.is_none()).filter(|s| !taken.contains(&(&s.namespace, &s.secret))).collect();
    made.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    let columns = Columns { everywhere: asked.all_namespaces, wide: ui.format == Format::Wide };
    show(ui, &columns, namespace, &records, &made);
    if asked.watch {
        watch(ui, &Watched { kube: &kube, columns: &columns, namespace, labels }, version).await?;
    }
    Ok(0)
}

/// A workload as records name it: `deploy/web` is `deployment/web`.
fn workload(text: &str) -> Result<String, String> {
    let parsed =
        text.split_once('/').and_then(|(kind, name)| Some((WorkloadKind::parse(kind)?, name))).filter(|(_, name)| !name.is_empty());
    parsed.map(|(kind, name)| format!("{}/{name}", kind.as_str())).ok_or_else(|| "write it as deployment/NAME".to_owned())
}

fn show(ui: &Ui, columns: &Columns, namespace: Option<&str>, records: &[Record], made: &[Seen]) {
    if records.is_empty() && made.is_empty() && matches!(ui.format, Format::Table | Format::Wide) {
        let place = namespace.map_or_else(|| "this cluster".into(), |n| format!("namespace {n}"));
        ui.say(format!("No connections in {place}."));
        return;
    }
    let own = records.iter().map(|r| format!("connection/{}", r.name));
    // A separate prefix, since commands for this tool's connections don't work with these.
    let names: Vec<String> = own.chain(made.iter().map(|s| format!("service-connector/{}", s.name))).collect();
    let items: Vec<Value> = records.iter().map(report::connection).chain(made.iter().map(Seen::to_json)).collect();
    let value = json!({"apiVersion": format!("{PREFIX}/v1alpha1"), "kind": "ConnectionList", "items": items});
    let text = || {
        let mut table = Table::new(&columns.heads());
        records.iter().for_each(|r| table.row(columns.row(r, r.status())));
        made.iter().for_each(|s| table.row(columns.row_of(s)));
        table.render(ui.no_headers)
    };
    ui.result(&value, text, &names);
    if !made.is_empty() && matches!(ui.format, Format::Table | Format::Wide) {
        ui.say(format!("\n{} made by Service Connector; adopt with: kubectl connect adopt NAME", made.len()));
    }
}

/// The records that are watched, and the columns in which their changes are reported.
struct Watched<'a> {
    kube: &'a Cluster,
    columns: &'a Columns,
    namespace: Option<&'a str>,
    labels: Option<&'a str>,
}

/// Reports every change to a record until stopped, as one row or one object.
async fn watch(ui: &Ui, watched: &Watched<'_>, mut from: String) -> Result<()> {
    let Watched { kube, columns, namespace, labels } = *watched;
    loop {
        let mut events = match records::watch(kube, namespace, labels, &from).await {
            Err(failure) if failure.status() == Some(410) => {
                // Too many changes since the last event: list the current state again.
                let (found, version) = records::select(kube, namespace, labels).await?;
                found.iter().for_each(|s| tell(ui, columns, &s.record, s.record.status()));
                from = version;
                continue;
            }
            other => other?,
        };
        while let Some(event) = events.next().await {
            // A broken stream is reopened at the last event.
            let Ok(event) = event else { break };
            let object = &event["object"];
            if let Some(version) = object["metadata"]["resourceVersion"].as_str() {
                from = version.to_owned();
            }
            if event["type"] == "BOOKMARK" {
                continue;
            }
            let told: Result<(), Problem> = records::record_in(object).map(|record| {
                tell(ui, columns, &record, if event["type"] == "DELETED" { "Deleted" } else { record.status() });
            });
            if let Err(problem) = told {
                ui.problem(&problem);
            }
        }
        // Pause, in case a server ends every stream at once.
        crate::clock::rest(std::time::Duration::from_millis(200)).await;
    }
}

fn tell(ui: &Ui, columns: &Columns, record: &Record, status: &str) {
    let mut value = report::connection(record);
    value["status"]["phase"] = json!(status);
    let text = || {
        let mut table = Table::new(&columns.heads());
        table.row(columns.row(record, status));
        table.render(true)
    };
    ui.result(&value, text, &[format!("connection/{}", record.name)]);
}

/// The columns of the table.
struct Columns {
    everywhere: bool,
    wide: bool,
}

impl Columns {
    fn heads(&self) -> Vec<&'static str> {
        let mut heads = vec!["NAME", "SERVICE", "TARGET", "WORKLOAD", "ACCESS", "STATUS", "AGE"];
        if self.wide {
            heads.extend(["IDENTITY", "CLIENT-ID", "MADE-BY"]);
        }
        if self.everywhere {
            heads.insert(0, "NAMESPACE");
        }
        heads
    }

    fn row(&self, r: &Record, status: &str) -> Vec<String> {
        let none = || "<none>".to_owned();
        let workload = r.workload.clone().or_else(|| Some(format!("serviceaccount/{}", r.service_account()?.name))).unwrap_or_else(none);
        let mut row = vec![r.name.clone(), r.service.clone(), r.target.name().to_owned(), workload, r.access.to_string()];
        row.extend([status.to_owned(), age(&r.created)]);
        if self.wide {
            row.push(r.identity().map_or_else(none, |i| i.name().to_owned()));
            row.push(r.client_id.clone().unwrap_or_else(|| "<unknown>".into()));
            row.push(r.origin.made_by().to_owned());
        }
        self.placed(row, &r.namespace)
    }

    fn row_of(&self, seen: &Seen) -> Vec<String> {
        let unknown = || "<unknown>".to_owned();
        let service = seen.service.map_or_else(unknown, str::to_owned);
        let mut row =
            vec![seen.name.clone(), service, unknown(), unknown(), unknown(), service_connector::STATUS.to_owned(), age(&seen.created)];
        if self.wide {
            let client_id = seen.account.as_deref().and_then(|a| a.strip_prefix("sc-account-")).map_or_else(unknown, str::to_owned);
            row.extend([unknown(), client_id, "Service Connector".to_owned()]);
        }
        self.placed(row, &seen.namespace)
    }

    fn placed(&self, mut row: Vec<String>, namespace: &str) -> Vec<String> {
        if self.everywhere {
            row.insert(0, namespace.to_owned());
        }
        row
    }
}
