//! The program's help: verbs in groups with one line each, services as one block, so that all verbs fit on one screen
//! regardless of the number of services.

use anstyle::Style;
use clap::Command;

use crate::catalogue::SERVICES;
use crate::cli::flags::{az_cluster, global};
use crate::cli::frontend::Frontend;
use crate::cli::verbs::VERBS;
use crate::cli::verbs::verb::{Group, Verb};

/// Width of the help in columns, which fits every terminal.
const WIDTH: usize = 80;
/// Width of the groups' headings in columns.
const MARGIN: usize = 10;

const ABOUT: &str = "Connect AKS workloads to Azure services, without passwords";

const EXAMPLES: &str = "Examples:
  # Connect a deployment to a vault: identity, role, trust, variables, rollout, proof
  kubectl connect keyvault my-vault --workload deployment/web
  # Only show what would be done
  kubectl connect plan storage-blob shopdata --workload deployment/web
  # List, check and delete connections
  kubectl connect list
  kubectl connect verify keyvault-my-vault
  kubectl connect delete keyvault-my-vault

";

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage or refused, 3 not found, 4 not signed in,
  5 not permitted, 6 timed out, 130 interrupted";

/// The program with its complete help (`--help`) or the short one (`-h`). The whole text is in the template, because
/// clap would wrap it differently.
pub fn with_help(root: Command, frontend: Frontend, heading: Style, is_long: bool) -> Command {
    let listed = format!("{}\n{}", verbs(heading), services(heading));
    // az's help shows examples itself.
    let examples = if frontend == Frontend::Az { "" } else { EXAMPLES };
    let flags = flags(frontend, is_long);
    root.about(ABOUT)
        .help_template(format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{listed}\n{flags}\n\n{examples}{EXIT_CODES}"))
}

/// The command with examples at the end of its help, except in az, whose help shows examples itself.
pub fn with_examples(command: Command, frontend: Frontend, examples: &[&str]) -> Command {
    if frontend == Frontend::Az {
        return command;
    }
    let lines: Vec<String> = examples.iter().map(|example| format!("  {} {example}", frontend.words())).collect();
    let before = command.get_after_help().map_or_else(String::new, |text| format!("{text}\n\n"));
    command.after_help(format!("{before}Examples:\n{}", lines.join("\n")))
}

/// The text shown if the user typed nothing: one screen of 24 lines.
pub fn overview(frontend: Frontend) -> String {
    let plain = Style::new();
    let groups: String = Group::ALL
        .iter()
        .map(|group| {
            let mut words: Vec<&str> = of(*group).map(|verb| verb.name).collect();
            if *group == Group::Help {
                words.push("help");
            }
            format!("{:MARGIN$}{}\n", group.words(), words.join(", "))
        })
        .collect();
    let (words, services) = (frontend.words(), services(plain));
    format!(
        "{ABOUT}\n\nUsage: {}\n\n{groups}\n{services}\n\
         Try:   {words} keyvault my-vault --workload deployment/web\n       {words} --help\n",
        usage(frontend)
    )
}

/// How users call the program.
pub fn usage(frontend: Frontend) -> String {
    let words = frontend.words();
    format!("{words} SERVICE NAME --workload KIND/NAME [flags]\n       {words} VERB [NAME] [flags]")
}

fn of(group: Group) -> impl Iterator<Item = &'static Verb> {
    VERBS.iter().filter(move |verb| verb.group == group)
}

/// The groups of verbs, each verb with its line.
fn verbs(heading: Style) -> String {
    let line = |head: &str, name: &str, about: &str| {
        let gap = " ".repeat(MARGIN.saturating_sub(head.len()));
        format!("{heading}{head}{heading:#}{gap}{name:11} {about}\n")
    };
    let mut text = String::new();
    for group in Group::ALL {
        let mut head = group.words();
        for verb in of(group) {
            text.push_str(&line(head, verb.name, verb.about));
            head = "";
        }
    }
    text
}

/// The services' names, wrapped.
pub fn services(heading: Style) -> String {
    let mut names: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
    names.sort_unstable();
    let mut lines = vec![String::new()];
    for (at, name) in names.iter().enumerate() {
        let word = if at + 1 == names.len() { (*name).to_owned() } else { format!("{name},") };
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(&word),
            Some(line) if MARGIN + line.len() + 1 + word.len() < WIDTH => line.push_str(&format!(" {word}")),
            _ => lines.push(word),
        }
    }
    let gap = " ".repeat(MARGIN.saturating_sub("Services".len()));
    format!("{heading}Services{heading:#}{gap}{}\n", lines.join(&format!("\n{:MARGIN$}", "")))
}

/// The flags of every command.
fn flags(frontend: Frontend, is_long: bool) -> String {
    let command = global::with_globals(Command::new("any").version("").help_template("{all-args}"));
    let mut command = if frontend == Frontend::Az { az_cluster::with_cluster_choice(command) } else { command };
    let shown = if is_long { command.render_long_help() } else { command.render_help() };
    shown.ansi().to_string().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_fits_a_screen_and_names_everything() {
        for frontend in [Frontend::Kubectl, Frontend::Az] {
            let text = overview(frontend);
            assert!(text.lines().count() <= 24, "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
            for word in VERBS.iter().map(|v| v.name).chain(SERVICES.iter().map(|s| s.name)) {
                assert!(text.contains(word), "{word}");
            }
        }
    }

    #[test]
    fn the_verbs_fit_a_screen() {
        let text = verbs(Style::new());
        assert!(text.lines().count() <= 24 && text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }
}
