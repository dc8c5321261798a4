//! Gathers the evidence from both sides concurrently; the links only evaluate it. `None` means that the user may not
//! read something.

use crate::lookup::resources::IDENTITIES;
use serde_json::Value;

use super::in_cluster::{Question, in_cluster};
use super::seen::Evidence;
use super::token::Mint;
use crate::azure::role_assignments_of;
use crate::azure::{Failure, api_versions};
use crate::catalogue::{self};
use crate::kube::WorkloadRef;
use crate::kube::workload_identity;
use crate::lookup::outside_aks;
use crate::lookup::session::Session;
use crate::model::propagation::PROPAGATION;
use crate::model::{ResourceId, Result};
use crate::plan::record::Record;
use crate::plan::spec::Identity;
use crate::steps::behaviour;
use crate::steps::context::Cx;
use crate::steps::context::Run;
use crate::steps::outputs::Output;

pub(crate) use super::remedy_facts::FactSheet;

impl Evidence {
    /// Gathers the evidence for a connection.
    ///
    /// # Errors
    /// If the cluster can't be reached.
    pub(crate) async fn of_record(session: &Session, record: &Record, mint: &Mint) -> Result<Evidence> {
        let account = record.service_account().map(|s| s.name.clone());
        let named = record.workload.as_deref().and_then(|w| w.parse::<WorkloadRef>().ok());
        let question = Question { namespace: &record.namespace, workload: named.as_ref(), account, record: Some(record) };
        let in_cluster = in_cluster(session, question, mint);
        // The record has every id, so Azure is read concurrently and its answers are cached.
        let (evidence, ()) = tokio::join!(in_cluster, ask_early(session, record));
        let mut evidence = evidence?;
        evidence.cluster = Some(record.cluster.clone());
        evidence.record = Some(record.clone());
        evidence.service = catalogue::find(&record.service);
        in_azure(session, &mut evidence).await;
        Ok(evidence)
    }

    /// Gathers the evidence for a workload, whoever set it up.
    ///
    /// # Errors
    /// If the cluster can't be reached, or the workload does not exist.
    pub(crate) async fn of_workload(session: &Session, named: &WorkloadRef, cluster: Option<ResourceId>) -> Result<Evidence> {
        let namespace = session.kube.namespace().to_owned();
        let question = Question { namespace: &namespace, workload: Some(named), account: None, record: None };
        let mut evidence = in_cluster(session, question, &Mint::default()).await?;
        evidence.cluster = cluster;
        in_azure(session, &mut evidence).await;
        Ok(evidence)
    }

    /// Whether the requested workload exists.
    pub(crate) fn has_workload(&self) -> bool {
        self.workload.is_some()
    }

    /// Service account, client id and tenant with which the workload signs in, if known.
    pub(crate) fn signs_in_as(&self) -> Option<(String, String, String)> {
        let tenant = self.of_identity("tenantId")?.to_owned();
        Some((self.account_name.clone(), self.annotated()?.to_owned(), tenant))
    }

    /// A finding with the facts of this workload.
    pub(crate) fn tell(&self, code: &'static str, seen: String) -> crate::health::check::Check {
        crate::health::check::found(code, seen, "", &self.facts().pairs())
    }

    /// The client id in the service account's annotation.
    pub(crate) fn annotated(&self) -> Option<&str> {
        self.account.as_ref().and_then(workload_identity::client_id)
    }

