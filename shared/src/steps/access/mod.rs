//! Steps that grant access at the target: roles, access policies, data-plane roles.

pub(crate) mod cosmos_role;
pub(crate) mod redis_policy;
pub(crate) mod role_assignment;
pub(crate) mod vault_policy;
