//! Steps that make Entra trust the service account: cluster features, identity, federated credential, service account.

pub(crate) mod cluster_features;
pub(crate) mod federated_credential;
pub(crate) mod identity;
pub(crate) mod service_account;
