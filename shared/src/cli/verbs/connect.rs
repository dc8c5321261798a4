//! `kubectl connect SERVICE NAME`, `create` and `plan`: plans, asks for consent, applies and proves.

use std::time::Duration;

use clap::{ArgMatches, Command};

use crate::catalogue;
use crate::cli::flags::az_cluster;
use crate::cli::flags::connect::{self as connect_flags, Run as How};
use crate::cli::flags::values::DryRun;
use crate::cli::interactive::consent::Question;
use crate::cli::invocation::Invocation;
use crate::cli::verbs::change::{is_wanted, show_plan};
use crate::cli::verbs::check_text;
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::engine::apply::rehearse;
use crate::engine::prepare::{Prepared, prepare};
use crate::engine::undo::undo;
use crate::engine::{Stop, report};
use crate::health::check::{Check, is_success};
use crate::kube::Flags;
use crate::lookup::session::Session;
use crate::model::propagation::PROPAGATION;
use crate::model::{Kind, Problem, Result};
use crate::plan::record::{Phase, Record};
use crate::ui::Ui;

/// The long form with the service after the verb.
pub const CREATE: Verb = Verb {
    name: "create",
    aliases: &[],
    about: "Connect a workload; same as `kubectl connect SERVICE`",
    group: Group::Connect,
    takes_service: true,
    examples: &["create keyvault my-vault --workload deployment/web"],
    flags: services,
    run: Run::Waiting(|call| Box::pin(behind_a_verb(call))),
    az: Az::Shown(AzTable::CONNECTION),
};

/// Shows only the plan.
pub const PLAN: Verb = Verb {
    name: "plan",
    aliases: &[],
    about: "Show the plan of a connection",
    group: Group::Connect,
    takes_service: true,
    examples: &["plan keyvault my-vault --workload deployment/web", "plan keyvault my-vault -w deployment/web --dry-run=server"],
    flags: services,
    run: Run::Waiting(|call| Box::pin(behind_a_verb(call))),
    az: Az::Shown(AzTable::CHANGES),
};

/// A service without a verb.
pub const SERVICE: Run = Run::Waiting(|call| Box::pin(connect(call, call.word, call.matches)));

/// The services are subcommands of the verb, as they are of the program.
fn services(command: Command) -> Command {
    command.subcommand_required(true).arg_required_else_help(true).subcommand_value_name("SERVICE")
}

async fn behind_a_verb(call: &Invocation<'_>) -> Result<u8> {
    match call.matches.subcommand() {
        Some((service, matches)) => connect(call, service, matches).await,
        None => Err(Problem::new(Kind::Usage, "KC1000", "no service is given").fix("choose one: kubectl connect services")),
    }
}

/// Makes or plans a connection.
async fn connect(call: &Invocation<'_>, service: &str, matches: &ArgMatches) -> Result<u8> {
    if let Some((title, next)) = catalogue::retired(service) {
        return Err(Problem::new(Kind::Usage, "KC1612", format!("{title} is retired"))
            .why("Azure has shut down its servers or migrated them to flexible server")
            .fix(format!("kubectl connect {next} NAME")));
    }
    let (request, how) = connect_flags::connect(service, matches)?;
    let (session, progress) = call.session().await?;
    let prepared = prepare(&session, &request).await;
    progress.clear();
    let prepared = prepared?;
    header(call.ui, &session, &prepared);
    if call.word == PLAN.name {
        return plan_alone(call.ui, &prepared, &how).await;
    }
    if how.atomic {
        refuse_atomic(&prepared)?;
    }
    if !is_wanted(call, &how.changing, &prepared, Question::Whether("Apply")).await? {
        return Ok(0);
    }
    let made = match prepared.carry_out(&call.stop, patience(&prepared, &how)).await {
        Err(problem) if how.atomic && problem.kind() != Kind::Interrupted => {
            return Err(roll_back(call.ui, &call.flags()?, &prepared, problem).await);
        }
        other => other?,
    };
    progress.clear();
    let (record, checks) = (made.record, made.proof?);
    if how.verify {
        call.ui.proof(&checks.iter().map(check_text::shown).collect::<Vec<_>>());
    }
    if how.atomic && !is_success(&checks) {
        let problem =
            Problem::new(Kind::Failed, "KC6012", format!("connection `{}` does not work", record.name)).why("a check failed, see above");
        return Err(roll_back(call.ui, &call.flags()?, &prepared, problem).await);
    }
    result(call.ui, &prepared, &record, &checks);
    Ok(u8::from(!is_success(&checks)))
}

