//! Checks the sources against the architecture: each room uses only rooms below it, and only `ui` prints.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which rooms a room may name after `crate::`.
const ARROWS: &[(&str, &[&str])] = &[
    ("cli", &["engine", "ui", "steps", "plan", "catalogue", "azure", "kube", "model", "sys"]),
    ("engine", &["steps", "plan", "catalogue", "azure", "kube", "model"]),
    ("steps", &["plan", "azure", "kube", "model"]),
    ("plan", &["catalogue", "model"]),
    ("catalogue", &["model"]),
    ("azure", &["model", "sys"]),
    ("kube", &["model", "sys"]),
    ("ui", &["plan", "model", "sys"]),
    ("model", &[]),
    ("sys", &[]),
];

fn sources(under: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Rooms named after `crate::` in a source, in `use` lines and in paths.
fn rooms_named(source: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    let code: String = source.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default(),
            None => rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default(),
        };
        rooms.extend(names.split(',').map(|n| n.trim().split("::").next().unwrap_or_default().to_owned()).filter(|n| !n.is_empty()));
    }
    rooms
}

#[test]
fn every_arrow_points_to_the_right() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 50, "the sources were not found");
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let room = inside.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        if room == "lib" {
            continue;
        }
        let may = allowed.get(room.as_str()).unwrap_or_else(|| panic!("{} stands in no room of the house", inside.display()));
        for named in rooms_named(&std::fs::read_to_string(&file).unwrap()) {
            if named != room && allowed.contains_key(named.as_str()) && !may.contains(&named.as_str()) {
                wrong.push(format!("{}: {room} must not use {named}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_arrows_sees_groups_and_paths() {
    assert_eq!(rooms_named("use crate::{azure::Arm, kube};\nlet x = crate::ui::x();\n// crate::cli"), ["azure", "kube", "ui"]);
}

#[test]
fn each_code_has_one_meaning() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // The tables that explain the codes use none of them.
    for file in files.into_iter().filter(|file| !file.starts_with(src.join("model/codes"))) {
        let source = std::fs::read_to_string(&file).unwrap();
        for (at, _) in source.match_indices("\"KC") {
            let code = &source[at + 1..at + 7];
            if code[2..].bytes().all(|b| b.is_ascii_digit()) {
                texts.entry(code.to_owned()).or_default().push(file.strip_prefix(&src).unwrap().display().to_string());
            }
        }
    }
    assert!(texts.len() > 60, "the codes were not found");
    // A code belongs to one room: several files of that room may use it, but no other room.
    for (code, files) in texts {
        let rooms: std::collections::BTreeSet<&str> = files.iter().map(|f| f.split('/').next().unwrap_or_default()).collect();
        let engine = rooms.iter().all(|r| ["engine", "steps", "cli", "catalogue"].contains(r));
        assert!(rooms.len() == 1 || engine, "{code} is used by {rooms:?}");
    }
}
