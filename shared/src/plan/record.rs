//! The record of a connection, stored in the cluster: the request, the steps, and a receipt for each finished step.
//! It never contains a secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spec::{Identity, Secret, SecretProviderClass, ServiceAccount, StepId, StepSpec, Thing, VaultSecret, Workload};
use crate::model::access::Access;
use crate::model::variable::Client;
use crate::model::{Auth, PREFIX, ResourceId};

/// Format version of the record. It rises when older versions of this tool can no longer read the format.
pub const RECORD_VERSION: u32 = 1;

/// Who owns an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ownership {
    /// This connection created the object.
    Created,
    /// Another connection of this tool created the object. It is deleted with the last connection that uses it.
    Joined,
    /// The object existed before and belongs to somebody else. It is never deleted.
    Adopted,
}

/// The result of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Who owns the object.
    pub ownership: Ownership,
    /// Id of the object: an ARM id, or `namespace/name`.
    pub id: String,
    /// uid of a Kubernetes object. A later object of the same name has another uid and is not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The replaced state, as far as undoing needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// Time of the step, RFC 3339.
    pub at: String,
    /// `false` for an intent, written before the step begins; the step may or may not have run.
    pub done: bool,
}

impl Receipt {
    /// The intent, recorded before a step begins.
    pub fn intent(ownership: Ownership, id: impl Into<String>) -> Self {
        Receipt { ownership, id: id.into(), uid: None, before: None, at: String::new(), done: false }
    }

    /// Whether this tool may delete the object once no connection needs it.
    pub fn is_ours(&self) -> bool {
        self.ownership != Ownership::Adopted
    }
}

/// How a connection was set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// By this tool.
    #[default]
    #[serde(rename = "kubectl-connect")]
    Made,
    /// By Service Connector; adopted later.
    ServiceConnector,
    /// Manually; adopted later.
    #[serde(rename = "hand")]
    ByHand,
}

impl Origin {
    /// The creator as shown to users.
    pub fn made_by(self) -> &'static str {
        match self {
            Origin::Made => "kubectl-connect",
            Origin::ServiceConnector => "Service Connector",
            Origin::ByHand => "hand",
        }
    }

    /// Whether this tool set the connection up.
    pub fn is_ours(&self) -> bool {
        *self == Origin::Made
    }
}

/// Progress of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The plan is recorded and its steps are running.
    Applying,
    /// All steps are finished.
    Ready,
    /// The connection is being undone.
    Deleting,
}

/// The record of one connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// [`RECORD_VERSION`] when the record was written.
    pub version: u32,
    /// Name of the connection.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Service word.
    pub service: String,
    /// The target.
    pub target: ResourceId,
    /// The workload, as `deployment/web`.
    pub workload: Option<String>,
    /// The cluster's ARM id.
    pub cluster: ResourceId,
    /// Tenant of the cluster's subscription and of the identity.
    pub tenant: String,
    /// Level of access.
    pub access: Access,
    /// Way of authentication.
    #[serde(default)]
    pub auth: Auth,
    /// Client type.
    pub client: Client,
    /// Client id of the identity, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Object id of the identity, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// Progress.
    pub phase: Phase,
    /// How the connection was set up.
    #[serde(default, skip_serializing_if = "Origin::is_ours")]
    pub origin: Origin,
    /// Creation time of the record, RFC 3339.
    pub created: String,
    /// The steps.
    pub steps: Vec<StepSpec>,
    /// Receipts of the finished steps, and intents (`done: false`) of those that had begun.
    pub receipts: BTreeMap<StepId, Receipt>,
    /// Steps of a previous version of this connection that must still be undone, with their receipts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<(StepSpec, Option<Receipt>)>,
    /// Result of the last verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
}

/// Stored result of a verification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// Time, RFC 3339.
    pub at: String,
    /// Whether every check passed.
    pub success: bool,
}

impl Record {
    /// Name of the connection's ConfigMap and Lease.
    pub fn object_name(connection: &str) -> String {
        format!("kubectl-connect.{connection}")
    }

    /// Field manager for the connection's server-side applies.
    pub fn field_manager(connection: &str) -> String {
        format!("kubectl-connect/{connection}")
    }

    /// Label selector of all records.
    pub fn selector() -> String {
        format!("{PREFIX}/record=connection")
    }

    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&StepSpec> {
        self.steps.iter().find(|s| s.id() == id)
    }

    /// The managed identity.
    pub fn identity(&self) -> Option<&ResourceId> {
        self.steps.iter().find_map(Identity::of).map(|s| &s.id)
    }

    /// The service account.
    pub fn service_account(&self) -> Option<&ServiceAccount> {
        self.steps.iter().find_map(ServiceAccount::of)
    }

    /// The Secret with the variables.
    pub fn secret(&self) -> Option<&Secret> {
        self.steps.iter().find_map(Secret::of)
    }

    /// The SecretProviderClass that lists the mounted Key Vault objects.
    pub fn class(&self) -> Option<&SecretProviderClass> {
        self.steps.iter().find_map(SecretProviderClass::of)
    }

    /// The workload, if this tool patches or has adopted it.
    pub fn patched(&self) -> Option<&Workload> {
        self.steps.iter().find_map(Workload::of)
    }

    /// The vault that stores the service's keys.
    pub fn store(&self) -> Option<&ResourceId> {
        self.steps.iter().find_map(VaultSecret::of).map(|s| &s.vault)
    }

    /// Whether a recorded step of this connection is about `thing`.
    pub fn uses(&self, thing: &Thing) -> bool {
        self.steps.iter().any(|s| s.thing() == *thing)
    }

    /// What people call the thing of a step: a grant by its role and place, else the last part of its id.
    pub fn name_of(&self, step: &StepSpec) -> String {
        if let Some((role, place)) = step.grants() {
            return format!("{role} → {place}");
        }
        let id = self.receipts.get(&step.id()).map(|r| r.id.as_str()).unwrap_or_default();
        match id.starts_with("/subscriptions/") {
            true => id.rsplit('/').next().unwrap_or_default().to_owned(),
            false => id.to_owned(),
        }
    }

    /// Status word for tables.
    pub fn status(&self) -> &'static str {
        match (self.phase, &self.verified) {
            (Phase::Applying, _) => "Incomplete",
            (Phase::Deleting, _) => "Deleting",
            (Phase::Ready, Some(v)) if !v.success => "Failing",
            (Phase::Ready, _) => "Ready",
        }
    }
}
