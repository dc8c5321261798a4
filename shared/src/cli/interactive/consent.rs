//! What agreeing means, for every command that writes: the plan has been seen, and then `--yes` was given or a question
//! answered. A plan that writes nothing needs no answer, and where nobody can be asked `--yes` is the only one.

use crate::model::{Kind, Problem, Result};
use crate::plan::Plan;
use crate::ui::Ui;

/// What the user is asked.
pub enum Question<'a> {
    /// Whether to: a letter is enough.
    Whether(&'a str),
    /// To type the name of what can't be brought back.
    Name(&'a str),
}

/// Shows the plan and insists on a yes.
///
/// # Errors
/// There was none, or nobody to give it.
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
