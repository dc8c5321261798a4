//! Plans a connection and writes nothing: the library in its smallest use.
//!
//! `cargo run -p connect-core --example plan_only -- keyvault my-vault deployment/web`
//!
//! The example reads the current kube context and the sign-in of `az login`, as the plugin does. To try it without both,
//! build it and run it in the sandbox: `cargo run -p sandbox -- target/debug/examples/plan_only keyvault my-vault deployment/web`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example for people: it talks to the terminal")]

use std::process::ExitCode;

use connect_core::engine::prepare::prepare;
use connect_core::kube::Flags;
use connect_core::lookup::azure_session::AzureSession;
use connect_core::lookup::session::Session;
use connect_core::model::request::ConnectRequest;
use connect_core::model::{Event, Events, Result};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [service, target, workload] = arguments.as_slice() else {
        eprintln!("usage: plan_only SERVICE TARGET KIND/NAME");
        return ExitCode::from(2);
    };
    // TLS needs one provider of cryptography for the whole process. The library leaves that choice to the program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match plan(service, target, workload).await {
        Ok(()) => ExitCode::SUCCESS,
        // An error says what failed and why, and knows the commands that help. Its kind decides the exit code.
        Err(problem) => {
            eprintln!("error [{}]: {problem}", problem.code());
            problem.fixes().iter().for_each(|fix| eprintln!("  fix  {fix}"));
            ExitCode::from(problem.kind().exit_code())
        }
    }
}

async fn plan(service: &str, target: &str, workload: &str) -> Result<()> {
    // Events tell of progress while the library works. The example shows only what a user should know.
    let events = Events::new(|event| match event {
        Event::Note(text) | Event::Warning(text) => eprintln!("{text}"),
        _ => {}
    });
    // Both sides: Azure with az's sign-in, and the cluster of the kube context. `Flags` are kubectl's connection flags.
    let session = Session::open(&Flags::default(), &AzureSession::default(), &events).await?;

    // What is wanted. Everything that is not set has the default of the command line.
    let request = ConnectRequest { workload: Some(workload.to_owned()), ..ConnectRequest::new(service, target) };

    // The library finds cluster, target and identity, examines every step, and checks the rights. All of that only reads:
    // nothing is written before `engine::apply`.
    let prepared = prepare(&session, &request).await?;

    println!("Connection {} in namespace {}:", prepared.plan.connection, prepared.plan.namespace);
    for change in &prepared.plan.changes {
        println!("  {:?} {} {}", change.action, change.kind, change.name);
    }
    let (added, changed, deleted) = prepared.plan.summary();
    println!("{added} to add, {changed} to change, {deleted} to delete; nothing was written.");
    Ok(())
}
