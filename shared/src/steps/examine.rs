//! Examines a list of steps in the order of their needs, those without needs at once.

use std::collections::BTreeMap;

use super::behaviour;
use super::context::Cx;
use super::step::Examined;
use crate::model::Result;
use crate::plan::change::Goal;
use crate::plan::graph::{Direction, walk};
use crate::plan::spec::{StepId, StepSpec};

/// Looks at every step, in the order of their needs, all at once where they have none.
pub(crate) async fn examine(
    cx: &Cx,
    specs: &[StepSpec],
    goal: Goal,
    past: &BTreeMap<StepId, crate::plan::Receipt>,
) -> Result<BTreeMap<StepId, Examined>> {
    // Forward always: looking needs what others know (client id, issuer), whichever way the steps are done later.
    let mut walked = walk(specs, Direction::Forward, || false, |spec| behaviour(spec).examine(cx, goal, past.get(&spec.id()))).await;
    // The first by order of steps, so that two faults always give the same message.
    let failed = specs.iter().find_map(|s| walked.failed.iter().position(|(id, _)| *id == s.id()));
    match failed {
        Some(at) => Err(walked.failed.swap_remove(at).1),
        None => Ok(walked.done.into_iter().collect()),
    }
}
