//! Prefetching: starts reads that a later stage will probably need. Results land in the caches; errors are ignored here, because
//! the stage that needs the answer asks again and reports them.

use std::collections::BTreeMap;

use futures::future::{join, join_all};

use super::asked::Asked;
use super::observed::Observed;
use super::patching::Patching;
use super::subject::Subject;
use super::variables::Naming;
use crate::kube::resources;
use crate::lookup::session::Session;
use crate::model::target::Target;
use crate::plan::change::Goal;
use crate::plan::record::{Receipt, Record};
use crate::plan::spec::{self, Family, StepId, StepSpec};
use crate::steps::WorkloadKnown;
use crate::steps::behaviour;
use crate::steps::context::Cx;
use crate::steps::step::Right;

/// Tries the patch of the workload while Azure is still being read. That is possible because the patch consists of
/// names and contains almost no values.
pub(crate) async fn try_workload(session: &Session, asked: &Asked, observed: &Observed, subject: &Subject) {
    let Observed { cluster: survey, azure: found } = observed;
    let (former, account) = (subject.former.as_ref(), subject.account.as_ref());
    let Some(live) = survey.workload.as_ref().map(|w| &w.object) else { return };
    let recorded = former.and_then(|f| f.record.patched().cloned());
    let guessed = || {
        let Patching::Patch(facts) = Patching::decide(&asked.request, survey, account) else { return None };
        let target = Target::from_arm(found.target.clone(), &found.target_seen);
        let naming = Naming { asked, survey, subject, target: &target, cloud: session.cloud(), tenant: "" };
        let variables = naming.variables().ok()?.variables;
        Some(spec::Workload {
            kind: facts.kind,
            namespace: survey.namespace.clone(),
            name: facts.name,
            containers: facts.containers,
            identity: account.is_some(),
            service_account: account.map(|a| a.name.clone()).filter(|_| facts.on_default_account),
            secret: subject.connection.name.clone(),
            variables,
            mount: None,
            foreign: false,
        })
    };
    let Some(workload) = recorded.or_else(guessed) else { return };
    let secret = former.and_then(|f| f.record.secret());
    let secret_version = match secret {
        Some(secret) => {
            let live = session.kube.read(&resources::SECRET, Some(&secret.namespace), &secret.name).await;
            live.ok().flatten().and_then(|live| secret.version(&live))
        }
        None => None,
    };
    let known = WorkloadKnown { client_id: former.and_then(|f| f.record.client_id.clone()), secret_version, ..WorkloadKnown::default() };
    let _ = workload.try_out(&session.kube, &subject.connection.name, live, &known).await;
}

/// Examines every recorded step concurrently with the recorded ids, and reads the permissions for undoing. The steps
/// are examined again in the order of their needs, from the cache.
pub(crate) async fn look_to_undo(session: &Session, cx: &Cx, record: &Record, specs: &[StepSpec], receipts: &BTreeMap<StepId, Receipt>) {
    cx.outputs.recall(record);
    let looks = join_all(specs.iter().map(|spec| behaviour(spec).examine(cx, Goal::Absent, receipts.get(&spec.id()))));
    let goes = |spec: &&StepSpec| {
        let ours = receipts.get(&spec.id()).is_some_and(Receipt::is_ours) || spec.family() == Family::Workload;
        ours && cx.also_used_by(&spec.thing()).is_none()
    };
    let rights = join_all(specs.iter().filter(goes).flat_map(|spec| behaviour(spec).rights_to_delete()).map(|right| async move {
        match right {
            Right::Kube(access) => drop(cx.may(&access).await),
            Right::Arm { scope, .. } | Right::Keys { scope, .. } => drop(crate::lookup::permissions::permissions(session, &scope).await),
        }
    }));
    join(looks, rights).await;
    cx.outputs.forget();
}
