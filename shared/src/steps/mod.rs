//! The steps: one file per kind of thing. Each can look (`examine`), and bring about what the look called for (`apply`).
//! Creating and deleting are the same step with another goal, so there is no second list for undoing.

mod cluster_features;
mod cosmos_role;
mod federated_credential;
mod identity;
mod ownership;
mod redis_policy;
mod role_assignment;
mod secret;
mod secret_provider_class;
mod service_account;
mod values;
mod vault_policy;
mod vault_secret;
mod workload;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::azure::Arm;
use crate::kube::{Access, Apply, Cluster, Failure, Only, Resource};
use crate::model::{Event, Events, PREFIX, Result};
use crate::plan::change::{Action, Change, Goal};
use crate::plan::record::{Ownership, Receipt, Record};
use crate::plan::spec::StepSpec;

pub(crate) use cluster_features::{addon_identity, is_busy as cluster_is_busy};
pub(crate) use role_assignment::assignments_of as role_assignments_of;
pub use workload::patch as workload_patch;

/// api-versions of the types that steps write; those of targets stand in the catalogue.
pub mod api {
    /// `Microsoft.ContainerService/managedClusters`: always the newest stable one, older ones hide fields that a PUT
    /// would then lose.
    pub const MANAGED_CLUSTERS: &str = "2026-05-01";
    /// `Microsoft.ManagedIdentity/userAssignedIdentities` and its federated credentials.
    pub const MANAGED_IDENTITY: &str = "2024-11-30";
    /// `Microsoft.Authorization/roleAssignments`, `roleDefinitions` and `permissions`.
    pub const AUTHORIZATION: &str = "2022-04-01";
    /// `Microsoft.KeyVault/vaults`.
    pub const KEY_VAULT: &str = "2025-05-01";
    /// `Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments`.
    pub const COSMOS: &str = "2025-04-15";
    /// `Microsoft.Cache/redis/accessPolicyAssignments`.
    pub const REDIS: &str = "2024-11-01";
    /// `Microsoft.Network/privateEndpoints`, `Microsoft.Network/networkInterfaces`.
    pub const NETWORK: &str = "2024-10-01";
}

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
    keys: values::Keys,
    reads: KubeReads,
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

/// A right that a change needs, checked before the first write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// An ARM action at a scope.
    Arm {
        /// Scope of the action.
        scope: String,
        /// Like `Microsoft.Authorization/roleAssignments/write`.
        action: &'static str,
    },
    /// An ARM action that hands out keys.
    Keys {
        /// The resource.
        scope: String,
        /// Like `Microsoft.Storage/storageAccounts/listKeys/action`.
        action: String,
    },
    /// A verb on a Kubernetes resource.
    Kube(Access),
}

/// What a look at a step found.
pub struct Examined {
    /// What would be done.
    pub change: Change,
    /// What is brought about.
    pub goal: Goal,
    /// What is written down before it is done.
    pub intent: Receipt,
    /// Rights that doing it needs.
    pub rights: Vec<Right>,
}

/// One kind of step.
#[async_trait]
pub trait Step: Send + Sync {
    /// Looks (reads only) and says what would have to be done for `goal`. `past` is what the record says.
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined>;

    /// Does it. Idempotent: doing it again after a kill ends in the same state.
    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt>;

    /// Has the service check what would be applied, where it can without storing it. The workload is rehearsed at every
    /// look already.
    async fn rehearse(&self, _cx: &Cx, _examined: &Examined) -> Result<()> {
        Ok(())
    }

    /// What is being done, for progress: `creating identity id-web`.
    fn doing(&self, examined: &Examined) -> String {
        let verb = match examined.change.action {
            crate::plan::Action::Create => "creating",
            crate::plan::Action::Update => "updating",
            crate::plan::Action::Delete => "deleting",
            crate::plan::Action::NoOp => "checking",
        };
        format!("{verb} {} {}", examined.change.kind, examined.change.name)
    }
}

/// The behaviour of a step.
pub fn behaviour(spec: &StepSpec) -> &dyn Step {
    match spec {
        StepSpec::ClusterFeatures(s) => s,
        StepSpec::Identity(s) => s,
        StepSpec::RoleAssignment(s) => s,
        StepSpec::VaultPolicy(s) => s,
        StepSpec::CosmosRole(s) => s,
        StepSpec::RedisPolicy(s) => s,
        StepSpec::FederatedCredential(s) => s,
        StepSpec::ServiceAccount(s) => s,
        StepSpec::Secret(s) => s,
        StepSpec::SecretProviderClass(s) => s,
        StepSpec::VaultSecret(s) => s,
        StepSpec::Workload(s) => s,
    }
}

type Read = Arc<tokio::sync::OnceCell<Option<Value>>>;
type Trial = Arc<tokio::sync::OnceCell<Value>>;
type Allow = Arc<tokio::sync::OnceCell<crate::kube::Allowed>>;

/// Answers of the API server in this run, so that no object is asked for twice while planning.
#[derive(Default)]
pub struct KubeReads {
    objects: Mutex<HashMap<String, Read>>,
    trials: Mutex<HashMap<String, Trial>>,
    access: Mutex<HashMap<Access, Allow>>,
}

