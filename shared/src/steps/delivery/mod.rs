//! Steps that bring the connection to the workload: Secret, vault secrets, mounted classes, the workload's own patch.

pub(crate) mod pod_template;
pub(crate) mod secret;
pub(crate) mod secret_provider_class;
pub(crate) mod values;
pub(crate) mod vault_secret;
pub(crate) mod workload;
