//! The signal with which a user ends a run, and the count of the runs that are writing: a run that writes is let finish its
//! steps, and several runs of one process may write at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Stop signal, set by Ctrl-C and read before each step. Clones share the signal.
#[derive(Clone, Default)]
pub struct Stop(Arc<Signals>);

#[derive(Default)]
struct Signals {
    stop: AtomicBool,
    writers: AtomicUsize,
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
        self.0.writers.load(Ordering::SeqCst) > 0
    }

    /// Counts a run as writing until the guard is dropped, however the run ends.
    pub fn writing(&self) -> Writing {
        self.0.writers.fetch_add(1, Ordering::SeqCst);
        Writing(self.0.clone())
    }
}

/// A run that is writing.
#[must_use = "the run counts as writing only as long as the guard lives"]
pub struct Writing(Arc<Signals>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_run_that_ends_does_not_speak_for_the_others() {
        let stop = Stop::default();
        assert!(!stop.is_writing());
        let (first, second) = (stop.writing(), stop.clone().writing());
        drop(first);
        assert!(stop.is_writing(), "the second run still writes");
        drop(second);
        assert!(!stop.is_writing() && !stop.is_set());
    }
}
