//! The deployment controller: surge, scale-down and conditions as the real one sets them.

use serde_json::{Value, json};

use super::resources::Resource;
use super::store::{metadata, text};
use super::workloads::{bump, drop_condition, hash, number, owner_reference, set_condition, set_count};
use super::{State, timestamp};

const REVISION: &str = "deployment.kubernetes.io/revision";
const COMPONENT: &str = "deployment-controller";

/// An absolute number, or a percentage of the replicas.
fn share(value: &Value, replicas: i64, up: bool) -> i64 {
    match value {
        Value::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or_default();
            if up { (replicas * percent + 99) / 100 } else { replicas * percent / 100 }
        }
        other => number(other),
    }
}

struct Limits {
    surge: i64,
    unavailable: i64,
}

fn limits(deployment: &Value) -> Limits {
    let replicas = number(&deployment["spec"]["replicas"]);
    let strategy = &deployment["spec"]["strategy"];
    if strategy["type"] == "Recreate" {
        return Limits { surge: 0, unavailable: 0 };
    }
    let rolling = &strategy["rollingUpdate"];
    let surge = share(&rolling["maxSurge"], replicas, true);
    let unavailable = share(&rolling["maxUnavailable"], replicas, false);
    Limits { surge, unavailable: if surge == 0 && unavailable == 0 { 1 } else { unavailable.min(replicas) } }
}

/// Whether a ReplicaSet has this template, ignoring the label that the controller adds.
fn is_of(set: &Value, template: &Value) -> bool {
    let theirs = &set["spec"]["template"];
    if theirs["spec"] != template["spec"] {
        return false;
    }
    let mut theirs = theirs.clone();
    if let Some(labels) = theirs["metadata"]["labels"].as_object_mut() {
        labels.shift_remove("pod-template-hash");
    }
    theirs == *template
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    let now = timestamp();
    json!({
        "type": kind, "status": status, "lastUpdateTime": now, "lastTransitionTime": now, "reason": reason,
        "message": message,
    })
}

fn reason_of<'a>(deployment: &'a Value, kind: &str) -> &'a str {
    let found = deployment["status"]["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == kind);
    found.and_then(|c| c["reason"].as_str()).unwrap_or_default()
}

impl State {
    pub(super) fn deployments(&mut self) {
        let (Some(resource), Some(sets)) = (self.store.known("apps", "deployments"), self.store.known("apps", "replicasets")) else {
            return;
        };
        for (deployment, look) in self.restless("apps", "deployments", ("apps", "replicasets")) {
            if text(&deployment, "namespace") == "kube-system" {
                self.rests(&deployment, look);
                continue;
            }
            let before = self.store.version;
            // A rollout that goes on has a deadline, which passes without any change.
            let waits = !matches!(reason_of(&deployment, "Progressing"), "NewReplicaSetAvailable" | "DeploymentPaused");
            self.deployment(&resource, &sets, deployment.clone());
            if !waits && self.store.version == before {
                self.rests(&deployment, look);
            }
        }
    }

    fn deployment(&mut self, resource: &Resource, sets: &Resource, mut deployment: Value) {
        let mut mine = self.children("apps", "replicasets", &deployment);
        mine.sort_by_key(revision);
        let template = deployment["spec"]["template"].clone();
        let paused = deployment["spec"]["paused"] == true;
        let place = mine.iter().position(|s| is_of(s, &template));
        let mut new = place.map(|at| mine.remove(at));
        let old = mine;
        let mut created = None;
        if !paused {
            let recreate = deployment["spec"]["strategy"]["type"] == "Recreate";
            if recreate && self.recreate_waits(&deployment, sets, &old) {
                self.deployment_status(resource, deployment, new.as_ref(), &old, None);
                return;
            }
            match &mut new {
                None => {
                    let made = self.new_replica_set(&deployment, sets, &old);
                    created = Some(text(&made, "name").to_string());
                    let revision = made["metadata"]["annotations"][REVISION].clone();
                    note_revision(&mut deployment, &revision);
                    new = Some(made);
                }
                Some(set) => {
                    let top = old.iter().map(revision).max().unwrap_or_default();
                    if revision(set) < top {
                        // A rollback: the old set becomes the newest again.
                        let next = json!((top + 1).to_string());
                        set["metadata"]["annotations"][REVISION] = next.clone();
                        *set = self.write_main(sets, set.clone());
                        note_revision(&mut deployment, &next);
                    }
                    let current = set.clone();
                    *set = self.roll(&deployment, sets, current, &old);
                }
            }
        }
        let old: Vec<Value> = old.iter().filter_map(|s| self.store.get(sets, text(s, "namespace"), text(s, "name")).cloned()).collect();
        self.deployment_status(resource, deployment, new.as_ref(), &old, created);
    }

