//! `kubectl connect verify NAME`, and how the proof at the end of `connect` is shown.

use std::time::Duration;

use clap::{ArgMatches, Args, Command};

use super::args;
use super::checks::{self, FailOn};
use crate::engine::record::ledger;
use crate::health::check::Check;
use crate::health::connection::{Looking, everything};
use crate::lookup::session::Session;
use crate::model::Result;
use crate::model::propagation::PROPAGATION;
use crate::plan::record::Record;
use crate::ui::Ui;

// Flags of verifying.
#[derive(Args, Debug)]
struct Verify {
    /// Name of the connection
    connection: String,
    /// Wait for what may still be on its way through Azure
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", value_parser = args::duration, default_value = "10m")]
    timeout: Duration,
    /// Look up the target's name in a running pod of the workload as well
    ///
    /// Runs `getent`, or else `nslookup`, in one container and compares with the private endpoint. Takes the rights to get and
    /// create pods/exec.
    #[arg(long)]
    from_pod: bool,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "error")]
    fail_on: FailOn,
}

/// The command.
pub(super) fn command() -> Command {
    Verify::augment_args(Command::new("verify").visible_alias("test").about("Prove that a connection works, link by link"))
}

/// Goes through the whole chain of a connection.
pub(super) async fn verify(ui: &Ui, root: &ArgMatches, matches: &ArgMatches) -> Result<u8> {
    let asked: Verify = args::parse(matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    let session = Session::open(&flags, &progress.events()).await?;
    let namespace = session.kube.namespace();
    let name = &asked.connection;
    let Some(stored) = crate::lookup::records::load(&session.kube, namespace, name).await? else {
        let records = crate::lookup::records::list(&session.kube, namespace).await?;
        return Err(crate::lookup::records::no_such_connection(&records, namespace, name));
    };
    let mut record = stored.record;
    let patience = if asked.wait { asked.timeout } else { Duration::ZERO };
    let found = everything(&session, &record, Looking { patience, from_pod: asked.from_pod }).await;
    progress.clear();
    let found = found?;
    ledger::remember(&session.kube, &mut record, crate::health::check::is_success(&found)).await?;
    let who = record.workload.clone().unwrap_or_else(|| "service account".into());
    let title = format!("{name} ({namespace}, {who} → {})", record.target.name());
    ui.result(&crate::health::report::checks(&record, &found), || checks::text(ui, &title, &found), &[format!("connection/{name}")]);
    Ok(checks::exit_code(&found, asked.fail_on))
}

/// Shows checks as talk, beside another result.
pub(super) fn print(ui: &Ui, checks: &[Check]) {
    ui.proof(&checks.iter().map(checks::shown).collect::<Vec<_>>());
}

/// Whether something of the connection was made so recently that it may still be on its way through Azure.
pub(super) fn is_young(record: &Record) -> bool {
    let fresh = |at: &str| {
        at.parse::<jiff::Timestamp>().is_ok_and(|at| {
            let age = jiff::Timestamp::now().duration_since(at).as_secs();
            u64::try_from(age).is_ok_and(|age| age < PROPAGATION.as_secs())
        })
    };
    record.receipts.values().any(|r| r.done && fresh(&r.at))
}
