//! Checks product and stand-in against the official REST descriptions.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too: a panic is how they fail")]

mod broken;
mod job;
