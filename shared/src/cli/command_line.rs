//! The command line: one subcommand for each service of the catalogue and for each verb. The flags are defined in the
//! files that read them; this file combines them.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Arg, Command};

use crate::catalogue::{self, SERVICES};
use crate::cli::flags::{az_cluster, connect, global};
use crate::cli::frontend::Frontend;
use crate::cli::help;
use crate::cli::verbs::VERBS;
use crate::cli::verbs::verb::Verb;

/// Words that ask for help.
const HELP: [&str; 3] = ["-h", "--help", "help"];

/// Which subcommands are built with their flags. Building the flags of 28 services takes longer than most verbs take
/// to answer, and a given command line can reach only the subcommands that it names.
#[derive(Clone, Copy)]
enum Detail<'a> {
    /// All subcommands: for help, documents and completion.
    Everything,
    /// Subcommands named by one of these words.
    Named(&'a [String]),
}

impl Detail<'_> {
    fn covers(self, is_it: impl Fn(&str) -> bool) -> bool {
        match self {
            Detail::Everything => true,
            Detail::Named(words) => words.iter().any(|word| is_it(word)),
        }
    }

    /// Whether the complete help is requested.
    fn asks_at_length(self) -> bool {
        matches!(self, Detail::Named(words) if words.iter().any(|word| word == "--help" || word == "help"))
    }
}

/// The whole command line.
pub fn command(frontend: Frontend) -> Command {
    build(frontend, Detail::Everything)
}

/// The part of the command line that these words can reach.
pub fn reached_by(frontend: Frontend, words: &[String]) -> Command {
    build(frontend, Detail::Named(words))
}

fn build(frontend: Frontend, detail: Detail<'_>) -> Command {
    let styles = Styles::styled().header(AnsiColor::Green.on_default().bold()).literal(AnsiColor::Cyan.on_default());
    let heading = *styles.get_header();
    let root = Command::new("kubectl-connect")
        .bin_name(frontend.words())
        .display_name(frontend.words())
        .version(env!("CARGO_PKG_VERSION"))
        .styles(styles)
        .override_usage(help::usage(frontend))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand_value_name("SERVICE|VERB");
    let root =
        if detail.covers(|word| HELP.contains(&word)) { help::with_help(root, frontend, heading, detail.asks_at_length()) } else { root };
    let root = if frontend == Frontend::Az { az_cluster::with_cluster_choice(root) } else { root };
    let root = with_services(global::with_globals(root), frontend, detail);
    VERBS.iter().fold(root, |root, verb| root.subcommand(of_verb(verb, frontend, detail)))
}

fn of_verb(verb: &Verb, frontend: Frontend, detail: Detail<'_>) -> Command {
    let command = Command::new(verb.name).visible_aliases(verb.aliases).about(verb.about);
    if !detail.covers(|word| verb.is(word)) {
        return command;
    }
    let command = (verb.flags)(command);
    let command = help::with_examples(command, frontend, verb.examples);
    if verb.takes_service { with_services(command, frontend, detail) } else { command }
}

fn with_services(command: Command, frontend: Frontend, detail: Detail<'_>) -> Command {
    let before = VERBS.iter().find(|verb| verb.name == command.get_name()).map_or_else(String::new, |verb| format!("{} ", verb.name));
    let command = SERVICES.iter().fold(command, |command, service| {
        let own = Command::new(service.name).visible_aliases(service.aliases).about(format!("Connect to {}", service.title));
        let is_reached = detail.covers(|word| service.name == word || service.aliases.contains(&word));
        if !is_reached {
            return command.subcommand(own);
        }
        let example = format!("{before}{} {} --workload deployment/web", service.name, connect::sample(service));
        command.subcommand(help::with_examples(connect::with_flags(own, service), frontend, &[&example]))
    });
    // Retired services remain subcommands, so that their users learn about the successor.
    catalogue::retired_words().fold(command, |command, word| {
        let rest = Arg::new("rest").num_args(0..).allow_hyphen_values(true).trailing_var_arg(true);
        command.subcommand(Command::new(word).hide(true).about("Retired").arg(rest))
    })
}

#[cfg(test)]
mod tests {
    use clap_complete::Shell;

    use super::*;
    use crate::cli::verbs::completion::script;

    #[test]
    fn the_command_line_is_consistent() {
        command(Frontend::Kubectl).debug_assert();
        command(Frontend::Az).debug_assert();
    }

    #[test]
    fn services_and_verbs_are_disjoint() {
        let command = command(Frontend::Kubectl);
        let mut seen = std::collections::HashSet::new();
        for sub in command.get_subcommands() {
            for word in std::iter::once(sub.get_name()).chain(sub.get_all_aliases()) {
                assert!(seen.insert(word.to_owned()), "{word} means two things");
            }
        }
    }

    /// The reduced command line answers these words like the complete one.
    #[test]
    fn the_reduced_command_line_gives_the_same_answers() {
        for line in [
            "keyvault v -w deployment/web --access read",
            "kv v --secret a",
            "plan keyvault v -w deployment/web",
            "create sb v",
            "-n shop list -A",
            "ls",
            "delete a --yes --dry-run",
            "help keyvault",
            "help delete",
            "version",
            "config view",
            "no-such-word",
            "keyvault --no-such-flag",
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let argv = || std::iter::once("k".to_owned()).chain(words.clone());
            let told = |command: Command| match command.try_get_matches_from(argv()) {
                Ok(matches) => format!("{matches:?}"),
                Err(error) => error.render().to_string(),
            };
            assert_eq!(told(reached_by(Frontend::Kubectl, &words)), told(command(Frontend::Kubectl)), "{line}");
        }
    }

    #[test]
    fn every_shell_gets_a_script_that_knows_the_services() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
            let script = script(command(Frontend::Kubectl), shell);
            assert!(script.contains("keyvault") && script.contains("kubectl-connect"), "{shell}");
        }
    }
}
