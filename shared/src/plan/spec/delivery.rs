//! Steps that bring the connection to the workload.

use serde::{Deserialize, Serialize};

use crate::model::ResourceId;
use crate::model::variable::Variable;
use crate::model::vault::{CsiIdentity, VaultObject};

/// See [`StepSpec::Secret`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub variables: Vec<Variable>,
    /// Somebody else's, taken over as it is: looked at and never written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
}

/// See [`StepSpec::Workload`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// `deployment`, `statefulset`, `daemonset` or `cronjob`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Containers that get the variables, in their live order.
    pub containers: Vec<String>,
    /// Set up by somebody else, taken over as it is: looked at and never written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
    /// Whether its pods act as a managed identity: then they carry the webhook's label.
    #[serde(default = "super::defaults::yes", skip_serializing_if = "Clone::clone")]
    pub identity: bool,
    /// The service account to set; `None`: the workload names one itself and keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// The Secret with the variables.
    pub secret: String,
    /// The variables; their values make the digest that restarts pods when one changes.
    pub variables: Vec<Variable>,
    /// The vault objects that the same containers get as files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<Mount>,
}

/// Vault objects as files of a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mount {
    /// Where the files are.
    pub path: String,
    /// What is mounted.
    pub class: SecretProviderClass,
}

/// See [`StepSpec::VaultSecret`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VaultSecret {
    /// The vault.
    pub vault: ResourceId,
    /// Its address on the data plane, without a slash at its end.
    pub uri: String,
    /// Name of the secret.
    pub name: String,
    /// Value of our tag: `<cluster>/<namespace>/<connection>`.
    pub owner: String,
    /// The variable that it holds.
    pub variable: Variable,
}

/// See [`StepSpec::SecretProviderClass`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretProviderClass {
    /// Its namespace.
    pub namespace: String,
    /// Its name; the volume has the same.
    pub name: String,
    /// Name of the vault.
    pub vault: String,
    /// Tenant of the vault.
    pub tenant: String,
    /// The provider's name of the cloud; absent: the public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
    /// As whom the driver reads.
    pub identity: CsiIdentity,
    /// What it fetches.
    pub objects: Vec<VaultObject>,
}

impl SecretProviderClass {
    /// The Secret that the driver keeps for variables, where an object has one.
    pub fn synced(&self) -> Option<String> {
        self.objects.iter().any(|o| o.variable.is_some()).then(|| format!("{}-vault", self.name))
    }

    /// Variables that come out of the vault, in the order of the objects.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().filter_map(|o| o.variable.as_deref())
    }
}
