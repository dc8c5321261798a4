//! The main job, end to end: the product's binary against the sandbox, as a user runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test tells by panicking")]

mod at_once;
mod az;
mod bad_input;
mod completion;
mod connect;
mod csi;
mod delete;
mod faults;
mod front;
mod kill;
mod killed;
mod killed_later;
mod network;
mod output;
mod readme;
mod rights;
mod secrets;
mod settings;
mod states;
mod support;
