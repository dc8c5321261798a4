//! Prefetching: starts reads that a later stage will probably need. Results are cached; a stage that needs something
//! else reads it itself. Errors are ignored here and reported by the later read.

use std::collections::BTreeMap;

use futures::future::{join, join_all};

use super::{patching, variables};
use crate::catalogue::Service;
use crate::kube::resources;
use crate::lookup::azure::Found;
use crate::lookup::cluster::Survey;
use crate::lookup::records::Stored;
use crate::lookup::session::Session;
use crate::model::Auth;
use crate::model::request::ConnectRequest;
use crate::model::target::Target;
use crate::model::variable::Client;
use crate::plan::change::Goal;
use crate::plan::record::{Receipt, Record};
use crate::plan::spec::{self, Family, StepId, StepSpec};
use crate::steps::behaviour;
use crate::steps::context::{Cx, Known};
use crate::steps::step::Right;

/// Tries the patch of the workload while Azure is still being read. That is possible because the patch consists of
/// names and contains almost no values.
#[expect(clippy::too_many_arguments, reason = "a guess from everything that is known so far")]
pub(crate) async fn try_workload(
    session: &Session,
    service: &Service,
    request: &ConnectRequest,
    survey: &Survey,
    former: Option<&Stored>,
    account: Option<&spec::ServiceAccount>,
    found: &Found,
    (auth, client): (Auth, Client),
) {
    let Some(live) = survey.workload.as_ref().map(|w| &w.object) else { return };
    let connection = request.name.clone().unwrap_or_else(|| service.connection_name(found.target.name()));
    let recorded = former.and_then(|f| f.record.patched().cloned());
    let guessed = || {
        let (facts, _) = patching::workload_facts(request, survey, account).ok()?;
        let facts = facts?;
        let target = Target::from_arm(found.target.clone(), &found.target_seen);
        let access = request.access.unwrap_or(service.default_access);
        let kind = (auth, client, access);
        let variables = variables::variables(service, request, survey, former, &target, session.cloud(), kind, ("", &connection)).ok()?.0;
        Some(spec::Workload {
            kind: facts.kind,
            namespace: survey.namespace.clone(),
            name: facts.name,
            containers: facts.containers,
            identity: account.is_some(),
            service_account: account.map(|a| a.name.clone()).filter(|_| facts.on_default_account),
            secret: connection.clone(),
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
    let known = Known { client_id: former.and_then(|f| f.record.client_id.clone()), secret_version, ..Known::default() };
    let _ = workload.try_out(&session.kube, &connection, live, &known).await;
}

/// Examines every recorded step concurrently with the recorded ids, and reads the permissions for undoing. The steps
/// are examined again in the order of their needs, from the cache.
pub(crate) async fn look_to_undo(session: &Session, cx: &Cx, record: &Record, specs: &[StepSpec], receipts: &BTreeMap<StepId, Receipt>) {
    cx.outputs.learn(|known| {
        known.client_id.clone_from(&record.client_id);
        known.principal_id.clone_from(&record.principal_id);
    });
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
    cx.outputs.learn(|known| *known = Known::default());
}
