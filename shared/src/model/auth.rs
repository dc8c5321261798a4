//! How a workload authenticates to the service.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Way of authentication; named as az names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// A managed identity, reached through the token of the workload's service account.
    #[default]
    WorkloadIdentity,
    /// A key or password of the service.
    Secret,
    /// An app registration with a client secret.
    ServicePrincipal,
    /// Key Vault objects as files, mounted by the secrets store CSI driver.
    Csi,
}

impl Auth {
    /// All ways of authentication.
    pub const ALL: [Auth; 4] = [Auth::WorkloadIdentity, Auth::Secret, Auth::ServicePrincipal, Auth::Csi];

    /// The value of `--auth`.
    pub fn word(self) -> &'static str {
        match self {
            Auth::WorkloadIdentity => "workload-identity",
            Auth::Secret => "secret",
            Auth::ServicePrincipal => "service-principal",
            Auth::Csi => "csi",
        }
    }

    /// Parses a value of `--auth`, ignoring case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.word().eq_ignore_ascii_case(word))
    }

    /// Whether the workload acts as a managed identity.
    pub fn has_identity(self) -> bool {
        matches!(self, Auth::WorkloadIdentity | Auth::Csi)
    }
}

impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
