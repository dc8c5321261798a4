//! The current state of a connection's parts compared with the record. Each part is examined as for a plan; a part
//! that can't be read does not hide the others.

use std::convert::Infallible;

use serde::Serialize;

use crate::catalogue;
use crate::lookup::session::Session;
use crate::model::Result;
use crate::plan::change::{Action, Goal};
use crate::plan::graph::{Direction, walk};
use crate::plan::record::Record;
use crate::steps::behaviour;
use crate::steps::context::Cx;
use crate::steps::context::Run;

/// State of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As the record says.
    AsRecorded,
    /// The object does not exist.
    Missing,
    /// The object differs from the record.
    Differs,
    /// Could not be read, or examining it failed.
    Unknown,
}

impl State {
    /// The state in words.
    pub fn words(self) -> &'static str {
        match self {
            State::AsRecorded => "as recorded",
            State::Missing => "missing",
            State::Differs => "differs",
            State::Unknown => "unknown",
        }
    }
}

/// A part with its state.
#[derive(Clone, Debug, Serialize)]
pub struct Live {
    /// Id of the step; `target` for the target itself.
    pub step: String,
    /// State.
    pub state: State,
    /// The difference, or why the state is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Examines every part of a connection, the target first.
///
/// # Errors
/// Only errors of the sign-in; all others become the state of a part.
pub async fn look(session: &Session, record: &Record) -> Result<Vec<Live>> {
    let cx = Cx::new(&session.arm, session.kube.afresh(), &session.events, Run::of(record, std::time::Duration::ZERO));
    session.arm.token(&session.cloud().arm_scope()).await?;
    let looked = walk(
        &record.steps,
        Direction::Forward,
        || false,
        |spec| {
            let cx = &cx;
            async move { Ok::<_, Infallible>(behaviour(spec).examine(cx, Goal::Present, record.receipts.get(&spec.id())).await) }
        },
    );
    let (target, mut looked) = futures::future::join(target(session, record), looked).await;
    let mut parts = vec![target];
    for step in record.steps.iter().map(crate::plan::spec::StepSpec::id) {
        let (state, message) = match looked.done.remove(&step) {
            Some(Ok(found)) => {
                let names: Vec<String> = found.change.details.iter().map(|d| d.name.clone()).collect();
                match found.change.action {
                    Action::NoOp => (State::AsRecorded, found.change.reason),
                    Action::Create => (State::Missing, None),
                    _ => (State::Differs, Some(names.join(", ")).filter(|n| !n.is_empty()).or(found.change.reason)),
                }
            }
            Some(Err(problem)) if problem.kind() == crate::model::Kind::NotFound => (State::Missing, Some(problem.what().to_owned())),
            Some(Err(problem)) => (State::Unknown, Some(problem.to_string())),
            None => (State::Unknown, None),
        };
        parts.push(Live { step, state, message });
    }
    Ok(parts)
}

async fn target(session: &Session, record: &Record) -> Live {
    let live = |state, message| Live { step: "target".into(), state, message };
    let Some(service) = catalogue::find(&record.service) else { return live(State::Unknown, None) };
    match crate::lookup::resources::read_target(session, service, &record.target).await {
        Ok(Some(_)) if service.is_outside() => live(State::Unknown, Some("is outside Azure".into())),
        Ok(Some(_)) => live(State::AsRecorded, None),
        Ok(None) => live(State::Missing, None),
        Err(problem) => live(State::Unknown, Some(problem.to_string())),
    }
}
