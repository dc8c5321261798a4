//! One file for each verb.

pub mod adopt;
pub mod check_text;
pub mod completion;
pub mod connect;
pub mod delete;
pub mod doctor;
pub mod explain;
pub mod list;
pub mod refresh;
pub mod repair;
pub mod services;
pub mod show;
pub mod tree;
pub mod verify;
