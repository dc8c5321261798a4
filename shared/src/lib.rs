//! Connects Kubernetes workloads to Azure services without passwords: the core of `kubectl connect` and `az connect`.
//!
//! A [`ConnectRequest`](model::request::ConnectRequest) says what is wanted, a [`Session`](lookup::session::Session) reaches
//! Azure and the cluster, [`prepare`](engine::prepare::prepare) turns both into a plan without writing anything, and
//! [`carry_out`](engine::prepare::Prepared::carry_out) applies the plan. `examples/plan_only.rs` shows the first three in sixty lines.

pub mod azure;
pub mod catalogue;
mod cli;
pub mod clock;
pub mod engine;
pub mod health;
pub mod kube;
pub mod lookup;
pub mod model;
pub mod plan;
pub mod steps;
mod sys;
pub mod ui;

use std::process::ExitCode;

pub use cli::Frontend;

/// The command line as a value: man pages and documents are generated from it.
pub fn command_line(frontend: Frontend) -> clap::Command {
    cli::command(frontend)
}

/// The commands of the az extension as data: the help of `az connect` is generated from it.
pub fn az_commands() -> serde_json::Value {
    cli::az_commands()
}

/// The completion scripts, each with the file name that its shell expects.
pub fn completion_scripts() -> Vec<(&'static str, String)> {
    cli::completion_scripts()
}

/// Runs the command line of this process. Both binaries' `main` functions call only this.
pub fn main_with(frontend: Frontend) -> ExitCode {
    // rustls needs one crypto provider for the whole process and panics at the first connection without one.
    // Installing it fails only when the host program installed one before; that one is used then.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run(frontend, std::env::args_os())
}
