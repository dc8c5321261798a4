//! The record of a connection, stored in the cluster: the intent before the first write, a receipt after each. Writes
//! use the resourceVersion, so that no other update is lost.

use std::sync::Arc;

use futures::future::join;
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, Notify};

use super::lease::Lease;
use crate::clock;
use crate::kube::{Cluster, Only, resources};
use crate::lookup::records::{Stored, load};
use crate::model::{Kind, PREFIX, Problem, Result};
use crate::plan::record::{Phase, Receipt, Record, Verified};
use crate::steps::marks::labels;

/// Stores the result of a verification if it differs from the stored one. Without write permission the stored result
/// stays unchanged.
///
/// # Errors
/// If the record can't be read again.
pub async fn remember(kube: &Cluster, record: &mut Record, success: bool) -> Result<()> {
    if record.verified.as_ref().is_some_and(|v| v.success == success) {
        return Ok(());
    }
    record.verified = Some(proven(success));
    let Some(stored) = load(kube, &record.namespace, &record.name).await? else { return Ok(()) };
    let current = Record { verified: record.verified.clone(), ..stored.record };
    let body = object(&current, &stored.labels, Some(&stored.resource_version))?;
    let name = Record::object_name(&record.name);
    // Ignored: a concurrent write of somebody else is more important.
    let _ = kube.replace(&resources::CONFIG_MAP, Some(&record.namespace), &name, &body).await;
    Ok(())
}

/// The result of a verification that ended now.
pub(crate) fn proven(success: bool) -> Verified {
    Verified { at: clock::stamp(), success }
}

pub(crate) fn object(record: &Record, kept: &Map<String, Value>, resource_version: Option<&str>) -> Result<Value> {
    let mut labels = labels(Some(&record.name));
    labels[format!("{PREFIX}/record")] = json!("connection");
    labels[format!("{PREFIX}/service")] = json!(record.service);
    // Labels with this tool's prefix are recomputed from the record; all others belong to users and are kept.
    for (name, value) in kept.iter().filter(|(name, _)| !name.starts_with(PREFIX)) {
        if labels[name.as_str()].is_null() {
            labels[name.as_str()] = value.clone();
        }
    }
    let text =
        serde_json::to_string_pretty(record).map_err(|e| Problem::new(Kind::Failed, "KC6003", "the record can't be written").source(e))?;
    let mut body = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": Record::object_name(&record.name), "namespace": record.namespace, "labels": labels},
        "data": {"record": text},
    });
    if let Some(version) = resource_version {
        body["metadata"]["resourceVersion"] = json!(version);
    }
    Ok(body)
}

/// An open record: protected by a Lease, and written as steps finish.
pub struct Ledger {
    kube: Cluster,
    lease: Lease,
    pending: Arc<Mutex<PendingRecord>>,
    changed: Arc<Notify>,
    writer: tokio::task::JoinHandle<()>,
}

/// How long receipts are collected before they are written.
const GATHER: std::time::Duration = std::time::Duration::from_millis(30);

struct PendingRecord {
    record: Record,
    labels: Map<String, Value>,
    resource_version: Option<String>,
    written: Option<Record>,
    fault: Option<Problem>,
}

impl Ledger {
    /// Takes the lease and writes the intent.
    ///
    /// # Errors
    /// If somebody else works on the connection, or changed it since it was read.
    pub async fn open(kube: &Cluster, record: Record, former: Option<&Stored>) -> Result<Ledger> {
        let name = Record::object_name(&record.name);
        let mut pending = PendingRecord {
            labels: former.map(|f| f.labels.clone()).unwrap_or_default(),
            resource_version: former.map(|f| f.resource_version.clone()),
            written: former.map(|f| f.record.clone()),
            fault: None,
            record,
        };
        let namespace = pending.record.namespace.clone();
        let take = Lease::take(kube, &namespace, &name);
        // Creating the ConfigMap, or replacing a known resourceVersion, already excludes a second run, so lease and
        // record are written concurrently; a run that gets only one of them releases it. After an unfinished run the
        // lease comes first, since its process may still write receipts.
        let finished = former.is_none_or(|f| f.record.phase == Phase::Ready);
        let (lease, written) = if finished {
            join(take, write(kube, &mut pending)).await
        } else {
            let lease = take.await?;
            (Ok(lease), write(kube, &mut pending).await)
        };
        let lease = match (lease, written) {
            (Ok(lease), Ok(())) => lease,
            (Ok(lease), Err(problem)) => {
                lease.release().await;
                return Err(problem);
            }
            (Err(problem), written) => {
                match former {
                    _ if written.is_err() => {}
                    None => {
                        let only = Only { uid: None, resource_version: pending.resource_version.clone() };
                        kube.delete(&resources::CONFIG_MAP, Some(&namespace), &name, only).await?;
                    }
                    Some(former) => {
                        pending.record = former.record.clone();
                        write(kube, &mut pending).await?;
                    }
                }
                return Err(problem);
            }
        };
        let (pending, changed) = (Arc::new(Mutex::new(pending)), Arc::new(Notify::new()));
        let writer = tokio::spawn(keep_writing(kube.clone(), pending.clone(), changed.clone()));
        Ok(Ledger { kube: kube.clone(), lease, pending, changed, writer })
    }

