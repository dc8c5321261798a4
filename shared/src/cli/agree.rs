//! What agreeing means, for every command that writes: the plan has been seen, and then `--yes` was given or a question
//! answered. A plan that writes nothing needs no answer, and where nobody can be asked `--yes` is the only one.

use super::args::DryRun;
use crate::model::{Kind, Problem, Result};
use crate::plan::Plan;
use crate::ui::Ui;

/// What the user is asked.
pub(super) enum Question<'a> {
    /// Whether to: a letter is enough.
    Whether(&'a str),
    /// To type the name of what can't be brought back.
    Name(&'a str),
}

/// Shows the plan and insists on a yes.
///
/// # Errors
/// There was none, or nobody to give it.
pub(super) async fn agreed(ui: &Ui, plan: &Plan, yes: bool, question: Question<'_>) -> Result<()> {
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

/// With `--dry-run` the plan is the result, and there is nothing to agree to; whether it was so.
pub(super) fn only_planned(ui: &Ui, plan: &Plan, dry_run: DryRun) -> bool {
    let only = dry_run != DryRun::None;
    if only {
        ui.result(&plan.to_json(), || ui.plan_text(plan), &plan.names());
    }
    only
}
