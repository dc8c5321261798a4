//! `docs/commands.md` and `docs/codes.md` are generated from the program and its sources, and must be current.
//! `UPDATE=1 cargo test -p connect-core --test docs` regenerates them.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Command;
use connect_core::Frontend;

#[test]
fn every_command_is_described_as_it_is() {
    let command = connect_core::command_line(Frontend::Kubectl).term_width(100);
    let mut text = String::from("# Commands\n\nMade from the program. Each command takes the flags of the first section as well.\n\n");
    let globals: Vec<_> = command.get_arguments().filter(|a| a.is_global_set() && !a.is_hide_set()).cloned().collect();
    text.push_str("## Flags of every command\n\n| flag | meaning |\n|---|---|\n");
    for arg in &globals {
        row(&mut text, arg);
    }
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        section(&mut text, "kubectl connect", sub);
    }
    snapshot::file("docs/commands.md", &text);
}

fn section(text: &mut String, before: &str, command: &Command) {
    let name = format!("{before} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let positionals: Vec<String> = command.get_positionals().map(|p| p.get_id().as_str().to_uppercase()).collect();
    let _ = write!(text, "\n## {name} {}", positionals.join(" "));
    *text = text.trim_end().to_owned();
    let _ = writeln!(text, "\n\n{about}.");
    let aliases: Vec<String> = command.get_visible_aliases().map(|a| format!("`{a}`")).collect();
    if !aliases.is_empty() {
        let _ = writeln!(text, "\nAlso: {}.", aliases.join(", "));
    }
    if command.has_subcommands() {
        let subs: Vec<String> = command
            .get_subcommands()
            .filter(|c| !c.is_hide_set() && c.get_name() != "help")
            .map(|c| format!("`{}`", c.get_name()))
            .collect();
        let _ = writeln!(text, "\nFollowed by one of {}, with the flags of `kubectl connect` and that word.", subs.join(", "));
        return;
    }
    let own: Vec<_> = command.get_arguments().filter(|a| !a.is_hide_set() && !a.is_global_set() && a.get_id() != "help").collect();
    if !own.is_empty() {
        text.push_str("\n| argument | meaning |\n|---|---|\n");
        own.iter().for_each(|arg| row(text, arg));
    }
    if let Some(after) = command.get_after_help() {
        let _ = writeln!(text, "\n{}", after.to_string().lines().collect::<Vec<_>>().join("  \n"));
    }
}

fn row(text: &mut String, arg: &clap::Arg) {
    let flag = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("`-{short}`, `--{long}`"),
        (None, Some(long)) => format!("`--{long}`"),
        _ => format!("`{}`", arg.get_id().as_str().to_uppercase()),
    };
    let values: Vec<String> = arg.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
    let mut meaning = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
    let takes_value = arg.get_action().takes_values();
    if takes_value && !values.is_empty() {
        let _ = write!(meaning, ": {}", values.join(", "));
    }
    let default: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
    if takes_value && !default.is_empty() {
        let _ = write!(meaning, " [default: {}]", default.join(","));
    }
    let _ = writeln!(text, "| {flag} | {meaning} |");
}

#[test]
fn every_code_is_listed() {
    let mut files = Vec::new();
    sources(&snapshot::root().join("shared/src"), &mut files);
    files.sort();
    let mut codes: BTreeMap<String, (String, String)> = BTreeMap::new();
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        // Test modules come last in a file and use made-up codes.
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, _) in source.match_indices("\"KC") {
            let Some(code) = source.get(at + 1..at + 7).filter(|c| c[2..].bytes().all(|b| b.is_ascii_digit())) else { continue };
            let kind = source[..at].trim_end().strip_suffix(',').and_then(|before| before.rsplit("Kind::").next().map(str::to_owned));
            let kind = kind.filter(|k| k.len() < 14 && k.bytes().all(|b| b.is_ascii_alphabetic())).unwrap_or_default();
            let what = first_text(&source[at + 8..]).unwrap_or_default();
            let entry = codes.entry(code.to_owned()).or_default();
            if entry.1.is_empty() {
                *entry = (kind, what);
            }
        }
    }
    let mut text = String::from(
        "# Error codes\n\nMade from the sources. `{…}` stands for what the message names. Every message also says why, and what to do.\n\n\
         | code | exit | message |\n|---|---|---|\n",
    );
    for (code, (kind, what)) in &codes {
        let exit = match kind.as_str() {
            "Failed" => "1",
            "Usage" => "2",
            "NotFound" => "3",
            "NotSignedIn" => "4",
            "NotPermitted" => "5",
            "TimedOut" => "6",
            "Interrupted" => "130",
            _ => "",
        };
        let _ = writeln!(
            text,
            "| {code} | {exit} | {} |",
            if what.is_empty() { "in the words of what happened".into() } else { what.replace('|', "\\|") }
        );
    }
    assert!(codes.len() > 60, "the codes were not found");
    snapshot::file("docs/codes.md", &text);
}

/// The string literal in the next argument, with its placeholders shortened.
fn first_text(rest: &str) -> Option<String> {
    let rest = rest.trim_start().strip_prefix(',')?.trim_start();
    let rest = rest.strip_prefix("format!(").unwrap_or(rest).trim_start().strip_prefix('"')?;
    let mut end = 0;
    let bytes = rest.as_bytes();
    while bytes.get(end).is_some_and(|b| *b != b'"') {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    let (mut out, mut inside) = (String::new(), false);
    for c in rest.get(..end)?.chars() {
        match c {
            '{' => {
                inside = true;
                out.push_str("{…}");
            }
            '}' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    Some(out)
}

fn sources(under: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && path.file_name().is_none_or(|n| n != "tests.rs") {
            found.push(path);
        }
    }
}
