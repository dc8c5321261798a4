//! What steps work with: both sides of the connection, its name, and the results that steps hand to each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::azure::Arm;
use crate::kube::{Access, Cluster, Only, Resource};
use crate::model::{ConnectionKey, Event, Events, Result};
use crate::plan::record::Record;
use crate::plan::spec::Thing;

/// What steps work with.
pub struct Cx {
    /// Azure Resource Manager.
    pub arm: Arm,
    /// The cluster.
    pub kube: Cluster,
    /// Where progress goes.
    pub events: Events,
    /// Name of the connection.
    pub connection: String,
    /// Namespace of the connection.
    pub namespace: String,
    /// Tenant of the identity.
    pub tenant: String,
    /// The other connections of this tool that can be seen: what they need stays.
    pub others: Vec<Record>,
    /// How long to wait for a rollout or a long operation.
    pub timeout: std::time::Duration,
    /// Results that steps hand to each other.
    pub outputs: Outputs,
    /// Secrets that the user gave for this run, by name.
    pub given: std::collections::BTreeMap<String, secrecy::SecretString>,
    pub(crate) keys: Keys,
}

/// Results that steps hand to each other.
#[derive(Default)]
pub struct Outputs(Mutex<Known>);

/// What is known so far; filled by looking where a thing exists, by applying where it is made.
#[derive(Clone, Default)]
pub struct Known {
    /// The cluster's issuer, byte for byte.
    pub issuer: Option<String>,
    /// The identity's client id.
    pub client_id: Option<String>,
    /// The identity's object id.
    pub principal_id: Option<String>,
    /// Version of the connection's Secret, where it holds secret values.
    pub secret_version: Option<String>,
    /// Versions of the vault secrets that we keep, by name.
    pub vault_versions: std::collections::BTreeMap<String, String>,
}

impl Outputs {
    /// A copy of what is known now.
    pub fn known(&self) -> Known {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Adds to what is known.
    pub fn learn(&self, teach: impl FnOnce(&mut Known)) {
        teach(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Cx {
    /// A context without any results yet, in the tenant of the run, with an empty memo of the cluster where `kube` brings one.
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

    /// An object as it was when first asked for in this run.
    ///
    /// # Errors
    /// What the API server says other than that the object is absent.
    pub async fn kube_read(&self, kind: &Resource, namespace: Option<&str>, name: &str) -> Result<Option<Value>> {
        Ok(self.kube.read(kind, namespace, name).await?)
    }

    /// Whether the user may do this; asked once a run.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn may(&self, access: &Access) -> Result<crate::kube::Allowed> {
        Ok(self.kube.may_once(access).await?)
    }

    /// Says that step `id` waits for `why`.
    pub fn waiting(&self, id: &str, why: impl Into<String>) {
        self.events.say(Event::Waiting { id: id.into(), why: why.into() });
    }

    /// The field manager of this connection's applies.
    pub fn manager(&self) -> String {
        Record::field_manager(&self.connection)
    }

    /// Whether another connection uses the thing; names that connection.
    pub fn also_used_by(&self, thing: &Thing) -> Option<String> {
        self.others.iter().find(|r| r.uses(thing)).map(|r| r.name.clone())
    }

    /// Deletes an object if it is still the one that the receipt names.
    pub(crate) async fn delete_ours(&self, kind: &Resource, namespace: &str, name: &str, uid: Option<String>) -> Result<bool> {
        match self.kube.delete(kind, Some(namespace), name, Only { uid, resource_version: None }).await {
            Ok(existed) => Ok(existed),
            // Another object of that name has come in its place: not ours.
            Err(failure) if failure.status() == Some(409) => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// Answers of listKeys and its likes, so that one run asks once for each.
#[derive(Default)]
pub(crate) struct Keys(pub(crate) Mutex<HashMap<String, Answer>>);

/// What a context is opened for.
pub struct Run {
    /// The connection.
    pub key: ConnectionKey,
    /// Tenant of the identity.
    pub tenant: String,
    /// The other connections of this tool that can be seen.
    pub others: Vec<Record>,
    /// How long to wait for a rollout or a long operation.
    pub timeout: std::time::Duration,
}

impl Run {
    /// A run for the connection of a record. The others count only where something may be deleted.
    pub fn of(record: &Record, timeout: std::time::Duration) -> Run {
        let key = ConnectionKey::new(&record.namespace, &record.name);
        Run { key, tenant: record.tenant.clone(), others: Vec::new(), timeout }
    }
}

pub(crate) type Answer = Arc<tokio::sync::OnceCell<Value>>;
