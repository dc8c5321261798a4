//! Progress events: the engine and its steps send them, the `ui` room shows them.

use std::sync::Arc;
use std::time::Duration;

/// A progress event.
#[derive(Clone, Debug)]
pub enum Event {
    /// Work began on `id`; `doing` is a phrase such as `creating identity id-web`.
    Started {
        /// Id of the step.
        id: String,
        /// The current action.
        doing: String,
    },
    /// The step waits for something that this process can't speed up.
    Waiting {
        /// Id of the step.
        id: String,
        /// The object of the wait, and the reason.
        why: String,
    },
    /// The step is done.
    Finished {
        /// Id of the step.
        id: String,
        /// Result of the step, as a phrase.
        done: String,
        /// How long it took.
        took: Duration,
    },
    /// The step failed; the error itself is reported by the command.
    Failed {
        /// Id of the step.
        id: String,
        /// The action that failed.
        doing: String,
    },
    /// Information that belongs to no step.
    Note(String),
    /// A warning; the command continues.
    Warning(String),
}

/// Receives events. Cheap to clone; callable from any task.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(Event) + Send + Sync>);

impl Events {
    /// Sends events to `sink`.
    pub fn new(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Events(Arc::new(sink))
    }

    /// Discards events: for tests and quiet commands.
    pub fn silent() -> Self {
        Events::new(|_| {})
    }

    /// Sends an event.
    pub fn say(&self, event: Event) {
        (self.0)(event);
    }
}
