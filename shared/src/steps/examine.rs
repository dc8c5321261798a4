//! Examines a list of steps in the order of their needs, concurrently where possible.

use std::collections::BTreeMap;

use super::behaviour;
use super::context::Cx;
use super::step::Examined;
use crate::model::Result;
use crate::plan::change::Goal;
use crate::plan::graph::{Direction, walk};
use crate::plan::spec::{StepId, StepSpec};

/// Examines every step in the order of their needs, concurrently where possible.
pub(crate) async fn examine(
    cx: &Cx,
    specs: &[StepSpec],
    goal: Goal,
    past: &BTreeMap<StepId, crate::plan::Receipt>,
) -> Result<BTreeMap<StepId, Examined>> {
    // Always forward: examining a step needs results of others (client id, issuer), whatever the order of applying.
    let mut walked = walk(specs, Direction::Forward, || false, |spec| behaviour(spec).examine(cx, goal, past.get(&spec.id()))).await;
    // Report the first failed step in the order of steps, so that the same faults always give the same message.
    let failed = specs.iter().find_map(|s| walked.failed.iter().position(|(id, _)| *id == s.id()));
    match failed {
        Some(at) => Err(walked.failed.swap_remove(at).1),
        None => Ok(walked.done.into_iter().collect()),
    }
}
