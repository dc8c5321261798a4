//! A draft: steps with what examining each found. The plan that is shown and the receipts of the record follow from it. Making,
//! repairing, refreshing, adopting and deleting a connection all start from one.

use std::collections::BTreeMap;

use crate::kube::Access;
use crate::lookup::records::{Stored, Writing, record_rights};
use crate::lookup::session::Session;
use crate::model::Result;
use crate::plan::change::{Action, Change, Goal, Layer, Plan};
use crate::plan::record::{Phase, Receipt, Record};
use crate::plan::spec::{StepId, StepSpec};
use crate::steps::behaviour;
use crate::steps::context::Cx;
use crate::steps::examine::examine;
use crate::steps::marks::done;
use crate::steps::step::Examined;

use super::preflight;

/// A step of a former version that is undone.
pub struct Retired {
    /// The step.
    pub step: StepSpec,
    /// What examining the step found.
    pub examined: Examined,
}

/// Steps and what examining each found.
pub struct Draft {
    /// What the steps are to bring about.
    pub goal: Goal,
    /// The steps.
    pub specs: Vec<StepSpec>,
    /// What examining each found.
    pub examined: BTreeMap<StepId, Examined>,
    /// Steps of the former version that are undone.
    pub retired: Vec<Retired>,
}

impl Draft {
    /// Examines every step. `past` holds the receipts of earlier runs.
    ///
    /// # Errors
    /// What stands in the way of the first step, in the order of the steps.
    pub(crate) async fn examine(cx: &Cx, specs: Vec<StepSpec>, goal: Goal, past: &BTreeMap<StepId, Receipt>) -> Result<Draft> {
        let examined = examine(cx, &specs, goal, past).await?;
        Ok(Draft { goal, specs, examined, retired: Vec::new() })
    }

    /// Examines the undoing of those `former` steps that the draft does not have.
    ///
    /// # Errors
    /// What stands in the way of undoing one of them.
    pub(crate) async fn retire(&mut self, cx: &Cx, former: impl Iterator<Item = (StepSpec, Option<Receipt>)>) -> Result<()> {
        let kept: Vec<String> = self.specs.iter().map(StepSpec::thing).collect();
        for (step, receipt) in former.filter(|(s, _)| !kept.contains(&s.thing())) {
            let examined = behaviour(&step).examine(cx, Goal::Absent, receipt.as_ref()).await?;
            self.retired.push(Retired { step, examined });
        }
        Ok(())
    }

    /// The receipts of the record before the first write: intents for what will be written. A receipt that is still true stays
    /// as it is, so that a run with nothing to do writes nothing.
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

    /// What happens to the record: nothing where no step writes and the record says the same already.
    pub(crate) fn record_action(&self, former: Option<&Stored>, record: &Record) -> Action {
        match former {
            None => Action::Create,
            Some(former) if self.writes() || former.record != *record || former.record.phase != Phase::Ready => Action::Update,
            Some(_) => Action::NoOp,
        }
    }

    /// Checks every right that the changes and the record need.
    ///
    /// # Errors
    /// The first right that is missing.
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
