//! The cluster of the kube context: connection, apply, workloads, tokens. Knows nothing of Azure.

mod access;
mod certificate;
mod cluster;
mod connect;
mod error;
mod exec;
mod explain;
pub mod flags;
mod gitops;
mod holder;
mod kubeconfig;
pub mod machine;
mod pods;
mod proxy;
pub mod resources;
pub mod rollout;
mod run;
mod signin;
mod source;
mod trace;
mod verbs;
pub mod workload;

pub use access::{Access, Allowed, Minted};
pub use connect::Cluster;
pub use error::{Cause, Failure, Status, Why};
pub use flags::Flags;
pub use gitops::{GitOps, ManagedBy};
pub use holder::{holder, is_dead};
pub use kubeconfig::contexts;
pub use resources::Resource;
pub use run::Ended;
pub use source::Source;
pub use verbs::{Apply, FIELD_MANAGER, Only, Watched};
pub use workload::{Workload, WorkloadKind, WorkloadRef, wrap_template};

#[cfg(test)]
mod testing;
