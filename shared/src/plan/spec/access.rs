//! Steps that grant access at the target.

use serde::{Deserialize, Serialize};

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

    pub(crate) fn key(&self) -> String {
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
