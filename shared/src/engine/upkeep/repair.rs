//! Repair: examines the recorded steps again with the goal Present. Objects that are as they should be are left
//! unchanged; the others are restored by the steps that created them.

use crate::catalogue;
use crate::engine::prepare::Prepared;
use crate::engine::prepare::draft::Draft;
use crate::lookup::records::{self, Known, Writing};
use crate::lookup::session::Session;
use crate::model::{Kind, Problem, Result};
use crate::plan::change::Goal;
use crate::plan::record::{Phase, Record};
use crate::steps::context::{Cx, Run};

/// Reads the current state and plans. Nothing is written.
///
/// # Errors
/// If there is no such connection, it is being deleted, or something prevents the repair.
pub async fn repair(session: &Session, connection: &str, timeout: std::time::Duration) -> Result<Prepared> {
    let namespace = session.kube.namespace().to_owned();
    let Known { former, others } = records::known(&session.kube, connection).await?;
    let past = &former.record;
    if past.phase == Phase::Deleting {
        return Err(Problem::new(Kind::Failed, "KC6006", format!("connection `{connection}` is being deleted"))
            .fix(format!("finish it: kubectl connect delete {connection} -n {namespace}")));
    }
    let service = catalogue::find(&past.service)
        .ok_or_else(|| Problem::new(Kind::Failed, "KC6010", format!("the record names the unknown service `{}`", past.service)))?;
    let target = crate::lookup::resources::read_target(session, service, &past.target).await?.ok_or_else(|| {
        Problem::new(Kind::NotFound, "KC1301", format!("the {} {} no longer exists", service.noun, past.target))
            .fix(format!("delete the connection: kubectl connect delete {connection} -n {namespace}"))
    })?;
    let cx = Cx::new(&session.arm, session.kube.afresh(), &session.events, Run { others, ..Run::of(past, timeout) });
    let mut draft = Draft::examine(&cx, past.steps.clone(), Goal::Present, &past.receipts).await?;
    draft.retire(&cx, past.retired.iter().cloned()).await?;
    let record = Record {
        receipts: draft.receipts(Some(past)),
        client_id: cx.client_id().or_else(|| past.client_id.clone()),
        principal_id: cx.principal_id().or_else(|| past.principal_id.clone()),
        ..past.clone()
    };
    let plan = draft.plan(&record, draft.record_action(Some(&former), &record));
    if plan.writes() {
        draft.check_rights(session, &cx, Writing::Change).await?;
    }
    Ok(Prepared { cx, plan, draft, record, former: Some(former), printed: None, service, target })
}
