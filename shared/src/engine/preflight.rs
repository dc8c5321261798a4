//! What must hold before the first write: rights on both sides, a cluster that runs, a webhook that is there. Only what
//! the plan needs is asked for.

use futures::future::try_join_all;
use serde_json::Value;

use super::Session;
use super::survey::Webhook;
use crate::azure::Failure;
use crate::model::{Event, Kind, Problem, Result};
use crate::steps::{Cx, Examined, Right, api};

/// The caller's permissions at a scope; answered from memory when asked again.
pub(super) async fn permissions(session: &Session, scope: &str) -> Result<Vec<Value>, Failure> {
    session.arm.list(&format!("{scope}/providers/Microsoft.Authorization/permissions"), api::AUTHORIZATION, &[]).await
}

/// Checks every right that the changes need.
pub(super) async fn rights(session: &Session, cx: &Cx, examined: &[&Examined], record: &[crate::kube::Access]) -> Result<()> {
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
            Err(Problem::new(Kind::NotPermitted, "KC1502", format!("you may not {} {} {place}", access.verb, access.resource))
                .why(if allowed.reason.is_empty() { "the API server's access review says no".into() } else { allowed.reason.clone() })
                .fix(format!("ask for the right, then check: kubectl auth can-i {access}")))
        }
        Right::Arm { scope, action } => arm(session, scope, action).await,
        Right::Keys { scope, action } => arm(session, scope, action).await,
    }
}

async fn arm(session: &Session, scope: &str, action: &str) -> Result<()> {
    let listed = match permissions(session, scope).await {
        Ok(listed) => listed,
        // Who may not even ask is told by the write itself.
        Err(failure) if matches!(failure.status(), Some(403 | 404)) => return Ok(()),
        Err(failure) => return Err(failure.into()),
    };
    if is_allowed(&listed, action) {
        return Ok(());
    }
    let name = scope.rsplit('/').next().unwrap_or_default();
    let whom = session.profile.active().and_then(|s| s.user.clone()).unwrap_or_else(|| "YOU".into());
    Err(Problem::new(Kind::NotPermitted, "KC1501", format!("you may not do {action} on `{name}`"))
        .why(format!("none of your roles at {scope} allows it"))
        .fix(format!("ask an owner: az role assignment create --assignee {whom} --role '{}' --scope {scope}", role_for(action))))
}

/// The narrowest built-in role that people usually grant for an action.
pub(super) fn role_for(action: &str) -> &'static str {
    match action {
        a if a.starts_with("Microsoft.Authorization/") => "Role Based Access Control Administrator",
        a if a.starts_with("Microsoft.ManagedIdentity/") => "Managed Identity Contributor",
        a if a.starts_with("Microsoft.KeyVault/") => "Key Vault Contributor",
        a if a.starts_with("Microsoft.DocumentDB/") => "DocumentDB Account Contributor",
        a if a.starts_with("Microsoft.Cache/") => "Redis Cache Contributor",
        a if a.starts_with("Microsoft.ContainerService/") => "Azure Kubernetes Service Contributor Role",
        _ => "Contributor",
    }
}

/// Whether one of the permissions allows the action and none of the same entry takes it away.
pub(super) fn is_allowed(permissions: &[Value], action: &str) -> bool {
    let any = |list: &Value| list.as_array().into_iter().flatten().filter_map(Value::as_str).any(|pattern| matches(pattern, action));
    permissions.iter().any(|p| any(&p["actions"]) && !any(&p["notActions"]))
}

/// ARM's wildcard: `*` stands for any run of characters; case does not count.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let parts: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == action };
    let Some(mut rest) = action.strip_prefix(first) else { return false };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A cluster that does not run can't be connected to, whatever is asked.
pub(super) fn cluster_runs(cluster: &Value, name: &str, group: &str) -> Result<()> {
    let power = cluster["properties"]["powerState"]["code"].as_str().unwrap_or("Running");
    if power.eq_ignore_ascii_case("Running") {
        return Ok(());
    }
    Err(Problem::new(Kind::Failed, "KC1103", format!("cluster `{name}` is {}", power.to_lowercase()))
        .fix(format!("az aks start --name {name} --resource-group {group}")))
}

/// Pods with our label can't start while the webhook is down, and get nothing while it is absent.
pub(super) fn webhook(session: &Session, webhook: Webhook, about_to_be_enabled: bool, elsewhere: bool) -> Result<()> {
    match webhook {
        Webhook::Absent if elsewhere => {
            Err(Problem::new(Kind::Failed, "KC1105", "the workload identity webhook is not registered in this cluster")
                .why("without it pods get neither their token nor the variables that client libraries read")
                .fix(super::anywhere::install_webhook(session)))
        }
        _ if about_to_be_enabled => Ok(()),
        Webhook::Ready => Ok(()),
        Webhook::Unknown => {
            session
                .events
                .say(Event::Note("you may not look at the workload identity webhook: whether it runs shows at the rollout".into()));
            Ok(())
        }
        Webhook::Absent => Err(Problem::new(Kind::Failed, "KC1105", "the workload identity webhook is not registered in this cluster")
            .why("Azure says that workload identity is on, but the cluster has no such webhook")
            .fix("reconcile the cluster: az aks update --name NAME --resource-group GROUP --enable-workload-identity")),
        Webhook::NotReady => Err(Problem::new(Kind::Failed, "KC1106", "the workload identity webhook is down")
            .why("none of its pods is ready: pods of connected workloads could not start")
            .fix("kubectl get pods -A -l azure-workload-identity.io/system=true")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wildcards_match_as_arm_does() {
        let write = "Microsoft.Authorization/roleAssignments/write";
        for yes in ["*", "*/write", "Microsoft.Authorization/*", "microsoft.authorization/*/Write", write] {
            assert!(matches(yes, write), "{yes}");
        }
        for no in ["*/read", "Microsoft.Author", "Microsoft.Authorization/roleAssignments", ""] {
            assert!(!matches(no, write), "{no}");
        }
    }

    #[test]
    fn what_one_entry_takes_away_another_may_give() {
        let action = "Microsoft.Authorization/roleAssignments/write";
        let contributor = json!({"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]});
        let administrator = json!({"actions": ["Microsoft.Authorization/roleAssignments/*"], "notActions": []});
        assert!(!is_allowed(std::slice::from_ref(&contributor), action));
        assert!(is_allowed(&[contributor, administrator], action));
    }
}
