//! From request to plan, in stages: asked, observed, subject, reading, decision, draft. Each stage is a struct with
//! one constructor, whose parameters are everything that the stage depends on. Nothing is written here.

pub(crate) mod asked;
pub(crate) mod client;
pub(crate) mod decision;
pub(crate) mod delivery;
pub mod draft;
pub(crate) mod identity;
pub(crate) mod observed;
pub mod patching;
pub(crate) mod prefetch;
pub(crate) mod preflight;
pub(crate) mod reading;
pub(crate) mod secret_store;
pub(crate) mod subject;
#[cfg(test)]
mod testing;
pub(crate) mod variables;

use serde_json::Value;

use self::asked::Asked;
use self::decision::{Decision, Stages};
use self::draft::Draft;
use self::observed::Observed;
use self::patching::{Patching, Printed};
use self::reading::Reading;
use self::subject::Subject;
use crate::catalogue::Service;
use crate::lookup::records::{Stored, Writing};
use crate::lookup::session::Session;
use crate::model::Result;
use crate::model::request::ConnectRequest;
use crate::model::target::Target;
use crate::plan::build;
use crate::plan::change::{Goal, Plan};
use crate::plan::record::{Origin, Phase, RECORD_VERSION, Record};
use crate::steps::context::{Cx, Run};

/// A connection that is ready to be made.
pub struct Prepared {
    /// The context of the steps.
    pub cx: Cx,
    /// The changes to make.
    pub plan: Plan,
    /// The steps, with the results of their examinations.
    pub draft: Draft,
    /// The new record.
    pub record: Record,
    /// The current record.
    pub former: Option<Stored>,
    /// The patch to print and the reason, if the workload is not patched.
    pub printed: Option<Printed>,
    /// The service.
    pub service: &'static Service,
    /// The target.
    pub target: Target,
}

/// Reads both sides and plans.
///
/// # Errors
/// Anything that prevents the connection. Nothing has been written then.
pub async fn prepare(session: &Session, request: &ConnectRequest) -> Result<Prepared> {
    let asked = Asked::check(request)?;
    let observed = Observed::look(session, &asked).await?;
    let subject = Subject::settle(session, &asked, &observed).await?;
    let reading = Reading::of(session, &asked, &observed, &subject).await?;
    let role = decision::named_role(session, &asked, &reading.located).await?;
    let stages = Stages { asked: &asked, observed: &observed, subject: &subject, reading: &reading };
    let decision = Decision::make(stages, role, session.cloud())?;
    check_webhook(session, stages).await?;
    decision.say(&session.events);
    let cx = context(session, stages, &decision);
    let past = subject.past().map(|p| p.receipts.clone()).unwrap_or_default();
    let mut draft = Draft::examine(&cx, build::specs(&decision.facts(stages)), Goal::Present, &past).await?;
    if let Some(former) = subject.past() {
        let steps = former.steps.iter().map(|s| (s.clone(), former.receipts.get(&s.id()).cloned()));
        draft.retire(&cx, steps.chain(former.retired.iter().cloned())).await?;
    }
    let record = record(&cx, stages, &draft);
    let plan = draft.plan(&record, draft.record_action(subject.former.as_ref(), &record));
    if plan.writes() {
        draft.check_rights(session, &cx, Writing::New).await?;
    }
    let printed = printed(&decision, stages, &draft);
    Ok(Prepared { cx, plan, draft, record, former: subject.former, printed, service: asked.service, target: reading.located.target })
}

/// Pods with the webhook's label can't start without the webhook. A planned or still running update of the cluster
/// may install it.
async fn check_webhook(session: &Session, stages: Stages<'_>) -> Result<()> {
    let Stages { observed, subject, reading, .. } = stages;
    if subject.account.is_none() {
        return Ok(());
    }
    let body = &reading.located.cluster_body;
    let switched_on = body.pointer("/properties/securityProfile/workloadIdentity/enabled") == Some(&Value::Bool(true));
    let about_to_be_enabled = !switched_on || crate::steps::cluster_is_busy(body);
    let seen = observed.cluster.webhook;
    let webhook = if about_to_be_enabled { seen } else { preflight::settled_webhook(session, seen, subject.former.as_ref()).await };
    preflight::webhook(session, webhook, about_to_be_enabled, reading.located.issuer.is_some())
}

fn context(session: &Session, stages: Stages<'_>, decision: &Decision) -> Cx {
    let run = Run {
        key: stages.subject.connection.clone(),
        tenant: stages.reading.located.tenant.clone(),
        cluster: stages.reading.located.cluster.clone(),
        identity: decision.identity.as_ref().map(|i| i.id.clone()),
        others: stages.subject.others.clone(),
        timeout: stages.asked.request.timeout,
    };
    let mut cx = Cx::new(&session.arm, session.kube.clone(), &session.events, run);
    cx.given = decision.given.clone();
    cx
}

/// The record as it is written before the first step.
fn record(cx: &Cx, stages: Stages<'_>, draft: &Draft) -> Record {
    let Stages { asked, observed, subject, reading } = stages;
    let past = subject.past();
    let located = &reading.located;
    Record {
        version: RECORD_VERSION,
        name: subject.connection.name.clone(),
        namespace: subject.connection.namespace.clone(),
        service: asked.service.name.into(),
        target: past.map_or_else(|| located.target.id.clone(), |p| p.target.clone()),
        workload: observed.cluster.workload.as_ref().map(ToString::to_string),
        cluster: past.map_or_else(|| located.cluster.clone(), |p| p.cluster.clone()),
        tenant: located.tenant.clone(),
        access: subject.mode.access,
        auth: subject.mode.auth,
        client: subject.mode.client,
        client_id: cx.client_id(),
        principal_id: cx.principal_id(),
        phase: past.map_or(Phase::Applying, |p| p.phase),
        // Connecting again takes over what was adopted: from now on it belongs to this connection.
        origin: Origin::Made,
        created: past.map_or_else(crate::clock::stamp, |p| p.created.clone()),
        steps: draft.specs.clone(),
        receipts: draft.receipts(past),
        retired: Vec::new(),
        verified: past.and_then(|p| p.verified.clone()),
    }
}

fn printed(decision: &Decision, stages: Stages<'_>, draft: &Draft) -> Option<Printed> {
    let Patching::Print { why, facts } = &decision.patching else { return None };
    let kind = stages.observed.cluster.workload.as_ref()?.kind;
    let workload = patching::workload_of(facts, &draft.specs, decision.mount.clone());
    Some(patching::print_patch(why.clone(), kind, &workload, &stages.subject.connection.name))
}
