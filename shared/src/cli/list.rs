//! `kubectl connect list`: from the cluster alone.

use clap::ArgMatches;
use serde_json::json;

use super::args;
use crate::engine::{ledger, report};
use crate::kube::Cluster;
use crate::model::{PREFIX, Result};
use crate::ui::{Format, Table, Ui, age};

/// Lists connections.
pub(super) async fn list(ui: &Ui, root: &ArgMatches, matches: &ArgMatches) -> Result<u8> {
    let everywhere = args::all_namespaces(matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    let kube = Cluster::connect(&flags, &progress.events()).await?;
    let namespace = kube.namespace().to_owned();
    let found = if everywhere { ledger::list_all(&kube).await? } else { ledger::list_in(&kube, &namespace).await? };
    let mut records: Vec<_> = found.into_iter().map(|s| s.record).collect();
    records.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    let names: Vec<String> = records.iter().map(|r| format!("connection/{}", r.name)).collect();
    let items: Vec<_> = records.iter().map(report::connection).collect();
    let value = json!({"apiVersion": format!("{PREFIX}/v1alpha1"), "kind": "ConnectionList", "items": items});
    if records.is_empty() && matches!(ui.format, Format::Table | Format::Wide) {
        let place = if everywhere { "this cluster".into() } else { format!("namespace {namespace}") };
        ui.say(format!("No connections in {place}."));
        return Ok(0);
    }
    let text = || {
        let mut heads = vec!["NAME", "SERVICE", "TARGET", "WORKLOAD", "ACCESS", "STATUS", "AGE"];
        let wide = ui.format == Format::Wide;
        if wide {
            heads.extend(["IDENTITY", "CLIENT-ID"]);
        }
        if everywhere {
            heads.insert(0, "NAMESPACE");
        }
        let mut table = Table::new(&heads);
        for r in &records {
            let mut row = vec![
                r.name.clone(),
                r.service.clone(),
                r.target.name().to_owned(),
                r.workload.clone().unwrap_or_else(|| "<none>".into()),
                r.access.to_string(),
                r.status().to_owned(),
                age(&r.created),
            ];
            if wide {
                row.push(r.identity().map_or_else(|| "<none>".into(), |i| i.name().to_owned()));
                row.push(r.client_id.clone().unwrap_or_else(|| "<unknown>".into()));
            }
            if everywhere {
                row.insert(0, r.namespace.clone());
            }
            table.row(row);
        }
        table.render(ui.no_headers)
    };
    ui.result(&value, text, &names);
    Ok(0)
}
