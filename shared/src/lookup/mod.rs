//! What is there: the cluster, Azure resources, identities, records and permissions. This room only reads; a test holds it
//! to that, so that doctor, verify and audits need no more than read rights.

pub(crate) mod azure;
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
