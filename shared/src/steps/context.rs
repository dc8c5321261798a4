//! The context of the steps: both sides of the connection, its name, and the results that steps pass to each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::azure::Arm;
use crate::kube::{Access, Cluster, Only, Resource};
use crate::model::{ConnectionKey, Event, Events, Result};
use crate::plan::record::Record;
use crate::plan::spec::Thing;

/// The context in which steps run.
pub struct Cx {
    /// Azure Resource Manager.
    pub arm: Arm,
    /// The cluster's body.
    pub kube: Cluster,
    /// Receiver of progress events.
    pub events: Events,
    /// Name of the connection.
    pub connection: String,
    /// Namespace of the connection.
    pub namespace: String,
    /// Tenant of the identity.
    pub tenant: String,
    /// The other visible connections of this tool: objects that they use are kept.
    pub others: Vec<Record>,
    /// Time limit for a rollout or a long-running operation.
    pub timeout: std::time::Duration,
    /// Results that steps pass to each other.
    pub outputs: Outputs,
    /// Secrets that the user gave for this run, by name.
    pub given: std::collections::BTreeMap<String, secrecy::SecretString>,
    pub(crate) keys: Keys,
}

/// Results that steps pass to each other.
#[derive(Default)]
pub struct Outputs(Mutex<Known>);

/// Values known so far. Examining an existing object provides them, or applying the step that creates it.
#[derive(Clone, Default)]
pub struct Known {
    /// The cluster's issuer, byte for byte.
    pub issuer: Option<String>,
    /// The identity's client id.
    pub client_id: Option<String>,
    /// The identity's object id.
    pub principal_id: Option<String>,
    /// Version of the connection's Secret, if it holds secret values.
    pub secret_version: Option<String>,
    /// Versions of the stored vault secrets, by name.
    pub vault_versions: std::collections::BTreeMap<String, String>,
}

impl Outputs {
    /// A copy of the values known now.
    pub fn known(&self) -> Known {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Adds values.
    pub fn learn(&self, teach: impl FnOnce(&mut Known)) {
        teach(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Cx {
    /// A context without results, in the tenant of the run; the cluster's read cache comes with `kube`.
    pub fn new(arm: &Arm, kube: Cluster, events: &Events, run: Run) -> Self {
        let Run { key, tenant, others, timeout } = run;
        Cx {
            arm: if tenant.is_empty() { arm.clone() } else { arm.with_tenant(&tenant) },
            kube,
            events: events.clone(),
            connection: key.name,
            namespace: key.namespace,
            tenant,
            others,
            timeout,
            outputs: Outputs::default(),
            given: Default::default(),
            keys: Default::default(),
        }
    }

    /// Reads an object, at most once per run.
    ///
    /// # Errors
    /// Errors of the API server, except an absent object.
    pub async fn kube_read(&self, kind: &Resource, namespace: Option<&str>, name: &str) -> Result<Option<Value>> {
        Ok(self.kube.read(kind, namespace, name).await?)
    }

    /// Whether the user has a permission; asked once per run.
    ///
    /// # Errors
    /// Errors of the API server.
    pub async fn may(&self, access: &Access) -> Result<crate::kube::Allowed> {
        Ok(self.kube.may_once(access).await?)
    }

    /// Reports that step `id` waits, and why.
    pub fn waiting(&self, id: &str, why: impl Into<String>) {
        self.events.say(Event::Waiting { id: id.into(), why: why.into() });
    }

    /// The field manager of this connection's applies.
    pub fn manager(&self) -> String {
        Record::field_manager(&self.connection)
    }

    /// The name of another connection that uses the same object, if there is one.
    pub fn also_used_by(&self, thing: &Thing) -> Option<String> {
        self.others.iter().find(|r| r.uses(thing)).map(|r| r.name.clone())
    }

    /// Deletes an object if it still has the uid from the receipt.
    pub(crate) async fn delete_ours(&self, kind: &Resource, namespace: &str, name: &str, uid: Option<String>) -> Result<bool> {
        match self.kube.delete(kind, Some(namespace), name, Only { uid, resource_version: None }).await {
            Ok(existed) => Ok(existed),
            // Another object with this name exists now; it is not ours.
            Err(failure) if failure.status() == Some(409) => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// Cached answers of key operations such as listKeys, so that a run calls each once.
#[derive(Default)]
pub(crate) struct Keys(pub(crate) Mutex<HashMap<String, Answer>>);

/// The parameters of a context.
pub struct Run {
    /// The connection.
    pub key: ConnectionKey,
    /// Tenant of the identity.
    pub tenant: String,
    /// The other visible connections of this tool.
    pub others: Vec<Record>,
    /// Time limit for a rollout or a long-running operation.
    pub timeout: std::time::Duration,
}

impl Run {
    /// The run for a recorded connection. The other connections matter only where something may be deleted, so there
    /// are none.
    pub fn of(record: &Record, timeout: std::time::Duration) -> Run {
        let key = ConnectionKey::new(&record.namespace, &record.name);
        Run { key, tenant: record.tenant.clone(), others: Vec::new(), timeout }
    }
}

pub(crate) type Answer = Arc<tokio::sync::OnceCell<Value>>;
