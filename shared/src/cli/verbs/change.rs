//! The common flow of every verb that changes something: show the plan, stop there in a dry run, ask for consent,
//! apply. The verbs differ only in planning and in their final messages.

use serde_json::Value;

use crate::cli::flags::changing::Changing;
use crate::cli::flags::values::DryRun;
use crate::cli::interactive::consent::{Question, agreed};
use crate::cli::invocation::Invocation;
use crate::engine::Stop;
use crate::engine::apply::{Made, rehearse};
use crate::engine::prepare::Prepared;
use crate::engine::report;
use crate::engine::undo::Undoing;
use crate::model::Result;
use crate::plan::Plan;
use crate::plan::record::Record;
use crate::ui::Ui;

/// A plan that can be applied.
pub trait Planned {
    /// Result of applying it.
    type Done;

    /// The changes to make.
    fn plan(&self) -> &Plan;

    /// The patch to print, with the reason, if it is not applied.
    fn printed(&self) -> Option<(&str, &Value)> {
        None
    }

    /// Dry run: has the API server validate every object without storing it.
    async fn rehearse(&self) -> Result<()> {
        Ok(())
    }

    /// Applies the plan.
    async fn carry_out(&self, stop: &Stop) -> Result<Self::Done>;
}

impl Planned for Prepared {
    type Done = Made;

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn printed(&self) -> Option<(&str, &Value)> {
        self.printed.as_ref().map(|printed| (printed.why.as_str(), &printed.patch))
    }

    async fn rehearse(&self) -> Result<()> {
        rehearse(self).await
    }

    async fn carry_out(&self, stop: &Stop) -> Result<Made> {
        Prepared::carry_out(self, stop, None).await
    }
}

impl Planned for Undoing {
    type Done = ();

    fn plan(&self) -> &Plan {
        &self.plan
    }

    async fn carry_out(&self, stop: &Stop) -> Result<()> {
        Undoing::carry_out(self, stop).await
    }
}

/// Applies a plan after consent; `None` in a dry run.
///
/// # Errors
/// If the user refuses, or a step fails.
pub async fn change<P: Planned>(call: &Invocation<'_>, how: &Changing, planned: &P, question: Question<'_>) -> Result<Option<P::Done>> {
    match is_wanted(call, how, planned, question).await? {
        true => planned.carry_out(&call.stop).await.map(Some),
        false => Ok(None),
    }
}

/// Whether to apply the plan. A dry run shows the plan as its result.
///
/// # Errors
/// If the user refuses, or the API server rejects an object.
pub async fn is_wanted(call: &Invocation<'_>, how: &Changing, planned: &impl Planned, question: Question<'_>) -> Result<bool> {
    if how.dry_run == DryRun::None {
        agreed(call.ui, planned.plan(), how.yes, question).await?;
        return Ok(true);
    }
    if how.dry_run == DryRun::Server {
        planned.rehearse().await?;
    }
    show_plan(call.ui, planned);
    Ok(false)
}

/// The plan as a result, with the patch that somebody else has to apply.
pub fn show_plan(ui: &Ui, planned: &impl Planned) {
    let plan = planned.plan();
    let mut value = plan.to_json();
    if let Some((_, patch)) = planned.printed() {
        value["patch"] = patch.clone();
    }
    let text = || match planned.printed() {
        Some((why, patch)) => format!("{}\n\nNot patched: {why}.\n\n{}", ui.plan_text(plan), ui.yaml(patch)),
        None => ui.plan_text(plan),
    };
    ui.result(&value, text, &plan.names());
}

/// Prints the connection as the result, with the changes of the run.
pub fn show_connection(ui: &Ui, record: &Record, plan: &Plan, text: impl FnOnce() -> String) {
    let value = report::with_run(report::connection(record), plan, &[], None);
    ui.result(&value, text, &[format!("connection/{}", record.name)]);
}
