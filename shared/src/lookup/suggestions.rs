//! Names for shell completion and pickers: connections, workloads, namespaces, resources.

use futures::future::join_all;
use serde_json::Value;

use super::azure_session::AzureSession;
use super::service_connector;
use crate::azure::names::resource_names;
use crate::catalogue::Service;
use crate::kube::{Cluster, WorkloadKind, resources};
use crate::model::{Events, Result};

/// A name with a short description.
pub type Offer = (String, String);

/// Kinds of workloads that are suggested.
const KINDS: [WorkloadKind; 4] = [WorkloadKind::Deployment, WorkloadKind::StatefulSet, WorkloadKind::DaemonSet, WorkloadKind::CronJob];

/// Resources to which a service's connections can lead.
///
/// # Errors
/// Errors of az or Azure.
pub async fn targets(azure: &AzureSession, service: &Service) -> Result<Vec<Offer>> {
    let (_, arm) = azure.open(&Events::silent())?;
    let mut names = resource_names(&arm, service.arm_type).await?;
    for (_, group) in &mut names {
        *group = format!("in {group}");
    }
    names.sort();
    Ok(names)
}

/// Workloads of the current namespace, deployments first. Kinds that the user may not list are omitted.
///
/// # Errors
/// If the user may not list any of the kinds.
pub async fn workloads(kube: &Cluster) -> Result<Vec<Offer>> {
    let lists = join_all(KINDS.map(|kind| async move { (kind, kube.list(kind.resource(), Some(kube.namespace()), None).await) })).await;
    let (may, mut may_not): (Vec<_>, Vec<_>) = lists.into_iter().partition(|(_, list)| list.is_ok());
    if let (true, Some((_, Err(failure)))) = (may.is_empty(), may_not.pop()) {
        return Err(failure.into());
    }
    let found = may.into_iter().filter_map(|(kind, list)| Some((kind, list.ok()?)));
    Ok(found.flat_map(|(kind, objects)| objects.into_iter().map(move |o| (format!("{}/{}", kind.as_str(), name(&o)), ready(&o)))).collect())
}

/// Connections of the current namespace.
///
/// # Errors
/// Errors of the API server.
pub async fn connections(kube: &Cluster) -> Result<Vec<Offer>> {
    let stored = crate::lookup::records::list_in(kube, kube.namespace()).await?;
    let mut offers: Vec<Offer> =
        stored.into_iter().map(|s| (s.record.name.clone(), format!("{} {}", s.record.service, s.record.target.name()))).collect();
    offers.sort();
    Ok(offers)
}

/// Service Connector's connections in the current namespace. Manual set-ups are omitted, since finding them in Azure
/// takes too long.
///
/// # Errors
/// Errors of the API server.
pub async fn candidates(kube: &Cluster) -> Result<Vec<Offer>> {
    let seen = service_connector::seen(kube, Some(kube.namespace()), None).await?;
    Ok(seen.into_iter().map(|s| (s.name, s.service.unwrap_or_default().to_owned())).collect())
}

/// All visible connections with their namespaces: first those of the current namespace, and within each group the
/// newest first.
///
/// # Errors
/// Errors of the API server.
pub async fn connections_anywhere(kube: &Cluster) -> Result<Vec<(String, Offer)>> {
    let mut records: Vec<_> = crate::lookup::records::list(kube, kube.namespace()).await?.into_iter().map(|s| s.record).collect();
    records.sort_by(|a, b| {
        let elsewhere = |namespace: &str| namespace != kube.namespace();
        (elsewhere(&a.namespace), &b.created, &a.name).cmp(&(elsewhere(&b.namespace), &a.created, &b.name))
    });
    let about = |r: &crate::plan::record::Record| format!("{} {}, {}", r.service, r.target.name(), r.status());
    Ok(records.iter().map(|r| (r.namespace.clone(), (r.name.clone(), about(r)))).collect())
}

/// Namespaces of the cluster.
///
/// # Errors
/// Errors of the API server.
pub async fn namespaces(kube: &Cluster) -> Result<Vec<Offer>> {
    let found = kube.list(&resources::NAMESPACE, None, None).await?;
    Ok(found.iter().map(|o| (name(o), String::new())).collect())
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn ready(object: &Value) -> String {
    let wanted = object["spec"]["replicas"].as_u64().or_else(|| object["status"]["desiredNumberScheduled"].as_u64());
    let ready = object["status"]["readyReplicas"].as_u64().or_else(|| object["status"]["numberReady"].as_u64());
    wanted.map_or_else(String::new, |wanted| format!("{}/{wanted} ready", ready.unwrap_or(0)))
}
