//! Preconditions of the first write: permissions on both sides, a running cluster, a working webhook. Only what the
//! plan needs is checked.

use futures::future::try_join_all;
use serde_json::Value;

use crate::azure::role_for;
use crate::clock::Wait;
use crate::lookup::cluster::{self, Webhook};
use crate::lookup::permissions::{is_allowed, permissions};
use crate::lookup::records::Stored;
use crate::lookup::session::Session;
use crate::model::{Event, Kind, Problem, Result};
use crate::plan::record::Phase;
use crate::steps::context::Cx;
use crate::steps::step::{Examined, Right};

/// Checks the permissions that the changes need.
pub(crate) async fn rights(session: &Session, cx: &Cx, examined: &[&Examined], record: &[crate::kube::Access]) -> Result<()> {
    let writing = examined.iter().filter(|e| e.change.writes());
    let mut wanted: Vec<&Right> = writing.flat_map(|e| &e.rights).collect();
    wanted.dedup();
    let record: Vec<Right> = record.iter().cloned().map(Right::Kube).collect();
    try_join_all(wanted.into_iter().chain(&record).map(|right| check(session, cx, right))).await?;
    Ok(())
}

async fn check(session: &Session, cx: &Cx, right: &Right) -> Result<()> {
    match right {
        Right::Kube(access) => {
            let allowed = cx.may(access).await?;
            if allowed.yes {
                return Ok(());
            }
            let place = access.namespace.as_deref().map_or_else(|| "in the cluster".into(), |n| format!("in namespace `{n}`"));
            Err(Problem::new(
                Kind::NotPermitted,
                "KC1502",
                format!("you lack the permission to {} {} {place}", access.verb, access.resource),
            )
            .why(if allowed.reason.is_empty() { "the API server's access review denies it".into() } else { allowed.reason.clone() })
            .fix(format!("ask the cluster's administrator for it, then check: kubectl auth can-i {access}")))
        }
        Right::Arm { scope, action } => arm(session, scope, action).await,
        Right::Keys { scope, action } => arm(session, scope, action).await,
    }
}

pub(crate) async fn arm(session: &Session, scope: &str, action: &str) -> Result<()> {
    let listed = match permissions(session, scope).await {
        Ok(listed) => listed,
        // If permissions can't be listed, skip the check: the write will report the refusal.
        Err(failure) if matches!(failure.status(), Some(403 | 404)) => return Ok(()),
        Err(failure) => return Err(failure.into()),
    };
    if is_allowed(&listed, action) {
        return Ok(());
    }
    let name = scope.rsplit('/').next().unwrap_or_default();
    let whom = session.profile.active().and_then(|s| s.user.clone()).unwrap_or_else(|| "YOU".into());
    Err(Problem::new(Kind::NotPermitted, "KC1501", format!("you lack the permission {action} on `{name}`"))
        .why(format!("none of your roles on {scope} includes it"))
        .fix(format!("ask an owner: az role assignment create --assignee {whom} --role '{}' --scope {scope}", role_for(action))))
}

/// Refuses a cluster that is not running.
pub(crate) fn cluster_runs(cluster: &Value, name: &str, group: &str) -> Result<()> {
    let power = cluster["properties"]["powerState"]["code"].as_str().unwrap_or("Running");
    if power.eq_ignore_ascii_case("Running") {
        return Ok(());
    }
    Err(Problem::new(Kind::Failed, "KC1103", format!("cluster `{name}` is {}", power.to_lowercase()))
        .fix(format!("az aks start --name {name} --resource-group {group}")))
}

/// Checks the webhook: while it is down, pods with its label can't start; while it is absent, they get no token.
pub(crate) fn webhook(session: &Session, webhook: Webhook, about_to_be_enabled: bool, elsewhere: bool) -> Result<()> {
    match webhook {
        Webhook::Absent if elsewhere => {
            Err(Problem::new(Kind::Failed, "KC1105", "the workload identity webhook is not registered in this cluster")
                .why("without it pods get neither a token nor the variables that client libraries read")
                .fix(crate::lookup::outside_aks::install_webhook(session)))
        }
        _ if about_to_be_enabled => Ok(()),
        Webhook::Ready => Ok(()),
        Webhook::Unknown => {
            session.events.say(Event::Note(
                "you lack the permission to read the workload identity webhook: only the rollout will show whether it runs".into(),
            ));
            Ok(())
        }
        Webhook::Absent => Err(Problem::new(Kind::Failed, "KC1105", "the workload identity webhook is not registered in this cluster")
            .why("workload identity is enabled in Azure, but the cluster has no such webhook")
            .fix("reconcile the cluster: az aks update --name NAME --resource-group GROUP --enable-workload-identity")),
        Webhook::NotReady => Err(Problem::new(Kind::Failed, "KC1106", "the workload identity webhook is down")
            .why("none of its pods is ready, so pods of connected workloads could not start")
            .fix("kubectl get pods -A -l azure-workload-identity.io/system=true")),
    }
}

/// The webhook was read before Azure; an update may have installed it since. After a run that was interrupted during
/// that update, the webhook's pods may still be starting.
pub(crate) async fn settled_webhook(session: &Session, seen: Webhook, former: Option<&Stored>) -> Webhook {
    let unfinished = former.is_some_and(|f| f.record.phase == Phase::Applying);
    let mut state = seen;
    let mut wait =
        Wait::new(&session.events, "webhook", "waiting for the workload identity webhook, whose installation an earlier run began");
    for look in 0..if unfinished { 30 } else { 1 } {
        if !matches!(state, Webhook::Absent | Webhook::NotReady) {
            break;
        }
        if look > 0 {
            wait.pause(std::time::Duration::from_secs(1)).await;
        }
        state = cluster::webhook(&session.kube).await;
    }
    state
}
