//! Adopts set-ups of others: Service Connector's connections and manual workload identity set-ups. Adopting writes
//! only a record. All objects still belong to whoever created them, so deleting the connection leaves them unchanged.

pub(crate) mod by_hand;
pub mod candidate;
pub mod candidates;
pub(crate) mod linkers;
pub mod take;
