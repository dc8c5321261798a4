//! Progress events: the engine and its steps send them, the `ui` room shows them.

use std::sync::Arc;
use std::time::Duration;

use super::ConnectionKey;

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
        /// How long the wait has lasted.
        waited: Duration,
    },
    /// The wait of the step is over, and the step goes on.
    Resumed {
        /// Id of the step.
        id: String,
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

/// Receives events, for one connection or for none. Cheap to clone; callable from any task.
#[derive(Clone)]
pub struct Events {
    sink: Arc<Sink>,
    scope: Option<Arc<ConnectionKey>>,
}

type Sink = dyn Fn(Option<&ConnectionKey>, Event) + Send + Sync;

impl Events {
    /// Sends events to `sink`, which does not need to know the connection.
    pub fn new(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Events::by_connection(move |_, event| sink(event))
    }

    /// Sends events to `sink` with the connection to which each belongs. Ids of steps are unique only within one
    /// connection.
    pub fn by_connection(sink: impl Fn(Option<&ConnectionKey>, Event) + Send + Sync + 'static) -> Self {
        Events { sink: Arc::new(sink), scope: None }
    }

    /// Discards events: for tests and quiet commands.
    pub fn silent() -> Self {
        Events::new(|_| {})
    }

    /// The same receiver, for events of one connection.
    #[must_use]
    pub fn scoped(&self, connection: &ConnectionKey) -> Self {
        Events { sink: self.sink.clone(), scope: Some(Arc::new(connection.clone())) }
    }

    /// Sends an event.
    pub fn say(&self, event: Event) {
        (self.sink)(self.scope.as_deref(), event);
    }
}
