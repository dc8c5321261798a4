//! Flags shared by several verbs, and parsers for their values.

pub mod auth;
pub mod az_cluster;
pub mod changing;
pub mod connect;
pub mod csi;
pub mod global;
pub mod output;
pub mod values;
