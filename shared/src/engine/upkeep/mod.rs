//! What happens to a connection after it was made: compare with the cluster, repair, fetch rotated keys, take over.

pub mod adopt;
pub mod live;
pub mod refresh;
pub mod repair;
