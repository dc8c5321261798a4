//! The context of the steps: both sides of the connection, its name, and the results that steps pass to each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::outputs::Outputs;
use crate::azure::Arm;
use crate::clock::Wait;
use crate::kube::{Access, Cluster, Only, Resource};
use crate::model::{ConnectionKey, Events, ResourceId, Result};
use crate::plan::record::Record;
use crate::plan::spec::Thing;

/// The context in which steps run.
pub struct Cx {
    /// Azure Resource Manager.
    pub arm: Arm,
    /// The cluster.
    pub kube: Cluster,
    /// Receiver of progress events.
    pub events: Events,
    /// Name of the connection.
    pub connection: String,
    /// Namespace of the connection.
    pub namespace: String,
    /// Tenant of the identity.
    pub tenant: String,
    /// The managed cluster of the connection.
    pub cluster: ResourceId,
    /// The managed identity of the connection, if it has one. Steps that do not name their identity mean this one.
    pub identity: Option<ResourceId>,
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

impl Cx {
    /// A context without results, in the tenant of the run; the cluster's read cache comes with `kube`.
    pub fn new(arm: &Arm, kube: Cluster, events: &Events, run: Run) -> Self {
        let Run { key, tenant, cluster, identity, others, timeout } = run;
        let events = events.scoped(&key);
        let arm = arm.with_events(&events);
        Cx {
            arm: if tenant.is_empty() { arm } else { arm.with_tenant(&tenant) },
            kube,
            events,
            connection: key.name,
            namespace: key.namespace,
            tenant,
            cluster,
            identity,
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

    /// A wait of step `id`, which says what is waited for: `waiting for AKS`.
    pub fn wait(&self, id: impl Into<String>, why: impl Into<String>) -> Wait<'_> {
        Wait::new(&self.events, id, why)
    }

    /// Client id of the connection's identity, once known.
    pub fn client_id(&self) -> Option<String> {
        self.outputs.client_id(self.identity.as_ref()?)
    }

    /// Object id of the connection's identity, once known.
    pub fn principal_id(&self) -> Option<String> {
        self.outputs.principal_id(self.identity.as_ref()?)
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
    /// The managed cluster.
    pub cluster: ResourceId,
    /// The managed identity, if the connection has one.
    pub identity: Option<ResourceId>,
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
        let (tenant, cluster) = (record.tenant.clone(), record.cluster.clone());
        Run { key, tenant, cluster, identity: record.identity().cloned(), others: Vec::new(), timeout }
    }
}

pub(crate) type Answer = Arc<tokio::sync::OnceCell<Value>>;
