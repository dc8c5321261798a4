//! Flags that several verbs share, and how their values are read.

pub mod auth;
pub mod az_cluster;
pub mod changing;
pub mod connect;
pub mod csi;
pub mod global;
pub mod output;
pub mod values;
pub mod which;
