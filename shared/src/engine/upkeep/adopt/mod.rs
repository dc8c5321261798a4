//! Taking over what others set up: connections that Service Connector made, and workload identity set-ups made by hand.
//! Taking over writes a record and nothing else; all that it names stays its maker's, so that deleting the connection
//! leaves everything as it was.

pub(crate) mod by_hand;
pub mod candidate;
pub mod candidates;
pub(crate) mod linkers;
pub mod take;