/// Prints the plan as the result. Exit code 2 for changes requires a separate flag.
async fn plan_alone(ui: &Ui, prepared: &Prepared, how: &How) -> Result<u8> {
    if how.changing.dry_run == DryRun::Server {
        rehearse(prepared).await?;
    }
    show_plan(ui, prepared);
    Ok(if how.detailed_exitcode && prepared.plan.writes() { 2 } else { 0 })
}

/// `--atomic` is possible only for a new connection: only that can be undone completely.
fn refuse_atomic(prepared: &Prepared) -> Result<()> {
    if prepared.former.as_ref().is_none_or(|f| f.record.phase == Phase::Applying) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Usage,
        "KC1010",
        format!("connection `{}` already exists: --atomic can't undo a change to it", prepared.record.name),
    )
    .fix("omit --atomic"))
}

/// For how long a refusal of the proof may be due to propagation: minutes for a new connection, not at all for an
/// older one.
fn patience(prepared: &Prepared, how: &How) -> Option<Duration> {
    let is_fresh = prepared.plan.writes() || is_young(&prepared.record);
    how.verify.then(|| if is_fresh { PROPAGATION.min(how.changing.timeout) } else { Duration::ZERO })
}

/// Whether a part of the connection is so new that it may not be effective in all of Azure yet.
fn is_young(record: &Record) -> bool {
    let fresh = |at: &str| {
        at.parse::<jiff::Timestamp>().is_ok_and(|at| {
            let age = crate::clock::now().duration_since(at).as_secs();
            u64::try_from(age).is_ok_and(|age| age < PROPAGATION.as_secs())
        })
    };
    record.receipts.values().any(|r| r.done && fresh(&r.at))
}

/// Undoes everything that the run did; the returned problem says how that ended.
async fn roll_back(ui: &Ui, flags: &Flags, prepared: &Prepared, problem: Problem) -> Problem {
    let progress = ui.progress();
    let (name, namespace) = (&prepared.record.name, &prepared.record.namespace);
    let undone = async {
        // A new session, since the cached reads of this run are outdated.
        let session = Session::open(flags, az_cluster::azure(), &progress.events()).await?.afresh();
        match undo(&session, name, prepared.cx.timeout).await {
            Ok(undoing) => undoing.carry_out(&Stop::default()).await,
            // The run failed before it wrote a record.
            Err(missing) if missing.code() == "KC1201" => Ok(()),
            Err(other) => Err(other),
        }
    };
    let undone = undone.await;
    progress.clear();
    match undone {
        Ok(()) => problem.fix("everything that this run created was deleted (--atomic)"),
        Err(second) => problem.fix(format!("undoing the run failed too ({second}): kubectl connect delete {name} -n {namespace}")),
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

/// A patch that the user has to bring in is the result itself, as a whole document: what is said about it is talk.
fn result(ui: &Ui, prepared: &Prepared, record: &Record, checks: &[Check]) {
    let patch = prepared.printed.as_ref().map(|p| &p.patch);
    let value = report::with_run(report::connection(record), &prepared.plan, checks, patch);
    let who = record.workload.clone().unwrap_or_else(|| "the service account".into());
    let (name, target) = (&record.name, prepared.target.name());
    let told = match is_success(checks) {
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