    /// Recreate strategy: the old pods are deleted first.
    fn recreate_waits(&mut self, deployment: &Value, sets: &Resource, old: &[Value]) -> bool {
        let mut waits = false;
        for set in old {
            if number(&set["spec"]["replicas"]) > 0 {
                self.scale(deployment, sets, set, 0);
                waits = true;
            } else if number(&set["status"]["replicas"]) > 0 {
                waits = true;
            }
        }
        waits
    }

    fn new_replica_set(&mut self, deployment: &Value, sets: &Resource, old: &[Value]) -> Value {
        let replicas = number(&deployment["spec"]["replicas"]);
        let limits = limits(deployment);
        let present: i64 = old.iter().map(|s| number(&s["spec"]["replicas"])).sum();
        let size = if old.is_empty() || deployment["spec"]["strategy"]["type"] == "Recreate" {
            replicas
        } else {
            (replicas + limits.surge - present).clamp(0, replicas)
        };
        let mut template = deployment["spec"]["template"].clone();
        let tail = hash(&template);
        let label = |object: &mut Value| {
            let labels = metadata(object).entry("labels").or_insert_with(|| json!({}));
            labels["pod-template-hash"] = json!(tail);
        };
        label(&mut template);
        let mut selector = deployment["spec"]["selector"].clone();
        selector["matchLabels"]["pod-template-hash"] = json!(tail);
        let next = old.iter().map(revision).max().unwrap_or_default() + 1;
        let mut annotations = deployment["metadata"]["annotations"].clone();
        if let Some(map) = annotations.as_object_mut() {
            map.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
        } else {
            annotations = json!({});
        }
        annotations["deployment.kubernetes.io/desired-replicas"] = json!(replicas.to_string());
        annotations["deployment.kubernetes.io/max-replicas"] = json!((replicas + limits.surge).to_string());
        annotations[REVISION] = json!(next.to_string());
        let name = format!("{}-{tail}", text(deployment, "name"));
        let set = json!({
            "kind": "ReplicaSet", "apiVersion": "apps/v1",
            "metadata": {
                "name": name, "namespace": deployment["metadata"]["namespace"],
                "labels": template["metadata"]["labels"], "annotations": annotations,
                "ownerReferences": owner_reference(deployment),
            },
            "spec": {"replicas": size, "selector": selector, "template": template},
            "status": {"replicas": 0},
        });
        let made = self.write_main(sets, set);
        if size > 0 {
            let message = format!("Scaled up replica set {name} from 0 to {size}");
            self.event(deployment, COMPONENT, "Normal", "ScalingReplicaSet", &message);
        }
        made
    }

    fn scale(&mut self, deployment: &Value, sets: &Resource, set: &Value, size: i64) -> Value {
        let before = number(&set["spec"]["replicas"]);
        if before == size {
            return set.clone();
        }
        let mut next = set.clone();
        next["spec"]["replicas"] = json!(size);
        bump(&mut next);
        let word = if size > before { "up" } else { "down" };
        let message = format!("Scaled {word} replica set {} from {before} to {size}", text(set, "name"));
        self.event(deployment, COMPONENT, "Normal", "ScalingReplicaSet", &message);
        self.write_main(sets, next)
    }

    /// One stage of a rolling update: more new pods, or fewer old ones.
    fn roll(&mut self, deployment: &Value, sets: &Resource, new: Value, old: &[Value]) -> Value {
        let replicas = number(&deployment["spec"]["replicas"]);
        let limits = limits(deployment);
        let size = number(&new["spec"]["replicas"]);
        let older: i64 = old.iter().map(|s| number(&s["spec"]["replicas"])).sum();
        let room = (replicas + limits.surge - size - older).max(0);
        let wanted = if size > replicas { replicas } else { (size + room).min(replicas) };
        if wanted != size {
            return self.scale(deployment, sets, &new, wanted);
        }
        if older == 0 {
            return new;
        }
        let least = replicas - limits.unavailable;
        let unavailable = size - number(&new["status"]["availableReplicas"]);
        let mut spare = size + older - least - unavailable;
        // Old pods that are not ready can be deleted at once.
        for set in old {
            let broken = number(&set["spec"]["replicas"]) - number(&set["status"]["availableReplicas"]);
            let cut = broken.min(spare);
            if cut > 0 {
                self.scale(deployment, sets, set, number(&set["spec"]["replicas"]) - cut);
                return new;
            }
        }
        let available: i64 = old.iter().chain([&new]).map(|s| number(&s["status"]["availableReplicas"])).sum();
        spare = spare.min(available - least);
        for set in old {
            let present = number(&set["spec"]["replicas"]);
            let cut = present.min(spare);
            if cut > 0 {
                self.scale(deployment, sets, set, present - cut);
                spare -= cut;
            }
        }
        new
    }

