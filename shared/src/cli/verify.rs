//! `kubectl connect verify NAME`, and how checks are shown everywhere.

use clap::ArgMatches;

use super::args;
use crate::catalogue;
use crate::engine::verify::{Chain, Check, Outcome, PROPAGATION, target_of, verify as run};
use crate::engine::{Session, ledger, report, undo};
use crate::model::{Kind, Problem, Result};
use crate::plan::record::Record;
use crate::ui::Ui;

/// Proves that a connection works.
pub(super) async fn verify(ui: &Ui, root: &ArgMatches, matches: &ArgMatches) -> Result<u8> {
    let name = args::one(matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    let session = Session::open(&flags, &progress.events()).await?;
    let namespace = session.kube.namespace();
    let Some(stored) = ledger::load(&session.kube, namespace, &name).await? else {
        let records = ledger::list(&session.kube, namespace).await?;
        return Err(undo::no_such_connection(&records, namespace, &name));
    };
    let mut record = stored.record;
    let service = catalogue::find(&record.service)
        .ok_or_else(|| Problem::new(Kind::Failed, "KC6010", format!("the record names the unknown service `{}`", record.service)))?;
    let found = target_of(&session, service, &record).await?;
    let target = found.ok_or_else(|| {
        Problem::new(Kind::NotFound, "KC1301", format!("the {} {} is gone", service.noun, record.target))
            .fix(format!("delete the connection: kubectl connect delete {name} -n {namespace}"))
    })?;
    let patience = if is_young(&record) { PROPAGATION } else { std::time::Duration::ZERO };
    let chain = Chain { record: &record, service, target: &target, patience };
    let checks = run(&session.kube, &session.arm, &progress.events(), &chain).await;
    progress.clear();
    let checks = checks?;
    ledger::remember(&session.kube, &mut record, report::is_success(&checks)).await?;
    ui.result(&report::checks(&record, &checks), || text(&checks), &[format!("connection/{name}")]);
    Ok(u8::from(!report::is_success(&checks)))
}

/// Shows checks as talk, beside another result.
pub(super) fn print(ui: &Ui, checks: &[Check]) {
    ui.say(text(checks).trim_end());
}

fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let (sign, code) = match check.result {
            Outcome::Success => ("✓", ""),
            Outcome::Error => ("✗", check.code),
            Outcome::Skipped => ("-", ""),
        };
        let seen = check.message.as_deref().map_or_else(String::new, |m| format!(": {m}"));
        text.push_str(format!("  {sign} {}{seen}   {code}", check.description).trim_end());
        text.push('\n');
        if let Some(fix) = &check.fix {
            text.push_str(&format!("      fix  {fix}\n"));
        }
    }
    text
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
