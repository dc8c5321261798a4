//! Texts that are kept beside the code: what the program prints, and pages of documentation that are made from it.
//!
//! A test run compares them. With `UPDATE=1` in the environment it writes those that differ instead, inline ones too, and
//! nothing else has to be installed or run: `git diff` then shows what changed.
//!
//! ```ignore
//! snapshot::file("docs/codes.md", &page);
//! snapshot::inline!(ran.stderr, r#"
//!     error [KC1201]: there is no connection `x` in namespace shop
//! "#);
//! ```
//!
//! The text within the literal may be indented: what all of its lines have in common does not count.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test tells by panicking, and this is a part of tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

mod literal;

use literal::{dedent, written};

/// Whether this run writes what differs.
#[must_use]
pub fn updating() -> bool {
    std::env::var("UPDATE").is_ok_and(|value| !value.is_empty() && value != "0")
}

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is where it was built")
}

/// Insists that a file of the repository holds this text, or writes it. `path` is relative to the repository's root.
///
/// # Panics
/// When the file holds something else, with the lines that differ.
#[track_caller]
pub fn file(path: &str, text: &str) {
    let whole = root().join(path);
    let text = format!("{}\n", text.trim_end());
    let held = std::fs::read_to_string(&whole).unwrap_or_default();
    if held == text {
        return;
    }
    if !updating() {
        panic!("{path} holds another text; UPDATE=1 with the same command writes this one:\n{}", differences(&held, &text));
    }
    std::fs::create_dir_all(whole.parent().expect("a file is in a folder")).expect("the folder can be made");
    std::fs::write(&whole, text).expect("the file can be written");
}

/// Insists that a part of a file holds this text, or writes it there: what stands between the lines `<!-- NAME -->` and
/// `<!-- end of NAME -->`.
///
/// # Panics
/// When the file lacks these lines, or holds something else between them.
#[track_caller]
pub fn section(path: &str, name: &str, text: &str) {
    let held = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let parts = held.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("{path} lacks the lines {} and {end}", begin.trim_end()));
    file(path, &format!("{before}{begin}{}\n{end}{after}", text.trim_end()));
}

/// Insists that a text is the one in the literal, or writes it there.
///
/// The literal is a raw string with at least one `#`, and the first such after the macro's name.
#[macro_export]
macro_rules! inline {
    ($text:expr, $held:literal) => {
        $crate::compare_inline(&$text, $held, ::core::file!(), ::core::line!())
    };
}

/// A source file as it was when this process began to write to it, and the literals that it gets.
struct Changed {
    before: String,
    literals: BTreeMap<usize, (usize, String)>,
}

static CHANGED: Mutex<BTreeMap<PathBuf, Changed>> = Mutex::new(BTreeMap::new());

/// What [`inline!`] does.
///
/// # Panics
/// When the texts are not the same, with the lines that differ.
#[doc(hidden)]
#[track_caller]
pub fn compare_inline(text: impl AsRef<str>, held: &str, file: &str, line: u32) {
    let text = dedent(text.as_ref());
    let held = dedent(held);
    if held == text {
        return;
    }
    if !updating() {
        panic!("{file}:{line} holds another text; UPDATE=1 with the same command writes this one:\n{}", differences(&held, &text));
    }
    let path = root().join(file);
    let mut all = CHANGED.lock().unwrap_or_else(PoisonError::into_inner);
    let changed = all
        .entry(path.clone())
        .or_insert_with(|| Changed { before: std::fs::read_to_string(&path).expect("the source can be read"), literals: BTreeMap::new() });
    let (start, end, indent) = literal::find(&changed.before, line).unwrap_or_else(|| panic!("{file}:{line}: no raw string with a #"));
    changed.literals.insert(start, (end, written(&text, &indent)));
    let mut after = String::new();
    let mut done = 0;
    for (start, (end, literal)) in &changed.literals {
        after.push_str(&changed.before[done..*start]);
        after.push_str(literal);
        done = *end;
    }
    after.push_str(&changed.before[done..]);
    std::fs::write(&path, after).expect("the source can be written");
}

/// The lines from the first to the last that differs: those that are held with `-`, the others with `+`.
fn differences(held: &str, text: &str) -> String {
    let (held, text): (Vec<&str>, Vec<&str>) = (held.lines().collect(), text.lines().collect());
    let same = held.iter().zip(&text).take_while(|(a, b)| a == b).count();
    let most = held.len().min(text.len()) - same;
    let same_at_end = held.iter().rev().zip(text.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let cut = |lines: &[&str], sign: &str| -> String {
        lines[same..lines.len() - same_at_end].iter().map(|line| format!("{sign} {line}\n")).collect()
    };
    format!("after line {same}\n{}{}", cut(&held, "-"), cut(&text, "+"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_differ_are_shown() {
        assert_eq!(differences("a\nb\nc\nd", "a\nx\ny\nd"), "after line 1\n- b\n- c\n+ x\n+ y\n");
        assert_eq!(differences("a\na", "a"), "after line 1\n- a\n");
        assert_eq!(differences("", "a"), "after line 0\n+ a\n");
    }

    #[test]
    fn a_literal_is_compared_without_its_indentation() {
        inline!(
            "one\n  two\n",
            r#"
            one
              two
        "#
        );
        inline!("", r#""#);
    }

    #[test]
    #[should_panic(expected = "holds another text")]
    fn another_text_fails() {
        // Not in this file, so that an update leaves it alone.
        assert!(!updating(), "holds another text, and would be written");
        inline!("one", r#"two"#);
    }
}
