//! Completion by kubectl's protocol. kubectl runs `kubectl_complete-connect` with the words so far, of which the last
//! is being typed. It reads lines of `value<TAB>description`, and a last line that tells the shell what else it may
//! offer.
//!
//! Errors are silent and everything has a short time limit: completion must not disturb the line that is being typed.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::catalogue;
use crate::cli::command_line;
use crate::cli::flags::{az_cluster, global, output};
use crate::cli::frontend::Frontend;
use crate::kube::{Cluster, Flags, contexts};
use crate::lookup::suggestions::{self, Offer};
use crate::model::{Auth, Events, Result};
use crate::ui::Ui;

/// Time limit for questions to Azure or the cluster.
const BUDGET: Duration = Duration::from_millis(1500);

/// Cobra's directives for the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Offer files as well.
    Files = 0,
    /// Offer nothing else.
    NoFiles = 4,
}

/// Whether kubectl called this program for completion. The program's name tells, because krew installs only one
/// program.
pub fn is_asked(program: Option<&OsString>) -> bool {
    let name = program.and_then(|p| Path::new(p).file_stem()).and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("kubectl_complete-"))
}

/// Prints the completions.
pub fn answer(words: &[OsString]) -> ExitCode {
    let words: Vec<String> = words.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    let (before, prefix) = words.split_last().map_or((&[][..], ""), |(last, before)| (before, last.as_str()));
    let (offers, then) = offer(before, prefix);
    let mut text = String::new();
    for (value, about) in offers.iter().filter(|(value, _)| value.starts_with(prefix.split_once('=').map_or(prefix, |(_, v)| v))) {
        text += &if about.is_empty() { format!("{value}\n") } else { format!("{value}\t{about}\n") };
    }
    Ui::default().result(&serde_json::Value::Null, || format!("{text}:{}", then as u8), &[]);
    ExitCode::SUCCESS
}

/// The position of the cursor within the command line.
pub struct Place {
    pub command: Command,
    pub service: Option<String>,
    /// The option whose value is being typed.
    option: Option<Arg>,
    /// Number of positional arguments before the cursor, without subcommands.
    pub positionals: usize,
}

/// Parses the words before the cursor.
pub fn place(before: &[String]) -> Place {
    let mut command = command_line::command(Frontend::Kubectl);
    command.build();
    let mut place = Place { command, service: None, option: None, positionals: 0 };
    let mut only_words = false;
    for word in before {
        if place.option.take().is_some() {
            continue;
        }
        if word == "--" {
            only_words = true;
        } else if word.starts_with('-') && !only_words {
            let takes_value = |arg: &Arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) && !arg.is_require_equals_set();
            place.option = if word.contains('=') { None } else { named(&place.command, word).filter(takes_value) };
        } else if let Some(next) = place.command.find_subcommand(word).cloned() {
            if let Some(service) = catalogue::find(next.get_name()) {
                place.service = Some(service.name.to_owned());
            }
            place.command = next;
        } else {
            place.positionals += 1;
        }
    }
    place
}

fn named(command: &Command, word: &str) -> Option<Arg> {
    let (name, short) = match word.strip_prefix("--") {
        Some(long) => (long.split('=').next().unwrap_or_default(), false),
        None => (&word[1..], true),
    };
    let is_it = |arg: &&Arg| {
        if short {
            arg.get_short().is_some_and(|s| name.len() == s.len_utf8() && name.starts_with(s))
        } else {
            arg.get_long() == Some(name)
        }
    };
    command.get_arguments().find(is_it).cloned()
}

fn offer(before: &[String], prefix: &str) -> (Vec<Offer>, Then) {
    let place = place(before);
    if let Some(option) = &place.option {
        return values(option, &place, before);
    }
    if prefix.starts_with('-') {
        return match prefix.contains('=').then(|| named(&place.command, prefix)).flatten() {
            Some(option) => values(&option, &place, before),
            None => (flags(&place.command), Then::NoFiles),
        };
    }
    if place.command.has_subcommands() {
        return (commands(&place.command), Then::NoFiles);
    }
    match place.command.get_positionals().nth(place.positionals).cloned() {
        Some(positional) => values(&positional, &place, before),
        None => (Vec::new(), Then::NoFiles),
    }
}

/// The visible subcommands.
pub fn commands(command: &Command) -> Vec<Offer> {
    let shown = command.get_subcommands().filter(|c| !c.is_hide_set());
    shown.map(|c| (c.get_name().to_owned(), c.get_about().map(ToString::to_string).unwrap_or_default())).collect()
}

fn flags(command: &Command) -> Vec<Offer> {
    let shown = command.get_arguments().filter(|a| !a.is_hide_set());
    let offer = |a: &Arg| Some((format!("--{}", a.get_long()?), a.get_help().map(ToString::to_string).unwrap_or_default()));
    shown.filter_map(offer).collect()
}

