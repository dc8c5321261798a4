//! Finds what can be adopted in a namespace. The cluster shows which workload acts as which identity; Azure shows
//! where that identity has access, and which connections Service Connector has.

use futures::future::{join, join_all, join4};
use serde_json::Value;

use super::by_hand::by_hand;
use super::candidate::{Candidate, Found, Identity, Shown};
use super::linkers::{linkers, of_linker};
use crate::kube::{Cluster, Workload, WorkloadKind, resources, workload_identity};
use crate::lookup::records::Stored;
use crate::lookup::session::Session;
use crate::lookup::{azure, outside_aks, service_connector};
use crate::model::{Kind, Problem, ResourceId, Result, words};
use crate::plan::record::Phase;

/// Searches both sides. Nothing is written.
///
/// # Errors
/// Errors of either side.
pub async fn find(session: &Session) -> Result<Found> {
    let kube = &session.kube;
    let namespace = kube.namespace().to_owned();
    let (cluster, accounts, workloads, (secrets, records)) = join4(
        cluster(session),
        kube.list(&resources::SERVICE_ACCOUNT, Some(&namespace), None),
        workloads(kube, &namespace),
        join(service_connector::seen(kube, Some(&namespace), None), crate::lookup::records::list(kube, &namespace)),
    )
    .await;
    let (cluster, issuer) = cluster?;
    let shown = Shown { accounts: accounts?, workloads, secrets: secrets?.into_iter().map(|s| s.secret).collect() };
    let mut found = Found { cluster, issuer, candidates: Vec::new(), passed_over: Vec::new(), records: records? };
    let linkers = match &found.issuer {
        Some(_) => Vec::new(),
        None => linkers(session, &found.cluster, &namespace, &mut found.passed_over).await?,
    };
    let identities = identities(session, &shown, &linkers).await?;
    let arm = session.profile.tenant_of(found.cluster.subscription()).map_or_else(|| session.arm.clone(), |t| session.arm.with_tenant(t));
    let session = &Session { arm, profile: session.profile.clone(), kube: session.kube.clone(), events: session.events.clone() };
    for linker in &linkers {
        match of_linker(session, linker, &shown, &identities).await? {
            Ok(candidate) => found.candidates.push(candidate),
            Err(why) => found.passed_over.push(format!("{}: {why}", linker["name"].as_str().unwrap_or_default())),
        }
    }
    by_hand(session, &shown, &identities, &mut found).await?;
    let Found { candidates, records, .. } = &mut found;
    // Make names unique before filtering: a name must not change because another set-up was adopted.
    tell_apart(candidates);
    candidates.retain(|c| !is_taken(c, records, &namespace));
    candidates.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

pub(crate) async fn cluster(session: &Session) -> Result<(ResourceId, Option<String>)> {
    if outside_aks::is_aks(session.kube.host()) {
        return Ok((azure::cluster_behind(session).await?, None));
    }
    let issuer = outside_aks::public_issuer(session).await?;
    // Adopting creates no identity. The resource group is filled in later with that of the found identity.
    let subscription = session.profile.active().map(|s| s.id.clone()).unwrap_or_default();
    Ok((outside_aks::id(&subscription, outside_aks::NO_GROUP, &issuer), Some(issuer)))
}

/// Workloads of all kinds that the user may list, without those owned by other workloads, such as a CronJob's Jobs.
pub(crate) async fn workloads(kube: &Cluster, namespace: &str) -> Vec<Workload> {
    let lists =
        join_all(WorkloadKind::ALL.map(|kind| async move { (kind, kube.list(kind.resource(), Some(namespace), None).await) })).await;
    let all = lists.into_iter().flat_map(|(kind, list)| list.unwrap_or_default().into_iter().map(move |o| Workload::new(kind, o)));
    all.filter(|w| w.object["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty)).collect()
}

/// The identities named by service accounts and linkers, in one query.
async fn identities(session: &Session, shown: &Shown, linkers: &[Value]) -> Result<Vec<Identity>> {
    let annotated = shown.accounts.iter().filter_map(workload_identity::client_id);
    let linked = linkers.iter().filter_map(|l| l["properties"]["authInfo"]["clientId"].as_str());
    let mut wanted: Vec<String> = annotated.chain(linked).filter(|id| uuid::Uuid::parse_str(id).is_ok()).map(str::to_lowercase).collect();
    wanted.sort();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let clauses: Vec<String> = wanted.iter().map(|id| format!("properties.clientId =~ {}", crate::lookup::resources::quoted(id))).collect();
    let query = format!(
        "resources | where type =~ '{}' and ({}) | project id, type, location, properties",
        crate::lookup::resources::IDENTITIES,
        clauses.join(" or ")
    );
    let rows = session.arm.graph(&query, &[]).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |row: &Value| {
        let properties = &row["properties"];
        let (client_id, principal) = (text(&properties["clientId"]), text(&properties["principalId"]));
        Some(Identity { id: row["id"].as_str()?.parse().ok()?, client_id, principal, location: text(&row["location"]) })
    };
    Ok(rows.iter().filter_map(of).collect())
}

/// Whether a record already has the set-up. An interrupted adoption does not count: the same command continues it.
fn is_taken(candidate: &Candidate, records: &[Stored], namespace: &str) -> bool {
    let records = records.iter().map(|s| &s.record).filter(|r| r.namespace == namespace);
    let done = records.filter(|r| r.origin.is_ours() || r.phase != Phase::Applying);
    let mut holding = done.filter(|r| match &candidate.secret {
        Some(secret) => r.secret().is_some_and(|s| s.name == *secret),
        None => {
            r.target == candidate.target.id
                && r.service == candidate.service.name
                && r.service_account().map(|a| &a.name) == candidate.account.as_ref()
                && r.workload.as_ref().is_none_or(|w| candidate.workloads.contains(w))
        }
    });
    holding.next().is_some()
}

/// If two candidates have the same name, the workload's name is appended.
fn tell_apart(candidates: &mut [Candidate]) {
    let names: Vec<String> = candidates.iter().map(|c| c.name.clone()).collect();
    for candidate in candidates {
        let twins = names.iter().filter(|n| **n == candidate.name).count();
        if let (true, Some(workload)) = (twins > 1, candidate.workloads.first()) {
            let workload = workload.rsplit('/').next().unwrap_or_default();
            candidate.name = crate::model::names::connection(&candidate.name, workload);
        }
    }
}

/// The candidate with this name.
///
/// # Errors
/// If there is none; names the existing ones.
pub fn choose<'a>(found: &'a Found, name: &str, namespace: &str) -> Result<&'a Candidate> {
    // Service Connector's own name of the connection is accepted too.
    let by_connector = service_connector::secret_of(name);
    let called = |c: &&Candidate| c.name == name || c.secret.as_ref() == Some(&by_connector);
    if let Some(candidate) = found.candidates.iter().find(called) {
        return Ok(candidate);
    }
    let problem = Problem::new(Kind::NotFound, "KC1206", format!("there is no set-up `{name}` to adopt in namespace `{namespace}`"));
    let mut names: Vec<&str> = found.candidates.iter().map(|c| c.name.as_str()).collect();
    names.sort_by_key(|n| strsim::damerau_levenshtein(n, name));
    let problem = match found.passed_over.iter().find(|p| p.starts_with(&format!("{name}:"))) {
        Some(why) => problem.why(why.clone()),
        None => problem,
    };
    Err(match names.is_empty() {
        true => problem.fix("list the set-ups that can be adopted, and why others can't: kubectl connect adopt"),
        false => problem.fix(format!("existing: {}", words::nearest(&names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>()))),
    })
}
