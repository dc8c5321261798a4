//! How checks are shown: by the part of the chain, with everything about those that failed.

use clap::ValueEnum;

use crate::health::check::{Check, Outcome};
use crate::ui::{Format, Ui};

/// What makes the command fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// A failed check
    Error,
    /// A warning as well
    Warning,
    /// Nothing
    Never,
}

/// The exit code.
pub(super) fn exit_code(checks: &[Check], fail_on: FailOn) -> u8 {
    let worst = checks.iter().map(|c| c.result).max().unwrap_or(Outcome::Success);
    let limit = match fail_on {
        FailOn::Error => Outcome::Error,
        FailOn::Warning => Outcome::Warning,
        FailOn::Never => return 0,
    };
    u8::from(worst >= limit)
}

/// Checks as text; `-o short` leaves out what is well.
pub(super) fn text(ui: &Ui, title: &str, checks: &[Check]) -> String {
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
            line(&mut out, head, check);
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

fn line(out: &mut String, head: &str, check: &Check) {
    let sign = match check.result {
        Outcome::Success => "✓",
        Outcome::Skipped => "-",
        Outcome::Warning => "!",
        Outcome::Error => "✗",
    };
    let bad = check.result >= Outcome::Warning;
    let first = format!("  {head:16}{sign} {}", check.description);
    match (bad, &check.message) {
        (false, Some(seen)) => out.push_str(&format!("{first}: {seen}\n")),
        (false, None) => out.push_str(&format!("{first}\n")),
        (true, _) => out.push_str(&format!("{first}   {}\n", check.code)),
    }
    if !bad {
        return;
    }
    let mut row = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            out.push_str(&format!("{:20}{key:9}{value}\n", ""));
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
