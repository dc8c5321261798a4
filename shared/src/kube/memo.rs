//! Cached answers of the API server, so that planning reads each object only once.
//!
//! A memo belongs to a `Cluster` and its clones. Code that must see the cluster as it is now uses `Cluster::get`, or
//! starts over with `Cluster::afresh`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::permission::{Access, Allowed};

type Slots<Key, Answer> = Mutex<HashMap<Key, Arc<OnceCell<Answer>>>>;

/// The answers so far. A failure is not kept: the next call asks again.
#[derive(Default)]
pub(crate) struct Memo {
    pub(crate) objects: Slots<String, Option<Value>>,
    pub(crate) trials: Slots<String, Value>,
    pub(crate) access: Slots<Access, Allowed>,
}

/// The slot of `key`. Concurrent callers share it, so the second one waits for the answer to the first.
pub(crate) fn slot<Key: Eq + std::hash::Hash, Answer>(slots: &Slots<Key, Answer>, key: Key) -> Arc<OnceCell<Answer>> {
    slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
}
