//! Consent for every command that writes: after the plan is shown, the user must have given `--yes` or answers a
//! question. A plan without writes needs no consent; without a terminal `--yes` is required.

use crate::model::{Kind, Problem, Result};
use crate::plan::Plan;
use crate::ui::Ui;

/// The question to the user.
pub enum Question<'a> {
    /// A yes-or-no question.
    Whether(&'a str),
    /// The user must type the name of an object that can't be restored.
    Name(&'a str),
}

/// Shows the plan and requires consent.
///
/// # Errors
/// If the user refuses or can't be asked.
pub async fn agreed(ui: &Ui, plan: &Plan, yes: bool, question: Question<'_>) -> Result<()> {
    ui.plan(plan);
    let agreed = yes
        || !plan.writes()
        || match question {
            Question::Whether(verb) => ui.confirm(&format!("{verb}? [y/N]"), "--yes").await?,
            Question::Name(name) => ui.confirm_by_typing(name, &format!("Type {name} to delete:"), "--yes").await?,
        };
    match agreed {
        true => Ok(()),
        false => Err(Problem::new(Kind::Usage, "KC1009", "not confirmed: nothing was changed")),
    }
}
