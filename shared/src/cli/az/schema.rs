//! The commands of `az connect` as data. The az extension is generated from them, so the two front ends can't
//! diverge.
//!
//! Everything comes from the clap tree. This file adds only what az names differently: `--name` for the main
//! argument, `--kube-namespace` for the namespace, and the flags that az provides itself.

use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};
use serde_json::{Value, json};

use crate::cli::az::names::{BARE, GLOBALS, is_offline, options};
use crate::cli::az::wording::reworded;
use crate::cli::command_line;
use crate::cli::frontend::Frontend;
use crate::cli::verbs;
use crate::cli::verbs::verb::{Az, AzTable, Group};
use crate::ui;

/// The hidden subcommand that prints the schema.
pub const WORD: &str = "__schema";

/// Flags of single commands that az provides itself, or that are global flags there.
const OWN_BUT_NOT_IN_AZ: &[&str] = &["subscription", "aks_id", "aks_name", "aks_resource_group", "output"];

/// Prints the schema.
pub fn print() -> ExitCode {
    ui::Ui { format: ui::Format::Json, ..ui::Ui::default() }.result(&schema(), String::new, &[]);
    ExitCode::SUCCESS
}

/// Groups and commands, sorted by name.
pub fn schema() -> Value {
    let root = command_line::command(Frontend::Az);
    let globals: Vec<Value> = GLOBALS
        .iter()
        .filter_map(|(id, options)| root.get_arguments().find(|a| a.get_id() == id && a.is_global_set()).map(|a| argument(a, options)))
        .collect();
    let (mut groups, mut commands) = (Vec::new(), Vec::new());
    walk(&root, &mut Vec::new(), &globals, &mut groups, &mut commands);
    json!({"formatVersion": 1, "version": env!("CARGO_PKG_VERSION"), "groups": groups, "commands": commands})
}

fn walk(command: &Command, words: &mut Vec<String>, globals: &[Value], groups: &mut Vec<Value>, commands: &mut Vec<Value>) {
    let name = std::iter::once("connect").chain(words.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    if !command.has_subcommands() {
        commands.push(leaf(command, words, &name, globals));
        return;
    }
    groups.push(json!({"name": name, "summary": sentence(&about(command)), "description": described(words)}));
    let mut children: Vec<&Command> =
        command.get_subcommands().filter(|c| !c.is_hide_set() && !matches!(shape(c.get_name()), Az::Hidden)).collect();
    children.sort_by_key(|c| c.get_name());
    for child in children {
        words.push(child.get_name().to_owned());
        walk(child, words, globals, groups, commands);
        words.pop();
    }
}

/// The verbs by group, as in the program's help, because az lists commands only alphabetically.
fn described(words: &[String]) -> Option<String> {
    let of = |group: Group| {
        let shown = verbs::VERBS.iter().filter(|verb| verb.group == group && !matches!(verb.az, Az::Hidden));
        format!("{}: {}.", group.words(), shown.map(|verb| verb.name).collect::<Vec<_>>().join(", "))
    };
    words.is_empty().then(|| Group::ALL.map(of).join(" "))
}

fn leaf(command: &Command, words: &[String], name: &str, globals: &[Value]) -> Value {
    let positional = command.get_positionals().next();
    let own =
        command.get_arguments().filter(|a| !a.is_hide_set() && !a.is_global_set() && !OWN_BUT_NOT_IN_AZ.contains(&a.get_id().as_str()));
    let own: Vec<Value> = own.map(|arg| argument(arg, &options(arg, positional))).collect();
    let offline = words.first().is_some_and(|word| is_offline(word));
    let args: Vec<Value> = own.iter().chain(globals.iter().filter(|_| !offline)).cloned().collect();
    let example = example(name, &own, offline);
    let shape = shape(words.first().map_or("", String::as_str));
    let table = match shape {
        Az::Shown(AzTable { rows, columns }) if !columns.is_empty() => json!({"rows": rows, "columns": columns}),
        _ => Value::Null,
    };
    json!({
        "name": name,
        "words": words,
        "summary": sentence(&about(command)),
        "description": command.get_after_help().map(|text| reworded(&text.to_string(), "")).filter(|t| !t.is_empty()),
        "examples": [{"name": sentence(&about(command)), "text": example}],
        "args": args,
        "returns": !matches!(shape, Az::Silent),
        "table": table,
    })
}

/// How az shows the command with this name. A name that is no verb is a service or the second word of a verb.
fn shape(word: &str) -> Az {
    verbs::find(word).map_or(Az::Shown(AzTable::CONNECTION), |verb| verb.az)
}

fn argument(arg: &Arg, options: &[impl AsRef<str>]) -> Value {
    let options: Vec<&str> = options.iter().map(AsRef::as_ref).collect();
    let values: Vec<String> = arg.get_possible_values().iter().filter(|v| !v.is_hide_set()).map(|v| v.get_name().to_owned()).collect();
    let kind = match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count => "flag",
        ArgAction::Append => "list",
        _ => "text",
    };
    let many = arg.is_positional() && arg.get_num_args().is_some_and(|n| n.max_values() > 1);
    let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let default: Vec<String> = arg.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect();
    if kind == "text" && !default.is_empty() {
        help = format!("{help} [default: {}]", default.join(","));
    }
    json!({
        // The prefix avoids collisions with az's own parameter names, such as `cmd` and `name`.
        "dest": format!("connect_{}", arg.get_id().as_str()),
        "options": options,
        "help": sentence(&help),
        "required": arg.is_required_set(),
        "kind": if many { "list" } else { kind },
        "choices": if kind == "flag" { Vec::new() } else { values },
        "bare": BARE.iter().find(|(id, _)| arg.get_id() == id).map(|(_, value)| value),
        "group": arg.get_help_heading().map(|heading| format!("{heading} Arguments")),
        // How the value is passed to the program: with this flag, or as a positional argument.
        "flag": arg.get_long().filter(|_| !arg.is_positional()).map(|long| format!("--{long}")),
    })
}

