//! The Lease that shows which process works on a connection. A dead holder (its process is gone, or it stopped
//! renewing) loses the lease.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::clock;
use crate::kube::{Cluster, Failure, Only, resources};
use crate::model::{Kind, Problem, Result};

/// How long a holder keeps the lease without renewing it, in seconds.
const DURATION: i64 = 30;

/// A held lease, renewed in the background until it is released.
pub(crate) struct Lease {
    kube: Cluster,
    namespace: String,
    name: String,
    renewer: tokio::task::JoinHandle<()>,
}

impl Lease {
    /// Takes the lease, also from a dead holder.
    pub(crate) async fn take(kube: &Cluster, namespace: &str, name: &str) -> Result<Lease> {
        let lease = |version| body(namespace, name, version);
        let taken = match kube.create(&resources::LEASE, Some(namespace), &lease(None)).await {
            Ok(taken) => taken,
            Err(failure) if failure.is_already_exists() => {
                let found = kube.get(&resources::LEASE, Some(namespace), name).await?;
                match found {
                    Some(found) => {
                        may_take(&found, name)?;
                        let version = found["metadata"]["resourceVersion"].as_str();
                        kube.replace(&resources::LEASE, Some(namespace), name, &lease(version)).await.map_err(|f| lost(f, name))?
                    }
                    // The lease was released in the meantime.
                    None => kube.create(&resources::LEASE, Some(namespace), &lease(None)).await.map_err(|f| lost(f, name))?,
                }
            }
            Err(failure) => return Err(Problem::from(failure).context("taking the lease")),
        };
        let version = taken["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let renewer = tokio::spawn(renew(kube.clone(), namespace.to_owned(), name.to_owned(), version));
        Ok(Lease { kube: kube.clone(), namespace: namespace.to_owned(), name: name.to_owned(), renewer })
    }

    /// Releases the lease. Errors are ignored, since the lease expires.
    pub(crate) async fn release(&self) {
        self.renewer.abort();
        let _ = self.kube.delete(&resources::LEASE, Some(&self.namespace), &self.name, Only::default()).await;
    }

    /// Removes the lease of a killed run. Returns whether there was one.
    pub(crate) async fn sweep(kube: &Cluster, namespace: &str, name: &str) -> Result<bool> {
        match kube.get(&resources::LEASE, Some(namespace), name).await? {
            Some(found) => {
                may_take(&found, name)?;
                let version = found["metadata"]["resourceVersion"].as_str().map(str::to_owned);
                Ok(kube.delete(&resources::LEASE, Some(namespace), name, Only { uid: None, resource_version: version }).await?)
            }
            None => Ok(false),
        }
    }
}

async fn renew(kube: Cluster, namespace: String, name: String, mut version: String) {
    loop {
        clock::rest(Duration::from_secs(DURATION.unsigned_abs() / 3)).await;
        let renewed = kube.replace(&resources::LEASE, Some(&namespace), &name, &body(&namespace, &name, Some(&version))).await;
        if let Ok(lease) = renewed {
            version = lease["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        }
    }
}

fn body(namespace: &str, name: &str, version: Option<&str>) -> Value {
    // Lease times require exactly six decimals.
    let now = format!("{:.6}", clock::now());
    let mut lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace, "labels": crate::steps::marks::labels(None)},
        "spec": {"holderIdentity": crate::kube::holder(), "leaseDurationSeconds": DURATION, "acquireTime": now, "renewTime": now},
    });
    if let Some(version) = version {
        lease["metadata"]["resourceVersion"] = json!(version);
    }
    lease
}

/// Fails unless the lease's holder is dead.
fn may_take(lease: &Value, name: &str) -> Result<()> {
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    let seconds = lease["spec"]["leaseDurationSeconds"].as_i64().unwrap_or(DURATION);
    let renewed: Option<Timestamp> = lease["spec"]["renewTime"].as_str().and_then(|t| t.parse().ok());
    let expired = renewed.is_none_or(|at| at.checked_add(seconds.seconds()).is_ok_and(|end| end < clock::now()));
    if expired || crate::kube::is_dead(holder) {
        return Ok(());
    }
    let connection = name.split_once('.').map_or(name, |(_, c)| c);
    Err(Problem::new(Kind::Failed, "KC6001", format!("{holder} is working on connection `{connection}`"))
        .why("only one run at a time may change a connection")
        .fix(format!("wait for it; if it has died, the lock expires {seconds} s after its last renewal")))
}

fn lost(failure: Failure, name: &str) -> Problem {
    match failure.status() {
        Some(409) => Problem::new(Kind::Failed, "KC6001", format!("another run took the lock {name} at the same time"))
            .fix("run the same command again"),
        _ => failure.into(),
    }
}
