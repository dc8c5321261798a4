//! The loop that drives the simulated controllers.
//!
//! Each round moves every object by at most one stage, so that a client can see all intermediate states of a real
//! cluster: a new generation that no controller has observed, new pods that are not ready, old pods that still are.

use std::time::Duration;

use serde_json::{Value, json};

use super::managers::{self, Manager};
use super::resources::Resource;
use super::store::{Key, metadata, new_uid, text};
use super::{Controllers, State, WeakCluster, timestamp};

const MANAGER: &str = "kube-controller-manager";

/// Starts the loop; it ends when the cluster is dropped.
pub fn spawn(cluster: WeakCluster, delay: Duration) {
    tokio::spawn(async move {
        loop {
            let Some(strong) = cluster.upgrade() else { return };
            let changed = strong.state().turn();
            let notified = std::sync::Arc::clone(&strong.inner);
            drop(strong);
            if changed {
                drop(notified);
                tokio::time::sleep(delay / 4).await;
            } else {
                // Deadlines pass without any write, so run a round from time to time.
                let _ = tokio::time::timeout(Duration::from_millis(500), notified.work.notified()).await;
                drop(notified);
                tokio::time::sleep(delay / 2).await;
            }
        }
    });
}

/// The state of an owner when a controller last examined it: the newest version among it and its children, and their
/// number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Look {
    newest: u64,
    children: usize,
}

fn owned<'a>(objects: impl Iterator<Item = &'a Value>, owner: &Value) -> impl Iterator<Item = &'a Value> {
    let uid = &owner["metadata"]["uid"];
    objects.filter(move |o| o["metadata"]["ownerReferences"].as_array().is_some_and(|list| list.iter().any(|r| &r["uid"] == uid)))
}

/// Whether two objects differ at most in their managed fields: most writes of a round change nothing.
fn same_but_managers(a: &Value, b: &Value) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return a == b };
    let rest = |o: &serde_json::Map<String, Value>| o.len() - usize::from(o.contains_key("metadata"));
    let metadata = match (a.get("metadata").and_then(Value::as_object), b.get("metadata").and_then(Value::as_object)) {
        (Some(a), Some(b)) => {
            let left = |o: &serde_json::Map<String, Value>| o.len() - usize::from(o.contains_key("managedFields"));
            left(a) == left(b) && a.iter().filter(|(k, _)| *k != "managedFields").all(|(k, v)| b.get(k) == Some(v))
        }
        (a, b) => a == b,
    };
    metadata && rest(a) == rest(b) && a.iter().filter(|(k, _)| *k != "metadata").all(|(k, v)| b.get(k) == Some(v))
}

impl State {
    /// Runs the controllers until nothing changes.
    pub fn settle(&mut self) {
        if !self.has_controllers() {
            return;
        }
        // A rollout of a few pods takes about ten rounds; the limit only guards against a controller that never
        // stops.
        for _ in 0..200 {
            if !self.turn() {
                return;
            }
        }
    }

    /// Runs one round of all controllers. Returns whether anything was written.
    pub fn turn(&mut self) -> bool {
        let before = self.store.version;
        self.namespaces();
        self.collect_garbage();
        if self.controllers == Controllers::All {
            self.kubelet();
            self.unmount_vaults();
        }
        self.replica_sets();
        self.stateful_sets();
        self.daemon_sets();
        self.jobs();
        self.deployments();
        self.store.version != before
    }

    pub(super) fn all(&self, group: &str, plural: &str) -> Vec<Value> {
        self.store.list(group, plural, "").cloned().collect()
    }

    /// The objects owned by an object, all in its namespace. Filtered before copying, since every round calls this
    /// for every owner.
    pub(super) fn children(&self, group: &str, plural: &str, owner: &Value) -> Vec<Value> {
        owned(self.store.list(group, plural, text(owner, "namespace")), owner).cloned().collect()
    }

    /// The owners that may need work: those that changed, or whose children did, since they were last at rest. Real
    /// controllers are woken by their informers for the same reasons. Each with its [`Look`].
    pub(super) fn restless(&self, group: &str, plural: &str, children: (&str, &str)) -> Vec<(Value, Look)> {
        let owners = self.store.list(group, plural, "").filter(|o| o["metadata"].get("deletionTimestamp").is_none());
        let looked = owners.map(|owner| (owner, self.look(owner, children)));
        looked.filter(|(owner, look)| self.at_rest.get(text(owner, "uid")) != Some(look)).map(|(o, l)| (o.clone(), l)).collect()
    }

