//! Checks the structure of the sources: each room uses only the rooms listed for it, the files of a room don't depend
//! on each other in a circle, and rooms that only read don't call functions that write.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms that each room may name after `crate::`.
const ARROWS: &[(&str, &[&str])] = &[
    ("cli", &["engine", "health", "lookup", "ui", "steps", "plan", "catalogue", "azure", "kube", "model", "sys", "clock"]),
    ("engine", &["health", "lookup", "steps", "plan", "catalogue", "azure", "kube", "model", "clock"]),
    ("health", &["lookup", "steps", "plan", "catalogue", "azure", "kube", "model", "clock"]),
    ("lookup", &["plan", "catalogue", "azure", "kube", "model", "clock"]),
    ("steps", &["plan", "azure", "kube", "model", "clock"]),
    ("plan", &["catalogue", "model"]),
    ("catalogue", &["model"]),
    ("azure", &["model", "sys", "clock"]),
    ("kube", &["model", "sys", "clock"]),
    ("ui", &["plan", "model", "sys", "clock"]),
    ("model", &[]),
    ("sys", &[]),
    // Time is read and waited for in one place; rooms without I/O take it as a value.
    ("clock", &["model"]),
];

/// Rooms that only read.
const LOOKING: [&str; 2] = ["lookup", "health"];

/// Methods that write to the API server and to Azure Resource Manager.
const WRITING: [(&str, &[&str]); 2] =
    [("kube", &["create", "replace", "apply", "merge", "patch", "delete"]), ("arm", &["put", "patch", "post", "delete"])];

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

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All sources of the library, by their path below `src`.
fn all_sources() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    sources(&src(), &mut files);
    assert!(files.len() > 50, "the sources were not found");
    let text = |file: &PathBuf| {
        let inside = file.strip_prefix(src()).unwrap().to_string_lossy().into_owned();
        (inside, std::fs::read_to_string(file).unwrap())
    };
    files.iter().map(text).collect()
}

fn room_of(inside: &str) -> &str {
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

#[test]
fn every_arrow_points_down() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (inside, source) in all_sources() {
        let room = room_of(&inside);
        if room == "lib" {
            continue;
        }
        let may = allowed.get(room).unwrap_or_else(|| panic!("{inside} stands in no room of the house"));
        for named in rooms_named(&source) {
            if named != room && allowed.contains_key(named.as_str()) && !may.contains(&named.as_str()) {
                wrong.push(format!("{inside}: {room} must not use {named}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The module of a source, as segments: `kube/mod.rs` and `kube.rs` are both `kube`.
fn module_of(inside: &str) -> Vec<String> {
    let mut segments: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if segments.last().is_some_and(|s| s == "mod" || s == "lib") {
        segments.pop();
    }
    segments
}

/// Splits a `use` tree at its commas, outside of inner braces.
fn branches(tree: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, letter) in tree.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&tree[start..]);
    found.into_iter().map(str::trim).filter(|b| !b.is_empty()).collect()
}

/// The paths of a `use` tree: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths_of(tree: &str, before: &[String], found: &mut Vec<Vec<String>>) {
    match tree.find('{') {
        Some(at) => {
            let mut whole = before.to_vec();
            whole.extend(tree[..at].split("::").map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned));
            let inner = &tree[at + 1..tree.rfind('}').unwrap_or(tree.len())];
            branches(inner).into_iter().for_each(|branch| paths_of(branch, &whole, found));
        }
        None => {
            let name = tree.split(" as ").next().unwrap_or_default();
            let mut whole = before.to_vec();
            whole.extend(name.split("::").map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned));
            found.push(whole);
        }
    }
}

/// Code of a source without comments and without its tests.
fn code_of(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    source.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every path of a source that begins at `crate`, `super` or `self`, as absolute segments.
fn absolute_paths(module: &[String], code: &str) -> Vec<Vec<String>> {
    let mut relative = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            if code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let is_use = code[..at].trim_end().ends_with("use");
            let end = if is_use {
                code[at..].find(';').unwrap_or_default()
            } else {
                code[at..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or_default()
            };
            paths_of(&code[at..at + end], &[], &mut relative);
        }
    }
    let resolve = |path: Vec<String>| -> Vec<String> {
        let mut base: Vec<String> = if path.first().is_some_and(|s| s == "crate") { Vec::new() } else { module.to_vec() };
        for segment in path {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => drop(base.pop()),
                _ => base.push(segment),
            }
        }
        base
    };
    relative.into_iter().map(resolve).collect()
}

