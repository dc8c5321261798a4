//! What is read before anything is judged: the cluster, the identity, the workload, the target, and what a pod resolves.

pub(crate) mod from_pod;
pub(crate) mod gather;
pub(crate) mod in_cluster;
pub(crate) mod network;
pub(crate) mod remedy_facts;
pub(crate) mod seen;
pub(crate) mod token;
