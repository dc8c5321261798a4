//! How a connection is told from others in one cluster.

/// Namespace and name of a connection. Two connections of one name in two namespaces have nothing to do with each other.
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
