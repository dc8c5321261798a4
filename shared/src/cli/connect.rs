//! `kubectl connect SERVICE NAME`: plan, ask, do, prove.

use std::time::Duration;

use clap::ArgMatches;

use super::agree::{Question, agreed};
use super::args::{self, DryRun};
use crate::catalogue;
use crate::engine::apply::rehearse;
use crate::engine::prepare::{Prepared, prepare};
use crate::engine::undo::undo;
use crate::engine::{Stop, report};
use crate::health::check::Check;
use crate::kube::Flags;
use crate::lookup::session::Session;
use crate::model::propagation::PROPAGATION;
use crate::model::{Kind, Problem, Result};
use crate::plan::record::{Phase, Record};
use crate::ui::Ui;

/// Makes or plans a connection.
pub(super) async fn connect(ui: &Ui, root: &ArgMatches, service: &str, matches: &ArgMatches, plan_only: bool, stop: Stop) -> Result<u8> {
    if let Some((title, next)) = catalogue::retired(service) {
        return Err(Problem::new(Kind::Usage, "KC1612", format!("{title} is retired"))
            .why("Azure has switched its servers off or moved them to flexible server")
            .fix(format!("kubectl connect {next} NAME")));
    }
    let (request, run) = args::connect(service, matches)?;
    let flags = args::flags(ui, root)?;
    let progress = ui.progress();
    let session = Session::open(&flags, &progress.events()).await?;
    let prepared = prepare(&session, &request).await;
    progress.clear();
    let prepared = prepared?;
    header(ui, &session, &prepared);
    if plan_only || run.dry_run != DryRun::None {
        if run.dry_run == DryRun::Server {
            rehearse(&prepared).await?;
        }
        return Ok(show_plan(ui, &prepared, plan_only && run.detailed_exitcode));
    }
    agreed(ui, &prepared.plan, run.yes, Question::Whether("Apply")).await?;
    let unfinished = prepared.former.as_ref().is_none_or(|f| f.record.phase == Phase::Applying);
    if run.atomic && !unfinished {
        return Err(Problem::new(
            Kind::Usage,
            "KC1010",
            format!("connection `{}` exists: --atomic can't undo a change to it", prepared.record.name),
        )
        .fix("leave --atomic away"));
    }
    // What was made a while ago has had its time; what is fresh may need minutes.
    let fresh = prepared.plan.writes() || super::verify::is_young(&prepared.record);
    let patience = run.verify.then(|| if fresh { PROPAGATION.min(request.timeout) } else { Duration::ZERO });
    let made = match prepared.carry_out(&stop, patience).await {
        Err(problem) if run.atomic && problem.kind() != Kind::Interrupted => return Err(roll_back(ui, &flags, &prepared, problem).await),
        other => other?,
    };
    progress.clear();
    let (record, checks) = (made.record, made.proof?);
    if run.verify {
        super::verify::print(ui, &checks);
    }
    if run.atomic && !crate::health::check::is_success(&checks) {
        let problem =
            Problem::new(Kind::Failed, "KC6012", format!("connection `{}` does not work", record.name)).why("a check failed, see above");
        return Err(roll_back(ui, &flags, &prepared, problem).await);
    }
    result(ui, &prepared, &record, &checks);
    Ok(u8::from(!crate::health::check::is_success(&checks)))
}

/// Undoes everything that the run made; the problem says how that went.
async fn roll_back(ui: &Ui, flags: &Flags, prepared: &Prepared, problem: Problem) -> Problem {
    let progress = ui.progress();
    let (name, namespace) = (&prepared.record.name, &prepared.record.namespace);
    let undone = async {
        // A session of its own: what this run read is no longer true.
        let session = Session::open(flags, &progress.events()).await?;
        match undo(&session, name, prepared.cx.timeout).await {
            Ok(undoing) => undoing.carry_out(&Stop::default()).await,
            // It failed before anything was written down.
            Err(missing) if missing.code() == "KC1201" => Ok(()),
            Err(other) => Err(other),
        }
    };
    let undone = undone.await;
    progress.clear();
    match undone {
        Ok(()) => problem.fix("everything that this run made was undone (--atomic)"),
        Err(second) => problem.fix(format!("undoing it failed as well ({second}): kubectl connect delete {name} -n {namespace}")),
    }
}

fn header(ui: &Ui, session: &Session, prepared: &Prepared) {
    let (cluster, target) = (&prepared.record.cluster, &prepared.target.id);
    ui.heads(&[
        ("Cluster", format!("{} ({})  context {}", cluster.name(), cluster.resource_group(), session.kube.context())),
        ("Target", format!("{} ({})", target.name(), target.resource_group())),
        ("Namespace", prepared.record.namespace.clone()),
    ]);
}

fn show_plan(ui: &Ui, prepared: &Prepared, detailed: bool) -> u8 {
    let mut value = prepared.plan.to_json();
    if let Some(printed) = &prepared.printed {
        value["patch"] = printed.patch.clone();
    }
    let text = || match &prepared.printed {
        Some(printed) => format!("{}\n\nNot patched: {}.\n\n{}", ui.plan_text(&prepared.plan), printed.why, ui.yaml(&printed.patch)),
        None => ui.plan_text(&prepared.plan),
    };
    ui.result(&value, text, &prepared.plan.names());
    if detailed && prepared.plan.writes() { 2 } else { 0 }
}

/// A patch that the user has to bring in is the result itself, as a whole document: what is said about it is talk.
fn result(ui: &Ui, prepared: &Prepared, record: &Record, checks: &[Check]) {
    let patch = prepared.printed.as_ref().map(|p| &p.patch);
    let value = report::with_run(report::connection(record), &prepared.plan, checks, patch);
    let who = record.workload.clone().unwrap_or_else(|| "the service account".into());
    let (name, target) = (&record.name, prepared.target.name());
    let told = match crate::health::check::is_success(checks) {
        false => format!("Connection {name} is in place, but does not work yet: see the failed check above."),
        true if patch.is_some() && ui.format.is_text() => format!("Connection {name} is ready; {who} still needs this patch:"),
        true if patch.is_some() => format!("Connection {name} is ready; {who} still needs its patch: status.patch of -o json."),
        true => format!("Connected {who} to {target} as {name}."),
    };
    if let Some(printed) = &prepared.printed {
        ui.say(format!("\nNot patched: {}.\n{told}", printed.why));
    }
    let text = || patch.map_or_else(|| told.clone(), |patch| ui.yaml(patch));
    ui.result(&value, text, &[format!("connection/{name}")]);
}
