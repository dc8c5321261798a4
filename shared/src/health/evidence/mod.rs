//! The evidence that is read before the links evaluate it: cluster, identity, workload, target, and what a pod
//! resolves.

pub(crate) mod from_pod;
pub(crate) mod gather;
pub(crate) mod in_cluster;
pub(crate) mod network;
pub(crate) mod remedy_facts;
pub(crate) mod seen;
pub(crate) mod token;
