//! Builds the plan from steps: each step is examined, and the results become the displayed changes and the record
//! that is written before the first change.

use std::collections::BTreeMap;

use crate::catalogue::Service;
use crate::kube::Workload;
use crate::lookup::azure::Located;
use crate::lookup::records::Stored;
use crate::model::access::Access as Level;
use crate::model::variable::Client;
use crate::model::{Auth, Result};
use crate::plan::change::{Action, Change, Goal, Layer, Plan};
use crate::plan::record::{Origin, Phase, RECORD_VERSION, Record};
use crate::plan::spec::{StepId, StepSpec, Thing};
use crate::steps::behaviour;
use crate::steps::context::Cx;
use crate::steps::step::Examined;

/// Steps of the previous version of this connection that the new version lacks.
pub(crate) async fn retire(cx: &Cx, specs: &[StepSpec], former: Option<&Stored>) -> Result<Vec<(StepSpec, Examined)>> {
    let Some(former) = former.map(|f| &f.record) else { return Ok(Vec::new()) };
    let kept: Vec<Thing> = specs.iter().map(StepSpec::thing).collect();
    let gone = former.steps.iter().map(|s| (s.clone(), former.receipts.get(&s.id()).cloned())).chain(former.retired.iter().cloned());
    let mut retired = Vec::new();
    for (step, receipt) in gone.filter(|(s, _)| !kept.contains(&s.thing())) {
        let examined = behaviour(&step).examine(cx, Goal::Absent, receipt.as_ref()).await?;
        retired.push((step, examined));
    }
    Ok(retired)
}

#[expect(clippy::too_many_arguments, reason = "a record gathers everything, in one place")]
pub(crate) fn record(
    cx: &Cx,
    (auth, client, access): (Auth, Client, Level),
    service: &Service,
    located: &Located,
    workload: &Option<Workload>,
    specs: &[StepSpec],
    examined: &BTreeMap<StepId, Examined>,
    former: Option<&Stored>,
) -> Record {
    let past = former.map(|f| &f.record);
    let receipts = examined.iter().map(|(id, e)| {
        // A receipt that is still valid is kept unchanged, so that a run without changes writes nothing.
        let kept = past.and_then(|p| p.receipts.get(id)).filter(|r| r.done && !e.change.writes() && r.ownership == e.intent.ownership);
        let found = || if e.change.writes() { e.intent.clone() } else { crate::steps::marks::done(&e.intent) };
        (id.clone(), kept.cloned().unwrap_or_else(found))
    });
    Record {
        version: RECORD_VERSION,
        name: cx.connection.clone(),
        namespace: cx.namespace.clone(),
        service: service.name.into(),
        target: past.map_or_else(|| located.target.id.clone(), |p| p.target.clone()),
        workload: workload.as_ref().map(ToString::to_string),
        cluster: past.map_or_else(|| located.cluster.clone(), |p| p.cluster.clone()),
        tenant: located.tenant.clone(),
        access,
        auth,
        client,
        client_id: cx.outputs.known().client_id,
        principal_id: cx.outputs.known().principal_id,
        phase: past.map_or(Phase::Applying, |p| p.phase),
        // Connecting an adopted connection again makes it one of this tool.
        origin: Origin::Made,
        created: past.map_or_else(|| jiff::Timestamp::now().to_string(), |p| p.created.clone()),
        steps: specs.to_vec(),
        receipts: receipts.collect(),
        retired: Vec::new(),
        verified: past.and_then(|p| p.verified.clone()),
    }
}

pub(crate) fn plan(
    cx: &Cx,
    specs: &[StepSpec],
    examined: &BTreeMap<StepId, Examined>,
    retired: &[(StepSpec, Examined)],
    former: Option<&Stored>,
    record: &Record,
) -> Plan {
    let mut changes: Vec<Change> = specs.iter().filter_map(|s| examined.get(&s.id())).map(|e| e.change.clone()).collect();
    changes.extend(retired.iter().map(|(_, e)| e.change.clone()));
    let action = match former {
        None => Action::Create,
        Some(former) if changes.iter().any(Change::writes) || former.record != *record || former.record.phase != Phase::Ready => {
            Action::Update
        }
        Some(_) => Action::NoOp,
    };
    let name = format!("{}/{}", cx.namespace, Record::object_name(&cx.connection));
    changes.push(Change::new("record".into(), Layer::Cluster, "ConfigMap", name, action).reason("the record of this connection"));
    changes.sort_by_key(|c| c.layer);
    Plan::of(record, Goal::Present, changes)
}
