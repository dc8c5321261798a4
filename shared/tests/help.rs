//! The help texts of both front ends: of the command itself, every verb and every service. The services' help texts
//! are alike: one is recorded in full, and for each other one only the lines that it has in addition or lacks.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use clap::Command;
use connect_core::{Frontend, command_line};

/// The service whose help is shown in full.
const IN_FULL: &str = "keyvault";

fn all_help(frontend: Frontend) -> String {
    let mut root = command_line(frontend).term_width(100);
    root.build();
    let help = root.render_help();
    let mut text = format!("=== {}\n{help}", root.get_bin_name().unwrap_or_default());
    let services: BTreeSet<&str> = connect_core::catalogue::SERVICES.iter().map(|s| s.name).collect();
    let model = lines(root.find_subcommand_mut(IN_FULL).unwrap());
    for command in root.get_subcommands_mut().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        let name = command.get_name().to_owned();
        text.push_str(&format!("\n=== {}\n", command.get_bin_name().unwrap_or_default()));
        if services.contains(name.as_str()) && name != IN_FULL {
            text.push_str(&differences(&model, &lines(command)));
        } else if name == IN_FULL {
            text.push_str(&command.render_long_help().to_string());
        } else {
            text.push_str(&command.render_help().to_string());
        }
        // Subcommands of two words: `config view`, `completion install`. `plan` and `create` only have the services again.
        for inner in command.get_subcommands_mut().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
            if !services.contains(inner.get_name()) {
                let help = inner.render_help();
                text.push_str(&format!("\n=== {}\n{help}", inner.get_bin_name().unwrap_or_default()));
            }
        }
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn lines(command: &mut Command) -> Vec<String> {
    command.render_long_help().to_string().lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// The lines that differ, in the order of the text.
fn differences(model: &[String], own: &[String]) -> String {
    let lacks = model.iter().filter(|line| !own.contains(line) && is_flag(line)).map(|line| format!("- {}\n", line.trim()));
    let has = own.iter().filter(|line| !model.contains(line)).map(|line| format!("+ {line}\n"));
    has.chain(lacks).collect()
}

/// Of the lines that are lacking, only flags matter.
fn is_flag(line: &str) -> bool {
    line.trim_start().starts_with('-')
}

#[test]
fn help_of_the_plugin() {
    snapshot::file("shared/tests/snapshots/help_kubectl.txt", &all_help(Frontend::Kubectl));
}

#[test]
fn help_of_the_az_half() {
    snapshot::file("shared/tests/snapshots/help_az.txt", &all_help(Frontend::Az));
}

/// The help in az: names, options and texts as handed to the extension.
#[test]
fn help_of_az() {
    let all = connect_core::az_commands();
    let shown = |command: &serde_json::Value| -> Vec<String> {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let mut lines = vec![text(&command["summary"])];
        lines.extend(text(&command["description"]).lines().map(str::to_owned));
        for arg in command["args"].as_array().unwrap() {
            let options: Vec<&str> = arg["options"].as_array().unwrap().iter().filter_map(|o| o.as_str()).collect();
            let choices: Vec<&str> = arg["choices"].as_array().unwrap().iter().filter_map(|o| o.as_str()).collect();
            let choices = if choices.is_empty() { String::new() } else { format!(" ({})", choices.join(", ")) };
            let required = if arg["required"] == true { " [Required]" } else { "" };
            let many = if arg["kind"] == "list" { " ..." } else { "" };
            lines.push(format!("{}{many}{required} : {}{choices}", options.join(" "), text(&arg["help"])));
        }
        lines.push(format!("Example: {}", text(&command["examples"][0]["text"])));
        lines
    };
    let commands = all["commands"].as_array().unwrap();
    let of = |name: &str| commands.iter().find(|c| c["name"] == name).map(shown).unwrap();
    let model = of(&format!("connect {IN_FULL}"));
    let mut text = String::new();
    for group in all["groups"].as_array().unwrap() {
        text.push_str(&format!("=== group az {}\n{}\n\n", group["name"].as_str().unwrap(), group["summary"].as_str().unwrap()));
    }
    for command in commands {
        let name = command["name"].as_str().unwrap();
        let service = name.rsplit(' ').next().filter(|word| connect_core::catalogue::SERVICES.iter().any(|s| s.name == *word));
        let verb = name.strip_prefix("connect ").and_then(|rest| rest.split_once(' ')).filter(|_| service.is_some());
        match (service, verb) {
            // A service has the same help after a verb as it has alone.
            (Some(service), Some((verb, _))) => {
                let alone = of(&format!("connect {service}")).join("\n").replace(&format!("az connect {service}"), "");
                assert_eq!(shown(command).join("\n").replace(&format!("az connect {verb} {service}"), ""), alone, "{name}");
            }
            (Some(service), None) if service != IN_FULL => {
                text.push_str(&format!("=== az {name}\n{}\n", differences(&model, &shown(command))));
            }
            _ => text.push_str(&format!("=== az {name}\n{}\n\n", shown(command).join("\n"))),
        }
    }
    snapshot::file("shared/tests/snapshots/help_az_as_az_shows_it.txt", &text);
}

/// `plan SERVICE` and `create SERVICE` show the same help as `SERVICE`.
#[test]
fn a_service_has_the_same_help_after_every_verb() {
    for frontend in [Frontend::Kubectl, Frontend::Az] {
        let mut root = command_line(frontend).term_width(100);
        root.build();
        for service in connect_core::catalogue::SERVICES {
            let of = |command: &mut Command| {
                let name = command.get_bin_name().unwrap_or_default().to_owned();
                lines(command).join("\n").replace(&name, "COMMAND")
            };
            let alone = of(root.find_subcommand_mut(service.name).unwrap());
            for verb in ["plan", "create"] {
                let under = of(root.find_subcommand_mut(verb).unwrap().find_subcommand_mut(service.name).unwrap());
                assert_eq!(under, alone, "{verb} {}", service.name);
            }
        }
    }
}
