//! The record of a connection, kept in the cluster: intent before the first write, a receipt after each. Writes are
//! guarded by the resourceVersion, so that no update of somebody else's is lost.

use std::sync::Arc;

use futures::future::join;
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, Notify};

use super::lease::Lease;
use crate::kube::{Cluster, Only, resources};
use crate::lookup::records::{Stored, load};
use crate::model::{Kind, PREFIX, Problem, Result};
use crate::plan::record::{Phase, Receipt, Record, Verified};
use crate::steps::marks::labels;

/// Remembers how a verification ended, when that differs from what is remembered. Who may not write sees it all the
/// same.
///
/// # Errors
/// The record could not be read again.
pub async fn remember(kube: &Cluster, record: &mut Record, success: bool) -> Result<()> {
    if record.verified.as_ref().is_some_and(|v| v.success == success) {
        return Ok(());
    }
    record.verified = Some(Verified::now(success));
    let Some(stored) = load(kube, &record.namespace, &record.name).await? else { return Ok(()) };
    let current = Record { verified: record.verified.clone(), ..stored.record };
    let body = object(&current, &stored.labels, Some(&stored.resource_version))?;
    let name = Record::object_name(&record.name);
    // Somebody else's write at this moment is more important than ours.
    let _ = kube.replace(&resources::CONFIG_MAP, Some(&record.namespace), &name, &body).await;
    Ok(())
}

pub(crate) fn object(record: &Record, kept: &Map<String, Value>, resource_version: Option<&str>) -> Result<Value> {
    let mut labels = labels(Some(&record.name));
    labels[format!("{PREFIX}/record")] = json!("connection");
    labels[format!("{PREFIX}/service")] = json!(record.service);
    // Ours say what the record says; all others are people's.
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

/// The open record: held under a Lease, written as things happen.
pub struct Ledger {
    kube: Cluster,
    lease: Lease,
    page: Arc<Mutex<Page>>,
    dirty: Arc<Notify>,
    writer: tokio::task::JoinHandle<()>,
}

/// How long receipts are gathered before they are written.
const GATHER: std::time::Duration = std::time::Duration::from_millis(30);

struct Page {
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
    /// Somebody else is at work on the connection, or changed it since we looked.
    pub async fn open(kube: &Cluster, record: Record, former: Option<&Stored>) -> Result<Ledger> {
        let name = Record::object_name(&record.name);
        let mut page = Page {
            labels: former.map(|f| f.labels.clone()).unwrap_or_default(),
            resource_version: former.map(|f| f.resource_version.clone()),
            written: former.map(|f| f.record.clone()),
            fault: None,
            record,
        };
        let namespace = page.record.namespace.clone();
        let take = Lease::take(kube, &namespace, &name);
        // Creating the record is a lock of its own, and so is changing one that is finished: whoever else begins has the
        // same version in hand. So both go at once, and who gets only one of them lets go of it. A record of somebody who
        // may still be writing receipts is touched only under the lease.
        let finished = former.is_none_or(|f| f.record.phase == Phase::Ready);
        let (lease, written) = if finished {
            join(take, write(kube, &mut page)).await
        } else {
            let lease = take.await?;
            (Ok(lease), write(kube, &mut page).await)
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
                        let only = Only { uid: None, resource_version: page.resource_version.clone() };
                        kube.delete(&resources::CONFIG_MAP, Some(&namespace), &name, only).await?;
                    }
                    Some(former) => {
                        page.record = former.record.clone();
                        write(kube, &mut page).await?;
                    }
                }
                return Err(problem);
            }
        };
        let (page, dirty) = (Arc::new(Mutex::new(page)), Arc::new(Notify::new()));
        let writer = tokio::spawn(keep_writing(kube.clone(), page.clone(), dirty.clone()));
        Ok(Ledger { kube: kube.clone(), lease, page, dirty, writer })
    }

    /// Notes a change and goes on; it is written in the background, several at once where they come fast. A kill in
    /// between loses nothing: the intent and the marks on the things tell what was done.
    pub async fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.page.lock().await.record);
        self.dirty.notify_one();
    }

    /// Notes a receipt.
    pub async fn receipt(&self, step: &str, receipt: Receipt) {
        self.note(|record| {
            record.receipts.insert(step.to_owned(), receipt);
        })
        .await;
    }

    /// Writes what is not written yet and gives the lease back.
    ///
    /// # Errors
    /// The record could not be written; what was done stays done.
    pub async fn close(self, last: impl FnOnce(&mut Record)) -> Result<Record> {
        let result = {
            let mut page = self.page.lock().await;
            last(&mut page.record);
            match page.fault.take() {
                Some(fault) => Err(fault),
                None => write(&self.kube, &mut page).await.map(|()| page.record.clone()),
            }
        };
        self.writer.abort();
        self.lease.release().await;
        result
    }

    /// Deletes the record, the lease first: a kill in between leaves the record, and the same command goes on.
    ///
    /// # Errors
    /// Somebody changed the record meanwhile.
    pub async fn burn(self) -> Result<()> {
        let page = self.page.lock().await;
        self.writer.abort();
        self.lease.release().await;
        let name = Record::object_name(&page.record.name);
        let only = Only { uid: None, resource_version: page.resource_version.clone() };
        self.kube.delete(&resources::CONFIG_MAP, Some(&page.record.namespace), &name, only).await?;
        Ok(())
    }
}

async fn keep_writing(kube: Cluster, page: Arc<Mutex<Page>>, dirty: Arc<Notify>) {
    loop {
        dirty.notified().await;
        // Receipts come in bursts, and the last one is followed by the closing write: one write serves them all.
        tokio::time::sleep(GATHER).await;
        let mut page = page.lock().await;
        if page.fault.is_none() {
            page.fault = write(&kube, &mut page).await.err();
        }
    }
}

async fn write(kube: &Cluster, page: &mut Page) -> Result<()> {
    if page.written.as_ref() == Some(&page.record) {
        return Ok(());
    }
    let namespace = Some(page.record.namespace.as_str());
    let body = object(&page.record, &page.labels, page.resource_version.as_deref())?;
    let answer = match &page.resource_version {
        None => kube.create(&resources::CONFIG_MAP, namespace, &body).await,
        Some(_) => kube.replace(&resources::CONFIG_MAP, namespace, &Record::object_name(&page.record.name), &body).await,
    };
    match answer {
        Ok(stored) => {
            page.resource_version = stored["metadata"]["resourceVersion"].as_str().map(str::to_owned);
            page.written = Some(page.record.clone());
            Ok(())
        }
        Err(failure) if matches!(failure.status(), Some(409)) => {
            Err(Problem::new(Kind::Failed, "KC6004", format!("somebody else changed connection `{}` meanwhile", page.record.name))
                .why("its record is not the one that this run looked at")
                .fix("run the same command again: it plans from what is there now"))
        }
        Err(failure) => Err(Problem::from(failure).context("writing the record")),
    }
}