    fn deployment_status(
        &mut self,
        resource: &Resource,
        mut deployment: Value,
        new: Option<&Value>,
        old: &[Value],
        created: Option<String>,
    ) {
        let before = deployment["status"].clone();
        let replicas = number(&deployment["spec"]["replicas"]);
        let sum = |key: &str| -> i64 { old.iter().chain(new).map(|s| number(&s["status"][key])).sum() };
        let total = sum("replicas");
        let updated = new.map_or(0, |s| number(&s["status"]["replicas"]));
        let available = sum("availableReplicas");
        let generation = deployment["metadata"]["generation"].clone();
        let least = replicas - limits(&deployment).unavailable;
        let progressing = reason_of(&deployment, "Progressing").to_string();
        let paused = deployment["spec"]["paused"] == true;
        let late = deadline_passed(&deployment);
        let status = &mut deployment["status"];
        status["observedGeneration"] = generation;
        set_count(status, "replicas", total);
        set_count(status, "updatedReplicas", updated);
        set_count(status, "readyReplicas", sum("readyReplicas"));
        set_count(status, "availableReplicas", available);
        set_count(
            status,
            "unavailableReplicas",
            (old.iter().chain(new).map(|s| number(&s["spec"]["replicas"])).sum::<i64>().max(total) - available).max(0),
        );
        status["terminatingReplicas"] = json!(0);
        if paused && progressing.is_empty() {
            set_condition(status, condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"));
        }
        let (word, reason, text_of) = if available >= least {
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        } else {
            ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        };
        set_condition(status, condition("Available", word, reason, text_of));
        let name = new.map(|s| text(s, "name").to_string()).unwrap_or_default();
        let complete = updated == replicas && total == replicas && available == replicas;
        let moved = updated > number(&before["updatedReplicas"])
            || total - updated < number(&before["replicas"]) - number(&before["updatedReplicas"])
            || sum("readyReplicas") > number(&before["readyReplicas"])
            || available > number(&before["availableReplicas"]);
        if paused {
            // Nothing changes, so the last condition stays.
        } else if let Some(name) = created.filter(|_| replicas > 0) {
            let message = format!("Created new replica set {name:?}");
            set_condition(status, condition("Progressing", "True", "NewReplicaSetCreated", &message));
        } else if complete && new.is_some() {
            let message = format!("ReplicaSet {name:?} has successfully progressed.");
            set_condition(status, condition("Progressing", "True", "NewReplicaSetAvailable", &message));
        } else if moved {
            let message = format!("ReplicaSet {name:?} is progressing.");
            renew(status, condition("Progressing", "True", "ReplicaSetUpdated", &message));
        } else if late {
            let message = format!("ReplicaSet {name:?} has timed out progressing.");
            set_condition(status, condition("Progressing", "False", "ProgressDeadlineExceeded", &message));
        }
        let failure = old
            .iter()
            .chain(new)
            .find_map(|s| s["status"]["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == "ReplicaFailure").cloned());
        match failure {
            Some(found) => {
                let word = |key: &str| found[key].as_str().unwrap_or_default().to_string();
                set_condition(status, condition("ReplicaFailure", "True", &word("reason"), &word("message")));
            }
            None => drop_condition(status, "ReplicaFailure"),
        }
        self.write_status(resource, deployment);
    }
}

fn revision(set: &Value) -> i64 {
    set["metadata"]["annotations"][REVISION].as_str().and_then(|r| r.parse().ok()).unwrap_or_default()
}

fn note_revision(deployment: &mut Value, revision: &Value) {
    let annotations = metadata(deployment).entry("annotations").or_insert_with(|| json!({}));
    annotations[REVISION] = revision.clone();
}

/// The time of a progress condition counts from the last progress.
fn renew(status: &mut Value, condition: Value) {
    let kind = condition["type"].clone();
    let now = condition["lastUpdateTime"].clone();
    set_condition(status, condition);
    for one in status["conditions"].as_array_mut().into_iter().flatten().filter(|c| c["type"] == kind) {
        one["lastUpdateTime"] = now.clone();
    }
}

fn deadline_passed(deployment: &Value) -> bool {
    let conditions = deployment["status"]["conditions"].as_array();
    let Some(found) = conditions.into_iter().flatten().find(|c| c["type"] == "Progressing") else { return false };
    if found["reason"] == "NewReplicaSetAvailable" || found["reason"] == "DeploymentPaused" {
        return false;
    }
    let since = found["lastUpdateTime"].as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok());
    let limit = number(&deployment["spec"]["progressDeadlineSeconds"]);
    since.is_some_and(|t| super::store::clock().as_second() - t.as_second() >= limit)
}
