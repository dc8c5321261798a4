//! Steps that bring the connection to the workload.

use serde::{Deserialize, Serialize};

use super::family::{Family, Need, Spec, StepId, Thing};
use crate::model::ResourceId;
use crate::model::variable::Variable;
use crate::model::vault::{CsiIdentity, VaultObject};

/// See [`StepSpec::Secret`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Variables in the Secret.
    pub variables: Vec<Variable>,
    /// Adopted from somebody else: read, never written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
}

impl Secret {
    /// Key of a Secret.
    pub fn key(namespace: &str, name: &str) -> Thing {
        Thing::named("secret", format!("{namespace}/{name}"))
    }
}

impl Spec for Secret {
    fn id(&self) -> StepId {
        "secret".into()
    }

    fn thing(&self) -> Thing {
        Self::key(&self.namespace, &self.name)
    }

    /// A variable may hold the identity's client id.
    fn needs(&self) -> Vec<Need> {
        vec![Need::Family(Family::Identity)]
    }

    fn take_over(&mut self) {
        self.foreign = true;
    }
}

/// See [`StepSpec::Workload`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// `deployment`, `statefulset`, `daemonset` or `cronjob`.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Containers that get the variables, in the order of the live object.
    pub containers: Vec<String>,
    /// Adopted from somebody else: read, never written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
    /// Whether the pods act as a managed identity and therefore carry the webhook's label.
    #[serde(default = "super::defaults::yes", skip_serializing_if = "Clone::clone")]
    pub identity: bool,
    /// The service account to set; `None`: the workload already names one and keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// The Secret with the variables.
    pub secret: String,
    /// The variables. A digest of their values goes into the pod template, so that pods restart when a value changes.
    pub variables: Vec<Variable>,
    /// Key Vault objects that the same containers get as files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<Mount>,
}

impl Spec for Workload {
    fn id(&self) -> StepId {
        "workload".into()
    }

    fn thing(&self) -> Thing {
        Thing::named("workload", format!("{} {}/{}", self.kind, self.namespace, self.name))
    }

    /// The workload needs the data of only two steps, but comes last: pods that start before the trust exists fail their
    /// first token request and may cache the refusal for minutes.
    fn needs(&self) -> Vec<Need> {
        [Family::Cluster, Family::Identity, Family::Trust, Family::Grant, Family::Delivery].map(Need::Family).into()
    }

    /// The values that the pods see are then not this tool's.
    fn take_over(&mut self) {
        self.foreign = true;
        self.variables.clear();
    }
}

/// Key Vault objects mounted as files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mount {
    /// Directory of the files.
    pub path: String,
    /// The class that lists the objects.
    pub class: SecretProviderClass,
}

/// See [`StepSpec::VaultSecret`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VaultSecret {
    /// The vault.
    pub vault: ResourceId,
    /// URL of the vault's data plane, without a trailing slash.
    pub uri: String,
    /// Name of the secret.
    pub name: String,
    /// Value of this tool's tag: `<cluster>/<namespace>/<connection>`.
    pub owner: String,
    /// The variable whose value the secret holds.
    pub variable: Variable,
}

impl VaultSecret {
    /// Key of a secret in a vault. Names of vaults are unique within a cloud, and neither name heeds case.
    pub fn key(vault: &str, name: &str) -> Thing {
        Thing::named("vault secret", format!("{vault}/{name}").to_ascii_lowercase())
    }
}

impl Spec for VaultSecret {
    fn id(&self) -> StepId {
        format!("vault-secret:{}", self.variable.name)
    }

    fn thing(&self) -> Thing {
        Self::key(self.vault.name(), &self.name)
    }
}

/// See [`StepSpec::SecretProviderClass`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretProviderClass {
    /// Namespace.
    pub namespace: String,
    /// Name; also the name of the volume.
    pub name: String,
    /// Name of the vault.
    pub vault: String,
    /// Tenant of the vault.
    pub tenant: String,
    /// The provider's name of the cloud; absent for the public cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
    /// The identity with which the driver reads the vault.
    pub identity: CsiIdentity,
    /// The objects to fetch.
    pub objects: Vec<VaultObject>,
}

impl Spec for SecretProviderClass {
    fn id(&self) -> StepId {
        "secret-provider-class".into()
    }

    fn thing(&self) -> Thing {
        Thing::named("class", format!("{}/{}", self.namespace, self.name))
    }

    /// The add-on of the cluster installs the custom resource definition; the class names the identity.
    fn needs(&self) -> Vec<Need> {
        vec![Need::Family(Family::Cluster), Need::Family(Family::Identity)]
    }
}

impl SecretProviderClass {
    /// Name of the Secret that the driver maintains, if any object has a variable.
    pub fn synced(&self) -> Option<String> {
        self.objects.iter().any(|o| o.variable.is_some()).then(|| format!("{}-vault", self.name))
    }

    /// Names of the variables that come from the vault, in the order of the objects.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().filter_map(|o| o.variable.as_deref())
    }
}