/// Which files use which, by `use` lines and paths, within one room.
fn arrows_between_files(sources: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let by_module: BTreeMap<Vec<String>, &String> = sources.keys().map(|inside| (module_of(inside), inside)).collect();
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (inside, source) in sources {
        for path in absolute_paths(&module_of(inside), &code_of(source)) {
            let owner = (1..=path.len()).rev().find_map(|n| by_module.get(&path[..n]));
            if let Some(owner) = owner.filter(|o| room_of(o) == room_of(inside) && **o != inside) {
                arrows.entry(inside.clone()).or_default().insert((*owner).clone());
            }
        }
    }
    arrows
}

/// Files that depend on themselves, in groups of mutually dependent files.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reach = |from: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            for next in arrows.get(file).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = arrows.keys().map(|file| (file, reach(file))).collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (file, seen) in &reached {
        if seen.contains(*file) && !found.iter().any(|c| c.contains(*file)) {
            found.push(seen.iter().filter(|f| reached.get(f).is_some_and(|back| back.contains(*file))).cloned().collect());
        }
    }
    found
}

#[test]
fn no_files_of_a_room_use_each_other_in_a_circle() {
    // `cli` is excluded: its files still depend on each other in a circle.
    let sources = all_sources().into_iter().filter(|(inside, _)| room_of(inside) != "cli").collect();
    let found = circles(&arrows_between_files(&sources));
    let shown: Vec<String> = found.iter().map(|c| c.iter().cloned().collect::<Vec<_>>().join(" ")).collect();
    assert!(shown.is_empty(), "circles of files:\n{}", shown.join("\n"));
}

#[test]
fn the_reader_of_circles_sees_super_and_groups() {
    let file = |inside: &str, source: &str| (inside.to_owned(), source.to_owned());
    let sources = BTreeMap::from([
        file("a/mod.rs", "mod b;\nmod c;\n"),
        file("a/b.rs", "use super::{c::{X, Y}};\n"),
        file("a/c.rs", "fn f() { super::b::g() }\n"),
        file("a/d.rs", "// super::c\nuse crate::a::c::X;\n#[cfg(test)]\nmod tests {\n    use super::b::g;\n}\n"),
    ]);
    let found = circles(&arrows_between_files(&sources));
    assert_eq!(found, [BTreeSet::from(["a/b.rs".to_owned(), "a/c.rs".to_owned()])]);
}

/// Calls in `code` that write, such as `session.kube.apply(`.
fn writing_calls(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (receiver, verbs) in WRITING {
        for verb in verbs {
            let call = format!("{receiver}.{verb}(");
            let is_it = |at: usize| !code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            found.extend(code.match_indices(&call).filter(|(at, _)| is_it(*at)).map(|(_, call)| call.to_owned()));
        }
    }
    found
}

