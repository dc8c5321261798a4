//! The main task end to end: the product's binary against the sandbox, as a user runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test tells by panicking")]

mod at_once;
mod az;
mod bad_input;
mod completion;
mod connect;
mod csi;
mod delete;
mod faults;
mod kept_in_one_secret;
mod killed_while_changing;
mod killed_while_connecting;
mod network;
mod output;
mod program;
mod readme;
mod rights;
mod said;
mod settings;
