//! Every page in `docs` is reachable from `docs/README.md`, no link is broken, and files named in `CONTRIBUTING.md` exist.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn pages() -> BTreeSet<PathBuf> {
    let files = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "md")).collect()
}

/// The links of a page to files of this repository, each with the heading it names.
fn links(page: &Path) -> Vec<(PathBuf, Option<String>)> {
    let text = std::fs::read_to_string(page).unwrap();
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    let ours = targets.filter(|target| !target.contains("://"));
    ours.map(|target| {
        let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading.to_owned())));
        (if path.is_empty() { page.to_owned() } else { page.parent().unwrap().join(path) }, heading)
    })
    .collect()
}

/// The anchor by which links name a heading.
fn anchor(line: &str) -> String {
    let kept = line.trim_start_matches('#').trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn the_index_names_every_page() {
    let index = root().join("docs/README.md");
    let named: BTreeSet<PathBuf> = links(&index).into_iter().filter_map(|(path, _)| path.canonicalize().ok()).chain([index]).collect();
    let missing: Vec<_> = pages().into_iter().filter(|page| !named.contains(page)).collect();
    assert!(pages().len() > 8, "the pages were not found");
    assert!(missing.is_empty(), "docs/README.md does not name {missing:?}");
}

#[test]
fn every_link_leads_somewhere() {
    let others = ["README.md", "CONTRIBUTING.md", "az-connect-ext/README.md", "tests/README.md"].map(|file| root().join(file));
    let mut count = 0;
    for page in pages().into_iter().chain(others) {
        for (path, heading) in links(&page) {
            count += 1;
            assert!(path.exists(), "{}: no {}", page.display(), path.display());
            let Some(heading) = heading else { continue };
            let text = std::fs::read_to_string(&path).unwrap();
            let is_there = text.lines().any(|line| line.starts_with('#') && anchor(line) == heading);
            assert!(is_there, "{}: {} has no heading {heading}", page.display(), path.display());
        }
    }
    assert!(count > 15, "the links were not found");
}

/// `CONTRIBUTING.md` sends people to files by their paths, in code spans.
#[test]
fn every_file_that_contributors_are_sent_to_exists() {
    let text = std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let folders = ["shared/", "tests/", "docs/", "krew/", ".ci/"];
    let is_path =
        |span: &&str| folders.iter().any(|f| span.starts_with(f)) && !span.contains(char::is_whitespace) && !span.contains("NAME");
    let named: BTreeSet<&str> = text.split('`').skip(1).step_by(2).filter(is_path).collect();
    let missing: Vec<_> = named.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(named.len() > 10, "the paths were not found");
    assert!(missing.is_empty(), "CONTRIBUTING.md names files that do not exist: {missing:?}");
}
