//! Access levels, and the grants that give an identity access.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much of the service the workload may use. Each service's catalogue entry says which grants a level means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Read the service's data.
    Read,
    /// Read and write the service's data.
    ReadWrite,
    /// Everything on the data plane, including the management of others' access where the data plane offers that.
    Admin,
}

impl Access {
    /// All levels, least first.
    pub const ALL: [Access; 3] = [Access::Read, Access::ReadWrite, Access::Admin];
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => "read",
            Access::ReadWrite => "readwrite",
            Access::Admin => "admin",
        })
    }
}

/// A built-in role by display name and definition GUID. Comparisons use the GUID, because display names change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Display name, for people.
    pub name: String,
    /// GUID of the role definition, lower-case.
    pub id: String,
}

impl Role {
    /// The role definition's id at a subscription.
    pub fn definition_id(&self, subscription: &str) -> String {
        format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{}", self.id)
    }
}

/// One permission for an identity, in the form that the service uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "grant", rename_all = "camelCase")]
pub enum Grant {
    /// An Azure role assignment at the target.
    Role(Role),
    /// An entry in the access policies of a vault that does not use roles.
    VaultPolicy {
        /// Permissions on secrets, as Key Vault spells them, in lower case.
        secrets: Vec<String>,
        /// Permissions on keys.
        keys: Vec<String>,
        /// Permissions on certificates.
        certificates: Vec<String>,
    },
    /// A role of Cosmos DB's data plane. Azure role assignments don't apply there.
    CosmosRole {
        /// Display name, for people.
        name: String,
        /// GUID of the definition within the account.
        id: String,
    },
    /// An access policy of a Redis cache.
    RedisPolicy {
        /// `Data Reader`, `Data Contributor` or `Data Owner`.
        policy: String,
    },
}
