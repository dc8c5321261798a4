//! From command line arguments to a request, and from its result to an exit code.

mod az;
mod command_line;
mod flags;
mod frontend;
mod help;
mod interactive;
mod invocation;
mod runtime;
mod settings;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::ArgMatches;
use clap::error::ErrorKind;

pub use self::frontend::Frontend;

use self::az::{schema, wording};
use self::flags::global;
use self::interactive::complete;
use self::interactive::guided::{self, Unclear};
use self::invocation::Invocation;
use self::runtime::in_runtime;
use self::verbs::connect::SERVICE;
use self::verbs::verb::Run;
use self::verbs::{completion, find};
use crate::azure;
use crate::engine::Stop;
use crate::model::{Kind, Problem, Result};
use crate::ui::{Ui, Wording};

/// The command line as a value.
pub fn command(frontend: Frontend) -> clap::Command {
    command_line::command(frontend)
}

/// The commands of the az extension as data, from which az's help is generated.
pub fn az_commands() -> serde_json::Value {
    schema::schema()
}

/// The completion scripts, each with the file name that its shell expects.
pub fn completion_scripts() -> Vec<(&'static str, String)> {
    let script = |shell| completion::script(command_line::command(Frontend::Kubectl), shell);
    completion::FILES.iter().map(|(shell, file)| (*file, script(*shell))).collect()
}

/// Runs a command line, prints the result and returns the exit code.
pub fn run(frontend: Frontend, argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let argv: Vec<OsString> = argv.into_iter().collect();
    if complete::is_asked(argv.first()) {
        return complete::answer(argv.get(1..).unwrap_or_default());
    }
    if argv.get(1).is_some_and(|word| word == schema::WORD) {
        return schema::print();
    }
    // The thin az extension starts either of the two programs, whichever it finds.
    let frontend = if azure::is_handed_over() { Frontend::Az } else { frontend };
    let matches = match guided::matches(frontend, argv) {
        Ok(matches) => matches,
        Err(unclear) => return explain(frontend, unclear),
    };
    let mut ui = global::ui(&matches);
    ui.errors_for_programs_only = azure::is_handed_over();
    if frontend == Frontend::Az {
        // Leaked, since it is needed until the program ends.
        ui.wording = Some(Wording { reword: wording::reworded, cluster: wording::cluster(&matches).leak() });
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

/// Reports why no command can be run.
fn explain(frontend: Frontend, unclear: Unclear) -> ExitCode {
    let problem = match unclear {
        Unclear::Nothing => {
            Ui::default().say(help::overview(frontend).trim_end());
            return ExitCode::from(Kind::Usage.exit_code());
        }
        // clap's message for this case lists every subcommand.
        Unclear::Usage(error) if error.kind() == ErrorKind::MissingSubcommand => unsaid(frontend),
        Unclear::Usage(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
        Unclear::Asking(problem) => problem,
    };
    Ui::default().problem(&problem);
    ExitCode::from(problem.kind().exit_code())
}

fn unsaid(frontend: Frontend) -> Problem {
    let words = frontend.words();
    Problem::new(Kind::Usage, "KC1000", "no service or verb is given")
        .fix(format!("choose one: {words} services"))
        .fix(format!("{words} --help"))
}

fn dispatch(frontend: Frontend, ui: &Ui, root: &ArgMatches) -> Result<u8> {
    let Some((word, matches)) = root.subcommand() else {
        return Err(unsaid(frontend));
    };
    let call = |stop: Stop| Invocation { frontend, ui, root, word, matches, stop, whole: command_line::command };
    // A word that is no verb is a service.
    match find(word).map_or(&SERVICE, |verb| &verb.run) {
        Run::AtOnce(run) => run(&call(Stop::default())),
        Run::Waiting(run) => in_runtime(|stop| async move { run(&call(stop)).await }),
    }
}
