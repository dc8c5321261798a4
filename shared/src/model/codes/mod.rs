//! The meaning of every code that the program prints, in one sentence, with advice.
//!
//! A code is stable, but its message varies: it names, for example, the workload or the file. This table has the
//! general meaning of each code; `doctor CODE` and `docs/codes.md` show it. Findings of `verify` and `doctor` are in
//! a separate table, with reason and remedy (`health/findings.rs`). A test compares both tables with the codes in the
//! sources.

mod code;
mod command_line;
mod connection;
mod systems;

pub use self::code::Code;

/// All codes except those of findings, in ascending order.
pub fn all() -> impl Iterator<Item = &'static Code> {
    [command_line::CODES, systems::CODES, connection::CODES].into_iter().flatten()
}

/// The meaning of a code, in any letter case.
pub fn find(code: &str) -> Option<&'static Code> {
    all().find(|known| known.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_each_has_a_sentence() {
        assert!(all().is_sorted_by(|a, b| a.code < b.code), "the tables are in the order of the codes, each once");
        for known in all() {
            let digits = known.code.strip_prefix("KC").unwrap_or_default();
            assert!(digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()), "{}", known.code);
            for text in [known.meaning, known.advice] {
                assert!((8..200).contains(&text.len()) && !text.ends_with('.'), "{}: {text}", known.code);
            }
        }
    }

    #[test]
    fn letter_case_does_not_matter() {
        assert_eq!(find("kc1004").map(|known| known.code), Some("KC1004"));
        assert!(find("KC0000").is_none() && find("1004").is_none());
    }
}