    /// The issuer that the cluster publishes.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.cluster_body.as_ref()?["properties"]["oidcIssuerProfile"]["issuerURL"].as_str().filter(|i| !i.is_empty())
    }

    /// A text property of the identity: `clientId`, `principalId`, `tenantId`.
    pub(crate) fn of_identity(&self, key: &str) -> Option<&str> {
        self.identity.as_ref()?["properties"][key].as_str()
    }

    /// The identity's id.
    pub(crate) fn identity_id(&self) -> Option<ResourceId> {
        self.identity.as_ref()?["id"].as_str()?.parse().ok()
    }

    /// Whether the workload mounts vaults.
    pub(crate) fn uses_csi(&self) -> bool {
        !self.classes.is_empty()
    }

    /// Whether Entra must trust tokens of the service account, for the workload itself or for the CSI driver.
    pub(crate) fn needs_trust(&self) -> bool {
        self.uses_identity() || self.classes.iter().any(|(_, c)| c.as_ref().is_some_and(|c| !self::uses_node(c)))
    }

    /// Whether anything indicates the use of workload identity.
    pub(crate) fn uses_identity(&self) -> bool {
        let keyed = |object: &Value, at: &str| {
            object["metadata"][at].as_object().is_some_and(|m| m.keys().any(|k| k.starts_with("azure.workload.identity")))
        };
        let workload = self.workload.as_ref();
        let template =
            workload.is_some_and(|w| [w.template(), &w.object].into_iter().any(|o| keyed(o, "labels") || keyed(o, "annotations")));
        self.record.as_ref().is_some_and(|r| r.service_account().is_some())
            || template
            || self.account.as_ref().is_some_and(|a| keyed(a, "labels") || keyed(a, "annotations"))
    }

    /// The `sub` claim of the service account's tokens.
    pub(crate) fn subject(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.account_name)
    }
}

/// Reads everything from Azure that the record names. Errors are ignored here; the later read reports them.
async fn ask_early(session: &Session, record: &Record) {
    let arm = session.arm.with_tenant(&record.tenant);
    let target = async {
        if let Some(service) = catalogue::find(&record.service) {
            let _ = crate::lookup::resources::read_target(session, service, &record.target).await;
        }
    };
    let identity = async {
        let Some(id) = record.identity() else { return };
        let credentials = format!("{id}/federatedIdentityCredentials");
        let roles = async {
            let Some(principal) = &record.principal_id else { return };
            let (path, filter) = role_assignments_of(&record.target, principal);
            let _ = arm.list(&path, api_versions::AUTHORIZATION, &[("$filter", &filter)]).await;
        };
        let _ = tokio::join!(
            session.arm.read(id.as_str(), api_versions::MANAGED_IDENTITY, &[]),
            arm.list(&credentials, api_versions::MANAGED_IDENTITY, &[]),
            roles
        );
    };
    let cluster = async {
        if !outside_aks::is_one(&record.cluster) {
            let _ = arm.read(record.cluster.as_str(), api_versions::MANAGED_CLUSTERS, &[]).await;
        }
    };
    tokio::join!(cluster, target, identity);
}

async fn in_azure(session: &Session, evidence: &mut Evidence) {
    let arm = match &evidence.record {
        Some(record) => session.arm.with_tenant(&record.tenant),
        None => session.arm.clone(),
    };
    let cluster = async {
        match &evidence.cluster {
            Some(id) if outside_aks::is_one(id) => outside_aks::issuer(session).await.ok().map(|issuer| outside_aks::body(&issuer, "")),
            Some(id) => arm.read(id.as_str(), api_versions::MANAGED_CLUSTERS, &[]).await.ok().flatten(),
            None => None,
        }
    };
    let target = async {
        match (&evidence.record, evidence.service) {
            (Some(record), Some(service)) => Some(crate::lookup::resources::read_target(session, service, &record.target).await),
            _ => None,
        }
    };
    let (cluster, target, identity) = tokio::join!(cluster, target, identity(session, evidence));
    evidence.cluster_body = cluster;
    (evidence.target, evidence.target_gone) = match target {
        Some(Ok(Some(target))) => (Some(target), false),
        Some(Ok(None)) => (None, true),
        _ => (None, false),
    };
    evidence.host = match (&evidence.target, evidence.service) {
        (Some(target), Some(service)) => super::from_pod::host(service, target, session.cloud()),
        _ => String::new(),
    };
    evidence.store = match evidence.record.as_ref().and_then(Record::store).zip(catalogue::find("keyvault")) {
        Some((vault, service)) => crate::lookup::resources::read_target(session, service, vault).await.ok().flatten(),
        None => None,
    };
    evidence.identity_hidden = identity.is_err();
    evidence.identity = identity.unwrap_or_default();
    evidence.secret_differs = secret_differs(session, evidence).await;
    let Some(id) = evidence.identity_id() else { return };
    let principal = evidence.of_identity("principalId").unwrap_or_default().to_owned();
    let scope = evidence.store.as_ref().or(evidence.target.as_ref()).map(|t| t.id.clone());
    let credentials_at = format!("{id}/federatedIdentityCredentials");
    let roles = async {
        let (path, filter) = role_assignments_of(&scope?, &principal);
        arm.list(&path, api_versions::AUTHORIZATION, &[("$filter", &filter)]).await.ok()
    };
    let own_grants = async {
        let list = evidence.record.iter().flat_map(|r| &r.steps).find_map(|step| behaviour(step).own_list())?;
        arm.list(&list.path, list.api_version, &[]).await.ok()
    };
    let (credentials, assignments, own_grants) =
        tokio::join!(arm.list(&credentials_at, api_versions::MANAGED_IDENTITY, &[]), roles, own_grants);
    evidence.credentials = credentials.ok();
    evidence.assignments = assignments;
    evidence.own_grants = own_grants;
}

