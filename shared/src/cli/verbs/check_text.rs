//! How checks are shown: by the part of the chain, with everything about those that failed. `verify` and `doctor` show
//! them as their result, `connect` as talk beside its own.

use clap::ValueEnum;

use crate::health::check::{Check, Outcome};
use crate::ui::{Format, Ui};

/// What makes the command fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// errors
    Error,
    /// errors and warnings
    Warning,
    /// never
    Never,
}

/// The exit code.
pub fn exit_code(checks: &[Check], fail_on: FailOn) -> u8 {
    let worst = checks.iter().map(|c| c.result).max().unwrap_or(Outcome::Success);
    let limit = match fail_on {
        FailOn::Error => Outcome::Error,
        FailOn::Warning => Outcome::Warning,
        FailOn::Never => return 0,
    };
    u8::from(worst >= limit)
}

/// Checks as text; `-o short` leaves out what is well.
pub fn text(ui: &Ui, title: &str, checks: &[Check]) -> String {
    let mut out = format!("{title}\n");
    let short = ui.format == Format::Short;
    let mut groups: Vec<&str> = Vec::new();
    for check in checks {
        if !groups.contains(&check.group) {
            groups.push(check.group);
        }
    }
    for group in groups {
        let mut head = group;
        for check in checks.iter().filter(|c| c.group == group && !(short && c.result < Outcome::Warning)) {
            line(&mut out, &format!("  {head:16}"), check);
            head = "";
        }
    }
    let count = |outcome: Outcome| checks.iter().filter(|c| c.result == outcome).count();
    out.push_str(&match (count(Outcome::Error), count(Outcome::Warning)) {
        (0, 0) => "No problem found.\n".to_owned(),
        (0, w) => format!("{w} warning(s).\n"),
        (e, 0) => format!("{e} problem(s).\n"),
        (e, w) => format!("{e} problem(s), {w} warning(s).\n"),
    });
    out
}

/// The proof at the end of a run: the same checks, without the parts that they belong to.
pub fn proof(checks: &[Check]) -> String {
    let mut out = String::new();
    checks.iter().for_each(|check| line(&mut out, "  ", check));
    out
}

/// One check behind its heading, and everything about it below where it failed.
fn line(out: &mut String, head: &str, check: &Check) {
    let sign = match check.result {
        Outcome::Success => "✓",
        Outcome::Skipped => "-",
        Outcome::Warning => "!",
        Outcome::Error => "✗",
    };
    let first = format!("{head}{sign} {}", check.description);
    if check.result < Outcome::Warning {
        let seen = check.message.as_deref().map_or_else(String::new, |seen| format!(": {seen}"));
        out.push_str(&format!("{first}{seen}\n"));
        return;
    }
    out.push_str(&format!("{first}   {}\n", check.code));
    let indent = head.chars().count() + 2;
    let mut row = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            out.push_str(&format!("{:indent$}{key:9}{value}\n", ""));
        }
    };
    row("seen", check.message.as_deref());
    row("expected", check.expected.as_deref());
    row("why", check.why);
    for detail in &check.details {
        row("", Some(detail));
    }
    row("fix", check.fix.as_deref());
    row("more", check.docs.as_deref());
}
