//! The steps of a connection as data: what must be so. They are written into the record, so that a later run (another
//! machine, another version) can continue or undo with the same steps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::ResourceId;
use crate::model::access::Role;
use crate::model::variable::Variable;

/// Names a step within its connection: `identity`, `role:Key Vault Secrets User`.
pub type StepId = String;

/// One thing that must be so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "camelCase")]
pub enum StepSpec {
    /// The cluster publishes an OIDC issuer and runs the workload identity webhook.
    ClusterFeatures(ClusterFeatures),
    /// The managed identity exists.
    Identity(Identity),
    /// The identity holds a role at a scope.
    RoleAssignment(RoleAssignment),
    /// The identity has an entry in a vault's access policies.
    VaultPolicy(VaultPolicy),
    /// The identity holds a role of a Cosmos DB account's own data plane.
    CosmosRole(CosmosRole),
    /// The identity is assigned an access policy of a Redis cache.
    RedisPolicy(RedisPolicy),
    /// Entra trusts tokens of the service account for the identity.
    FederatedCredential(FederatedCredential),
    /// The service account exists and names the identity's client id.
    ServiceAccount(ServiceAccount),
    /// The Secret with the connection's variables.
    Secret(Secret),
    /// The workload's pods use the service account, carry the webhook's label and see the variables.
    Workload(Workload),
}

/// See [`StepSpec::ClusterFeatures`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterFeatures {
    /// The managed cluster.
    pub cluster: ResourceId,
}

/// See [`StepSpec::Identity`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Its resource id.
    pub id: ResourceId,
    /// Region to create it in.
    pub location: String,
    /// Whether we create it where it is missing; `false`: the user named it, it must exist and is never ours.
    pub create: bool,
    /// Value of our tag: `<cluster>/<namespace>/<service account>`.
    pub owner: String,
    /// Tags that it gets besides, when it is made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// See [`StepSpec::RoleAssignment`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleAssignment {
    /// Scope of the assignment.
    pub scope: ResourceId,
    /// The role.
    pub role: Role,
    /// Who gets it.
    #[serde(flatten)]
    pub to: Grantee,
}

/// Who gets a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Grantee {
    /// The connection's managed identity.
    Identity(ResourceId),
    /// A service principal, by its object id.
    Principal(String),
}

impl Grantee {
    /// What people call it.
    pub fn name(&self) -> &str {
        match self {
            Grantee::Identity(id) => id.name(),
            Grantee::Principal(object_id) => object_id,
        }
    }

    /// Its object id, where that is known: `identity` is the connection's identity's.
    pub fn principal(&self, identity: Option<String>) -> Option<String> {
        match self {
            Grantee::Identity(_) => identity,
            Grantee::Principal(object_id) => Some(object_id.clone()),
        }
    }

    fn key(&self) -> String {
        match self {
            Grantee::Identity(id) => id.as_str().to_ascii_lowercase(),
            Grantee::Principal(object_id) => object_id.to_ascii_lowercase(),
        }
    }
}

/// See [`StepSpec::CosmosRole`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CosmosRole {
    /// The account.
    pub account: ResourceId,
    /// Path of the part of the account that it is for: `dbs/shop`; empty: all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Name and GUID of the role definition within the account.
    pub role: Role,
    /// Who gets it.
    #[serde(flatten)]
    pub to: Grantee,
}

/// See [`StepSpec::RedisPolicy`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedisPolicy {
    /// The cache.
    pub cache: ResourceId,
    /// Name of the access policy.
    pub policy: String,
    /// Who gets it.
    #[serde(flatten)]
    pub to: Grantee,
}

/// See [`StepSpec::VaultPolicy`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VaultPolicy {
    /// The vault.
    pub vault: ResourceId,
    /// Permissions on secrets.
    pub secrets: Vec<String>,
    /// Who gets it.
    #[serde(flatten)]
    pub to: Grantee,
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
}

/// See [`StepSpec::ServiceAccount`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether we create it where it is missing.
    pub create: bool,
    /// Pull secrets that the workload had through the account that it leaves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<String>,
}

/// See [`StepSpec::Secret`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub variables: Vec<Variable>,
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
    /// Whether its pods act as a managed identity: then they carry the webhook's label.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub identity: bool,
    /// The service account to set; `None`: the workload names one itself and keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// The Secret with the variables.
    pub secret: String,
    /// The variables; their values make the digest that restarts pods when one changes.
    pub variables: Vec<Variable>,
}

