//! The engine: look, plan, apply, verify, write down; resume and undo. Knows neither terminal nor argv.

pub mod apply;
pub mod prepare;
pub mod record;
pub mod report;
pub mod undo;
pub mod upkeep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use self::prepare::delivery::MOUNT_PATH;
pub use self::prepare::secret_store::refuse_store;

/// Asked before each step; set by Ctrl-C.
#[derive(Clone, Default)]
pub struct Stop(Arc<Signals>);

#[derive(Default)]
struct Signals {
    stop: AtomicBool,
    writing: AtomicBool,
}

impl Stop {
    /// No further step is to begin.
    pub fn set(&self) {
        self.0.stop.store(true, Ordering::SeqCst);
    }

    /// Whether no further step is to begin.
    pub fn is_set(&self) -> bool {
        self.0.stop.load(Ordering::SeqCst)
    }

    /// Whether steps are at work that should be let finish.
    pub fn is_writing(&self) -> bool {
        self.0.writing.load(Ordering::SeqCst)
    }

    fn writing(&self, writing: bool) {
        self.0.writing.store(writing, Ordering::SeqCst);
    }
}
