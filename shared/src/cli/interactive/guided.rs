//! Asks for missing parts of a command line if the user is at a terminal: service, target, workload, namespace,
//! connection. The answers are words of the command line, so the complete command can be shown and repeated.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};

use crate::azure;
use crate::catalogue::{self, Service};
use crate::cli::command_line;
use crate::cli::flags::{az_cluster, connect, global};
use crate::cli::frontend::Frontend;
use crate::cli::interactive::complete;
use crate::cli::runtime::in_runtime;
use crate::cli::settings::{self, Settings};
use crate::kube::Cluster;
use crate::lookup::suggestions;
use crate::model::{Auth, Problem, Result};
use crate::ui::Ui;

/// Why no command can be run.
pub enum Unclear {
    /// Nothing was typed.
    Nothing,
    /// The command line is wrong or asks for help.
    Usage(clap::Error),
    /// The user gave no answer, or could not be asked.
    Asking(Problem),
}

/// A missing part.
#[derive(Debug, PartialEq, Eq)]
enum Lack {
    /// A service or a verb.
    Command(Vec<suggestions::Offer>),
    /// The target resource.
    Target(&'static str),
    /// The workload that gets the connection.
    Workload,
    /// The name of a connection.
    Connection,
}

/// A choice, with the words that it adds to the command line.
struct Choice {
    offer: suggestions::Offer,
    words: Vec<String>,
}

/// The part of the command line that these words reach, with the settings of this machine as defaults. If the
/// settings are invalid, the problem is returned together with the command line without settings.
fn command(frontend: Frontend, words: &[String]) -> (Command, Option<Problem>) {
    let plain = command_line::reached_by(frontend, words);
    let probe = || global::with_globals(connect::with_common(Command::new("any")));
    match Settings::load(probe) {
        Ok(settings) => (settings.apply(plain), None),
        Err(problem) => (plain, Some(problem)),
    }
}

/// Parses the command line and asks for missing parts.
pub fn matches(frontend: Frontend, argv: Vec<OsString>) -> Result<ArgMatches, Unclear> {
    let parse = |argv: &[OsString]| {
        let (command, unusable) = command(frontend, &words_of(argv));
        (command.try_get_matches_from(argv), unusable)
    };
    let (mut parsed, unusable) = parse(&argv);
    if let (Some(problem), Ok(matches)) = (unusable, &parsed)
        && !matches.subcommand_name().is_some_and(settings::does_without)
    {
        return Err(Unclear::Asking(problem));
    }
    // az asks for missing arguments itself, and names them differently.
    if frontend == Frontend::Az || azure::is_handed_over() {
        return parsed.map_err(|error| unclear(&argv, error));
    }
    let mut words = words_of(&argv);
    let mut asked = false;
    while let Some(lack) = lack(&parsed, &words) {
        let known = parse_what_is_there(frontend, &words);
        let ui = global::ui(&known);
        if !ui.is_interactive() {
            break;
        }
        match in_runtime(|_| ask(&ui, &known, &words, &lack)).map_err(Unclear::Asking)? {
            Some(more) => words.extend(more),
            None => break,
        }
        asked = true;
        let program = argv.first().cloned().unwrap_or_default();
        (parsed, _) = parse(&std::iter::once(program).chain(words.iter().map(OsString::from)).collect::<Vec<_>>());
    }
    if asked && let Ok(matches) = &parsed {
        global::ui(matches).say(format!("\n→ {} {}\n", frontend.words(), shell_words::join(&words)));
    }
    parsed.map_err(|error| unclear(&argv, error))
}

fn unclear(argv: &[OsString], error: clap::Error) -> Unclear {
    if argv.len() > 1 { Unclear::Usage(error) } else { Unclear::Nothing }
}

fn words_of(argv: &[OsString]) -> Vec<String> {
    argv.iter().skip(1).map(|w| w.to_string_lossy().into_owned()).collect()
}

fn parse_what_is_there(frontend: Frontend, words: &[String]) -> ArgMatches {
    let argv = std::iter::once("kubectl-connect").chain(words.iter().map(String::as_str));
    command_line::command(frontend).ignore_errors(true).try_get_matches_from(argv).unwrap_or_else(|_| ArgMatches::default())
}

/// The missing part, if the user can choose it.
fn lack(parsed: &Result<ArgMatches, clap::Error>, words: &[String]) -> Option<Lack> {
    let error = match parsed {
        Ok(matches) => return no_workload(matches).then_some(Lack::Workload),
        Err(error) => error,
    };
    let missing = [ErrorKind::MissingRequiredArgument, ErrorKind::MissingSubcommand, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
    if !missing.contains(&error.kind()) {
        return None;
    }
    let place = complete::place(words);
    if place.command.has_subcommands() {
        return Some(Lack::Command(complete::commands(&place.command)));
    }
    let next = place.command.get_positionals().nth(place.positionals)?;
    match next.get_id().as_str() {
        "target" => catalogue::find(place.service.as_deref()?).map(|s| Lack::Target(s.name)),
        "connection" => Some(Lack::Connection),
        _ => None,
    }
}

/// Whether a connection is requested without a workload or service account.
fn no_workload(matches: &ArgMatches) -> bool {
    let Some((word, mut rest)) = matches.subcommand() else { return false };
    let mut service = word;
    if let ("plan" | "create", Some((inner, deeper))) = (word, rest.subcommand()) {
        (service, rest) = (inner, deeper);
    }
    if catalogue::find(service).is_none() {
        return false;
    }
    let given = |id: &str| rest.try_get_one::<String>(id).ok().flatten();
    // A connection without an identity needs no service account.
    let has_identity = given("way").and_then(|word| Auth::parse(word)).is_none_or(Auth::has_identity);
    has_identity && given("workload").is_none() && given("service_account").is_none()
}

/// Lets the user choose; `None` if there is nothing to choose from, and clap's own error follows.
async fn ask(ui: &Ui, known: &ArgMatches, words: &[String], lack: &Lack) -> Result<Option<Vec<String>>> {
    let (question, choices) = match lack {
        Lack::Command(commands) => {
            let choice = |offer: &suggestions::Offer| Choice { words: vec![offer.0.clone()], offer: offer.clone() };
            ("What do you want to do, or connect to?".to_owned(), commands.iter().map(choice).collect())
        }
        Lack::Target(service) => match catalogue::find(service) {
            Some(service) if service.is_outside() || service.arm_type.is_empty() => {
                return ui.line(&format!("Which {}?", service.noun)).await.map(|answer| Some(vec![answer]));
            }
            Some(service) => (format!("Which {}?", service.noun), targets(ui, known, words, service).await?),
            None => return Ok(None),
        },
        Lack::Workload => return workload(ui, known, words).await,
        Lack::Connection => ("Which connection?".to_owned(), connections(ui, known).await?),
    };
    choose(ui, &question, choices).await
}

async fn choose(ui: &Ui, question: &str, mut choices: Vec<Choice>) -> Result<Option<Vec<String>>> {
    if choices.is_empty() {
        return Ok(None);
    }
    let offers: Vec<suggestions::Offer> = choices.iter().map(|c| c.offer.clone()).collect();
    let chosen = ui.pick(question, &offers).await?;
    Ok(Some(choices.swap_remove(chosen).words))
}

async fn cluster(ui: &Ui, known: &ArgMatches) -> Result<(Cluster, bool)> {
    let flags = global::flags(ui, known)?;
    let chosen = flags.namespace.is_some();
    Ok((Cluster::connect(&flags, &ui.progress().events()).await?, chosen))
}

async fn targets(ui: &Ui, known: &ArgMatches, words: &[String], service: &'static Service) -> Result<Vec<Choice>> {
    let found = suggestions::targets(az_cluster::azure(), service).await?;
    let again = |name: &str| found.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count() > 1;
    let mut choices: Vec<Choice> = found
        .iter()
        .map(|(name, about)| {
            let mut words = vec![name.clone()];
            // A name that exists twice needs its resource group.
            if again(name)
                && let Some(group) = about.strip_prefix("in ")
            {
                words.extend(["-g".to_owned(), group.to_owned()]);
            }
            Choice { offer: (name.clone(), about.clone()), words }
        })
        .collect();
    let context = global::flags(ui, known).ok().and_then(|f| f.context).unwrap_or_default();
    by_likeness(&mut choices, words.iter().skip(1).map(String::as_str).chain([context.as_str()]));
    Ok(choices)
}

async fn workload(ui: &Ui, known: &ArgMatches, words: &[String]) -> Result<Option<Vec<String>>> {
    let (mut kube, chosen) = cluster(ui, known).await?;
    let mut more = Vec::new();
    let mut found = suggestions::workloads(&kube).await?;
    if found.is_empty() && !chosen {
        let mut namespaces = suggestions::namespaces(&kube).await?;
        namespaces.retain(|(name, _)| name != kube.namespace());
        namespaces.sort_by_key(|(name, _)| name.starts_with("kube-"));
        let choices = namespaces.into_iter().map(|(name, about)| Choice { words: vec!["-n".into(), name.clone()], offer: (name, about) });
        let question = format!("Namespace {} has no workload. Which namespace?", kube.namespace());
        let Some(answer) = choose(ui, &question, choices.collect()).await? else { return Ok(None) };
        let mut flags = global::flags(ui, known)?;
        flags.namespace = answer.last().cloned();
        kube = Cluster::connect(&flags, &ui.progress().events()).await?;
        more.extend(answer);
        found = suggestions::workloads(&kube).await?;
    }
    let choice = |offer: suggestions::Offer| Choice { words: vec!["--workload".into(), offer.0.clone()], offer };
    let mut choices: Vec<Choice> = found.into_iter().map(choice).collect();
    by_likeness(&mut choices, words.iter().skip(1).map(String::as_str));
    let chosen = choose(ui, "Which workload?", choices).await?;
    Ok(chosen.map(|words| more.into_iter().chain(words).collect()))
}

async fn connections(ui: &Ui, known: &ArgMatches) -> Result<Vec<Choice>> {
    let (kube, chosen) = cluster(ui, known).await?;
    let mut choices = Vec::new();
    for (namespace, (name, about)) in suggestions::connections_anywhere(&kube).await? {
        if namespace == kube.namespace() {
            choices.push(Choice { words: vec![name.clone()], offer: (name, about) });
        } else if !chosen {
            let words = vec![name.clone(), "-n".into(), namespace.clone()];
            choices.push(Choice { words, offer: (name, format!("{about}, in {namespace}")) });
        }
    }
    Ok(choices)
}

/// Puts choices first that share a word with the command line so far; otherwise keeps the order.
fn by_likeness<'a>(choices: &mut [Choice], said: impl Iterator<Item = &'a str>) {
    let parts = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| w.len() > 2);
        words.map(str::to_lowercase).collect()
    };
    let said: Vec<String> = said.flat_map(parts).collect();
    choices.sort_by_cached_key(|choice| {
        let own = parts(&choice.offer.0);
        std::cmp::Reverse(own.iter().filter(|word| said.contains(word)).count())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks(line: &str) -> Option<Lack> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let argv = std::iter::once("kubectl-connect".to_owned()).chain(words.clone());
        lack(&command_line::command(Frontend::Kubectl).try_get_matches_from(argv), &words)
    }

    #[test]
    fn missing_parts_are_found() {
        for line in ["", "-n shop", "plan", "create -n shop"] {
            assert!(matches!(lacks(line), Some(Lack::Command(all)) if all.iter().any(|(name, _)| name == "keyvault")), "{line}");
        }
        for line in ["keyvault", "plan keyvault --access read", "create keyvault -n shop"] {
            assert_eq!(lacks(line), Some(Lack::Target("keyvault")), "{line}");
        }
        for line in ["keyvault my-vault", "plan keyvault my-vault", "keyvault my-vault --auth workload-identity -n shop"] {
            assert_eq!(lacks(line), Some(Lack::Workload), "{line}");
        }
        for line in ["show", "verify -n shop", "delete --yes", "repair", "diff", "tree", "wait", "events"] {
            assert_eq!(lacks(line), Some(Lack::Connection), "{line}");
        }
    }

    #[test]
    fn complete_and_wrong_command_lines_lack_nothing() {
        for line in [
            "list",
            "show kv",
            "keyvault my-vault --workload deployment/web",
            "keyvault my-vault --service-account web",
            "storage-blob shopdata --auth secret",
            "keyvault --no-such-flag",
            "keyvalt",
            "--help",
            "keyvault --help",
            "doctor",
        ] {
            assert_eq!(lacks(line), None, "{line}");
        }
    }

    #[test]
    fn choices_that_share_a_word_come_first() {
        let names = ["billing", "kv-web-prod", "shop-vault"];
        let mut choices: Vec<Choice> = names.iter().map(|n| Choice { offer: ((*n).into(), String::new()), words: Vec::new() }).collect();
        by_likeness(&mut choices, ["-n", "shop", "deployment/api"].into_iter());
        assert_eq!(choices.iter().map(|c| c.offer.0.as_str()).collect::<Vec<_>>(), ["shop-vault", "billing", "kv-web-prod"]);
    }
}
