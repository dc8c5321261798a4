//! Repair: examines the recorded steps again with the goal Present. Objects that are as they should be are left
//! unchanged; the others are restored by the steps that created them.

use crate::catalogue;
use crate::engine::prepare::Prepared;
use crate::engine::prepare::{draft, preflight};
use crate::kube::{Access, resources};
use crate::lookup::records::Stored;
use crate::lookup::records::no_such_connection;
use crate::lookup::session::Session;
use crate::model::{Kind, Problem, Result};
use crate::plan::change::Goal;
use crate::plan::record::{Phase, Record};
use crate::steps::context::Cx;
use crate::steps::context::Run;
use crate::steps::marks::done;
use crate::steps::step::Examined;

/// Reads the current state and plans. Nothing is written.
///
/// # Errors
/// If there is no such connection, it is being deleted, or something prevents the repair.
pub async fn repair(session: &Session, connection: &str, timeout: std::time::Duration) -> Result<Prepared> {
    let namespace = session.kube.namespace().to_owned();
    let records = crate::lookup::records::list(&session.kube, &namespace).await?;
    let mine = |s: &&Stored| s.record.name == connection && s.record.namespace == namespace;
    let former = records.iter().find(mine).cloned().ok_or_else(|| no_such_connection(&records, &namespace, connection))?;
    let past = &former.record;
    if past.phase == Phase::Deleting {
        return Err(Problem::new(Kind::Failed, "KC6006", format!("connection `{connection}` is being deleted"))
            .fix(format!("finish it: kubectl connect delete {connection} -n {namespace}")));
    }
    let service = catalogue::find(&past.service)
        .ok_or_else(|| Problem::new(Kind::Failed, "KC6010", format!("the record names the unknown service `{}`", past.service)))?;
    let others = records.iter().filter(|s| !mine(s)).map(|s| s.record.clone()).collect();
    let target = crate::lookup::resources::read_target(session, service, &past.target).await?.ok_or_else(|| {
        Problem::new(Kind::NotFound, "KC1301", format!("the {} {} is gone", service.noun, past.target))
            .fix(format!("delete the connection: kubectl connect delete {connection} -n {namespace}"))
    })?;
    let cx = Cx::new(&session.arm, session.kube.afresh(), &session.events, Run { others, ..Run::of(past, timeout) });
    let specs = past.steps.clone();
    let examined = crate::steps::examine::examine(&cx, &specs, Goal::Present, &past.receipts).await?;
    let known = cx.outputs.known();
    let receipts = examined.iter().map(|(id, found)| {
        let kept = past.receipts.get(id).filter(|r| r.done && !found.change.writes());
        let fresh = || if found.change.writes() { found.intent.clone() } else { done(&found.intent) };
        (id.clone(), kept.cloned().unwrap_or_else(fresh))
    });
    let record = Record {
        receipts: receipts.collect(),
        client_id: known.client_id.or_else(|| past.client_id.clone()),
        principal_id: known.principal_id.or_else(|| past.principal_id.clone()),
        ..past.clone()
    };
    let plan = draft::plan(&cx, &specs, &examined, &[], Some(&former), &record);
    if plan.writes() {
        let ledger = [
            Access::to("update", &resources::CONFIG_MAP, Some(&namespace)),
            Access::to("create", &resources::LEASE, Some(&namespace)),
            Access::to("delete", &resources::LEASE, Some(&namespace)),
        ];
        preflight::rights(session, &cx, &examined.values().collect::<Vec<&Examined>>(), &ledger).await?;
    }
    Ok(Prepared { cx, plan, specs, examined, retired: Vec::new(), record, former: Some(former), printed: None, service, target })
}
