//! Every code of the tables KC1xxx to KC4xxx is produced by a test, or listed here with the reason why it can't be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Codes that no test produces.
const UNSEEN: &[(&str, &str)] = &[
    ("KC1008", "the machine gives no thread to run on"),
    ("KC1009", "a person says no at a terminal; what is not a terminal gets KC1007"),
    ("KC1011", "a person leaves a question at a terminal"),
    ("KC1190", "Azure answers without credentials; reading the answer has a test of its own"),
    ("KC1611", "Azure hands out fewer keys than it describes"),
    ("KC3014", "what kube finds wrong beyond everything that is checked before"),
    ("KC3203", "takes a network that swallows packets"),
    ("KC3208", "an error of the network that nobody has thought of"),
    ("KC3315", "a request that can't be built, though names are checked"),
    ("KC3501", "an API server that hands out no token"),
    ("KC4036", "Azure answers with pages without end"),
    ("KC4037", "Entra answers 200 without a token"),
    ("KC4039", "an address from the catalogue that is no URL"),
    ("KC4601", "AKS switched the issuer on and shows none"),
    ("KC4603", "Azure shows an identity without its object id"),
    ("KC4604", "Azure shows an identity without its object id"),
    ("KC4605", "AKS switched the issuer on and shows none"),
    ("KC4606", "another update of the cluster that takes longer than --timeout"),
    ("KC4607", "guards the update of the cluster against its own mistakes"),
    ("KC4609", "Azure shows an identity without its object id"),
    ("KC4610", "Azure shows an identity without its object id"),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The codes in a text.
fn codes(text: &str) -> impl Iterator<Item = String> + '_ {
    let is_code = |code: &str| matches!(code.as_bytes(), [b'K', b'C', b'1'..=b'4', rest @ ..] if rest.iter().all(u8::is_ascii_digit));
    text.match_indices("KC").filter_map(move |(at, _)| text.get(at..at + 6).filter(|code| is_code(code)).map(str::to_owned))
}

#[test]
fn every_code_is_produced_by_a_test_or_excused() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent().unwrap();
    let (mut sources, mut others) = (Vec::new(), Vec::new());
    files(&root.join("shared/src"), &mut sources);
    for folder in ["connect", "upkeep", "services", "contract_job", "recorded", "contract/tests", "stand-in/tests"] {
        files(&tests.join(folder), &mut others);
    }
    files(&root.join("shared/tests"), &mut others);
    let mut made: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for file in sources {
        let text = std::fs::read_to_string(&file).unwrap();
        // Tests are at the end of a file or in a separate file.
        let own_file = file.file_name().is_some_and(|n| n == "tests.rs" || n == "testing.rs") || file.extension().is_none_or(|e| e != "rs");
        let (product, unit) = if own_file { ("", text.as_str()) } else { text.split_once("#[cfg(test)]").unwrap_or((&text, "")) };
        made.extend(codes(product).map(|code| (code, file.clone())));
        seen.extend(codes(unit));
    }
    for file in others.iter().filter(|f| !f.ends_with("upkeep/codes.rs")) {
        seen.extend(codes(&String::from_utf8_lossy(&std::fs::read(file).unwrap())));
    }
    assert!(made.len() > 150, "the codes were not found");
    let excused: BTreeSet<&str> = UNSEEN.iter().map(|(code, _)| *code).collect();
    let missing: Vec<_> = made.iter().filter(|(code, _)| !seen.contains(*code) && !excused.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "no test produces {missing:#?}");
    let stale: Vec<_> = excused.iter().filter(|code| seen.contains(**code) || !made.contains_key(**code)).collect();
    assert!(stale.is_empty(), "{stale:?} need no excuse");
}
