//! Every code that the program prints, with its meaning in one sentence and with what helps.
//!
//! A message names the objects of its run, such as the workload or the file; a code is the same everywhere. A reader who looks up a
//! code later needs the general meaning, which `doctor CODE` and `docs/codes.md` take from here. Findings of `verify` and
//! `doctor` have a table of their own, with reason and remedy. A test compares both tables with the codes in the sources.

mod code;
mod command_line;
mod connection;
mod systems;

pub use self::code::Code;

/// All codes except those of findings, in ascending order.
pub fn all() -> impl Iterator<Item = &'static Code> {
    [command_line::CODES, systems::CODES, connection::CODES].into_iter().flatten()
}

/// The entry of a code; letter case does not matter.
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