fn example(name: &str, own: &[Value], offline: bool) -> String {
    let mut line = format!("az {name}");
    let options = |arg: &Value| arg["options"][0].as_str().unwrap_or_default().to_owned();
    for arg in own {
        let option = options(arg);
        let sample = match option.as_str() {
            "--name" if arg["dest"] == "connect_connection" => "keyvault-my-vault",
            "--name" if arg["dest"] == "connect_service" => "keyvault",
            "--name" => "my-resource",
            "--workload" => "deployment/web",
            _ if arg["required"] == true => "VALUE",
            _ => continue,
        };
        if arg["required"] == true || option == "--workload" {
            line += &format!(" {option} {sample}");
        }
    }
    if !offline {
        line += " --cluster-name my-cluster --cluster-resource-group my-group";
        if !own.iter().any(|a| options(a) == "--all-namespaces") {
            line += " --kube-namespace shop";
        }
    }
    line
}

fn about(command: &Command) -> String {
    command.get_about().map(|text| reworded(&text.to_string(), "")).unwrap_or_default()
}

/// The text with a capital letter at the start and a full stop at the end, as in az's help.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let text = format!("{}{}", first.to_uppercase(), letters.as_str());
    if text.ends_with(['.', '?', '!']) { text } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn commands() -> Vec<Value> {
        schema()["commands"].as_array().unwrap().clone()
    }

    #[test]
    fn every_service_exists_alone_and_after_create_and_plan() {
        let names: BTreeSet<String> = commands().iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect();
        for service in crate::catalogue::SERVICES {
            for before in ["connect", "connect create", "connect plan"] {
                assert!(names.contains(&format!("{before} {}", service.name)), "{before} {}", service.name);
            }
        }
        // Every verb of the kubectl plugin exists in az, unless the verb says that az hides it.
        for command in command_line::command(Frontend::Kubectl).get_subcommands().filter(|c| !c.is_hide_set()) {
            let verb = command.get_name();
            let is_there = names.iter().any(|n| *n == format!("connect {verb}") || n.starts_with(&format!("connect {verb} ")));
            assert_eq!(is_there, !matches!(shape(verb), Az::Hidden), "{verb}");
        }
    }

    #[test]
    fn flags_of_single_services_exist_too() {
        let all = commands();
        let options = |name: &str| {
            let command = all.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("{name}"));
            command["args"].as_array().unwrap().iter().map(|a| a["options"][0].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
        };
        for name in ["connect keyvault", "connect create keyvault", "connect plan keyvault"] {
            for flag in ["--secret", "--key", "--cert", "--mount-path", "--csi-identity", "--auth"] {
                assert!(options(name).contains(flag), "{name} {flag}");
            }
        }
        assert!(options("connect storage-blob").contains("--secret-store"));
        assert!(options("connect adopt").contains("--workload"));
        assert!(!options("connect explain").contains("--cluster-name"), "it asks no cluster");
    }

    #[test]
    fn groups_commands_and_arguments_follow_the_rules_of_az() {
        const AZ: &[&str] = &["--debug", "--verbose", "--only-show-errors", "--output", "-o", "--query", "--subscription", "--help", "-h"];
        for group in schema()["groups"].as_array().unwrap() {
            assert!(group["summary"].as_str().is_some_and(|s| s.ends_with('.')), "{group}");
        }
        for command in commands() {
            let name = command["name"].as_str().unwrap();
            let summary = command["summary"].as_str().unwrap();
            // A doc comment on the struct of a command's flags would replace the command's help.
            assert!(summary.ends_with('.') && !summary.starts_with("Flags") && !summary.starts_with("Name of"), "{name}: {summary}");
            assert!(command["examples"][0]["text"].as_str().unwrap().starts_with(&format!("az {name}")), "{name}");
            let (mut seen, mut dests) = (BTreeSet::new(), BTreeSet::new());
            for arg in command["args"].as_array().unwrap() {
                assert!(!arg["help"].as_str().unwrap().is_empty(), "{name} {arg}");
                assert!(dests.insert(arg["dest"].to_string()), "{name} {arg}");
                let options: Vec<&str> = arg["options"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
                assert!(options.iter().any(|o| o.len() <= 22), "{name} {options:?}");
                for option in options {
                    assert!(seen.insert(option.to_owned()), "{name}: {option} means two things");
                    assert!(!AZ.contains(&option), "{name}: {option} is az's own");
                    assert!(option.starts_with("--") || option.len() == 2, "{name}: {option}");
                    assert!(!option.contains('_') && option != "--ids", "{name}: {option}");
                }
            }
        }
    }

    #[test]
    fn flags_that_need_no_value_say_what_they_mean_without_one() {
        let is_optional = |arg: &Arg| arg.get_action().takes_values() && arg.get_num_args().is_some_and(|n| n.min_values() == 0);
        let mut root = command_line::command(Frontend::Az);
        root.build();
        for command in root.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
            for arg in command.get_arguments().filter(|arg| is_optional(arg)) {
                assert!(BARE.iter().any(|(id, _)| arg.get_id() == id), "{} {}", command.get_name(), arg.get_id());
            }
        }
    }

    #[test]
    fn the_options_of_az_are_accepted_by_the_command_line() {
        for command in commands() {
            let mut argv = vec!["az-connect".to_owned()];
            argv.extend(command["words"].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned()));
            let mut last = Vec::new();
            for arg in command["args"].as_array().unwrap().iter().filter(|a| a["required"] == true) {
                let value = arg["choices"][0].as_str().unwrap_or("x");
                match arg["flag"].as_str() {
                    Some(flag) => argv.push(format!("{flag}={value}")),
                    None => last.push(value.to_owned()),
                }
            }
            argv.push("--".into());
            argv.extend(last);
            let read = command_line::command(Frontend::Az).try_get_matches_from(&argv);
            assert!(read.is_ok(), "{argv:?}: {}", read.err().map(|e| e.to_string()).unwrap_or_default());
        }
    }
}
