//! Azure Resource Manager with the rules of the resource types that the product uses.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

pub use clusters::sendable_cluster;

use crate::control::Control;
use crate::data::objects::Objects;
use crate::entra::Caller;
use crate::http::{Request, Response};
use crate::keys::RsaKey;
use crate::kube::KubeCluster;
use crate::world::World;

mod assignments;
mod clusters;
pub(crate) mod credentials;
pub(crate) mod data_roles;
pub(crate) mod errors;
mod graph;
mod identities;
mod kql;
mod linkers;
pub(crate) mod lists;
mod operations;
mod path;
pub(crate) mod roles;
mod router;
mod service_roles;
mod services;
mod targets;
mod vaults;
mod versions;

/// A stored ARM object.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) body: Value,
    pub(crate) created: SystemTime,
}

/// One role assignment.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) scope: String,
    pub(crate) principal: String,
    pub(crate) role: String,
    pub(crate) properties: Value,
    pub(crate) created: SystemTime,
}

/// The state of ARM.
#[derive(Default)]
pub(crate) struct Store {
    /// Keys are ids in lower case.
    pub(crate) resources: BTreeMap<String, Resource>,
    /// Keys are names in lower case; names are unique in the tenant.
    pub(crate) assignments: BTreeMap<String, Assignment>,
    pub(crate) operations: BTreeMap<String, operations::Operation>,
    /// Identities with a running credential write.
    pub(crate) writing: HashSet<String>,
    /// Credentials (id in lower case) that were used successfully, with the number of failures still to come.
    pub(crate) relapses: BTreeMap<String, usize>,
    /// Contents of the vaults.
    pub(crate) objects: Objects,
}

/// All of Azure behind one lock; requests are short.
pub(crate) struct Azure {
    pub(crate) control: Control,
    pub(crate) key: Arc<RsaKey>,
    pub(crate) world: World,
    /// Keys are resource ids in lower case.
    pub(crate) kube: BTreeMap<String, KubeCluster>,
    /// Custom roles.
    pub(crate) roles: Vec<roles::Role>,
    store: Mutex<Store>,
}

