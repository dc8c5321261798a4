//! What is wrong with a command line, in the words of every other error: what, why, and a command line that is right. clap
//! knows what is wrong; it does not know what people usually mean by it.

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::catalogue::{self, SERVICES};
use crate::cli::frontend::Frontend;
use crate::cli::verbs::VERBS;
use crate::model::{Kind, Problem};

/// Words that other programs have, and the command that does it here.
const ELSEWHERE: [(&str, &str); 8] = [
    ("remove", "delete NAME"),
    ("undo", "delete NAME"),
    ("disconnect", "delete NAME"),
    ("uninstall", "delete NAME"),
    ("status", "show NAME, or verify NAME"),
    ("logs", "events NAME"),
    ("apply", "create SERVICE NAME --workload KIND/NAME"),
    ("update", "create SERVICE NAME --workload KIND/NAME"),
];

/// Kinds of workload as people write them before a name.
const KINDS: [&str; 9] = ["deployment", "deploy", "statefulset", "sts", "daemonset", "ds", "cronjob", "cj", "job"];

/// The problem that a wrong command line is; nothing where clap has printed what was asked for.
pub fn problem(frontend: Frontend, whole: Command, words: &[String], error: &Error) -> Option<Problem> {
    let line = Line { program: frontend.words(), whole, words };
    let text = |kind| text(error, kind);
    let help = line.help();
    Some(match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
        ErrorKind::MissingSubcommand if line.reached().1.get_name() == line.whole.get_name() => unsaid(frontend),
        ErrorKind::MissingSubcommand => line.no_service(),
        ErrorKind::InvalidSubcommand => line.unknown_word(&text(ContextKind::InvalidSubcommand), suggested(error)),
        ErrorKind::UnknownArgument => line.unknown_argument(&text(ContextKind::InvalidArg), suggested(error)),
        ErrorKind::MissingRequiredArgument => line.missing(&text(ContextKind::InvalidArg)),
        ErrorKind::ArgumentConflict => {
            let (one, other) = (text(ContextKind::InvalidArg), text(ContextKind::PriorArg));
            let what = if one == other { format!("{one} was given twice") } else { format!("{one} and {other} exclude one another") };
            Problem::new(Kind::Usage, "KC1018", what).fix("omit one of them").fix(help)
        }
        _ => {
            let (flag, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
            let what = match value.is_empty() {
                true => format!("{flag} needs a value"),
                false => format!("{flag} can't be `{value}`"),
            };
            let problem = Problem::new(Kind::Usage, "KC1016", what);
            let allowed = text(ContextKind::ValidValue);
            match (std::error::Error::source(error), allowed.is_empty()) {
                (Some(source), _) => problem.why(source.to_string()).fix(help),
                (None, false) => problem.fix(format!("use one of: {allowed}")),
                (None, true) => problem.fix(help),
            }
        }
    })
}

/// The problem where flags alone were typed.
pub fn unsaid(frontend: Frontend) -> Problem {
    let words = frontend.words();
    Problem::new(Kind::Usage, "KC1000", "neither a service nor a verb was named")
        .fix(format!("choose one: {words} services"))
        .fix(format!("{words} --help"))
}

fn text(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(all)) => all.join(", "),
        _ => String::new(),
    }
}

fn suggested(error: &Error) -> Vec<String> {
    let of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(all)) => all.clone(),
        _ => Vec::new(),
    };
    [of(ContextKind::SuggestedSubcommand), of(ContextKind::SuggestedArg)].concat()
}

/// A command line that was typed.
struct Line<'a> {
    program: &'static str,
    whole: Command,
    words: &'a [String],
}

