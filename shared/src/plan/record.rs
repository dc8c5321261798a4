//! The connection as written down in the cluster: what was asked, the steps, and a receipt for each step that was done.
//! No secret is ever in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spec::{Secret, SecretProviderClass, ServiceAccount, StepId, StepSpec};
use crate::model::access::Access;
use crate::model::variable::Client;
use crate::model::{Auth, PREFIX, ResourceId};

/// Version of the record's format; rises when an older tool could no longer read it.
pub const RECORD_VERSION: u32 = 1;

/// Whose a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ownership {
    /// This connection made it.
    Created,
    /// Another connection of this tool made it; it goes when the last connection that uses it goes.
    Joined,
    /// It was there before and is somebody else's: it stays.
    Adopted,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Whose the thing is.
    pub ownership: Ownership,
    /// Id of the thing: an ARM id, or `namespace/name`.
    pub id: String,
    /// uid of a Kubernetes object: another object of the same name is not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// What is needed to put back what we replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// When, RFC 3339.
    pub at: String,
    /// `false`: intended and perhaps done; written down before the step began.
    pub done: bool,
}

impl Receipt {
    /// What is written down before a step begins.
    pub fn intent(ownership: Ownership, id: impl Into<String>) -> Self {
        Receipt { ownership, id: id.into(), uid: None, before: None, at: String::new(), done: false }
    }

    /// Whether the thing may go when nobody needs it any more.
    pub fn is_ours(&self) -> bool {
        self.ownership != Ownership::Adopted
    }
}

/// Who set a connection up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// This tool.
    #[default]
    #[serde(rename = "kubectl-connect")]
    Made,
    /// Service Connector; taken over.
    ServiceConnector,
    /// Somebody by hand; taken over.
    #[serde(rename = "hand")]
    ByHand,
}

impl Origin {
    /// Who set it up, for people.
    pub fn made_by(self) -> &'static str {
        match self {
            Origin::Made => "kubectl-connect",
            Origin::ServiceConnector => "Service Connector",
            Origin::ByHand => "hand",
        }
    }

    /// Whether this tool set it up.
    pub fn is_ours(&self) -> bool {
        *self == Origin::Made
    }
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The plan is written down, its steps are being done.
    Applying,
    /// All steps are done.
    Ready,
    /// It is being undone.
    Deleting,
}

/// A connection as it is written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// [`RECORD_VERSION`] at the time of writing.
    pub version: u32,
    /// Name of the connection.
    pub name: String,
    /// Its namespace.
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
    /// How far it is.
    pub phase: Phase,
    /// Who set it up.
    #[serde(default, skip_serializing_if = "Origin::is_ours")]
    pub origin: Origin,
    /// When it was first written, RFC 3339.
    pub created: String,
    /// The steps.
    pub steps: Vec<StepSpec>,
    /// What was done, and what was about to be done (`done: false`).
    pub receipts: BTreeMap<StepId, Receipt>,
    /// Steps of a former version of this connection that are to be undone, with their receipts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<(StepSpec, Option<Receipt>)>,
    /// Result of the last verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
}

/// Result of a verification, as remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// When, RFC 3339.
    pub at: String,
    /// Whether every check passed.
    pub success: bool,
}

impl Verified {
    /// One that ended just now.
    pub fn now(success: bool) -> Self {
        Verified { at: jiff::Timestamp::now().to_string(), success }
    }
}

impl Record {
    /// Name of the ConfigMap and the Lease of a connection.
    pub fn object_name(connection: &str) -> String {
        format!("kubectl-connect.{connection}")
    }

    /// Field manager of a connection's server-side applies.
    pub fn field_manager(connection: &str) -> String {
        format!("kubectl-connect/{connection}")
    }

    /// Label selector of all records.
    pub fn selector() -> String {
        format!("{PREFIX}/record=connection")
    }

    /// The step of this id.
    pub fn step(&self, id: &str) -> Option<&StepSpec> {
        self.steps.iter().find(|s| s.id() == id)
    }

    /// The managed identity.
    pub fn identity(&self) -> Option<&ResourceId> {
        self.steps.iter().find_map(|s| match s {
            StepSpec::Identity(s) => Some(&s.id),
            _ => None,
        })
    }

    /// The service account.
    pub fn service_account(&self) -> Option<&ServiceAccount> {
        self.steps.iter().find_map(|s| match s {
            StepSpec::ServiceAccount(s) => Some(s),
            _ => None,
        })
    }

    /// The Secret with the variables.
    pub fn secret(&self) -> Option<&Secret> {
        self.steps.iter().find_map(|s| match s {
            StepSpec::Secret(s) => Some(s),
            _ => None,
        })
    }

    /// The class with the vault objects that are mounted.
    pub fn class(&self) -> Option<&SecretProviderClass> {
        self.steps.iter().find_map(|s| match s {
            StepSpec::SecretProviderClass(s) => Some(s),
            _ => None,
        })
    }

    /// The vault that keeps the service's keys.
    pub fn store(&self) -> Option<&ResourceId> {
        self.steps.iter().find_map(|s| match s {
            StepSpec::VaultSecret(s) => Some(&s.vault),
            _ => None,
        })
    }

    /// Whether this connection, as recorded, uses the same thing as `step`.
    pub fn uses(&self, step: &StepSpec) -> bool {
        let thing = step.thing();
        self.steps.iter().any(|s| s.thing() == thing)
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
