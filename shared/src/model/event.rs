//! What happens while a command runs, as values: the engine and its steps say it, the ui room shows it.

use std::sync::Arc;
use std::time::Duration;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Work began on `id`; `doing` is a phrase such as `creating identity id-web`.
    Started {
        /// Id of the step.
        id: String,
        /// What is being done.
        doing: String,
    },
    /// The step is waiting for something that is not ours to hurry.
    Waiting {
        /// Id of the step.
        id: String,
        /// What is waited for and why.
        why: String,
    },
    /// The step is done.
    Finished {
        /// Id of the step.
        id: String,
        /// What is now so.
        done: String,
        /// How long it took.
        took: Duration,
    },
    /// The step failed; the error itself is reported by the command.
    Failed {
        /// Id of the step.
        id: String,
        /// What was being done.
        doing: String,
    },
    /// Something worth saying that belongs to no step.
    Note(String),
    /// Something the user should look at although the command goes on.
    Warning(String),
}

/// Where events go. Cheap to clone; callable from any task.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(Event) + Send + Sync>);

impl Events {
    /// Events go to `sink`.
    pub fn new(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Events(Arc::new(sink))
    }

    /// Events go nowhere: for tests and quiet commands.
    pub fn silent() -> Self {
        Events::new(|_| {})
    }

    /// Says that `event` happened.
    pub fn say(&self, event: Event) {
        (self.0)(event);
    }
}
