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
    ui.checks_text(title, &shown(checks, &pages(checks)))
}

/// The proof at the end of a run, as talk.
pub fn proof(ui: &Ui, checks: &[Check]) {
    ui.proof(&shown(checks, &pages(checks)));
}

/// The command that says more about each check: nobody has the documentation's files at hand.
fn pages(checks: &[Check]) -> Vec<String> {
    checks.iter().map(|check| format!("kubectl connect doctor {}", check.code)).collect()
}

fn shown<'a>(checks: &'a [Check], pages: &'a [String]) -> Vec<Shown<'a>> {
    let one = |(check, page): (&'a Check, &'a String)| Shown {
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
        more: check.docs.as_ref().map(|_| page.as_str()),
    };
    checks.iter().zip(pages).map(one).collect()
}
