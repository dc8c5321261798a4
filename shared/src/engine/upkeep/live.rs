//! What a connection's parts are like right now, beside what the record says: each part is looked at as a plan would look
//! at it, and one that can't be looked at does not hide the others.

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

/// What a part is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As the record says.
    AsRecorded,
    /// It is gone.
    Missing,
    /// It is there and not as the record says.
    Differs,
    /// It can't be looked at, or it stands in its own way.
    Unknown,
}

impl State {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            State::AsRecorded => "as recorded",
            State::Missing => "missing",
            State::Differs => "differs",
            State::Unknown => "unknown",
        }
    }
}

/// One part as it is.
#[derive(Clone, Debug, Serialize)]
pub struct Live {
    /// Id of the step; `target` for the target itself.
    pub step: String,
    /// What it is like.
    pub state: State,
    /// What differs, or why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Looks at every part of a connection, the target first.
///
/// # Errors
/// None but those of the sign-in: what else goes wrong is the state of the part.
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
        Ok(Some(_)) if service.is_outside() => live(State::Unknown, Some("lives outside Azure".into())),
        Ok(Some(_)) => live(State::AsRecorded, None),
        Ok(None) => live(State::Missing, None),
        Err(problem) => live(State::Unknown, Some(problem.to_string())),
    }
}