/// Possible values of an option or a positional argument.
fn values(arg: &Arg, place: &Place, before: &[String]) -> (Vec<Offer>, Then) {
    let fixed = arg.get_possible_values();
    if !fixed.is_empty() {
        let offer = |v: &clap::builder::PossibleValue| (v.get_name().to_owned(), v.get_help().map(ToString::to_string).unwrap_or_default());
        return (fixed.iter().filter(|v| !v.is_hide_set()).map(offer).collect(), Then::NoFiles);
    }
    let service = place.service.as_deref().and_then(catalogue::find);
    match arg.get_id().as_str() {
        "kubeconfig" | "certificate_authority" | "client_certificate" | "client_key" | "secret_file" => (Vec::new(), Then::Files),
        "output" => (output::FORMS.iter().map(|form| ((*form).to_owned(), String::new())).collect(), Then::NoFiles),
        "context" => (named_contexts(before), Then::NoFiles),
        "client_type" => {
            let clients = service.map(|s| s.clients.iter().map(|c| (c.word().to_owned(), String::new())).collect());
            (clients.unwrap_or_default(), Then::NoFiles)
        }
        "way" => {
            let ways = service.map_or(&Auth::ALL[..], |s| s.auths);
            (ways.iter().map(|way| (way.word().to_owned(), String::new())).collect(), Then::NoFiles)
        }
        // `explain` takes a service.
        "service" => {
            let all = catalogue::SERVICES.iter().map(|s| (s.name.to_owned(), s.title.to_owned()));
            (all.collect(), Then::NoFiles)
        }
        // The argument may also be an error code, but nobody completes one of those.
        "about" => (live("workload", service, before), Then::NoFiles),
        word @ ("namespace" | "workload" | "connection" | "candidate" | "target") => (live(word, service, before), Then::NoFiles),
        _ => (Vec::new(), Then::NoFiles),
    }
}

fn named_contexts(before: &[String]) -> Vec<Offer> {
    flags_of(before).and_then(|flags| contexts(&flags)).unwrap_or_default().into_iter().map(|name| (name, String::new())).collect()
}

/// The cluster flags typed so far.
fn flags_of(before: &[String]) -> Result<Flags> {
    let argv = std::iter::once("kubectl-connect".to_owned()).chain(before.iter().cloned());
    let matches =
        command_line::command(Frontend::Kubectl).ignore_errors(true).try_get_matches_from(argv).unwrap_or_else(|_| ArgMatches::default());
    let ui = Ui { no_input: true, ..Ui::default() };
    global::flags(&ui, &matches)
}

/// Values that only Azure or the cluster knows.
fn live(what: &str, service: Option<&'static catalogue::Service>, before: &[String]) -> Vec<Offer> {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() else { return Vec::new() };
    let ask = async {
        if what == "target" {
            return match service {
                Some(service) => suggestions::targets(az_cluster::azure(), service).await,
                None => Ok(Vec::new()),
            };
        }
        let kube = Cluster::connect(&flags_of(before)?, &Events::silent()).await?;
        match what {
            "namespace" => suggestions::namespaces(&kube).await,
            "workload" => suggestions::workloads(&kube).await,
            "candidate" => suggestions::candidates(&kube).await,
            _ => suggestions::connections(&kube).await,
        }
    };
    let found = runtime.block_on(async { tokio::time::timeout(BUDGET, ask).await });
    runtime.shutdown_background();
    found.ok().and_then(Result::ok).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> (Vec<String>, Then) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (last, before) = words.split_last().unwrap();
        let (offers, then) = offer(before, last);
        (offers.into_iter().map(|(value, _)| value).collect(), then)
    }

    #[test]
    fn services_and_verbs_come_first() {
        let (words, then) = offered("");
        for service in catalogue::SERVICES {
            assert!(words.iter().any(|w| w == service.name), "{}", service.name);
        }
        assert!(words.iter().any(|w| w == "delete") && words.iter().all(|w| !w.starts_with("__")));
        assert_eq!(then, Then::NoFiles);
        assert!(offered("plan ").0.iter().any(|w| w == "keyvault"));
        assert!(offered("-n shop create ").0.iter().any(|w| w == "keyvault"), "a flag and its value stand between");
    }

    #[test]
    fn flags_and_their_values() {
        assert!(offered("keyvault v --wo").0.contains(&"--workload".to_owned()));
        assert!(offered("keyvault v --wo").0.contains(&"--namespace".to_owned()), "kubectl does not complete its own flags for us");
        assert_eq!(offered("keyvault v --access ").0, ["read", "readwrite", "admin"]);
        assert_eq!(offered("keyvault v --access=").0, ["read", "readwrite", "admin"]);
        assert_eq!(offered("keyvault v --auth ").0, ["workload-identity", "service-principal", "csi"]);
        assert_eq!(offered("keyvault v --secret-file "), (Vec::new(), Then::Files));
        assert!(offered("explain ").0.contains(&"servicebus".to_owned()));
        assert!(offered("keyvault v --client-type ").0.contains(&"python".to_owned()));
        assert_eq!(offered("list --kubeconfig "), (Vec::new(), Then::Files));
        assert_eq!(offered("keyvault v w "), (Vec::new(), Then::NoFiles), "there is no second name");
    }

    #[test]
    fn the_program_name_selects_completion() {
        for (name, asked) in
            [("/x/kubectl_complete-connect", true), ("kubectl_complete-azure_connect.exe", true), ("kubectl-connect", false)]
        {
            assert_eq!(is_asked(Some(&name.into())), asked, "{name}");
        }
        assert!(!is_asked(None));
    }
}
