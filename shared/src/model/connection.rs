//! The identity of a connection within a cluster, and how the connection lets the workload in.

use super::access::Access;
use super::auth::Auth;
use super::variable::Client;

/// Namespace and name of a connection. Connections with the same name in different namespaces are unrelated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionKey {
    /// Namespace of the workload, the record and everything else of the connection in the cluster.
    pub namespace: String,
    /// Name of the connection.
    pub name: String,
}

impl ConnectionKey {
    /// The key of connection `name` in `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        ConnectionKey { namespace: namespace.into(), name: name.into() }
    }
}

/// How a connection lets the workload in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// How the workload proves who it is.
    pub auth: Auth,
    /// Client library whose variables are delivered.
    pub client: Client,
    /// How much the workload may do.
    pub access: Access,
}