    fn look(&self, owner: &Value, (group, plural): (&str, &str)) -> Look {
        let version = |object: &Value| text(object, "resourceVersion").parse().unwrap_or_default();
        let start = Look { newest: version(owner), children: 0 };
        owned(self.store.list(group, plural, text(owner, "namespace")), owner)
            .fold(start, |look, child| Look { newest: look.newest.max(version(child)), children: look.children + 1 })
    }

    /// Marks an owner as at rest until something about it changes.
    pub(super) fn rests(&mut self, owner: &Value, look: Look) {
        self.at_rest.insert(text(owner, "uid").to_owned(), look);
    }

    /// A controller's write with its field manager; nothing is written if nothing changes.
    pub(super) fn write_as(&mut self, resource: &Resource, manager: &str, subresource: &str, new: Value) -> Value {
        let key = Key::of(resource, text(&new, "namespace"), text(&new, "name"));
        let old = self.store.objects.get(&key).cloned();
        let mut next = new;
        let strip = |object: &Value| {
            let mut out = object.clone();
            metadata(&mut out).shift_remove("managedFields");
            out
        };
        if old.as_ref().is_some_and(|o| same_but_managers(o, &next)) {
            return next;
        }
        let (live, managed) = match &old {
            Some(old) => (old.clone(), managers::decode(old)),
            None => (super::schema::empty_object(&resource.kind), managers::Managed::new()),
        };
        let writer = Manager { name: manager.into(), apply: false, api_version: resource.api_version(), subresource: subresource.into() };
        let ignored: &[&str] = if subresource.is_empty() && resource.has_status() { &["status"] } else { &[] };
        let managed = managers::update(managed, &strip(&live), &strip(&next), writer, ignored, &timestamp());
        if old.is_none() {
            let meta = metadata(&mut next);
            meta.entry("uid").or_insert_with(|| json!(new_uid()));
            meta.insert("creationTimestamp".into(), json!(timestamp()));
            if resource.generation {
                meta.insert("generation".into(), json!(1));
            }
        }
        managers::encode(&mut next, &managed);
        self.store.put(key, next)
    }

    pub(super) fn write_status(&mut self, resource: &Resource, object: Value) -> Value {
        self.write_as(resource, MANAGER, "status", object)
    }

    pub(super) fn write_main(&mut self, resource: &Resource, object: Value) -> Value {
        self.write_as(resource, MANAGER, "", object)
    }

    fn namespaces(&mut self) {
        let (Some(accounts), Some(maps), Some(namespaces)) =
            (self.store.known("", "serviceaccounts"), self.store.known("", "configmaps"), self.store.known("", "namespaces"))
        else {
            return;
        };
        let ending = |n: &Value| n["metadata"].get("deletionTimestamp").is_some();
        let all: Vec<(String, bool)> = self.store.list("", "namespaces", "").map(|n| (text(n, "name").to_owned(), ending(n))).collect();
        for (name, ending) in all {
            if ending {
                let inside: Vec<Key> = self.store.objects.keys().filter(|k| k.namespace == name).cloned().collect();
                for key in inside {
                    self.store.remove(&key);
                }
                self.store.remove(&Key::of(&namespaces, "", &name));
                continue;
            }
            if self.store.get(&accounts, &name, "default").is_none() {
                let account = json!({
                    "kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default", "namespace": name},
                });
                self.write_main(&accounts, account);
            }
            if self.store.get(&maps, &name, "kube-root-ca.crt").is_none() {
                let map = json!({
                    "kind": "ConfigMap", "apiVersion": "v1",
                    "metadata": {
                        "name": "kube-root-ca.crt", "namespace": name,
                        "annotations": {"kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."},
                    },
                    "data": {"ca.crt": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"},
                });
                self.write_main(&maps, map);
            }
        }
    }

