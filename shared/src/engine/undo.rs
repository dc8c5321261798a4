//! Undoes a connection: runs the recorded steps with the goal Absent, in reverse order. Deletes only objects that are
//! this tool's according to the receipts and that no other connection needs.

use std::collections::BTreeMap;

use futures::future::{join, join_all};

use super::prepare::draft::Draft;
use super::prepare::prefetch;
use super::record::lease::Lease;
use crate::lookup::records::{Stored, Writing, no_such_connection, record_rights};
use crate::lookup::session::Session;
use crate::model::Result;
use crate::plan::change::{Action, Change, Goal, Layer, Plan};
use crate::plan::record::Record;
use crate::plan::spec::{Family, StepId};
use crate::steps::context::{Cx, Run};

/// A connection that is ready to be undone.
pub struct Undoing {
    /// The context of the steps.
    pub cx: Cx,
    /// The changes to make.
    pub plan: Plan,
    /// The recorded steps, with the results of their examinations.
    pub draft: Draft,
    /// The record.
    pub stored: Option<Stored>,
}

/// A part to keep when a connection is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything in Azure.
    Azure,
    /// The managed identity.
    Identity,
    /// The patched workload, with what its pods need in the cluster.
    Workload,
}

impl Keep {
    /// Whether the part holds the object of a step in `family`, on the side `layer`.
    fn covers(self, family: Family, layer: Layer) -> bool {
        match self {
            Keep::Azure => layer == Layer::Azure,
            Keep::Identity => family == Family::Identity,
            // The service account is the cluster's half of the trust.
            Keep::Workload => layer == Layer::Cluster && matches!(family, Family::Trust | Family::Delivery | Family::Workload),
        }
    }
}

impl Undoing {
    /// Excludes these parts from the changes.
    pub fn keep(&mut self, parts: &[Keep]) {
        let families: BTreeMap<StepId, Family> = self.draft.specs.iter().map(|s| (s.id(), s.family())).collect();
        // The record of the connection is no step and goes in any case.
        let covered = |change: &Change| families.get(&change.id).is_some_and(|f| parts.iter().any(|p| p.covers(*f, change.layer)));
        let stays = |change: &mut Change| {
            if change.writes() && covered(change) {
                change.action = Action::NoOp;
                change.reason = Some("kept, as requested".into());
            }
        };
        self.draft.examined.values_mut().for_each(|found| stays(&mut found.change));
        self.plan.changes.iter_mut().for_each(stays);
    }
}

/// Reads the current state and plans.
///
/// # Errors
/// If there is no such connection, or something prevents its deletion. Nothing has been written then.
pub async fn undo(session: &Session, connection: &str, timeout: std::time::Duration) -> Result<Undoing> {
    let namespace = session.kube.namespace().to_owned();
    let records = crate::lookup::records::list(&session.kube, &namespace).await?;
    let Some(stored) = records.iter().find(|s| s.record.name == connection && s.record.namespace == namespace).cloned() else {
        // A run that was killed between lease and record leaves only a lease.
        Lease::sweep(&session.kube, &namespace, &Record::object_name(connection)).await?;
        return Err(no_such_connection(&records, &namespace, connection));
    };
    let others =
        records.iter().map(|s| s.record.clone()).filter(|r| (&r.name, &r.namespace) != (&stored.record.name, &namespace)).collect();
    let run = Run { others, ..Run::of(&stored.record, timeout) };
    let cx = Cx::new(&session.arm, session.kube.afresh(), &session.events, run);
    let mut specs = stored.record.steps.clone();
    let mut receipts = stored.record.receipts.clone();
    for (step, receipt) in &stored.record.retired {
        if !specs.iter().any(|s| s.id() == step.id()) {
            receipts.extend(receipt.clone().map(|r| (step.id(), r)));
            specs.push(step.clone());
        }
    }
    let rights = record_rights(&namespace, Writing::Remove);
    let ask_rights = join_all(rights.iter().map(|access| cx.may(access)));
    join(prefetch::look_to_undo(session, &cx, &stored.record, &specs, &receipts), ask_rights).await;
    let draft = Draft::examine(&cx, specs, Goal::Absent, &receipts).await?;
    let plan = draft.plan(&stored.record, Action::Delete);
    draft.check_rights(session, &cx, Writing::Remove).await?;
    Ok(Undoing { cx, plan, draft, stored: Some(stored) })
}
