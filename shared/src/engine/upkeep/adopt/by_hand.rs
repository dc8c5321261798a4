//! Finds manual set-ups: workloads that act as an identity, and the resources to which that identity has access.

use futures::future::join_all;

use super::candidate::{Candidate, Found, Identity, Shown};
use crate::azure::api_versions;
use crate::catalogue::{self, Service};
use crate::kube::Workload;
use crate::kube::workload_identity::{self, USE};
use crate::lookup::session::Session;
use crate::model::access::{Access, Grant};
use crate::model::ids::role_guid;
use crate::model::target::Target;
use crate::model::variable::Client;
use crate::model::{Auth, Problem, ResourceId, Result};
use crate::plan::record::Origin;

/// Workloads with the webhook's label whose service account names an identity, with each resource of a known type to
/// which the identity has access.
pub(crate) async fn by_hand(session: &Session, shown: &Shown, identities: &[Identity], found: &mut Found) -> Result<()> {
    for account in &shown.accounts {
        let name = account["metadata"]["name"].as_str().unwrap_or_default();
        let Some(client_id) = workload_identity::client_id(account) else { continue };
        let acts = |w: &&Workload| w.service_account().unwrap_or("default") == name && w.pod_label(USE) == Some("true");
        let workloads: Vec<&Workload> = shown.workloads.iter().filter(acts).collect();
        // Service Connector's set-ups are separate candidates; a service account without pods connects nothing.
        let connectors = found.candidates.iter().any(|c| c.account.as_deref() == Some(name));
        let ours = found.records.iter().any(|s| {
            s.record.origin.is_ours()
                && s.record.service_account().is_some_and(|a| a.name == name && a.namespace == session.kube.namespace())
        });
        if connectors || ours || workloads.is_empty() {
            continue;
        }
        let words: Vec<String> = workloads.iter().map(ToString::to_string).collect();
        let Some(identity) = identities.iter().find(|i| i.client_id.eq_ignore_ascii_case(client_id)) else {
            found.passed_over.push(format!("{}: its service account names {client_id}, an identity that you can't see", words.join(", ")));
            continue;
        };
        let reached = reached(session, &identity.principal).await?;
        if reached.is_empty() {
            let what = "has no role on a resource of a supported service";
            found.passed_over.push(format!("{}: its identity {} {what}", words.join(", "), identity.id.name()));
        }
        for (service, target) in reached {
            found.candidates.extend(words.iter().map(|workload| Candidate {
                name: service.connection_name(target.name()),
                origin: Origin::ByHand,
                service,
                target: target.clone(),
                parameters: Vec::new(),
                auth: Auth::WorkloadIdentity,
                client: Client::None,
                user: None,
                workloads: vec![workload.clone()],
                account: Some(name.to_owned()),
                identity: Some(identity.clone()),
                principal: None,
                secret: None,
            }));
        }
    }
    Ok(())
}

/// Resources on which a principal holds a role known to the catalogue, each with the service of that role.
async fn reached(session: &Session, principal: &str) -> Result<Vec<(&'static Service, Target)>> {
    let tenant = session.arm.tenant().map(str::to_owned);
    let subscriptions = session.profile.subscriptions.iter().filter(|s| tenant.as_ref().is_none_or(|t| *t == s.tenant));
    let filter = format!("principalId eq '{principal}'");
    let filter = &filter;
    let lists = subscriptions.map(|s| async move {
        let path = format!("/subscriptions/{}/providers/Microsoft.Authorization/roleAssignments", s.id);
        match session.arm.list(&path, api_versions::AUTHORIZATION, &[("$filter", filter)]).await {
            Err(failure) if matches!(failure.status(), Some(403 | 404)) => Ok(Vec::new()),
            other => other.map_err(Problem::from),
        }
    });
    let mut at: Vec<(ResourceId, Vec<String>)> = Vec::new();
    for list in join_all(lists).await {
        for assignment in list? {
            let Some(scope) = assignment["properties"]["scope"].as_str().and_then(|s| s.parse::<ResourceId>().ok()) else { continue };
            // A role on a resource group or subscription belongs to no particular resource.
            if scope.arm_type().is_empty() {
                continue;
            }
            let (top, role) = (scope.top(), role_guid(assignment["properties"]["roleDefinitionId"].as_str().unwrap_or_default()));
            match at.iter_mut().find(|(id, _)| *id == top) {
                Some((_, roles)) => roles.push(role),
                None => at.push((top, vec![role])),
            }
        }
    }
    let mut found = Vec::new();
    for (id, roles) in at {
        let of_type: Vec<&'static Service> = catalogue::of_type(&id.arm_type()).collect();
        let Some(first) = of_type.first() else { continue };
        let Some(target) = crate::lookup::resources::read_target(session, first, &id).await? else { continue };
        let fits = |service: &&&'static Service| {
            let grants = Access::ALL.iter().flat_map(|level| (service.grants)(&target, *level));
            grants.into_iter().any(|g| matches!(g, Grant::Role(role) if roles.contains(&role.id)))
        };
        let mut fitting: Vec<&'static Service> = of_type.iter().filter(fits).copied().collect();
        if fitting.is_empty() && of_type.len() == 1 {
            fitting.push(first);
        }
        found.extend(fitting.into_iter().map(|service| (service, target.clone())));
    }
    Ok(found)
}
