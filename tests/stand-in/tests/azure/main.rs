//! Uses the Azure half of the sandbox over real HTTP through its proxy, and checks its rules.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests are tests too: a panic is how they fail")]

mod access;
mod clusters;
mod exchange;
mod grants;
mod graph;
mod identities;
mod interference;
mod signin;
mod support;
mod targets;
