//! The steps of a connection as data: the desired state, object by object. The record stores them, so that a later
//! run (on another machine, or of another version) can continue or undo the same steps.

pub mod access;
pub(crate) mod defaults;
pub mod delivery;
pub mod trust;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::ResourceId;

pub use self::access::{CosmosRole, Grantee, RedisPolicy, RoleAssignment, VaultPolicy};
pub use self::delivery::{Mount, Secret, SecretProviderClass, VaultSecret, Workload};
pub use self::trust::{ClusterFeatures, FederatedCredential, Identity, ServiceAccount};

/// Id of a step within its connection: `identity`, `role:<GUID>`.
pub type StepId = String;

/// The desired state of one object.
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
    /// The Secret exists and holds the connection's variables.
    ServiceAccount(ServiceAccount),
    /// The Secret exists and holds the connection's variables.
    Secret(Secret),
    /// A Key Vault secret exists and holds a key or connection string of the service.
    VaultSecret(VaultSecret),
    /// The SecretProviderClass exists: it tells the CSI driver what to mount and with which identity.
    SecretProviderClass(SecretProviderClass),
    /// The workload's pods use the service account, carry the webhook's label and see the variables.
    Workload(Workload),
}

impl StepSpec {
    /// The step's id within the connection. Records hold it, so it must not change between versions.
    pub fn id(&self) -> StepId {
        match self {
            StepSpec::ClusterFeatures(_) => "cluster".into(),
            StepSpec::Identity(_) => "identity".into(),
            StepSpec::RoleAssignment(RoleAssignment { role, part: Some(part), .. }) => format!("role:{}:{part}", role.id),
            StepSpec::RoleAssignment(s) => format!("role:{}", s.role.id),
            StepSpec::VaultPolicy(_) => "vault-policy".into(),
            StepSpec::CosmosRole(s) => format!("cosmos-role:{}", s.role.id),
            StepSpec::RedisPolicy(_) => "redis-policy".into(),
            StepSpec::FederatedCredential(_) => "federated-credential".into(),
            StepSpec::ServiceAccount(_) => "service-account".into(),
            StepSpec::Secret(_) => "secret".into(),
            StepSpec::SecretProviderClass(_) => "secret-provider-class".into(),
            StepSpec::VaultSecret(s) => format!("vault-secret:{}", s.variable.name),
            StepSpec::Workload(_) => "workload".into(),
        }
    }

    /// The role or policy that the step grants, and the name of what it is granted at.
    pub fn grants(&self) -> Option<(&str, &str)> {
        match self {
            StepSpec::RoleAssignment(s) => Some((&s.role.name, s.scope.name())),
            StepSpec::CosmosRole(s) => {
                Some((&s.role.name, s.path.rsplit('/').next().filter(|p| !p.is_empty()).unwrap_or(s.account.name())))
            }
            StepSpec::RedisPolicy(s) => Some((&s.policy, s.cache.name())),
            _ => None,
        }
    }

    /// Ids of the steps whose results this step needs. The workload needs the data of only two steps, but comes last:
    /// pods that start before the trust exists fail their first token request and may cache the refusal for minutes.
    pub fn needs(&self) -> &'static [&'static str] {
        match self {
            StepSpec::ClusterFeatures(_) | StepSpec::VaultSecret(_) => &[],
            // AKS creates this identity together with the add-on.
            StepSpec::Identity(s) if s.addon_of.is_some() => &["cluster"],
            StepSpec::Identity(_) => &[],
            // The add-on installs the custom resource definition.
            StepSpec::SecretProviderClass(_) => &["cluster", "identity"],
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
                "vault-secret:",
                "secret-provider-class",
            ],
        }
    }

    /// Lock of the step; steps with the same lock run one at a time. The identity service answers 409 to concurrent
    /// writes of federated credentials of one identity.
    pub fn lock(&self) -> Option<String> {
        match self {
            StepSpec::FederatedCredential(s) => Some(format!("federated credentials of {}", s.identity.as_str().to_ascii_lowercase())),
            // Both services answer 409 while another write to the same account runs.
            StepSpec::CosmosRole(s) => Some(format!("data roles of {}", s.account.as_str().to_ascii_lowercase())),
            StepSpec::RedisPolicy(s) => Some(format!("policies of {}", s.cache.as_str().to_ascii_lowercase())),
            _ => None,
        }
    }

    /// Key of the object that the step is about. Two connections that share the object have the same key.
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
            StepSpec::VaultSecret(s) => format!("vault secret {}/{}", s.uri, s.name),
            StepSpec::SecretProviderClass(s) => format!("class {}/{}", s.namespace, s.name),
            StepSpec::Workload(s) => format!("workload {} {}/{}", s.kind, s.namespace, s.name),
        }
    }
}

/// This tool's tag for Azure resources. Tag names can't contain a slash, so the tag is the bare prefix.
pub fn tags(owner: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(crate::model::PREFIX.to_owned(), owner.to_owned())])
}