    /// Deletes objects whose owners are all gone; a foreground delete ends when its dependents are gone.
    fn collect_garbage(&mut self) {
        let uids: std::collections::HashSet<&str> = self.store.objects.values().map(|o| text(o, "uid")).collect();
        let ending: std::collections::HashSet<&str> = self
            .store
            .objects
            .values()
            .filter(|o| {
                o["metadata"].get("deletionTimestamp").is_some()
                    && o["metadata"]["finalizers"].as_array().is_some_and(|list| list.iter().any(|f| f == "foregroundDeletion"))
            })
            .map(|o| text(o, "uid"))
            .collect();
        let mut gone = Vec::new();
        let mut blocked = std::collections::HashSet::new();
        for (key, object) in &self.store.objects {
            let Some(owners) = object["metadata"]["ownerReferences"].as_array().filter(|o| !o.is_empty()) else {
                continue;
            };
            let owner_uids: Vec<&str> = owners.iter().filter_map(|o| o["uid"].as_str()).collect();
            if owner_uids.iter().all(|uid| !uids.contains(*uid) || ending.contains(*uid)) {
                gone.push(key.clone());
                blocked.extend(owner_uids.iter().map(|u| (*u).to_string()));
            }
        }
        for key in gone {
            self.store.remove(&key);
        }
        let finished: Vec<(Key, Value)> = self
            .store
            .objects
            .iter()
            .filter(|(_, o)| o["metadata"].get("deletionTimestamp").is_some() && !blocked.contains(text(o, "uid")))
            .filter(|(_, o)| {
                let ours = |f: &Value| f == "foregroundDeletion" || f == "orphan";
                o["metadata"]["finalizers"].as_array().is_some_and(|list| list.iter().any(ours))
            })
            .map(|(k, o)| (k.clone(), o.clone()))
            .collect();
        for (key, mut object) in finished {
            let orphan = object["metadata"]["finalizers"].as_array().is_some_and(|f| f.contains(&json!("orphan")));
            if orphan {
                self.orphan(text(&object, "uid"));
            }
            if let Some(list) = object["metadata"]["finalizers"].as_array_mut() {
                list.retain(|f| f != "foregroundDeletion" && f != "orphan");
            }
            if super::write::has_finalizers(&object) {
                self.store.put(key, object);
            } else {
                self.store.remove(&key);
            }
        }
    }

    fn orphan(&mut self, uid: &str) {
        let dependents: Vec<(Key, Value)> = self
            .store
            .objects
            .iter()
            .filter(|(_, o)| o["metadata"]["ownerReferences"].as_array().is_some_and(|l| l.iter().any(|r| r["uid"] == uid)))
            .map(|(k, o)| (k.clone(), o.clone()))
            .collect();
        for (key, mut object) in dependents {
            if let Some(list) = object["metadata"]["ownerReferences"].as_array_mut() {
                list.retain(|r| r["uid"] != uid);
            }
            self.store.put(key, object);
        }
    }

    /// Pending pods become running and ready.
    fn kubelet(&mut self) {
        let Some(resource) = self.store.known("", "pods") else { return };
        let pending: Vec<Value> = self.store.list("", "pods", "").filter(|p| p["status"]["phase"] == "Pending").cloned().collect();
        for mut pod in pending {
            let job = pod["metadata"]["ownerReferences"][0]["kind"] == "Job";
            if pod["metadata"].get("deletionTimestamp").is_some() {
                continue;
            }
            if !self.mount_vaults(&pod) {
                continue;
            }
            let now = timestamp();
            let conditions: Vec<Value> = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
                .iter()
                .map(|kind| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": now}))
                .collect();
            let containers: Vec<Value> = pod["spec"]["containers"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|c| {
                    json!({
                        "name": c["name"], "image": c["image"], "imageID": "", "ready": !job, "started": true,
                        "restartCount": 0, "state": {"running": {"startedAt": now}}, "lastState": {},
                    })
                })
                .collect();
            let phase = if job { "Succeeded" } else { "Running" };
            let status = &mut pod["status"];
            status["phase"] = json!(phase);
            status["conditions"] = json!(conditions);
            status["containerStatuses"] = json!(containers);
            status["startTime"] = json!(now);
            self.write_as(&resource, "kubelet", "status", pod);
        }
    }
}
