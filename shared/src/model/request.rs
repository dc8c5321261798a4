//! What the user asked for, free of how it was asked (kubectl plugin, az extension, file).

use std::time::Duration;

use super::access::Access;
use super::variable::Client;

/// Ask for a connection.
#[derive(Clone, Debug)]
pub struct ConnectRequest {
    /// Service word, from the catalogue.
    pub service: String,
    /// The target: a name or a resource id.
    pub target: String,
    /// Narrows the search for the target.
    pub resource_group: Option<String>,
    /// Narrows the search for the target: id or name of a subscription.
    pub subscription: Option<String>,
    /// Name of the connection; `<service>-<target>` if absent.
    pub name: Option<String>,
    /// The workload as `kind/name`; absent: only the service account is prepared.
    pub workload: Option<String>,
    /// Containers that get the variables; empty: all but init containers.
    pub containers: Vec<String>,
    /// Service account to use instead of the workload's own or a new one.
    pub service_account: Option<String>,
    /// Identity to use: name, client id, object id or resource id; absent: one is made.
    pub identity: Option<String>,
    /// Level of access; the service's default if absent.
    pub access: Option<Access>,
    /// Role to grant instead: a name or the id of a definition.
    pub role: Option<String>,
    /// Client type for the variables.
    pub client: Client,
    /// Whether the workload is patched.
    pub patch: Patch,
    /// The AKS cluster, where it is not to be found from the context.
    pub cluster: ClusterChoice,
    /// Limit for everything that is waited for.
    pub timeout: Duration,
}

/// Whether a workload is patched in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Unless something else manages it: then the patch is printed.
    Auto,
    /// Whoever manages it.
    Always,
    /// Never: the patch is printed.
    Never,
}

/// The AKS cluster, named instead of found.
#[derive(Clone, Debug, Default)]
pub struct ClusterChoice {
    /// Its resource id.
    pub id: Option<String>,
    /// Its name; goes with the resource group.
    pub name: Option<String>,
    /// Its resource group.
    pub resource_group: Option<String>,
}
