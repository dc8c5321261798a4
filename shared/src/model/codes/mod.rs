//! The meaning of every code that the program prints, in one sentence, and what helps.
//!
//! A code is stable and its message is not: the message names what it met, such as the workload or the file. Whoever
//! looks a code up has no message at hand any more, so the general meaning stands here once; `doctor CODE` and
//! `docs/codes.md` read this table. What `verify` and `doctor` find has a table of its own, with the reason and the remedy
//! of each finding. A test compares both tables with the codes in the sources.

mod code;
mod command_line;
mod connection;
mod systems;

pub use self::code::Code;

/// All codes but those of findings, in ascending order.
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
