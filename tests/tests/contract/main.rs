//! The product and the sandbox against the official REST descriptions, and the validator against the official examples.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too: a panic is how they fail")]

mod broken;
mod examples;
mod job;
