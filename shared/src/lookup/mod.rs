//! Reads the current state: cluster, Azure resources, identities, records and permissions. A test ensures that this
//! room never writes, so that doctor, verify and audits need only read permissions.

pub(crate) mod azure;
pub mod azure_session;
pub(crate) mod cluster;
pub mod cluster_credentials;
pub(crate) mod given_ids;
pub(crate) mod nodes;
pub(crate) mod outside_aks;
pub(crate) mod permissions;
pub mod records;
pub(crate) mod resources;
pub mod service_connector;
pub mod session;
pub mod suggestions;