impl Line<'_> {
    /// The words of the command that was reached: `plan keyvault`.
    fn reached(&self) -> (String, &Command) {
        let (mut at, mut line) = (&self.whole, self.program.to_owned());
        for word in self.words {
            if let Some(next) = at.find_subcommand(word) {
                line = format!("{line} {}", next.get_name());
                at = next;
            }
        }
        (line, at)
    }

    fn help(&self) -> String {
        format!("{} --help", self.reached().0)
    }

    fn no_service(&self) -> Problem {
        Problem::new(Kind::Usage, "KC1000", "no service was named").fix(format!("choose one: {} services", self.program)).fix(self.help())
    }

    fn unknown_word(&self, word: &str, suggested: Vec<String>) -> Problem {
        let (line, _) = self.reached();
        let takes_service = line.ends_with(" plan") || line.ends_with(" create");
        let what = match (line == self.program, takes_service) {
            (true, _) => format!("there is no service or verb `{word}`"),
            (_, true) => format!("there is no service `{word}`"),
            _ => format!("{line} has no command `{word}`"),
        };
        let problem = Problem::new(Kind::Usage, "KC1015", what);
        if let Some((_, command)) = ELSEWHERE.iter().find(|(other, _)| *other == word) {
            return problem.fix(format!("{} {command}", self.program));
        }
        if let Some(fix) = self.turned_round(word) {
            return problem.why("the service comes first, then the name of the resource; the workload is a flag").fix(fix);
        }
        match suggested.is_empty() {
            true if line == self.program || takes_service => {
                problem.fix(format!("choose one: {} services", self.program)).fix(format!("{} --help", self.program))
            }
            true => problem.fix(self.help()),
            false => canonical(suggested).iter().fold(problem, |problem, word| problem.fix(format!("did you mean: {line} {word}"))),
        }
    }

    /// The command line with workload, service and target in their places, where all three are there.
    fn turned_round(&self, word: &str) -> Option<String> {
        let workload = is_workload(word).then_some(word)?;
        let mut rest = self.words.iter().filter(|w| !w.starts_with('-') && *w != word);
        let service = rest.find_map(|word| catalogue::find(word))?;
        let target = rest.find(|word| catalogue::find(word).is_none()).map_or("NAME", String::as_str);
        Some(format!("{} {} {target} --workload {workload}", self.program, service.name))
    }

    fn unknown_argument(&self, argument: &str, suggested: Vec<String>) -> Problem {
        let (line, _) = self.reached();
        if !argument.starts_with('-') {
            let problem = Problem::new(Kind::Usage, "KC1014", format!("`{argument}` is one word too many for {line}"));
            return match is_workload(argument) {
                true => problem.fix(format!("the workload is a flag: --workload {argument}")).fix(self.help()),
                false => problem.fix(self.help()),
            };
        }
        let problem = Problem::new(Kind::Usage, "KC1014", format!("{line} has no flag `{argument}`"));
        let owners = self.owners(argument);
        let problem = if owners.is_empty() { problem } else { problem.why(format!("{argument} is a flag of {owners}")) };
        // A flag that only looks alike is no help where the flag itself is somebody else's.
        let near = suggested.into_iter().filter(|flag| owners.is_empty() && flag.starts_with('-'));
        near.fold(problem, |problem, flag| problem.fix(format!("did you mean: {flag}"))).fix(self.help())
    }

    /// The commands that have this flag.
    fn owners(&self, flag: &str) -> String {
        let Some(long) = flag.strip_prefix("--").map(|long| long.split('=').next().unwrap_or_default()) else { return String::new() };
        let has = |name: &str| self.whole.find_subcommand(name).is_some_and(|c| c.get_arguments().any(|a| a.get_long() == Some(long)));
        let services: Vec<&str> = SERVICES.iter().map(|service| service.name).filter(|name| has(name)).collect();
        let verbs = VERBS.iter().map(|verb| verb.name).filter(|name| has(name));
        let services = if services.len() == SERVICES.len() { vec!["every service"] } else { services };
        services.into_iter().chain(verbs).take(5).collect::<Vec<_>>().join(", ")
    }

    fn missing(&self, missing: &str) -> Problem {
        let (line, at) = self.reached();
        let (what, fixes) = match missing {
            "<TARGET>" => {
                let service = catalogue::find(at.get_name());
                let noun = service.map_or("resource", |service| service.noun);
                (format!("{line} needs the name of the {noun}"), vec![format!("{line} NAME --workload KIND/NAME")])
            }
            "<CONNECTION>" | "<NAME>" | "<NAME>..." => {
                (format!("{line} needs the name of a connection"), vec![format!("{} list", self.program), format!("{line} NAME")])
            }
            other => (format!("{line} needs {other}"), vec![self.help()]),
        };
        fixes.into_iter().fold(Problem::new(Kind::Usage, "KC1017", what), Problem::fix)
    }
}

/// Suggested words without those that mean the same service.
fn canonical(words: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for word in words {
        let name = catalogue::find(&word).map_or(word, |service| service.name.to_owned());
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    kept
}

fn is_workload(word: &str) -> bool {
    word.split_once('/').is_some_and(|(kind, name)| !name.is_empty() && KINDS.contains(&kind.to_lowercase().as_str()))
}
