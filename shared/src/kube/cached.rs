//! Cached reads, dry runs and access reviews: each is sent only once per run.

use std::sync::Arc;

use serde_json::Value;

use super::connect::Cluster;
use super::error::Failure;
use super::permission::{Access, Allowed};
use super::resources::Resource;
use super::verbs::{Applied, Apply};
use crate::kube::memo::slot;

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
    pub(crate) async fn try_out(&self, trial: &Applied<'_>) -> Result<Value, Failure> {
        let key = format!("{}/{}/{} {} {}", trial.kind.plural, trial.namespace, trial.name, trial.manager, trial.body);
        let how = Apply { dry_run: true, ..Apply::default() };
        slot(&self.memo.trials, key).get_or_try_init(|| self.apply(trial, how)).await.cloned()
    }

    /// Whether the user may do this, asked once a run.
    ///
    /// # Errors
    /// Errors of the API server.
    pub async fn may_once(&self, access: &Access) -> Result<Allowed, Failure> {
        slot(&self.memo.access, access.clone()).get_or_try_init(|| self.may(access)).await.cloned()
    }
}
