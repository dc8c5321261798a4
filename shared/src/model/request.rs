//! What the user asked for, free of how it was asked (kubectl plugin, az extension, file).

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use super::access::Access;
use super::auth::Auth;
use super::naming::IdentityName;
use super::variable::Client;
use super::vault::{CsiIdentity, VaultObject};

/// Ask for a connection.
#[derive(Clone, Debug)]
pub struct ConnectRequest {
    /// Service word, from the catalogue.
    pub service: String,
    /// The target: a name or a resource id.
    pub target: String,
    /// Narrows the search for the target; with a location, where the identity goes instead.
    pub resource_group: Option<String>,
    /// Region of the identity, for a cluster that Azure does not know.
    pub location: Option<String>,
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
    /// Resource group of the identity that is made; the cluster's if absent.
    pub identity_group: Option<String>,
    /// How the identity that is made is called; our own way if absent.
    pub identity_name: Option<IdentityName>,
    /// Tags of the identity that is made.
    pub tags: BTreeMap<String, String>,
    /// Level of access; the service's default if absent.
    pub access: Option<Access>,
    /// Role to grant instead: a name or the id of a definition.
    pub role: Option<String>,
    /// Client type for the variables; absent: what the workload gives away.
    pub client: Option<Client>,
    /// Way of authentication; the service's default if absent.
    pub auth: Option<Auth>,
    /// Values of the service's own flags, by name.
    pub parameters: BTreeMap<String, String>,
    /// Part of the target that access is narrowed to: `container=images`.
    pub scope: Option<String>,
    /// User name that goes with a given password.
    pub user: Option<String>,
    /// Secrets that the user gave, by name; an only one may have an empty name.
    pub secrets: BTreeMap<String, SecretString>,
    /// The service principal to connect as.
    pub principal: Principal,
    /// Variables to be called otherwise: old and new name.
    pub map: Vec<(String, String)>,
    /// Text before the name of every variable that is not called otherwise.
    pub env_prefix: Option<String>,
    /// Vault that keeps the keys and connection strings: a name or a resource id.
    pub secret_store: Option<String>,
    /// Vault objects to mount, and how.
    pub csi: Csi,
    /// Whether the workload is patched.
    pub patch: Patch,
    /// The AKS cluster, where it is not to be found from the context.
    pub cluster: ClusterChoice,
    /// Limit for everything that is waited for.
    pub timeout: Duration,
}

/// A service principal, as far as the user named it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// Client id of the app registration.
    pub client_id: Option<String>,
    /// Object id of the service principal, to give it the role.
    pub object_id: Option<String>,
    /// Its tenant; the cluster's if absent.
    pub tenant: Option<String>,
}

/// Vault objects that the workload is to get as files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csi {
    /// The objects.
    pub objects: Vec<VaultObject>,
    /// Where the files are to be; the documentation's usual place if absent.
    pub mount_path: Option<String>,
    /// As whom the driver reads the vault.
    pub identity: Option<CsiIdentity>,
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
