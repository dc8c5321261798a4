//! Every service of the catalogue, end to end: what it can do works, what it can't do is refused with what it can.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test tells by panicking")]

mod narrow;
mod samples;
mod secrets;
mod walk;
