//! The links of the chain from pod to data, one file each. A link only evaluates the evidence: it reads nothing
//! itself.

pub(crate) mod account;
pub(crate) mod cluster;
pub(crate) mod compare;
pub(crate) mod csi;
pub(crate) mod from_pod;
pub(crate) mod grant;
pub(crate) mod pods;
pub(crate) mod target;
#[cfg(test)]
mod testing;
pub(crate) mod trust;
pub(crate) mod webhook;
pub(crate) mod workload;
