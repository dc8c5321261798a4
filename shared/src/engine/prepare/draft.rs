//! A draft: steps with the results of their examinations. The plan and the record's receipts are derived from it.
//! Creating, repairing, refreshing, adopting and deleting a connection all start with a draft.

use std::collections::BTreeMap;

use crate::kube::Access;
use crate::lookup::records::{Stored, Writing, record_rights};
use crate::lookup::session::Session;
use crate::model::Result;
use crate::plan::change::{Action, Change, Goal, Layer, Plan};
use crate::plan::record::{Phase, Receipt, Record};
use crate::plan::spec::{StepId, StepSpec, Thing};
use crate::steps::behaviour;
use crate::steps::context::Cx;
use crate::steps::examine::examine;
use crate::steps::marks::done;
use crate::steps::step::Examined;

use super::preflight;

/// A step of the former version that is undone.
pub struct Retired {
    /// The step.
    pub step: StepSpec,
    /// Result of examining the step.
    pub examined: Examined,
}

/// Steps with the results of their examinations.
pub struct Draft {
    /// The goal of the steps.
    pub goal: Goal,
    /// The steps.
    pub specs: Vec<StepSpec>,
    /// Result of examining each step.
    pub examined: BTreeMap<StepId, Examined>,
    /// Steps of the former version that are undone.
    pub retired: Vec<Retired>,
}

impl Draft {
    /// Examines every step. `past` holds the receipts of earlier runs.
    ///
    /// # Errors
    /// The first error, in the order of the steps.
    pub(crate) async fn examine(cx: &Cx, specs: Vec<StepSpec>, goal: Goal, past: &BTreeMap<StepId, Receipt>) -> Result<Draft> {
        let examined = examine(cx, &specs, goal, past).await?;
        Ok(Draft { goal, specs, examined, retired: Vec::new() })
    }

    /// Examines the undoing of `former` steps that are not in the draft.
    ///
    /// # Errors
    /// If a step can't be undone.
    pub(crate) async fn retire(&mut self, cx: &Cx, former: impl Iterator<Item = (StepSpec, Option<Receipt>)>) -> Result<()> {
        let kept: Vec<Thing> = self.specs.iter().map(StepSpec::thing).collect();
        for (step, receipt) in former.filter(|(s, _)| !kept.contains(&s.thing())) {
            let examined = behaviour(&step).examine(cx, Goal::Absent, receipt.as_ref()).await?;
            self.retired.push(Retired { step, examined });
        }
        Ok(())
    }

    /// The record's receipts before the first write: intents for everything that will be written. A receipt that is
    /// still valid is kept, so that a run without changes writes nothing.
    pub(crate) fn receipts(&self, past: Option<&Record>) -> BTreeMap<StepId, Receipt> {
        let receipt = |(id, found): (&StepId, &Examined)| {
            let still_true = |r: &&Receipt| r.done && !found.change.writes() && r.ownership == found.intent.ownership;
            let kept = past.and_then(|p| p.receipts.get(id)).filter(still_true).cloned();
            let fresh = || if found.change.writes() { found.intent.clone() } else { done(&found.intent) };
            (id.clone(), kept.unwrap_or_else(fresh))
        };
        self.examined.iter().map(receipt).collect()
    }

    /// The plan: the change of each step, and that of the record.
    pub(crate) fn plan(&self, record: &Record, of_record: Action) -> Plan {
        let mut changes = self.changes();
        let name = format!("{}/{}", record.namespace, Record::object_name(&record.name));
        changes.push(Change::new("record".into(), Layer::Cluster, "ConfigMap", name, of_record).reason("the record of this connection"));
        changes.sort_by_key(|c| c.layer);
        Plan::of(record, self.goal, changes)
    }

    /// The change of the record: none if no step writes and the record is up to date.
    pub(crate) fn record_action(&self, former: Option<&Stored>, record: &Record) -> Action {
        match former {
            None => Action::Create,
            Some(former) if self.writes() || former.record != *record || former.record.phase != Phase::Ready => Action::Update,
            Some(_) => Action::NoOp,
        }
    }

    /// Checks every permission that the changes and the record need.
    ///
    /// # Errors
    /// The first missing permission.
    pub(crate) async fn check_rights(&self, session: &Session, cx: &Cx, writing: Writing) -> Result<()> {
        let examined: Vec<&Examined> = self.examined.values().chain(self.retired.iter().map(|r| &r.examined)).collect();
        let record: Vec<Access> = record_rights(&cx.namespace, writing);
        preflight::rights(session, cx, &examined, &record).await
    }

    fn writes(&self) -> bool {
        self.changes().iter().any(Change::writes)
    }

    fn changes(&self) -> Vec<Change> {
        let own = self.specs.iter().filter_map(|s| self.examined.get(&s.id())).map(|e| e.change.clone());
        own.chain(self.retired.iter().map(|r| r.examined.change.clone())).collect()
    }
}

#[cfg(test)]
mod tests;
