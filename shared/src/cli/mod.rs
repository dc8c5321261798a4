//! From argv to a request, and from an outcome to an exit code.

mod adopt;
mod agree;
mod args;
mod auth_args;
mod az;
mod az_words;
mod checks;
mod complete;
mod completion;
mod config;
mod connect;
mod csi_args;
mod delete;
mod doctor;
mod explain;
mod global_args;
mod guided;
mod list;
mod look;
mod offline;
mod output;
mod refresh;
mod repair;
mod schema;
mod show;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::ArgMatches;

use self::guided::Unclear;
use crate::azure;
use crate::engine::Stop;
use crate::model::{Kind, Problem, Result};
use crate::ui::{self, Ui};

/// Which program the user called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frontend {
    /// The kubectl plugin.
    Kubectl,
    /// The az extension.
    Az,
}

impl Frontend {
    /// How the user calls it.
    pub fn words(self) -> &'static str {
        match self {
            Frontend::Kubectl => "kubectl connect",
            Frontend::Az => "az connect",
        }
    }
}

/// The command line as a value.
pub fn command(frontend: Frontend) -> clap::Command {
    args::command(frontend)
}

/// The commands of the az extension as data: what az's own help is made from.
pub fn az_commands() -> serde_json::Value {
    schema::schema()
}

/// The completion scripts, by the file names that shells expect.
pub fn completion_scripts() -> Vec<(&'static str, String)> {
    completion::FILES.iter().map(|(shell, file)| (*file, completion::script(*shell))).collect()
}

/// Runs a command line, prints what is to be printed, and says how it ended.
pub fn run(frontend: Frontend, argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let argv: Vec<OsString> = argv.into_iter().collect();
    if complete::is_asked(argv.first()) {
        return complete::answer(argv.get(1..).unwrap_or_default());
    }
    if argv.get(1).is_some_and(|word| word == schema::WORD) {
        return schema::print();
    }
    // The thin extension starts whichever of the two programs it finds.
    let frontend = if azure::is_handed_over() { Frontend::Az } else { frontend };
    let matches = match guided::matches(frontend, argv) {
        Ok(matches) => matches,
        // clap's own words for this list every word that there is.
        Err(Unclear::Usage(error)) if error.kind() == clap::error::ErrorKind::MissingSubcommand => {
            let problem = unsaid(frontend);
            Ui::default().problem(&problem);
            return ExitCode::from(problem.kind().exit_code());
        }
        Err(Unclear::Usage(error)) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
        Err(Unclear::Asking(problem)) => {
            Ui::default().problem(&problem);
            return ExitCode::from(problem.kind().exit_code());
        }
    };
    let mut ui = args::ui(&matches);
    ui.errors_for_programs_only = azure::is_handed_over();
    if frontend == Frontend::Az {
        // As long as the program lives, as the command line does.
        ui.wording = Some(ui::Wording { reword: az_words::reworded, cluster: az_words::cluster(&matches).leak() });
    }
    ui.log();
    match dispatch(frontend, &ui, &matches) {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            ui.problem(&problem);
            ExitCode::from(problem.kind().exit_code())
        }
    }
}

fn unsaid(frontend: Frontend) -> Problem {
    let words = frontend.words();
    Problem::new(Kind::Usage, "KC1000", "neither a service nor a verb was named")
        .fix(format!("choose one: {words} services"))
        .fix(format!("{words} --help"))
}

fn dispatch(frontend: Frontend, ui: &Ui, matches: &ArgMatches) -> Result<u8> {
    let Some((word, rest)) = matches.subcommand() else {
        return Err(unsaid(frontend));
    };
    match word {
        "services" => Ok(offline::services(ui, args::markdown(rest))),
        "explain" => explain::explain(ui, rest),
        "version" => Ok(offline::version(ui, frontend)),
        "completion" => completion::run(ui, rest),
        "config" => config::run(ui, rest),
        "list" => in_runtime(|_| list::list(ui, matches, rest)),
        "show" => in_runtime(|_| show::show(ui, matches, rest)),
        "doctor" => doctor::doctor(ui, matches, rest),
        "verify" => in_runtime(|_| verify::verify(ui, matches, rest)),
        "repair" => in_runtime(|stop| repair::repair(ui, matches, rest, stop)),
        "adopt" => in_runtime(|stop| adopt::adopt(ui, matches, rest, stop)),
        "refresh" => in_runtime(|stop| refresh::refresh(ui, matches, rest, stop)),
        "diff" => in_runtime(|_| repair::diff(ui, matches, rest)),
        "tree" => in_runtime(|_| look::tree(ui, matches, rest)),
        "wait" => in_runtime(|_| look::wait(ui, matches, rest)),
        "events" => in_runtime(|_| look::events(ui, matches, rest)),
        "delete" => in_runtime(|stop| delete::delete(ui, matches, rest, stop)),
        "plan" | "create" => match rest.subcommand() {
            Some((service, args)) => in_runtime(|stop| connect::connect(ui, matches, service, args, word == "plan", stop)),
            None => Err(unsaid(frontend)),
        },
        service => in_runtime(|stop| connect::connect(ui, matches, service, rest, false, stop)),
    }
}

/// Runs an asynchronous command. While steps are at work the first Ctrl-C lets them finish and begins no new one; a
/// second one, or one while nothing is being written, ends everything.
fn in_runtime<T, F: Future<Output = Result<T>>>(command: impl FnOnce(Stop) -> F) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Problem::new(Kind::Failed, "KC1008", "the program can't start").source(e))?;
    let result = runtime.block_on(async {
        let stop = Stop::default();
        let command = command(stop.clone());
        tokio::select! {
            result = command => result,
            () = interrupted(stop) => Err(left()),
        }
    });
    // A plugin or `az` that is still running must not hold the process.
    runtime.shutdown_background();
    result
}

/// What Ctrl-C leaves behind.
fn left() -> Problem {
    if ui::is_asking() {
        ui::restore_terminal();
        return Problem::new(Kind::Interrupted, "KC6008", "interrupted: nothing was changed");
    }
    Problem::new(Kind::Interrupted, "KC6008", "interrupted").fix("run the same command again to continue")
}

async fn interrupted(stop: Stop) {
    if tokio::signal::ctrl_c().await.is_err() {
        return std::future::pending().await;
    }
    stop.set();
    if !stop.is_writing() {
        return;
    }
    ui::interrupted();
    let _ = tokio::signal::ctrl_c().await;
}
