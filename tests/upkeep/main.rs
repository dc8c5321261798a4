//! Everything after a connection was made: reading, finding problems, repairing, adopting, deleting.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test tells by panicking")]

mod adopt;
mod codes;
mod complete;
mod doctor;
mod elsewhere;
mod fault_at_every_request;
mod fault_while_changing;
mod from_pod;
mod handmade;
mod handmade_azure;
mod handmade_cluster;
mod handmade_csi;
mod handmade_machine;
mod looking;
mod refresh;
mod refused;
mod repair;
mod said;
mod verify;