fn yes() -> bool {
    true
}

impl StepSpec {
    /// The step's name within the connection; stable over versions, because records hold it.
    pub fn id(&self) -> StepId {
        match self {
            StepSpec::ClusterFeatures(_) => "cluster".into(),
            StepSpec::Identity(_) => "identity".into(),
            StepSpec::RoleAssignment(s) => format!("role:{}", s.role.id),
            StepSpec::VaultPolicy(_) => "vault-policy".into(),
            StepSpec::CosmosRole(s) => format!("cosmos-role:{}", s.role.id),
            StepSpec::RedisPolicy(_) => "redis-policy".into(),
            StepSpec::FederatedCredential(_) => "federated-credential".into(),
            StepSpec::ServiceAccount(_) => "service-account".into(),
            StepSpec::Secret(_) => "secret".into(),
            StepSpec::Workload(_) => "workload".into(),
        }
    }

    /// Steps whose results this one needs. The workload comes last although it needs only two of them for its data:
    /// pods that start before the trust is there fail their first token request and may cache the refusal for minutes.
    pub fn needs(&self) -> &'static [&'static str] {
        match self {
            StepSpec::ClusterFeatures(_) | StepSpec::Identity(_) => &[],
            StepSpec::RoleAssignment(_) | StepSpec::VaultPolicy(_) | StepSpec::CosmosRole(_) | StepSpec::RedisPolicy(_) => &["identity"],
            StepSpec::FederatedCredential(_) => &["cluster", "identity"],
            StepSpec::ServiceAccount(_) | StepSpec::Secret(_) => &["identity"],
            StepSpec::Workload(_) => &[
                "cluster",
                "identity",
                "role:",
                "vault-policy",
                "cosmos-role:",
                "redis-policy",
                "federated-credential",
                "service-account",
                "secret",
            ],
        }
    }

    /// Only one step at a time may hold a lock of this name: the identity service answers 409 to concurrent writers of
    /// the federated credentials of one identity.
    pub fn lock(&self) -> Option<String> {
        match self {
            StepSpec::FederatedCredential(s) => Some(format!("federated credentials of {}", s.identity.as_str().to_ascii_lowercase())),
            // Both services answer 409 while another write to the same account is under way.
            StepSpec::CosmosRole(s) => Some(format!("data roles of {}", s.account.as_str().to_ascii_lowercase())),
            StepSpec::RedisPolicy(s) => Some(format!("policies of {}", s.cache.as_str().to_ascii_lowercase())),
            _ => None,
        }
    }

    /// What the step makes, as a key that two connections share when they share the thing itself.
    pub fn thing(&self) -> String {
        let lower = |id: &ResourceId| id.as_str().to_ascii_lowercase();
        match self {
            StepSpec::ClusterFeatures(s) => format!("cluster {}", lower(&s.cluster)),
            StepSpec::Identity(s) => format!("identity {}", lower(&s.id)),
            StepSpec::RoleAssignment(s) => format!("role {} {} {}", lower(&s.scope), s.role.id, s.to.key()),
            StepSpec::VaultPolicy(s) => format!("policy {} {}", lower(&s.vault), s.to.key()),
            StepSpec::CosmosRole(s) => format!("cosmos role {}/{} {} {}", lower(&s.account), s.path, s.role.id, s.to.key()),
            StepSpec::RedisPolicy(s) => format!("redis policy {} {} {}", lower(&s.cache), s.policy, s.to.key()),
            StepSpec::FederatedCredential(s) => format!("credential {} {}/{}", lower(&s.identity), s.namespace, s.service_account),
            StepSpec::ServiceAccount(s) => format!("serviceaccount {}/{}", s.namespace, s.name),
            StepSpec::Secret(s) => format!("secret {}/{}", s.namespace, s.name),
            StepSpec::Workload(s) => format!("workload {} {}/{}", s.kind, s.namespace, s.name),
        }
    }
}

/// Our tag on Azure resources: tag names may not hold a slash, so it is the bare prefix.
pub fn tags(owner: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(crate::model::PREFIX.to_owned(), owner.to_owned())])
}
