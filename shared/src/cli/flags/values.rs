//! Parsers for values of flags.

use std::time::Duration;

use clap::{ArgMatches, FromArgMatches, ValueEnum};

use crate::model::{Kind, Problem, Result};

/// Where a plan is tested before anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Nowhere: the plan is carried out
    None,
    /// Only the plan is shown
    Client,
    /// The API server checks every object as well
    Server,
}

/// Parses the flags into a struct.
///
/// # Errors
/// If a flag has an invalid value.
pub fn parse<T: FromArgMatches>(matches: &ArgMatches) -> Result<T> {
    T::from_arg_matches(matches).map_err(|e| Problem::new(Kind::Usage, "KC1000", e.to_string()))
}

/// Parses `90s`, `15m`, `1h30m`, or plain seconds, as kubectl does.
pub fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let bad = || format!("`{text}` is not a duration: use 30s, 15m or 1h30m");
    let (mut total, mut number) = (0u64, String::new());
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(bad()),
        };
        let value: u64 = number.parse().map_err(|_| bad())?;
        total = value.checked_mul(unit).and_then(|v| total.checked_add(v)).ok_or_else(bad)?;
        number.clear();
    }
    if number.is_empty() && !text.is_empty() { Ok(Duration::from_secs(total)) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_like_in_kubectl() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("1h30m", 5400), ("45", 45), ("0", 0)] {
            assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "m", "10x", "5m3"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
