//! Every finding has a case that plants it. This test fails for a new finding without one.

use std::collections::BTreeSet;
use std::path::Path;

use harness::Case;

/// Findings without a case, with the reason.
const UNPLANTED: &[(&str, &str)] = &[];

/// The codes that occur in the cases as a string of their own, `"KC5…"`: the findings that cases expect.
fn named_in_cases() -> BTreeSet<String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for folder in ["upkeep", "connect", "services"] {
        for entry in std::fs::read_dir(tests.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "rs") || path.ends_with("upkeep/complete.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = |part: &&str| part.len() == 6 && part.starts_with("KC5") && part[3..].bytes().all(|b| b.is_ascii_digit());
            found.extend(text.split('"').filter(code).map(str::to_owned));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_finding_is_planted_by_a_case() {
    let listed = Case::on("aks-ready").await.run("doctor --list -o json").await.ended(0).json();
    let known: BTreeSet<String> = listed["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect();
    let named = named_in_cases();
    let excused = |code: &String| UNPLANTED.iter().any(|(c, _)| c == code);
    let missing: Vec<&String> = known.iter().filter(|c| !named.contains(*c) && !excused(c)).collect();
    assert!(missing.is_empty(), "no case plants {missing:?}");
    let stale: Vec<&str> = UNPLANTED.iter().map(|(c, _)| *c).filter(|c| named.contains(*c) || !known.contains(*c)).collect();
    assert!(stale.is_empty(), "{stale:?} need no excuse");
}
