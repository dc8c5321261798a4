//! Steps that grant access at the target.

use serde::{Deserialize, Serialize};

use super::family::{Need, Spec, StepId, Thing};
use super::trust::Identity;
use crate::model::ResourceId;
use crate::model::access::Role;

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

impl Spec for RoleAssignment {
    fn id(&self) -> StepId {
        match &self.part {
            Some(part) => format!("role:{}:{part}", self.role.id),
            None => format!("role:{}", self.role.id),
        }
    }

    fn thing(&self) -> Thing {
        Thing::named("role", format!("{} {} {}", self.scope.as_str().to_ascii_lowercase(), self.role.id, self.to.key()))
    }

    fn needs(&self) -> Vec<Need> {
        self.to.needs()
    }

    fn is_narrower_than(&self, target: &ResourceId) -> bool {
        self.scope != *target
    }

    fn grants(&self) -> Option<(&str, &str)> {
        Some((&self.role.name, self.scope.name()))
    }
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

    fn key(&self) -> String {
        match self {
            Grantee::Identity(id) => id.as_str().to_ascii_lowercase(),
            Grantee::Principal(object_id) => object_id.to_ascii_lowercase(),
        }
    }

    /// A grant waits for the identity that gets the grant; a service principal exists already.
    fn needs(&self) -> Vec<Need> {
        match self {
            Grantee::Identity(id) => vec![Need::Thing(Identity::key(id))],
            Grantee::Principal(_) => Vec::new(),
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

impl Spec for CosmosRole {
    fn id(&self) -> StepId {
        format!("cosmos-role:{}", self.role.id)
    }

    fn thing(&self) -> Thing {
        let place = format!("{}/{}", self.account.as_str().to_ascii_lowercase(), self.path);
        Thing::named("cosmos role", format!("{place} {} {}", self.role.id, self.to.key()))
    }

    fn needs(&self) -> Vec<Need> {
        self.to.needs()
    }

    /// The service answers 409 while another write to the same account runs.
    fn lock(&self) -> Option<String> {
        Some(format!("data roles of {}", self.account.as_str().to_ascii_lowercase()))
    }

    fn is_narrower_than(&self, _target: &ResourceId) -> bool {
        !self.path.is_empty()
    }

    fn grants(&self) -> Option<(&str, &str)> {
        Some((&self.role.name, self.path.rsplit('/').next().filter(|p| !p.is_empty()).unwrap_or(self.account.name())))
    }
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

impl Spec for RedisPolicy {
    fn id(&self) -> StepId {
        "redis-policy".into()
    }

    fn thing(&self) -> Thing {
        Thing::named("redis policy", format!("{} {} {}", self.cache.as_str().to_ascii_lowercase(), self.policy, self.to.key()))
    }

    fn needs(&self) -> Vec<Need> {
        self.to.needs()
    }

    /// The service answers 409 while another write to the same cache runs.
    fn lock(&self) -> Option<String> {
        Some(format!("policies of {}", self.cache.as_str().to_ascii_lowercase()))
    }

    fn grants(&self) -> Option<(&str, &str)> {
        Some((&self.policy, self.cache.name()))
    }
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

impl Spec for VaultPolicy {
    fn id(&self) -> StepId {
        "vault-policy".into()
    }

    fn thing(&self) -> Thing {
        Thing::named("policy", format!("{} {}", self.vault.as_str().to_ascii_lowercase(), self.to.key()))
    }

    fn needs(&self) -> Vec<Need> {
        self.to.needs()
    }
}