impl Azure {
    pub(crate) fn new(world: World, control: Control, kube: BTreeMap<String, KubeCluster>) -> Self {
        let mut store = Store { objects: Objects::planted(&world), ..Store::default() };
        // Planted objects are old, so they have replicated long ago.
        let created = SystemTime::UNIX_EPOCH;
        for body in &world.resources {
            let id = body["id"].as_str().unwrap_or_default().to_ascii_lowercase();
            store.resources.insert(id, Resource { body: body.clone(), created });
        }
        let roles: Vec<roles::Role> = world.roles.iter().map(roles::Role::custom).collect();
        // Custom roles are planted by name; ARM's name is derived from it.
        let guid = |role: &str| roles.iter().find(|one| one.name == role).map_or(role, |one| one.id).to_owned();
        for (scope, principal, kind, role) in &world.assignments {
            let name = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, format!("{scope}{principal}{role}").as_bytes()).to_string();
            let properties = json!({"principalType": kind});
            store.assignments.insert(
                name.clone(),
                Assignment { name, scope: scope.clone(), principal: principal.clone(), role: guid(role), properties, created },
            );
        }
        Self { control, key: RsaKey::pooled(0), world, kube, roles, store: Mutex::new(store) }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store, unless it is locked.
    pub(crate) fn try_store(&self) -> Option<MutexGuard<'_, Store>> {
        match self.store.try_lock() {
            Ok(store) => Some(store),
            Err(std::sync::TryLockError::Poisoned(store)) => Some(store.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    pub(crate) fn handle(&self, request: &Request) -> Response {
        router::handle(self, request)
    }

    pub(crate) fn timestamp(&self) -> String {
        timestamp(self.control.now())
    }

    /// Finishes the operations that are due.
    pub(crate) fn settle(&self) {
        operations::settle(self);
    }

    /// Whether something created at `created` is at least `delay` old.
    pub(crate) fn is_older(&self, created: SystemTime, delay: Duration) -> bool {
        created.checked_add(delay).is_none_or(|ready| ready <= self.control.now())
    }

    /// Role assignments of a principal at a scope or above.
    pub(crate) fn assignments_on(&self, store: &Store, principal: &str, scope: &str) -> Vec<Assignment> {
        store
            .assignments
            .values()
            .filter(|one| one.principal.eq_ignore_ascii_case(principal) && covers(&one.scope, scope))
            .cloned()
            .collect()
    }

    /// Whether a control-plane action is allowed. Permissions that a test took away from the signed-in user are
    /// refused.
    pub(crate) fn may(&self, store: &Store, caller: &Caller, action: &str, scope: &str) -> bool {
        let denied = caller.oid == self.world.user.object_id
            && self.control.knobs(|knobs| knobs.denied.iter().any(|(pattern, at)| roles::matches(pattern, action) && covers(at, scope)));
        !denied
            && self.assignments_on(store, &caller.oid, scope).iter().any(|one| self.role(&one.role).is_some_and(|role| role.allows(action)))
    }

    /// Whether an action on storage's data plane is allowed by effective roles. Listing containers is a control-plane
    /// action in the official role definitions, so both kinds of actions are checked.
    pub(crate) fn may_data(&self, store: &Store, oid: &str, action: &str, scope: &str) -> bool {
        let delay = self.control.knobs(|knobs| knobs.role_propagation);
        self.assignments_on(store, oid, scope)
            .iter()
            .filter(|one| self.is_older(one.created, delay))
            .any(|one| self.role(&one.role).is_some_and(|role| role.allows_data(action) || role.allows(action)))
    }

    /// Whether an action is allowed by data actions only.
    pub(crate) fn may_data_only(&self, store: &Store, oid: &str, action: &str, scope: &str) -> bool {
        let delay = self.control.knobs(|knobs| knobs.role_propagation);
        self.assignments_on(store, oid, scope)
            .iter()
            .filter(|one| self.is_older(one.created, delay))
            .any(|one| self.role(&one.role).is_some_and(|role| role.allows_data(action)))
    }

    /// The lasting state, without values that change by themselves.
    pub(crate) fn state(&self) -> Value {
        self.settle();
        let store = self.store();
        let resources: serde_json::Map<String, Value> = store.resources.iter().map(|(id, one)| (id.clone(), lasting(&one.body))).collect();
        let assignments: serde_json::Map<String, Value> = store
            .assignments
            .values()
            .map(|one| {
                let role = self.role(&one.role).map_or(one.role.as_str(), |role| role.name);
                (
                    format!("{} {}", one.scope.to_ascii_lowercase(), one.name),
                    json!({"scope": one.scope, "principalId": one.principal, "role": role}),
                )
            })
            .collect();
        let mut assignments: Vec<_> = assignments.into_iter().collect();
        assignments.sort_by(|a, b| a.0.cmp(&b.0));
        json!({"resources": resources, "roleAssignments": assignments.into_iter().collect::<serde_json::Map<_, _>>(), "vaultObjects": store.objects.state()})
    }
}

/// Whether `outer` is `inner` or above it, by whole segments and ignoring case.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    let (outer, inner) = (outer.trim_end_matches('/').to_ascii_lowercase(), inner.to_ascii_lowercase());
    inner == outer || inner.strip_prefix(&outer).is_some_and(|rest| rest.starts_with('/'))
}

/// A time in ARM's format.
pub(crate) fn timestamp(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |stamp| stamp.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

fn lasting(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        for volatile in ["etag", "eTag", "systemData"] {
            fields.remove(volatile);
        }
        if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
            properties.remove("provisioningState");
            if let Some(pools) = properties.get_mut("agentPoolProfiles").and_then(Value::as_array_mut) {
                for pool in pools.iter_mut().filter_map(Value::as_object_mut) {
                    pool.remove("provisioningState");
                    pool.remove("eTag");
                }
            }
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_scope_covers_itself_and_what_is_below_but_not_a_longer_name() {
        assert!(covers("/subscriptions/a", "/SUBSCRIPTIONS/A/resourceGroups/g"));
        assert!(covers("/", "/subscriptions/a"));
        assert!(!covers("/subscriptions/a/resourceGroups/g", "/subscriptions/a/resourceGroups/g2"));
        assert!(!covers("/subscriptions/a/resourceGroups/g", "/subscriptions/a"));
    }
}
