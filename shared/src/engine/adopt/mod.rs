//! Taking over what others set up: connections that Service Connector made, and workload identity set-ups made by hand.

pub mod connector;
