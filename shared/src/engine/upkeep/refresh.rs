//! Refresh: fetches rotated keys, writes them into the Secret and restarts the workload that reads them. Nothing else
//! is examined; if the keys are unchanged, nothing is written.

use crate::catalogue;
use crate::engine::prepare::Prepared;
use crate::engine::prepare::draft::Draft;
use crate::lookup::records::{self, Known, Writing};
use crate::lookup::session::Session;
use crate::model::variable::Part;
use crate::model::{Kind, Problem, Result};
use crate::plan::change::Goal;
use crate::plan::record::{Phase, Record};
use crate::plan::spec::{Family, StepSpec};
use crate::steps::context::{Cx, Run};

/// Result of comparing the keys.
pub enum Refresh {
    /// The connection has no keys of the service.
    NoKeys(Record),
    /// The keys are current.
    Same(Record),
    /// The keys were rotated: the new ones are ready to be written.
    Rotated(Box<Prepared>),
}

/// Reads the current state and plans. Nothing is written.
///
/// # Errors
/// If there is no such connection, it is incomplete, or its keys can't be fetched.
pub async fn refresh(session: &Session, connection: &str, timeout: std::time::Duration) -> Result<Refresh> {
    let namespace = session.kube.namespace().to_owned();
    let Known { former, .. } = records::known(&session.kube, connection).await?;
    let past = &former.record;
    let Some(secret) = past.secret().filter(|s| s.variables.iter().any(holds_key)) else { return Ok(Refresh::NoKeys(former.record)) };
    is_whole(past)?;
    let service = catalogue::find(&past.service)
        .ok_or_else(|| Problem::new(Kind::Failed, "KC6010", format!("the record names the unknown service `{}`", past.service)))?;
    if let Some(variable) = secret.variables.iter().find(|v| v.parts().iter().any(|p| matches!(p, Part::Given { .. }))) {
        return Err(Problem::new(
            Kind::Usage,
            "KC6013",
            format!("{} of connection `{connection}` was given by a user, not fetched", variable.name),
        )
        .why("this tool does not know the new value")
        .fix("run the command that created the connection again, with --secret-stdin or --secret-file"));
    }
    let specs: Vec<StepSpec> = past.steps.iter().filter(|s| is_delivery(s)).cloned().collect();
    let cx = context(session, past, timeout);
    let seen = secret.delivered(&cx).await?;
    if let Some(name) = &seen.missing {
        return Err(Problem::new(Kind::Failed, "KC6014", format!("secret `{}` lacks {name}", secret.name))
            .why("this is not a rotated key: the Secret itself was changed or deleted")
            .fix(format!("restore it: kubectl connect repair {connection} -n {namespace}")));
    }
    // A run that was interrupted between the Secret and the restart is continued.
    if seen.stale.is_none() && past.phase == Phase::Ready {
        return Ok(Refresh::Same(former.record));
    }
    if secret.foreign && seen.stale.is_some() {
        return Err(Problem::new(Kind::Failed, "KC6019", format!("secret `{}` is not managed by this tool", secret.name))
            .why("it was adopted, and it contains a key that was rotated")
            .fix("update it with the tool that created it, for example: az aks connection update")
            .fix(format!(
                "or let this tool manage it: kubectl connect {} {} --auth secret --name {connection} -n {namespace}",
                past.service,
                past.target.name()
            )));
    }
    let target = crate::lookup::resources::read_target(session, service, &past.target).await?.ok_or_else(|| {
        Problem::new(Kind::NotFound, "KC1301", format!("the {} {} no longer exists", service.noun, past.target))
            .fix(format!("delete the connection: kubectl connect delete {connection} -n {namespace}"))
    })?;
    let draft = Draft::examine(&cx, specs, Goal::Present, &past.receipts).await?;
    // Only the delivery was examined: the receipts of all other steps stay.
    let mut receipts = past.receipts.clone();
    receipts.extend(draft.receipts(Some(past)));
    let record = Record { receipts, ..past.clone() };
    let plan = draft.plan(&record, draft.record_action(Some(&former), &record));
    draft.check_rights(session, &cx, Writing::Change).await?;
    Ok(Refresh::Rotated(Box::new(Prepared { cx, plan, draft, record, former: Some(former), printed: None, service, target })))
}

fn holds_key(variable: &crate::model::variable::Variable) -> bool {
    variable.parts().iter().any(|p| matches!(p, Part::Key { .. }))
}

fn is_delivery(step: &StepSpec) -> bool {
    matches!(step.family(), Family::Delivery | Family::Workload)
}

/// Finishing a refresh marks the record as ready, so all other steps must be finished.
fn is_whole(record: &Record) -> Result<()> {
    let (name, namespace) = (&record.name, &record.namespace);
    if record.phase == Phase::Deleting {
        return Err(Problem::new(Kind::Failed, "KC6006", format!("connection `{name}` is being deleted"))
            .fix(format!("finish it: kubectl connect delete {name} -n {namespace}")));
    }
    let done = |step: &StepSpec| record.receipts.get(&step.id()).is_some_and(|r| r.done);
    if record.steps.iter().all(|s| is_delivery(s) || done(s)) && record.retired.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Kind::Failed, "KC6009", format!("connection `{name}` is not complete"))
        .fix(format!("complete it: kubectl connect repair {name} -n {namespace}")))
}

fn context(session: &Session, record: &Record, timeout: std::time::Duration) -> Cx {
    let cx = Cx::new(&session.arm, session.kube.afresh(), &session.events, Run::of(record, timeout));
    // The steps that would provide these ids are not examined.
    cx.outputs.recall(record);
    cx
}
