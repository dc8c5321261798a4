//! The flow of every verb that changes something: the plan is shown, a dry run ends there, consent is asked for, the plan
//! is carried out. Verbs differ in how they plan and in what they say at the end.

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

/// What was looked at and can be carried out.
pub trait Planned {
    /// What is known once it is done.
    type Done;

    /// What would be done.
    fn plan(&self) -> &Plan;

    /// The patch that is printed instead of applied, with the reason.
    fn printed(&self) -> Option<(&str, &Value)> {
        None
    }

    /// Has the API server check every object without storing it.
    async fn rehearse(&self) -> Result<()> {
        Ok(())
    }

    /// Does it.
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

/// Carries a plan out, once there is consent; nothing where it was not wanted.
///
/// # Errors
/// There was no consent, or a step failed.
pub async fn change<P: Planned>(call: &Invocation<'_>, how: &Changing, planned: &P, question: Question<'_>) -> Result<Option<P::Done>> {
    match is_wanted(call, how, planned, question).await? {
        true => planned.carry_out(&call.stop).await.map(Some),
        false => Ok(None),
    }
}

/// Whether the plan is to be carried out. A dry run shows the plan as its result and ends there.
///
/// # Errors
/// There was no consent, or the API server refuses an object.
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

/// The connection as a result, with what the run did.
pub fn show_connection(ui: &Ui, record: &Record, plan: &Plan, text: impl FnOnce() -> String) {
    let value = report::with_run(report::connection(record), plan, &[], None);
    ui.result(&value, text, &[format!("connection/{}", record.name)]);
}
