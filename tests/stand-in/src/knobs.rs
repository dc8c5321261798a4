//! The ways in which the real services differ from day to day, each a value that a test can turn.

use std::time::Duration;

/// How the stand-in `az` behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AzState {
    /// `az login` was done.
    #[default]
    SignedIn,
    /// Nobody is signed in.
    NotSignedIn,
    /// Signed in, but so old that answers hold no `expires_on`.
    TooOld,
    /// Starts and never ends.
    Hangs,
    /// Signed in to a tenant that has nothing to do with the planted one.
    OtherTenant,
    /// The sign-in has run out: a new `az login` is asked for.
    Expired,
}

/// Resource Graph's ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Every query is refused.
    pub denied: bool,
    /// Things younger than this are not seen yet.
    pub lag: Duration,
}

/// All knobs. The defaults are a good day: everything takes effect at once, only cluster updates take a second.
#[derive(Clone, Debug)]
pub struct Knobs {
    /// Time before every answer.
    pub latency: Duration,
    /// Until a new role assignment counts on data planes.
    pub role_propagation: Duration,
    /// Until a new federated credential counts at the token endpoint.
    pub credential_propagation: Duration,
    /// How many exchanges fail again after the first success: the real service is known to relapse.
    pub credential_relapse: usize,
    /// Until a new identity's principal is known to role assignments that do not say `principalType`, and to the token endpoint.
    pub identity_replication: Duration,
    /// Until a new identity can be read.
    pub identity_unreadable: Duration,
    /// How long a cluster update runs.
    pub cluster_update: Duration,
    /// `Retry-After` of running operations.
    pub retry_after: Option<u64>,
    /// Cluster updates end as failed with this code.
    pub cluster_update_fails: Option<String>,
    /// How long after an update that switches the Key Vault add-on on its objects are in the cluster.
    pub addon_delay: Duration,
    /// The least time that a credential write occupies its identity: a second write in it is refused.
    pub credential_write: Duration,
    /// How long a write to a data plane's own roles or policies runs, and keeps others out.
    pub data_role_write: Duration,
    /// Life of tokens, in seconds.
    pub token_lifetime: u64,
    /// The signed-in `az`.
    pub az: AzState,
    /// Resource Graph.
    pub graph: Graph,
    /// Actions (with `*`) taken from the signed-in user at a scope and below.
    pub denied: Vec<(String, String)>,
    /// Locks: scope and `CanNotDelete` or `ReadOnly`.
    pub locks: Vec<(String, String)>,
    /// Refuse api-versions other than the ones the product is meant to send. Off for other clients.
    pub strict_api_versions: bool,
    /// Accounts whose keys were regenerated, by name, once for each time.
    pub rotated: Vec<String>,
    /// Locations whose identities take no federated credentials.
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
    /// Takes an action (`*` allowed) from the signed-in user at a scope and below.
    pub fn deny(&mut self, action: &str, scope: &str) {
        self.denied.push((action.to_owned(), scope.to_owned()));
    }

    /// Locks a scope; `level` is `CanNotDelete` or `ReadOnly`.
    pub fn lock(&mut self, scope: &str, level: &str) {
        self.locks.push((scope.to_owned(), level.to_owned()));
    }
}
