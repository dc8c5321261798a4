//! The cluster of the kube context: connection, apply, workloads, tokens. Knows nothing of Azure.

mod access;
pub(crate) mod cached;
pub(crate) mod call;
mod certificate;
pub(crate) mod cluster_credentials;
mod connect;
pub(crate) mod credential_plugin;
mod error;
mod explain;
pub mod flags;
mod gitops;
mod holder;
mod kubeconfig;
pub mod machine;
mod memo;
pub(crate) mod permission;
pub(crate) mod pod_exec;
mod pods;
mod proxy;
pub mod resources;
pub mod rollout;
pub(crate) mod send;
mod signin;
mod source;
#[cfg(test)]
pub(crate) mod testing;
mod trace;
mod verbs;
pub mod workload;
pub mod workload_identity;

pub use self::access::Minted;
pub use self::cluster_credentials::Source;
pub use self::permission::{Access, Allowed};
pub use self::pod_exec::Ended;
pub use connect::Cluster;
pub use error::{Cause, Failure, Status, Why};
pub use flags::Flags;
pub use gitops::{GitOps, ManagedBy};
pub use holder::{holder, is_dead};
pub use kubeconfig::contexts;
pub use resources::Resource;
pub use verbs::{Applied, Apply, FIELD_MANAGER, Only, Watched};
pub use workload::{Workload, WorkloadKind, WorkloadRef, wrap_template};
