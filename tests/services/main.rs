//! Every service of the catalogue end to end: supported combinations work, others are refused and the alternatives
//! named.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test tells by panicking")]

mod narrow;
mod samples;
mod secrets;
mod walk;