/// Variables that the live Secret lacks or has with another value.
pub(crate) async fn secret_differs(session: &Session, evidence: &Evidence) -> Vec<String> {
    let (Some(record), Some(Some(live))) = (&evidence.record, &evidence.secret) else { return Vec::new() };
    let Some(secret) = record.secret() else {
        return Vec::new();
    };
    let cx = Cx::new(&session.arm, session.kube.afresh(), &session.events, Run::of(record, PROPAGATION));
    cx.outputs.recall(record);
    if let (Some(id), Some(client_id)) = (record.identity(), evidence.of_identity("clientId")) {
        cx.outputs.learn(Identity::key(id), Output::ClientId, client_id);
    }
    // Values that can't be compared, because only the user knows them, don't count as a difference.
    secret.differing(&cx, live).await.unwrap_or_default()
}

/// The identity of the record, or else the one to which the service account's annotation refers.
pub(crate) async fn identity(session: &Session, evidence: &Evidence) -> Result<Option<Value>, Failure> {
    let read = |id: ResourceId| async move { session.arm.read(id.as_str(), api_versions::MANAGED_IDENTITY, &[]).await };
    if let Some(id) = evidence.record.as_ref().and_then(Record::identity) {
        return read(id.clone()).await;
    }
    let spc = || evidence.classes.iter().find_map(|(_, class)| class.as_ref()?["spec"]["parameters"]["clientID"].as_str());
    let near = || {
        let annotations = evidence.account.as_ref()?["metadata"]["annotations"].as_object()?;
        annotations.iter().find(|(k, _)| k.contains("client")).and_then(|(_, v)| v.as_str())
    };
    let Some(said) = evidence.annotated().or_else(near).or_else(spc) else { return Ok(None) };
    if let Ok(id) = said.parse::<ResourceId>() {
        return read(id).await;
    }
    let said = crate::lookup::resources::quoted(said);
    let query = format!(
        "resources | where type =~ '{IDENTITIES}' and (name =~ {said} or properties.clientId =~ {said} or properties.principalId =~ {said}) | project id, type"
    );
    let rows = session.arm.graph(&query, &[]).await?;
    match rows.first().and_then(|r| r["id"].as_str()?.parse().ok()) {
        Some(id) => read(id).await,
        None => Ok(None),
    }
}

/// Whether the class uses the node's identity in place of the workload's.
pub(crate) fn uses_node(class: &Value) -> bool {
    let on = |key: &str| class["spec"]["parameters"][key].as_str().is_some_and(|v| v.eq_ignore_ascii_case("true"));
    on("useVMManagedIdentity") || on("usePodIdentity")
}
