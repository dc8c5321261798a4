//! Steps by which Entra trusts the service account.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::family::{Family, Need, Spec, StepId, Thing};
use crate::model::ResourceId;

/// See [`StepSpec::ClusterFeatures`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterFeatures {
    /// The managed cluster.
    pub cluster: ResourceId,
    /// Whether OIDC issuer and workload identity are wanted.
    #[serde(default = "super::defaults::yes", skip_serializing_if = "Clone::clone")]
    pub federation: bool,
    /// Whether the Key Vault add-on is wanted: the secrets store CSI driver with Azure's provider.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secrets_provider: bool,
}

impl ClusterFeatures {
    /// Key of a managed cluster.
    pub fn key(cluster: &ResourceId) -> Thing {
        Thing::azure("cluster", cluster)
    }
}

impl Spec for ClusterFeatures {
    fn id(&self) -> StepId {
        "cluster".into()
    }

    fn thing(&self) -> Thing {
        Self::key(&self.cluster)
    }
}

/// See [`StepSpec::Identity`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Resource id.
    pub id: ResourceId,
    /// Region to create it in.
    pub location: String,
    /// Whether to create the identity if it is missing. `false`: the user named it, so it must exist and is never
    /// ours.
    pub create: bool,
    /// Value of this tool's tag: `<cluster>/<namespace>/<service account>`.
    pub owner: String,
    /// The cluster whose Key Vault add-on owns the identity. AKS creates it together with the add-on; it is never
    /// ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addon_of: Option<ResourceId>,
    /// Additional tags for a created identity.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Identity {
    /// Key of a managed identity.
    pub fn key(id: &ResourceId) -> Thing {
        Thing::azure("identity", id)
    }
}

impl Spec for Identity {
    fn id(&self) -> StepId {
        "identity".into()
    }

    fn thing(&self) -> Thing {
        Self::key(&self.id)
    }

    /// AKS creates the add-on's identity together with the add-on.
    fn needs(&self) -> Vec<Need> {
        self.addon_of.iter().map(|cluster| Need::Thing(ClusterFeatures::key(cluster))).collect()
    }
}

/// See [`StepSpec::FederatedCredential`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FederatedCredential {
    /// The identity.
    pub identity: ResourceId,
    /// Namespace of the service account.
    pub namespace: String,
    /// The service account.
    pub service_account: String,
    /// Issuer of a cluster outside AKS; `None`: read from the managed cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

impl Spec for FederatedCredential {
    fn id(&self) -> StepId {
        "federated-credential".into()
    }

    fn thing(&self) -> Thing {
        let identity = self.identity.as_str().to_ascii_lowercase();
        Thing::named("credential", format!("{identity} {}/{}", self.namespace, self.service_account))
    }

    /// The credential names the issuer of the cluster.
    fn needs(&self) -> Vec<Need> {
        vec![Need::Family(Family::Cluster), Need::Thing(Identity::key(&self.identity))]
    }

    /// The identity service answers 409 to concurrent writes of federated credentials of one identity.
    fn lock(&self) -> Option<String> {
        Some(format!("federated credentials of {}", self.identity.as_str().to_ascii_lowercase()))
    }
}

/// See [`StepSpec::ServiceAccount`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccount {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Whether to create the service account if it is missing.
    pub create: bool,
    /// Adopted from somebody else: read, never written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
    /// Pull secrets of the service account that the workload used before; the workload still needs them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<String>,
}

impl Spec for ServiceAccount {
    fn id(&self) -> StepId {
        "service-account".into()
    }

    fn thing(&self) -> Thing {
        Thing::named("serviceaccount", format!("{}/{}", self.namespace, self.name))
    }

    /// The annotation names the identity's client id.
    fn needs(&self) -> Vec<Need> {
        vec![Need::Family(Family::Identity)]
    }

    fn take_over(&mut self) {
        self.foreign = true;
    }
}
