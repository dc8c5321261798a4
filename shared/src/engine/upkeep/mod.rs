//! Everything that happens to an existing connection: comparing with the cluster, repair, refreshing rotated keys,
//! adoption.

pub mod adopt;
pub mod live;
pub mod refresh;
pub mod repair;
