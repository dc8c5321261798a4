//! Cached reads, dry runs and access reviews: each is sent only once per run.

use std::sync::Arc;

use serde_json::Value;

use super::connect::Cluster;
use super::error::Failure;
use super::permission::{Access, Allowed};
use super::resources::Resource;
use super::verbs::Apply;
use crate::kube::memo::slot;

/// A server-side apply as a dry run.
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
    /// The same connection with an empty cache, for reads after a change.
    #[must_use]
    pub fn afresh(&self) -> Cluster {
        Cluster { inner: self.inner.clone(), memo: Arc::default() }
    }

    /// The object as it was when this run first asked for it.
    ///
    /// # Errors
    /// Errors of the API server, except an absent object.
    pub async fn read(&self, kind: &Resource, namespace: Option<&str>, name: &str) -> Result<Option<Value>, Failure> {
        let key = format!("{}/{}/{}", kind.plural, namespace.unwrap_or_default(), name);
        slot(&self.memo.objects, key).get_or_try_init(|| self.get(kind, namespace, name)).await.cloned()
    }

    /// The result of a dry run. Each different apply is sent only once.
    ///
    /// # Errors
    /// Errors of the API server, including conflicts, admission and validation.
    pub(crate) async fn try_out(&self, trial: &Trial<'_>) -> Result<Value, Failure> {
        let Trial { kind, namespace, name, manager, body } = *trial;
        let key = format!("{}/{namespace}/{name} {manager} {body}", kind.plural);
        let how = Apply { dry_run: true, ..Apply::default() };
        slot(&self.memo.trials, key).get_or_try_init(|| self.apply(kind, Some(namespace), name, manager, body, how)).await.cloned()
    }

    /// Whether the user may do this, asked once a run.
    ///
    /// # Errors
    /// Errors of the API server.
    pub async fn may_once(&self, access: &Access) -> Result<Allowed, Failure> {
        slot(&self.memo.access, access.clone()).get_or_try_init(|| self.may(access)).await.cloned()
    }
}
