//! Checks of the engine as the ui shows them, and what makes a command that checks fail.

use clap::ValueEnum;

use crate::health::check::{Check, Outcome};
use crate::ui::{Shown, Sign, Ui};

/// Which results make the command fail.
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

/// Checks as text; `-o short` omits successful ones.
pub fn text(ui: &Ui, title: &str, checks: &[Check]) -> String {
    ui.checks_text(title, &checks.iter().map(shown).collect::<Vec<_>>())
}

/// A check as shown to the user.
pub fn shown(check: &Check) -> Shown<'_> {
    Shown {
        group: check.group,
        sign: match check.result {
            Outcome::Success => Sign::Well,
            Outcome::Skipped => Sign::Skipped,
            Outcome::Warning => Sign::Warning,
            Outcome::Error => Sign::Bad,
        },
        description: &check.description,
        code: check.code,
        seen: check.message.as_deref(),
        expected: check.expected.as_deref(),
        why: check.why,
        details: &check.details,
        fix: check.fix.as_deref(),
        more: check.docs.as_deref(),
    }
}
