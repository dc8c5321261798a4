//! The help of both front ends, of every verb and of one service, as people see it.

#![allow(clippy::unwrap_used, reason = "a test tells by panicking")]

use connect_core::{Frontend, command_line};

fn all_help(frontend: Frontend) -> String {
    let mut root = command_line(frontend).term_width(100);
    root.build();
    let help = root.render_help();
    let mut text = format!("=== {}\n{help}", root.get_bin_name().unwrap_or_default());
    let services: Vec<&str> = connect_core::catalogue::SERVICES.iter().map(|s| s.name).collect();
    for command in root.get_subcommands_mut() {
        let name = command.get_name().to_owned();
        // The services are alike; one stands for all, in its long form.
        let is_service = services.contains(&name.as_str());
        if command.is_hide_set() || name == "help" || (is_service && name != "keyvault") {
            continue;
        }
        let help = if is_service { command.render_long_help() } else { command.render_help() };
        text.push_str(&format!("\n=== {}\n{help}", command.get_bin_name().unwrap_or_default()));
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn help_of_the_plugin() {
    insta::assert_snapshot!("help_kubectl", all_help(Frontend::Kubectl));
}

#[test]
fn help_of_the_az_half() {
    insta::assert_snapshot!("help_az", all_help(Frontend::Az));
}
