//! `kubectl connect verify NAME`.

use std::time::Duration;

use clap::{Args, Command};

use crate::cli::flags::values::duration;
use crate::cli::invocation::{Invocation, record};
use crate::cli::verbs::check_text::{self, FailOn};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::engine::record::ledger;
use crate::health::check::is_success;
use crate::health::connection::{Looking, everything};
use crate::health::report;
use crate::model::Result;

/// The verb.
pub const VERB: Verb = Verb {
    name: "verify",
    aliases: &["test"],
    about: "Prove that a connection works, link by link",
    group: Group::Check,
    takes_service: false,
    examples: &["verify keyvault-my-vault --wait", "verify keyvault-my-vault -o short --fail-on warning"],
    flags,
    run: Run::Waiting(|call| Box::pin(verify(call))),
    az: Az::Shown(AzTable::CHECKS),
};

// Flags of verifying.
#[derive(Args, Debug)]
struct Verify {
    /// Name of the connection
    connection: String,
    /// Wait until new roles and credentials have taken effect in Azure
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m")]
    timeout: Duration,
    /// Also look up the target's name in a running pod of the workload
    ///
    /// Runs `getent`, or else `nslookup`, in one container and compares the result with the private endpoint. Needs
    /// the permissions to get and create pods/exec.
    #[arg(long)]
    from_pod: bool,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "error")]
    fail_on: FailOn,
}

fn flags(command: Command) -> Command {
    Verify::augment_args(command)
}

/// Verifies the whole chain of a connection.
async fn verify(call: &Invocation<'_>) -> Result<u8> {
    let asked: Verify = call.read()?;
    let (session, progress) = call.session().await?;
    let namespace = session.kube.namespace();
    let mut record = record(&session.kube, &asked.connection).await?;
    let patience = if asked.wait { asked.timeout } else { Duration::ZERO };
    let found = everything(&session, &record, Looking { patience, from_pod: asked.from_pod }).await;
    progress.clear();
    let found = found?;
    ledger::remember(&session.kube, &mut record, is_success(&found)).await?;
    let (ui, name) = (call.ui, &record.name);
    let who = record.workload.clone().unwrap_or_else(|| "service account".into());
    let title = format!("{name} ({namespace}, {who} → {})", record.target.name());
    ui.result(&report::checks(&record, &found), || check_text::text(ui, &title, &found), &[format!("connection/{name}")]);
    Ok(check_text::exit_code(&found, asked.fail_on))
}
