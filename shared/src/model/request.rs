//! A connect request as a value, the same for the kubectl plugin, the az extension and files.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use super::access::Access;
use super::auth::Auth;
use super::naming::IdentityName;
use super::variable::Client;
use super::vault::{CsiIdentity, VaultObject};

/// A request for a connection.
#[derive(Clone, Debug)]
pub struct ConnectRequest {
    /// Service name from the catalogue.
    pub service: String,
    /// The target: a name or a resource id.
    pub target: String,
    /// Resource group in which the target is searched. With `location` it is the resource group of the identity
    /// instead.
    pub resource_group: Option<String>,
    /// Region of the identity, for clusters outside AKS.
    pub location: Option<String>,
    /// Subscription in which the target is searched: an id or a name.
    pub subscription: Option<String>,
    /// Name of the connection; `<service>-<target>` if absent.
    pub name: Option<String>,
    /// The workload as `kind/name`; if absent, only the service account is prepared.
    pub workload: Option<String>,
    /// Containers that get the variables; if empty, all except init containers.
    pub containers: Vec<String>,
    /// Service account to use; if absent, the workload's service account or a new one.
    pub service_account: Option<String>,
    /// Identity to use: name, client id, object id or resource id; if absent, one is created.
    pub identity: Option<String>,
    /// Resource group of the created identity; the cluster's if absent.
    pub identity_group: Option<String>,
    /// Name template of the created identity; the built-in naming if absent.
    pub identity_name: Option<IdentityName>,
    /// Tags of the created identity.
    pub tags: BTreeMap<String, String>,
    /// Access level; the service's default if absent.
    pub access: Option<Access>,
    /// Role to grant in place of the access level's: a name or the id of a definition.
    pub role: Option<String>,
    /// Client type for the variables; if absent, it is detected from the workload.
    pub client: Option<Client>,
    /// Way of authentication; the service's default if absent.
    pub auth: Option<Auth>,
    /// Values of service-specific flags, by flag name.
    pub parameters: BTreeMap<String, String>,
    /// Part of the target to which access is limited: `container=images`.
    pub scope: Option<String>,
    /// User name that belongs to a given password.
    pub user: Option<String>,
    /// Secrets that the user gave, by name. If there is only one, its name may be empty.
    pub secrets: BTreeMap<String, SecretString>,
    /// The service principal to connect as.
    pub principal: Principal,
    /// Variables to rename: old and new name.
    pub map: Vec<(String, String)>,
    /// Prefix for the names of all variables that `map` does not rename.
    pub env_prefix: Option<String>,
    /// Key Vault in which keys and connection strings are stored: a name or a resource id.
    pub secret_store: Option<String>,
    /// Key Vault objects to mount.
    pub csi: Csi,
    /// Whether the workload is patched.
    pub patch: Patch,
    /// The AKS cluster, if it can't be found from the kube context.
    pub cluster: ClusterChoice,
    /// Time limit for all waiting.
    pub timeout: Duration,
}

impl ConnectRequest {
    /// A request with the defaults of the command line. It names no workload yet; all other fields are optional.
    pub fn new(service: impl Into<String>, target: impl Into<String>) -> Self {
        ConnectRequest {
            service: service.into(),
            target: target.into(),
            resource_group: None,
            location: None,
            subscription: None,
            name: None,
            workload: None,
            containers: Vec::new(),
            service_account: None,
            identity: None,
            identity_group: None,
            identity_name: None,
            tags: BTreeMap::new(),
            access: None,
            role: None,
            client: Some(Client::None),
            auth: None,
            parameters: BTreeMap::new(),
            scope: None,
            user: None,
            secrets: BTreeMap::new(),
            principal: Principal::default(),
            map: Vec::new(),
            env_prefix: None,
            secret_store: None,
            csi: Csi::default(),
            patch: Patch::Auto,
            cluster: ClusterChoice::default(),
            timeout: Duration::from_secs(15 * 60),
        }
    }

    /// Resource group in which the target is searched. With a location the group belongs to the identity and says nothing about
    /// the target.
    pub fn target_group(&self) -> Option<&str> {
        self.resource_group.as_deref().filter(|_| self.location.is_none())
    }
}

/// A service principal, as far as the user described it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// Client id of the app registration.
    pub client_id: Option<String>,
    /// Object id of the service principal, needed to assign it a role.
    pub object_id: Option<String>,
    /// Tenant; the cluster's if absent.
    pub tenant: Option<String>,
}

/// Key Vault objects that the workload gets as files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csi {
    /// The objects.
    pub objects: Vec<VaultObject>,
    /// Where the files are mounted; the path used in the driver's documentation if absent.
    pub mount_path: Option<String>,
    /// The identity with which the driver reads the vault.
    pub identity: Option<CsiIdentity>,
}

/// Whether a workload is patched in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Patch the workload unless a GitOps tool or another manager owns it; then print the patch.
    Auto,
    /// Patch the workload even if something else manages it.
    Always,
    /// Print the patch only.
    Never,
}

/// The AKS cluster as named by the user.
#[derive(Clone, Debug, Default)]
pub struct ClusterChoice {
    /// Resource id.
    pub id: Option<String>,
    /// Name; used together with the resource group.
    pub name: Option<String>,
    /// Resource group.
    pub resource_group: Option<String>,
}