impl Cx {
    /// A context without any results yet.
    #[expect(clippy::too_many_arguments, reason = "every part is a different thing, and it is built in one place")]
    pub fn new(
        arm: Arm,
        kube: Cluster,
        events: Events,
        connection: String,
        namespace: String,
        tenant: String,
        others: Vec<Record>,
        timeout: std::time::Duration,
        reads: KubeReads,
    ) -> Self {
        Cx {
            arm,
            kube,
            events,
            connection,
            namespace,
            tenant,
            others,
            timeout,
            outputs: Outputs::default(),
            given: Default::default(),
            keys: Default::default(),
            reads,
        }
    }

    /// An object as it was when first asked for in this run.
    ///
    /// # Errors
    /// What the API server says other than that the object is absent.
    pub async fn kube_read(&self, kind: &Resource, namespace: Option<&str>, name: &str) -> Result<Option<Value>> {
        Ok(self.reads.get(&self.kube, kind, namespace, name).await?)
    }

    /// Whether the user may do this; asked once a run.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn may(&self, access: &Access) -> Result<crate::kube::Allowed> {
        Ok(self.reads.may(&self.kube, access).await?)
    }

    /// Says that step `id` waits for `why`.
    pub fn waiting(&self, id: &str, why: impl Into<String>) {
        self.events.say(Event::Waiting { id: id.into(), why: why.into() });
    }

    /// The field manager of this connection's applies.
    pub fn manager(&self) -> String {
        Record::field_manager(&self.connection)
    }

    /// Whether another connection uses the same thing; names it.
    pub fn also_used_by(&self, step: &StepSpec) -> Option<String> {
        self.others.iter().find(|r| r.uses(step)).map(|r| r.name.clone())
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

impl KubeReads {
    /// See [`Cx::kube_read`]; usable before there is a context, to look things up early.
    ///
    /// # Errors
    /// What the API server says other than that the object is absent.
    pub async fn get(&self, kube: &Cluster, kind: &Resource, namespace: Option<&str>, name: &str) -> Result<Option<Value>, Failure> {
        let key = format!("{}/{}/{}", kind.plural, namespace.unwrap_or_default(), name);
        let cell = self.objects.lock().unwrap_or_else(std::sync::PoisonError::into_inner).entry(key).or_default().clone();
        cell.get_or_try_init(|| kube.get(kind, namespace, name)).await.cloned()
    }

    /// What the API server would make of an apply, tried once for the same patch.
    ///
    /// # Errors
    /// What the API server says; then the next one tries again.
    pub async fn try_out(
        &self,
        kube: &Cluster,
        kind: &Resource,
        (namespace, name): (&str, &str),
        manager: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        let key = format!("{}/{namespace}/{name} {manager} {body}", kind.plural);
        let cell = self.trials.lock().unwrap_or_else(std::sync::PoisonError::into_inner).entry(key).or_default().clone();
        let how = Apply { dry_run: true, ..Apply::default() };
        cell.get_or_try_init(|| kube.apply(kind, Some(namespace), name, manager, body, how)).await.cloned()
    }

    /// See [`Cx::may`].
    ///
    /// # Errors
    /// What the API server says.
    pub async fn may(&self, kube: &Cluster, access: &Access) -> Result<crate::kube::Allowed, Failure> {
        let cell = self.access.lock().unwrap_or_else(std::sync::PoisonError::into_inner).entry(access.clone()).or_default().clone();
        cell.get_or_try_init(|| kube.may(access)).await.cloned()
    }
}

/// The client id that a service account names for the webhook.
pub(crate) fn service_account_client_id(account: &Value) -> Option<&str> {
    account["metadata"]["annotations"][service_account::CLIENT_ID].as_str().filter(|id| !id.is_empty())
}

/// Labels of every object that we create.
pub(crate) fn labels(connection: Option<&str>) -> Value {
    let mut labels = json!({"app.kubernetes.io/managed-by": "kubectl-connect"});
    if let Some(connection) = connection {
        labels[format!("{PREFIX}/connection")] = json!(connection);
    }
    labels
}

/// Labels as a plan shows them.
pub(crate) fn told_labels(labels: &Value) -> Vec<String> {
    let pairs = labels.as_object().into_iter().flatten();
    pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect()
}

/// Whether we made this object.
pub(crate) fn is_ours(object: &Value) -> bool {
    object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "kubectl-connect"
}

/// How to write an object: one that this connection made is its own, so what somebody changed in it by hand is taken back,
/// as the plan has shown. Its uid goes into the body, so that it can't be another object of that name by then.
pub(crate) fn taking_back(examined: &Examined, how: Apply, body: &mut Value) -> Apply {
    let own = examined.change.action == Action::Update && examined.intent.ownership == Ownership::Created;
    let Some(uid) = examined.intent.uid.as_deref().filter(|_| own) else { return how };
    body["metadata"]["uid"] = json!(uid);
    Apply { force: true, ..how }
}

/// The object's uid.
pub(crate) fn uid(object: &Value) -> Option<String> {
    object["metadata"]["uid"].as_str().map(str::to_owned)
}

/// `receipt`, done now.
pub(crate) fn done(intent: &Receipt) -> Receipt {
    Receipt { done: true, at: jiff::Timestamp::now().to_string(), ..intent.clone() }
}
