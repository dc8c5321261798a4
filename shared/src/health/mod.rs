//! Checks whether a connection works: gathers evidence, evaluates the links, names known faults as findings, and
//! proves access by signing in as the workload does. A test ensures that this room never writes.

pub mod check;
pub mod connection;
pub mod doctor;
pub(crate) mod evidence;
pub mod findings;
pub(crate) mod links;
pub(crate) mod proof;
pub mod report;
