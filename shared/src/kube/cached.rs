//! Reads, dry runs and access reviews that a run sends once and then answers from memory.

use std::sync::Arc;

use serde_json::Value;

use super::connect::Cluster;
use super::error::Failure;
use super::permission::{Access, Allowed};
use super::resources::Resource;
use super::verbs::Apply;
use crate::kube::memo::slot;

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