#[test]
fn rooms_that_only_look_call_nothing_that_writes() {
    let mut wrong = Vec::new();
    for (inside, source) in all_sources().into_iter().filter(|(inside, _)| LOOKING.contains(&room_of(inside))) {
        // A call may be on the line after its receiver.
        let code: String = code_of(&source).split_whitespace().collect();
        wrong.extend(writing_calls(&code).into_iter().map(|call| format!("{inside}: {call}…)")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(writing_calls("session.kube.apply(x);text.replace(y);self.arm.put(z)"), ["kube.apply(", "arm.put("]);
}

#[test]
fn the_reader_of_arrows_sees_groups_and_paths() {
    assert_eq!(rooms_named("use crate::{azure::Arm, kube};\nlet x = crate::ui::x();\n// crate::cli"), ["azure", "kube", "ui"]);
}

#[test]
fn each_code_has_one_meaning() {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // The tables that explain the codes don't count as uses.
    for (inside, source) in all_sources().into_iter().filter(|(inside, _)| !inside.starts_with("model/codes/")) {
        for (at, _) in source.match_indices("\"KC") {
            let code = &source[at + 1..at + 7];
            if code[2..].bytes().all(|b| b.is_ascii_digit()) {
                texts.entry(code.to_owned()).or_default().push(inside.clone());
            }
        }
    }
    assert!(texts.len() > 60, "the codes were not found");
    // A code belongs to one room: several files of that room may use it, but no other room.
    for (code, files) in texts {
        let rooms: BTreeSet<&str> = files.iter().map(|f| f.split('/').next().unwrap_or_default()).collect();
        let upper = rooms.iter().all(|r| ["engine", "health", "lookup", "steps", "cli", "catalogue"].contains(r));
        assert!(rooms.len() == 1 || upper, "{code} is used by {rooms:?}");
    }
}

/// Kinds of steps whose names mean nothing else in the sources, and whose objects no finding explains by name.
const KINDS: [&str; 3] = ["CosmosRole", "RedisPolicy", "FederatedCredential"];

/// Whether `code` names the kind `word` as a step. `Grant::RedisPolicy` is a grant of the catalogue, not a step.
fn names_kind(code: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        !before.ends_with(is_letter) && !after.starts_with(is_letter) && !before.ends_with("Grant::")
    })
}

#[test]
fn a_kind_of_step_is_named_in_few_files() {
    // The rooms of plain values and of the catalogue know grants, not steps.
    let sources: BTreeMap<String, String> =
        all_sources().into_iter().filter(|(inside, _)| !["model", "catalogue"].contains(&room_of(inside))).collect();
    let mut wrong = Vec::new();
    for kind in KINDS {
        let names_it = |(inside, source): &(&String, &String)| !inside.ends_with("tests.rs") && names_kind(&code_of(source), kind);
        let named: Vec<&str> = sources.iter().filter(names_it).map(|(inside, _)| inside.as_str()).collect();
        // The list of kinds, the spec, the behaviour, and what decides that a connection has such a step.
        if !(3..=4).contains(&named.len()) {
            wrong.push(format!("{kind} is named in {} files: {}", named.len(), named.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(names_kind("x(RedisPolicy)", "RedisPolicy") && !names_kind("Grant::RedisPolicy", "RedisPolicy"));
}

/// Files that pause without saying what for, each with the reason.
const QUIET: [(&str, &str); 5] = [
    ("azure/http.rs", "a pause of less than a second before a request is sent again"),
    ("azure/sign_in.rs", "a part of the wait for az, which the caller tells"),
    ("cli/verbs/list.rs", "between two watches of a list that is shown all the time"),
    ("engine/record/ledger.rs", "gathers what a background task writes"),
    ("engine/record/lease.rs", "renews a lease in the background"),
];

#[test]
fn the_clock_is_read_and_waited_for_in_one_place() {
    let is_test = |inside: &str| inside.ends_with("/testing.rs") || inside.ends_with("/tests.rs");
    let quiet: BTreeSet<&str> = QUIET.iter().map(|(file, _)| *file).collect();
    let (mut wrong, mut resting) = (Vec::new(), BTreeSet::new());
    for (inside, source) in all_sources().into_iter().filter(|(inside, _)| inside != "clock.rs" && !is_test(inside)) {
        let code = code_of(&source);
        // What a sign-in plugin says is passed on while it runs: the pause is one of four things that may happen first.
        let own_sleep = inside == "kube/credential_plugin.rs";
        for (call, instead) in [("Timestamp::now", "clock::now"), ("Zoned::now", "clock::now"), ("time::sleep", "clock::Wait")] {
            if code.contains(call) && !(own_sleep && call == "time::sleep") {
                wrong.push(format!("{inside}: {call}, use {instead}"));
            }
        }
        if code.contains("clock::rest(") {
            resting.insert(inside);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(resting.iter().map(String::as_str).collect::<BTreeSet<_>>(), quiet, "a pause that nobody is told of needs a reason");
}
