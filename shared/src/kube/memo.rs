//! Answers of the API server that this run has already got, so that planning never asks for one object twice.
//!
//! A memo belongs to a [`Cluster`] and its clones. Code that must see the cluster as it is now uses [`Cluster::get`], or
//! starts over with [`Cluster::afresh`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::{Access, Allowed, Apply, Cluster, Failure, Resource};

type Slots<Key, Answer> = Mutex<HashMap<Key, Arc<OnceCell<Answer>>>>;

/// The answers so far. A failure is not kept: the next call asks again.
#[derive(Default)]
pub(crate) struct Memo {
    objects: Slots<String, Option<Value>>,
    trials: Slots<String, Value>,
    access: Slots<Access, Allowed>,
}

/// The slot of `key`. Two callers at once share it, so that the second one waits for the first one's answer.
fn slot<Key: Eq + std::hash::Hash, Answer>(slots: &Slots<Key, Answer>, key: Key) -> Arc<OnceCell<Answer>> {
    slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
}

/// A server-side apply that is tried without being stored.
pub(crate) struct Trial<'a> {
    /// Kind of the object.
    pub kind: &'a Resource,
    /// Namespace of the object.
    pub namespace: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// Field manager of the apply.
    pub manager: &'a str,
    /// The applied body.
    pub body: &'a Value,
}

impl Cluster {
    /// The same connection with an empty memo: for looks that must not see answers from before a change.
    #[must_use]
    pub fn afresh(&self) -> Cluster {
        Cluster { inner: self.inner.clone(), memo: Arc::default() }
    }

    /// The object as it was when this run first asked for it.
    ///
    /// # Errors
    /// What the API server says other than that the object is absent.
    pub async fn read(&self, kind: &Resource, namespace: Option<&str>, name: &str) -> Result<Option<Value>, Failure> {
        let key = format!("{}/{}/{}", kind.plural, namespace.unwrap_or_default(), name);
        slot(&self.memo.objects, key).get_or_try_init(|| self.get(kind, namespace, name)).await.cloned()
    }

    /// The object that the apply would result in. The API server is asked once for each different apply.
    ///
    /// # Errors
    /// What the API server says: conflicts, admission and validation included.
    pub(crate) async fn try_out(&self, trial: &Trial<'_>) -> Result<Value, Failure> {
        let Trial { kind, namespace, name, manager, body } = *trial;
        let key = format!("{}/{namespace}/{name} {manager} {body}", kind.plural);
        let how = Apply { dry_run: true, ..Apply::default() };
        slot(&self.memo.trials, key).get_or_try_init(|| self.apply(kind, Some(namespace), name, manager, body, how)).await.cloned()
    }

    /// Whether the user may do this, asked once a run.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn may_once(&self, access: &Access) -> Result<Allowed, Failure> {
        slot(&self.memo.access, access.clone()).get_or_try_init(|| self.may(access)).await.cloned()
    }
}
