//! Settings for behaviour in which the real services vary; a test can change each of them.

use std::time::Duration;

/// How the stand-in `az` behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AzState {
    /// `az login` was run.
    #[default]
    SignedIn,
    /// Nobody is signed in.
    NotSignedIn,
    /// Signed in, with an az so old that its answers lack `expires_on`.
    TooOld,
    /// Starts and never ends.
    Hangs,
    /// Signed in to another tenant than the planted one.
    OtherTenant,
    /// The sign-in has expired; a new `az login` is needed.
    Expired,
}

/// Behaviour of Resource Graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Every query is refused.
    pub denied: bool,
    /// Resources younger than this are missing from the results.
    pub lag: Duration,
}

/// All knobs. By default everything takes effect at once; only cluster updates take a second.
#[derive(Clone, Debug)]
pub struct Knobs {
    /// Delay before every answer.
    pub latency: Duration,
    /// Time until a new role assignment takes effect on data planes.
    pub role_propagation: Duration,
    /// Time until a new federated credential takes effect at the token endpoint.
    pub credential_propagation: Duration,
    /// Number of exchanges that fail again after the first success, as the real service sometimes does.
    pub credential_relapse: usize,
    /// Time until a new identity's principal is known to the token endpoint, and to role assignments without
    /// `principalType`.
    pub identity_replication: Duration,
    /// Time until a new identity can be read.
    pub identity_unreadable: Duration,
    /// Duration of a cluster update.
    pub cluster_update: Duration,
    /// `Retry-After` of running operations.
    pub retry_after: Option<u64>,
    /// Error code with which cluster updates fail.
    pub cluster_update_fails: Option<String>,
    /// Time from the end of an update that enables the Key Vault add-on until its objects exist in the cluster.
    pub addon_delay: Duration,
    /// Minimum duration of a credential write; a second write to the same identity during this time is refused.
    pub credential_write: Duration,
    /// Duration of a write to a data plane's own roles or policies; others are refused during this time.
    pub data_role_write: Duration,
    /// Lifetime of tokens, in seconds.
    pub token_lifetime: u64,
    /// State of `az`.
    pub az: AzState,
    /// Resource Graph.
    pub graph: Graph,
    /// Actions (with `*`) that the signed-in user lacks at a scope and below.
    pub denied: Vec<(String, String)>,
    /// Locks: scope and `CanNotDelete` or `ReadOnly`.
    pub locks: Vec<(String, String)>,
    /// Whether to refuse api-versions other than the product's. Disabled for other clients.
    pub strict_api_versions: bool,
    /// Accounts with regenerated keys, by name; one entry per rotation.
    pub rotated: Vec<String>,
    /// Regions in which identities can't have federated credentials.
    pub regions_without_federation: Vec<String>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            role_propagation: Duration::ZERO,
            credential_propagation: Duration::ZERO,
            credential_relapse: 0,
            identity_replication: Duration::ZERO,
            identity_unreadable: Duration::ZERO,
            cluster_update: Duration::from_secs(1),
            retry_after: None,
            cluster_update_fails: None,
            addon_delay: Duration::from_millis(300),
            credential_write: Duration::from_millis(10),
            data_role_write: Duration::from_millis(50),
            token_lifetime: 3600,
            az: AzState::default(),
            graph: Graph::default(),
            denied: Vec::new(),
            locks: Vec::new(),
            strict_api_versions: true,
            rotated: Vec::new(),
            regions_without_federation: vec!["malaysiasouth".into(), "newzealandnorth".into()],
        }
    }
}

impl Knobs {
    /// Removes an action (`*` allowed) from the signed-in user at a scope and below.
    pub fn deny(&mut self, action: &str, scope: &str) {
        self.denied.push((action.to_owned(), scope.to_owned()));
    }

    /// Locks a scope; `level` is `CanNotDelete` or `ReadOnly`.
    pub fn lock(&mut self, scope: &str, level: &str) {
        self.locks.push((scope.to_owned(), level.to_owned()));
    }
}
