//! Connects Kubernetes workloads to Azure services without passwords: the core of `kubectl connect` and `az connect`.

pub mod azure;
pub mod catalogue;
mod cli;
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

/// The command line as a value: for man pages and documents, which are made from it.
pub fn command_line(frontend: Frontend) -> clap::Command {
    cli::command(frontend)
}

/// The commands of the az extension as data: what az's own help is made from.
pub fn az_commands() -> serde_json::Value {
    cli::az_commands()
}

/// The completion scripts, by the file names that shells expect.
pub fn completion_scripts() -> Vec<(&'static str, String)> {
    cli::completion_scripts()
}

/// Runs the command line of this process: the whole `main` of both binaries.
pub fn main_with(frontend: Frontend) -> ExitCode {
    // One provider for the whole process; without it rustls panics at the first connection. It is there already only
    // when the host program installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run(frontend, std::env::args_os())
}
