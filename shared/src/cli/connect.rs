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
    ui.say(format!(
        "Cluster  {} ({})  context {}   Target  {} ({})   Namespace  {}\n",
        cluster.name(),
        cluster.resource_group(),
        session.kube.context(),
        target.name(),
        target.resource_group(),
        prepared.record.namespace
    ));
}

fn show_plan(ui: &Ui, prepared: &Prepared, detailed: bool) -> u8 {
    let names: Vec<String> = prepared.plan.changes.iter().filter(|c| c.writes()).map(|c| format!("{}/{}", c.kind, c.name)).collect();
    let mut value = prepared.plan.to_json();
    if let Some(printed) = &prepared.printed {
        value["patch"] = printed.patch.clone();
    }
    ui.result(&value, || ui.plan_text(&prepared.plan), &names);
    print_patch(ui, prepared);
    if detailed && prepared.plan.writes() { 2 } else { 0 }
}

fn result(ui: &Ui, prepared: &Prepared, record: &Record, checks: &[Check]) {
    let patch = prepared.printed.as_ref().map(|p| &p.patch);
    let value = report::with_run(report::connection(record), &prepared.plan, checks, patch);
    let proven = crate::health::check::is_success(checks);
    let text = || {
        let who = record.workload.clone().unwrap_or_else(|| "the service account".into());
        match (proven, &prepared.printed) {
            (false, _) => format!("Connection {} is in place, but does not work yet: see the failed check above.", record.name),
            (true, Some(_)) => format!("Connection {} is ready; {who} still needs the patch above.", record.name),
            (true, None) => format!("Connected {who} to {} as {}.", prepared.target.name(), record.name),
        }
    };
    print_patch(ui, prepared);
    ui.result(&value, text, &[format!("connection/{}", record.name)]);
}

fn print_patch(ui: &Ui, prepared: &Prepared) {
    if let Some(printed) = &prepared.printed {
        ui.say(format!("\nNot patched: {}.\n\n{}", printed.why, ui.yaml(&printed.patch)));
    }
}
