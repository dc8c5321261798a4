//! Life after create: looking at connections, finding what is wrong, repairing, adopting.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test tells by panicking")]

mod adopt;
mod codes;
mod complete;
mod doctor;
mod elsewhere;
mod faults;
mod faults_later;
mod from_pod;
#[path = "../cases/kill.rs"]
#[allow(dead_code, reason = "the other cases use what these do not")]
mod kill;
mod looking;
mod planted;
mod planted_azure;
mod planted_cluster;
mod planted_csi;
mod planted_machine;
mod refresh;
mod refused;
mod repair;
#[path = "../cases/states.rs"]
mod states;
#[path = "../cases/support.rs"]
#[allow(dead_code, reason = "the other cases use what these do not")]
mod support;
mod verify;
