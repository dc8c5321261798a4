//! Applies a plan: records the intent first, then runs all steps with as much concurrency as possible, and records a
//! receipt for each.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::prepare::Prepared;
use super::prepare::draft::{Draft, Retired};
use super::record::ledger::{self, Ledger};
use super::stop::{Stop, Writing};
use super::undo::Undoing;
use crate::health::check::Check;
use crate::health::check::is_success;
use crate::health::connection::verify;
use crate::health::proof::Chain;
use crate::kube::Cluster;
use crate::lookup::records::Stored;
use crate::model::{Event, Kind, Problem, Result, words};
use crate::plan::change::{Goal, KNOWN_AFTER_APPLY};
use crate::plan::graph::{Direction, Walked, walk};
use crate::plan::record::{Phase, Receipt, Record};
use crate::plan::spec::{Family, StepId, StepSpec};
use crate::steps::behaviour;
use crate::steps::context::Cx;
use crate::steps::step::Examined;

/// How long a finished connection waits for its proof before the record is closed without the result. A proof that
/// succeeds at once takes three round trips. One that waits for propagation takes minutes, and other runs should not
/// have to wait that long for the record.
const GRACE: Duration = Duration::from_secs(2);

/// A connection that was made.
pub struct Made {
    /// Its record.
    pub record: Record,
    /// Result of the proof; without checks if no proof was requested.
    pub proof: Result<Vec<Check>>,
}

impl Prepared {
    /// Makes the connection. With `patience`, proves it as well: `patience` is the time for which a refusal may be
    /// due to propagation. The proof runs while the workload is changed, since it needs all steps except that one. If
    /// there is nothing to do, only a new result of the proof is written.
    ///
    /// # Errors
    /// The first step that failed. The record then holds the progress, and the same command continues.
    pub async fn carry_out(&self, stop: &Stop, patience: Option<Duration>) -> Result<Made> {
        if !self.plan.writes() {
            return self.prove_only(patience).await;
        }
        let intent = self.intent();
        let (writing, ledger) = open(stop, &self.cx.kube, intent.clone(), self.former.as_ref()).await?;
        // Remove the previous version's grants before the proof; otherwise the proof could succeed because of them.
        let gate = Gate::new(self.draft.specs.iter().filter(|s| is_proven(s)).count() + usize::from(!self.draft.retired.is_empty()));
        let pass = |spec: &StepSpec| {
            if is_proven(spec) {
                gate.pass();
            }
        };
        let proving = async {
            gate.open.notified().await;
            let (client_id, principal_id) = (self.cx.client_id(), self.cx.principal_id());
            self.prove(&Record { client_id, principal_id, ..intent.clone() }, patience.unwrap_or_default()).await
        };
        let mut proving = pin!(proving);
        let mut proof = patience.is_none().then(|| Ok(Vec::new()));
        let mut walked = {
            let mut walking = pin!(run(&self.cx, &self.draft, stop, &ledger, &pass));
            loop {
                tokio::select! {
                    walked = &mut walking => break walked,
                    ended = &mut proving, if proof.is_none() => proof = Some(ended),
                }
            }
        };
        if walked.failed.is_empty() && walked.left.is_empty() {
            walked.failed.extend(self.undo_retired(&ledger).await);
        }
        if !self.draft.retired.is_empty() {
            gate.pass();
        }
        let complete = walked.failed.is_empty() && walked.left.is_empty();
        if complete && proof.is_none() {
            proof = tokio::time::timeout(GRACE, &mut proving).await.ok();
        }
        let proven =
            proof.as_ref().filter(|_| patience.is_some()).and_then(|p| p.as_ref().ok()).map(|checks| ledger::proven(is_success(checks)));
        let closed = ledger.close(|record| {
            (record.client_id, record.principal_id) = (self.cx.client_id(), self.cx.principal_id());
            if complete {
                record.phase = Phase::Ready;
                record.verified = proven;
            }
        });
        let closed = closed.await;
        drop(writing);
        outcome(walked, stop, &self.again(), &format!("kubectl connect delete {} -n {}", self.cx.connection, self.cx.namespace))?;
        let mut record = closed?;
        let proof = match proof {
            Some(proof) => proof,
            None => self.remember(&mut record, proving.await).await?,
        };
        Ok(Made { record, proof })
    }

    /// Proves a connection whose steps are all done, and records a new result.
    async fn prove_only(&self, patience: Option<Duration>) -> Result<Made> {
        let mut record = self.record.clone();
        let Some(patience) = patience else { return Ok(Made { record, proof: Ok(Vec::new()) }) };
        let proof = self.prove(&record, patience).await;
        let proof = self.remember(&mut record, proof).await?;
        Ok(Made { record, proof })
    }