    /// Adds a change to the record and returns at once; it is written in the background, together with others. If the
    /// process is killed before that, nothing is lost: the intent and the marks of the objects show what was done.
    pub async fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.pending.lock().await.record);
        self.changed.notify_one();
    }

    /// Adds a receipt.
    pub async fn receipt(&self, step: &str, receipt: Receipt) {
        self.note(|record| {
            record.receipts.insert(step.to_owned(), receipt);
        })
        .await;
    }

    /// Writes pending changes and releases the lease.
    ///
    /// # Errors
    /// If the record can't be written; finished steps stay finished.
    pub async fn close(self, last: impl FnOnce(&mut Record)) -> Result<Record> {
        let result = {
            let mut pending = self.pending.lock().await;
            last(&mut pending.record);
            match pending.fault.take() {
                Some(fault) => Err(fault),
                None => write(&self.kube, &mut pending).await.map(|()| pending.record.clone()),
            }
        };
        self.writer.abort();
        self.lease.release().await;
        result
    }

    /// Deletes the record after releasing the lease. If the process is killed in between, the record remains and the
    /// same command continues.
    ///
    /// # Errors
    /// If somebody changed the record meanwhile.
    pub async fn delete_record(self) -> Result<()> {
        let pending = self.pending.lock().await;
        self.writer.abort();
        self.lease.release().await;
        let name = Record::object_name(&pending.record.name);
        let only = Only { uid: None, resource_version: pending.resource_version.clone() };
        self.kube.delete(&resources::CONFIG_MAP, Some(&pending.record.namespace), &name, only).await?;
        Ok(())
    }
}

async fn keep_writing(kube: Cluster, pending: Arc<Mutex<PendingRecord>>, changed: Arc<Notify>) {
    loop {
        changed.notified().await;
        // Receipts come in bursts, and the closing write follows the last one: one write covers them all.
        clock::rest(GATHER).await;
        let mut pending = pending.lock().await;
        if pending.fault.is_none() {
            pending.fault = write(&kube, &mut pending).await.err();
        }
    }
}

async fn write(kube: &Cluster, pending: &mut PendingRecord) -> Result<()> {
    if pending.written.as_ref() == Some(&pending.record) {
        return Ok(());
    }
    let namespace = Some(pending.record.namespace.as_str());
    let body = object(&pending.record, &pending.labels, pending.resource_version.as_deref())?;
    let answer = match &pending.resource_version {
        None => kube.create(&resources::CONFIG_MAP, namespace, &body).await,
        Some(_) => kube.replace(&resources::CONFIG_MAP, namespace, &Record::object_name(&pending.record.name), &body).await,
    };
    match answer {
        Ok(stored) => {
            pending.resource_version = stored["metadata"]["resourceVersion"].as_str().map(str::to_owned);
            pending.written = Some(pending.record.clone());
            Ok(())
        }
        Err(failure) if matches!(failure.status(), Some(409)) => {
            Err(Problem::new(Kind::Failed, "KC6004", format!("somebody else changed connection `{}` meanwhile", pending.record.name))
                .why("its record changed after this run read it")
                .fix("run the same command again: it plans from the present state"))
        }
        Err(failure) => Err(Problem::from(failure).context("writing the record")),
    }
}
