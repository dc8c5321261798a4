//! `docs/commands.md` and `docs/codes.md` are generated from the program and its table of codes, and must be current.
//! `UPDATE=1 cargo test -p connect-core --test docs` regenerates them.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Command;
use connect_core::Frontend;
use connect_core::health::findings::FINDINGS;
use connect_core::model::codes;

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

/// Parts of `docs/codes.md`: the first characters of the codes, and the heading.
const PARTS: &[(&str, &str)] = &[
    ("KC1", "The command line and what it names"),
    ("KC2", "Signing in to Azure"),
    ("KC3", "The kubeconfig, the API server and the workload"),
    ("KC4", "Azure"),
    ("KC5", "Checks"),
    ("KC6", "Connections"),
];

#[test]
fn every_code_is_explained() {
    let mut text = String::from(
        "# Error codes\n\nThe code is shown in brackets after `error`, and in the column CODE of checks. The message names the affected object;\n\
         `kubectl connect doctor CODE` prints the line of this page. The meaning of a code never changes. This page is generated from\n\
         `shared/src/model/codes/`.\n",
    );
    for (prefix, heading) in PARTS {
        let _ = write!(text, "\n## {heading}\n\n| code | exit | what happened | what helps |\n|---|---|---|---|\n");
        for known in codes::all().filter(|known| known.code.starts_with(prefix)) {
            let (meaning, advice) = (cell(known.meaning), cell(known.advice));
            let _ = writeln!(text, "| {} | {} | {meaning} | {advice} |", known.code, known.kind.exit_code());
        }
        if *prefix == "KC5" {
            text.push_str("\nFindings of checks have separate codes; their reasons and remedies are on the page of findings.\n");
            text.push_str("\n| code | finding |\n|---|---|\n");
            for finding in FINDINGS {
                let link = finding.code.to_ascii_lowercase();
                let _ = writeln!(text, "| [{}](findings.md#{link}) | {} |", finding.code, cell(finding.title));
            }
        }
    }
    snapshot::file("docs/codes.md", &text);
}

/// Escapes a text for a table in Markdown, in which angle brackets and bars would be markup.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

/// Every code in the sources is explained, every explained code is in the sources, and both name the same kind.
#[test]
fn the_tables_of_codes_are_those_of_the_sources() {
    let mut files = Vec::new();
    sources(&snapshot::root().join("shared/src"), &mut files);
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        // Test modules come last in a file and use made-up codes. The tables of codes don't count as uses.
        let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        if source.contains("static FINDINGS") || file.components().any(|part| part.as_os_str() == "codes") {
            continue;
        }
        for (at, _) in source.match_indices("\"KC") {
            let Some(code) = source.get(at + 1..at + 7).filter(|c| c[2..].bytes().all(|b| b.is_ascii_digit())) else { continue };
            let kind = source[..at].trim_end().strip_suffix(',').and_then(|before| before.rsplit("Kind::").next());
            let kind = kind.filter(|k| k.len() < 14 && k.bytes().all(|b| b.is_ascii_alphabetic())).map(str::to_owned);
            used.entry(code.to_owned()).or_default().extend(kind);
        }
    }
    assert!(used.len() > 150, "the codes were not found");
    let known: BTreeMap<String, String> = codes::all().map(|c| (c.code.to_owned(), format!("{:?}", c.kind))).collect();
    let findings: BTreeSet<String> = FINDINGS.iter().map(|f| f.code.to_owned()).collect();
    let unexplained: Vec<_> = used.keys().filter(|code| !known.contains_key(*code) && !findings.contains(*code)).collect();
    assert!(unexplained.is_empty(), "shared/src/model/codes/ does not explain {unexplained:?}");
    let unused: Vec<_> = known.keys().filter(|code| !used.contains_key(*code)).collect();
    assert!(unused.is_empty(), "no source uses {unused:?}");
    let twice: Vec<_> = known.keys().filter(|code| findings.contains(*code)).collect();
    assert!(twice.is_empty(), "{twice:?} are findings: their reason and remedy stand in FINDINGS");
    let other: Vec<_> = used.iter().filter(|(code, kinds)| known.get(*code).is_some_and(|kind| kinds.iter().any(|k| k != kind))).collect();
    assert!(other.is_empty(), "the sources use these codes with another kind than the table: {other:?}");
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
