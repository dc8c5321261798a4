//! The steps of a connection as data: the desired state, object by object. The record stores them, so that a later
//! run (on another machine, or of another version) can continue or undo the same steps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::ResourceId;
use crate::model::access::Role;
use crate::model::variable::Variable;
use crate::model::vault::{CsiIdentity, VaultObject};

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
    /// The service account exists and names the identity's client id.
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

/// See [`StepSpec::ClusterFeatures`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterFeatures {
    /// The managed cluster.
    pub cluster: ResourceId,
    /// Whether OIDC issuer and workload identity are wanted.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub federation: bool,
    /// Whether the Key Vault add-on is wanted: the secrets store CSI driver with Azure's provider.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secrets_provider: bool,
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

/// See [`StepSpec::RoleAssignment`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleAssignment {
    /// Scope of the assignment.
    pub scope: ResourceId,
    /// The role.
    pub role: Role,
    /// Distinguishes assignments of the same role at several parts of a resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Who gets the role.
    #[serde(flatten)]
    pub to: Grantee,
}

/// The principal that gets a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Grantee {
    /// The connection's managed identity.
    Identity(ResourceId),
    /// A service principal, by its object id.
    Principal(String),
}

impl Grantee {
    /// Name for users.
    pub fn name(&self) -> &str {
        match self {
            Grantee::Identity(id) => id.name(),
            Grantee::Principal(object_id) => object_id,
        }
    }

    /// Object id, if known. `identity` is the object id of the connection's identity.
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
    /// Path of the part of the account to which the role applies: `dbs/shop`; empty for the whole account.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Name and GUID of the role definition within the account.
    pub role: Role,
    /// Who gets the role.
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
    /// Who gets the policy.
    #[serde(flatten)]
    pub to: Grantee,
}

/// See [`StepSpec::VaultPolicy`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VaultPolicy {
    /// The vault.
    pub vault: ResourceId,
    /// Permissions on secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Permissions on keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Permissions on certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// Who gets the permissions.
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
    /// Issuer of a cluster outside AKS; `None`: read from the managed cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
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
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
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

fn yes() -> bool {
    true
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