    /// Writes the result of a proof into a record that is closed already.
    async fn remember(&self, record: &mut Record, proof: Result<Vec<Check>>) -> Result<Result<Vec<Check>>> {
        if let Ok(checks) = &proof {
            ledger::remember(&self.cx.kube, record, is_success(checks)).await?;
        }
        Ok(proof)
    }

    /// The record as it is written before the first step.
    fn intent(&self) -> Record {
        let retired = self.draft.retired.iter().map(|r| (r.step.clone(), Some(r.examined.intent.clone()))).collect();
        Record { phase: Phase::Applying, retired, ..self.record.clone() }
    }

    /// Undoes the steps of the former version, one after the other. Returns the first that failed.
    async fn undo_retired(&self, ledger: &Ledger) -> Option<(StepId, Problem)> {
        for Retired { step, examined } in &self.draft.retired {
            match run_one(&self.cx, step, examined).await {
                Ok(_) => ledger.note(|r| r.retired.retain(|(s, _)| s != step)).await,
                Err(problem) => return Some((step.id(), problem)),
            }
        }
        None
    }

    async fn prove(&self, record: &Record, patience: Duration) -> Result<Vec<Check>> {
        let chain = Chain { record, service: self.service, target: &self.target, patience };
        verify(&self.cx.kube, &self.cx.arm, &self.cx.events, &chain).await
    }

    fn again(&self) -> String {
        format!("run the same command again to continue; the record of `{}` has the finished steps", self.cx.connection)
    }
}

/// Opens the record. The run counts as writing from the first request on, and no longer than the guard lives: not at all
/// after an opening that failed.
async fn open(stop: &Stop, kube: &Cluster, intent: Record, former: Option<&Stored>) -> Result<(Writing, Ledger)> {
    let writing = stop.writing();
    Ok((writing, Ledger::open(kube, intent, former).await?))
}

/// Whether the proof depends on this step. It signs in as the service account itself, so it needs no pod.
fn is_proven(spec: &StepSpec) -> bool {
    spec.family() != Family::Workload
}

/// Countdown latch: opens once `left` steps have finished.
struct Gate {
    left: AtomicUsize,
    open: Notify,
}

impl Gate {
    fn new(left: usize) -> Self {
        Gate { left: AtomicUsize::new(left), open: Notify::new() }
    }

    fn pass(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.open.notify_one();
        }
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
        let (_writing, ledger) = open(stop, &self.cx.kube, intent, self.stored.as_ref()).await?;
        let walked = run(&self.cx, &self.draft, stop, &ledger, &|_| {}).await;
        if walked.failed.is_empty() && walked.left.is_empty() {
            return ledger.delete_record().await;
        }
        let closed = ledger.close(|_| {}).await;
        outcome(walked, stop, "run the same command again to continue", "")?;
        closed.map(drop)
    }
}

/// Dry run: has the API server validate every object of the plan without storing it.
///
/// # Errors
/// Errors of the API server.
pub async fn rehearse(prepared: &Prepared) -> Result<()> {
    for spec in &prepared.draft.specs {
        if let Some(found) = prepared.draft.examined.get(&spec.id()).filter(|e| e.change.writes()) {
            behaviour(spec).rehearse(&prepared.cx, found).await?;
        }
    }
    Ok(())
}

/// Applies every step that has a change; undoing goes through the steps in reverse order.
async fn run(cx: &Cx, draft: &Draft, stop: &Stop, ledger: &Ledger, passed: &dyn Fn(&StepSpec)) -> Walked<Receipt, Problem> {
    let direction = match draft.goal {
        Goal::Present => Direction::Forward,
        Goal::Absent => Direction::Backward,
    };
    walk(
        &draft.specs,
        direction,
        || stop.is_set(),
        |spec| async move {
            let found = draft
                .examined
                .get(&spec.id())
                .ok_or_else(|| Problem::new(Kind::Failed, "KC6007", format!("step {} was not examined", spec.id())))?;
            if !found.change.writes() {
                passed(spec);
                return Ok(found.intent.clone());
            }
            let receipt = run_one(cx, spec, found).await?;
            if found.goal == Goal::Present {
                ledger.receipt(&spec.id(), receipt.clone()).await;
            }
            passed(spec);
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
            // If the name depended on another step, the receipt has it now.
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

/// The error to report, with the command that continues.
fn outcome(mut walked: Walked<Receipt, Problem>, stop: &Stop, again: &str, undo: &str) -> Result<()> {
    let with = |problem: Problem| {
        let problem = problem.fix(again);
        if undo.is_empty() { problem } else { problem.fix(format!("or undo the finished steps: {undo}")) }
    };
    if !walked.failed.is_empty() {
        let (_, problem) = walked.failed.remove(0);
        return Err(with(problem));
    }
    if stop.is_set() && !walked.left.is_empty() {
        return Err(with(Problem::new(
            Kind::Interrupted,
            "KC6008",
            format!("interrupted: {} not started", words::count(walked.left.len(), "step")),
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
