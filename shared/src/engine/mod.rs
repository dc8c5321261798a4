//! The engine: looks up, plans, applies, verifies and records; resumes and undoes. Knows neither terminal nor command
//! line.

pub mod apply;
pub mod prepare;
pub mod record;
pub mod report;
pub mod undo;
pub mod upkeep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use self::prepare::asked::refuse_store;
pub use self::prepare::delivery::MOUNT_PATH;

/// Stop signal, set by Ctrl-C and read before each step.
#[derive(Clone, Default)]
pub struct Stop(Arc<Signals>);

#[derive(Default)]
struct Signals {
    stop: AtomicBool,
    writing: AtomicBool,
}

impl Stop {
    /// Asks for no further steps.
    pub fn set(&self) {
        self.0.stop.store(true, Ordering::SeqCst);
    }

    /// Whether no further step may start.
    pub fn is_set(&self) -> bool {
        self.0.stop.load(Ordering::SeqCst)
    }

    /// Whether steps are running that should be allowed to finish.
    pub fn is_writing(&self) -> bool {
        self.0.writing.load(Ordering::SeqCst)
    }

    fn writing(&self, writing: bool) {
        self.0.writing.store(writing, Ordering::SeqCst);
    }
}
