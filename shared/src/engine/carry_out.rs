//! Carrying out a plan: intent first, then everything that can run at once, with a receipt for each step.

use std::collections::BTreeMap;
use std::time::Instant;

use super::ledger::{Ledger, Stored};
use super::prepare::Prepared;
use super::{Stop, undo::Undoing};
use crate::model::{Event, Kind, Problem, Result};
use crate::plan::change::{Goal, KNOWN_AFTER_APPLY};
use crate::plan::graph::{Direction, Walked, walk};
use crate::plan::record::{Phase, Receipt, Record};
use crate::plan::spec::{StepId, StepSpec};
use crate::steps::{Cx, Examined, behaviour};

impl Prepared {
    /// Makes the connection. Without anything to do nothing is written.
    ///
    /// # Errors
    /// The first step that failed; the record then says how far it came, and the same command continues.
    pub async fn carry_out(&self, stop: &Stop) -> Result<Record> {
        if !self.plan.writes() {
            return Ok(self.record.clone());
        }
        let mut intent = self.record.clone();
        intent.phase = Phase::Applying;
        intent.retired = self.retired.iter().map(|(s, e)| (s.clone(), Some(e.intent.clone()))).collect();
        stop.writing(true);
        let ledger = Ledger::open(&self.cx.kube, intent, self.former.as_ref()).await?;
        let mut walked = run(&self.cx, &self.specs, &self.examined, Direction::Forward, stop, &ledger).await;
        if walked.failed.is_empty() && walked.left.is_empty() {
            for (step, examined) in &self.retired {
                match run_one(&self.cx, step, examined).await {
                    Ok(_) => ledger.note(|r| r.retired.retain(|(s, _)| s != step)).await,
                    Err(problem) => {
                        walked.failed.push((step.id(), problem));
                        break;
                    }
                }
            }
        }
        let known = self.cx.outputs.known();
        let complete = walked.failed.is_empty() && walked.left.is_empty();
        let closed = ledger.close(|record| {
            (record.client_id, record.principal_id) = (known.client_id, known.principal_id);
            if complete {
                record.phase = Phase::Ready;
                record.verified = None;
            }
        });
        let closed = closed.await;
        stop.writing(false);
        outcome(walked, stop, &self.again(), &format!("kubectl connect delete {} -n {}", self.cx.connection, self.cx.namespace))?;
        closed
    }

    fn again(&self) -> String {
        format!("run the same command again to continue; what is done is kept in the record of `{}`", self.cx.connection)
    }
}

impl Undoing {
    /// Undoes the connection.
    ///
    /// # Errors
    /// The first step that failed; the same command continues.
    pub async fn carry_out(&self, stop: &Stop) -> Result<()> {
        let Some(Stored { record, .. }) = &self.stored else { return Ok(()) };
        let mut intent = record.clone();
        intent.phase = Phase::Deleting;
        stop.writing(true);
        let ledger = Ledger::open(&self.cx.kube, intent, self.stored.as_ref()).await?;
        let walked = run(&self.cx, &self.specs, &self.examined, Direction::Backward, stop, &ledger).await;
        if walked.failed.is_empty() && walked.left.is_empty() {
            return ledger.burn().await;
        }
        let closed = ledger.close(|_| {}).await;
        outcome(walked, stop, "run the same command again to continue", "")?;
        closed.map(drop)
    }
}

/// Has the API server check every object of the plan without storing it.
///
/// # Errors
/// What the API server refuses.
pub async fn rehearse(prepared: &Prepared) -> Result<()> {
    for spec in &prepared.specs {
        if let Some(found) = prepared.examined.get(&spec.id()).filter(|e| e.change.writes()) {
            behaviour(spec).rehearse(&prepared.cx, found).await?;
        }
    }
    Ok(())
}

/// Does every step that has something to do.
async fn run(
    cx: &Cx,
    specs: &[StepSpec],
    examined: &BTreeMap<StepId, Examined>,
    direction: Direction,
    stop: &Stop,
    ledger: &Ledger,
) -> Walked<Receipt, Problem> {
    walk(
        specs,
        direction,
        || stop.is_set(),
        |spec| async move {
            let found = examined
                .get(&spec.id())
                .ok_or_else(|| Problem::new(Kind::Failed, "KC6007", format!("step {} was not examined", spec.id())))?;
            if !found.change.writes() {
                return Ok(found.intent.clone());
            }
            let receipt = run_one(cx, spec, found).await?;
            if found.goal == Goal::Present {
                ledger.receipt(&spec.id(), receipt.clone()).await;
            }
            Ok(receipt)
        },
    )
    .await
}

async fn run_one(cx: &Cx, spec: &StepSpec, examined: &Examined) -> Result<Receipt> {
    let step = behaviour(spec);
    let (id, doing, began) = (spec.id(), step.doing(examined), Instant::now());
    cx.events.say(Event::Started { id: id.clone(), doing: doing.clone() });
    match step.apply(cx, examined).await {
        Ok(receipt) => {
            // A name that followed from what another step made is known by now.
            let name = match examined.change.name.as_str() {
                KNOWN_AFTER_APPLY => receipt.id.rsplit('/').next().unwrap_or_default(),
                known => known,
            };
            let done = format!("{} {name}", examined.change.kind);
            cx.events.say(Event::Finished { id, done: format!("{done} {}", past(examined)), took: began.elapsed() });
            Ok(receipt)
        }
        Err(problem) => {
            cx.events.say(Event::Failed { id, doing: doing.clone() });
            Err(problem.context(doing))
        }
    }
}

fn past(examined: &Examined) -> &'static str {
    match examined.change.action {
        crate::plan::Action::Create => "created",
        crate::plan::Action::Update => "updated",
        crate::plan::Action::Delete => "deleted",
        crate::plan::Action::NoOp => "unchanged",
    }
}

/// The failure to report, with how to go on.
fn outcome(mut walked: Walked<Receipt, Problem>, stop: &Stop, again: &str, undo: &str) -> Result<()> {
    let with = |problem: Problem| {
        let problem = problem.fix(again);
        if undo.is_empty() { problem } else { problem.fix(format!("or undo what was done: {undo}")) }
    };
    if !walked.failed.is_empty() {
        let (_, problem) = walked.failed.remove(0);
        return Err(with(problem));
    }
    if stop.is_set() && !walked.left.is_empty() {
        return Err(with(Problem::new(Kind::Interrupted, "KC6008", format!("interrupted, {} step(s) were not begun", walked.left.len()))));
    }
    Ok(())
}
