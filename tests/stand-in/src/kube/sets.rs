//! The controllers of ReplicaSets, StatefulSets and DaemonSets.

use serde_json::{Value, json};

use super::resources::Resource;
use super::select::label_selector_matches;
use super::store::{metadata, text};
use super::workloads::{drop_condition, hash, is_ready, number, set_condition, set_count};
use super::{State, timestamp};

impl State {
    pub(super) fn replica_sets(&mut self) {
        let Some(resource) = self.store.known("apps", "replicasets") else { return };
        for (set, look) in self.restless("apps", "replicasets", ("", "pods")) {
            let before = self.store.version;
            let wanted = number(&set["spec"]["replicas"]);
            let mut mine = self.children("", "pods", &set);
            let mut failure = None;
            while i64::try_from(mine.len()).unwrap_or(i64::MAX) > wanted {
                // Pods that are not ready are deleted first, then the youngest.
                mine.sort_by_key(|p| (is_ready(p), std::cmp::Reverse(number_of(p))));
                let gone = mine.remove(0);
                self.drop_pod(&gone);
                let message = format!("Deleted pod: {}", text(&gone, "name"));
                self.event(&set, "replicaset-controller", "Normal", "SuccessfulDelete", &message);
            }
            for _ in i64::try_from(mine.len()).unwrap_or(0)..wanted {
                match self.make_pod(&set, &set["spec"]["template"], None) {
                    Ok(()) => {}
                    Err(refused) => {
                        failure = Some(refused.message);
                        break;
                    }
                }
            }
            if let Some(message) = &failure {
                let shown = format!("Error creating: {message}");
                self.event(&set, "replicaset-controller", "Warning", "FailedCreate", &shown);
            }
            // Retry after a refusal, whether or not anything changed.
            let refused = failure.is_some();
            self.replica_set_status(&resource, &set, failure);
            if !refused && self.store.version == before {
                self.rests(&set, look);
            }
        }
    }

    fn replica_set_status(&mut self, resource: &Resource, set: &Value, failure: Option<String>) {
        let mine = self.children("", "pods", set);
        let count = |test: &dyn Fn(&Value) -> bool| i64::try_from(mine.iter().filter(|p| test(p)).count()).unwrap_or(0);
        let Some(mut next) = self.store.get(resource, text(set, "namespace"), text(set, "name")).cloned() else { return };
        let generation = next["metadata"]["generation"].clone();
        let status = &mut next["status"];
        status["replicas"] = json!(mine.len());
        let labelled = count(&|p| label_selector_matches(&set["spec"]["selector"], &p["metadata"]["labels"]));
        set_count(status, "fullyLabeledReplicas", labelled);
        set_count(status, "readyReplicas", count(&is_ready));
        set_count(status, "availableReplicas", count(&is_ready));
        status["terminatingReplicas"] = json!(0);
        status["observedGeneration"] = generation;
        match failure {
            Some(message) => set_condition(
                status,
                json!({
                    "type": "ReplicaFailure", "status": "True", "lastTransitionTime": timestamp(),
                    "reason": "FailedCreate", "message": message,
                }),
            ),
            None => drop_condition(status, "ReplicaFailure"),
        }
        self.write_status(resource, next);
    }

    pub(super) fn stateful_sets(&mut self) {
        let Some(resource) = self.store.known("apps", "statefulsets") else { return };
        for set in self.all("apps", "statefulsets") {
            if set["metadata"].get("deletionTimestamp").is_some() {
                continue;
            }
            let update = format!("{}-{}", text(&set, "name"), hash(&set["spec"]["template"]));
            let current = set["status"]["currentRevision"].as_str().unwrap_or(&update).to_string();
            let failure = self.stateful_pods(&set, &update);
            if let Some(message) = failure {
                let name = text(&set, "name");
                let shown = format!("create Pod {name}-0 in StatefulSet {name} failed error: {message}");
                self.event(&set, "statefulset-controller", "Warning", "FailedCreate", &shown);
            }
            let mine = self.children("", "pods", &set);
            let wanted = number(&set["spec"]["replicas"]);
            let of = |revision: &str| mine.iter().filter(|p| p["metadata"]["labels"]["controller-revision-hash"] == revision).count();
            let ready = mine.iter().filter(|p| is_ready(p)).count();
            let done = of(&update) == mine.len() && i64::try_from(ready).unwrap_or(0) == wanted;
            let current = if done { update.clone() } else { current };
            let mut next = set.clone();
            let status = &mut next["status"];
            status["observedGeneration"] = set["metadata"]["generation"].clone();
            status["replicas"] = json!(mine.len());
            let count = |n: usize| i64::try_from(n).unwrap_or(0);
            set_count(status, "readyReplicas", count(ready));
            set_count(status, "currentReplicas", count(of(&current)));
            set_count(status, "updatedReplicas", count(of(&update)));
            status["currentRevision"] = json!(current);
            status["updateRevision"] = json!(update);
            status["collisionCount"] = json!(0);
            status["availableReplicas"] = json!(ready);
            self.write_status(&resource, next);
        }
    }

    /// Creates pods one after another from the first, and replaces them one after another from the last.
    fn stateful_pods(&mut self, set: &Value, revision: &str) -> Option<String> {
        let all = self.children("", "pods", set);
        let name = text(set, "name");
        let wanted = number(&set["spec"]["replicas"]);
        let find = |ordinal: i64| all.iter().find(|p| text(p, "name") == format!("{name}-{ordinal}"));
        for ordinal in 0..wanted {
            match find(ordinal) {
                Some(pod) if is_ready(pod) => {}
                Some(pod) if pod["metadata"]["labels"]["controller-revision-hash"] == revision => return None,
                Some(_) => break,
                None => {
                    let mut template = set["spec"]["template"].clone();
                    let pod_name = format!("{name}-{ordinal}");
                    let labels = metadata(&mut template).entry("labels").or_insert_with(|| json!({}));
                    labels["apps.kubernetes.io/pod-index"] = json!(ordinal.to_string());
                    labels["controller-revision-hash"] = json!(revision);
                    labels["statefulset.kubernetes.io/pod-name"] = json!(pod_name);
                    template["spec"]["hostname"] = json!(pod_name);
                    if let Some(service) = set["spec"]["serviceName"].as_str().filter(|s| !s.is_empty()) {
                        template["spec"]["subdomain"] = json!(service);
                    }
                    return self.make_pod(set, &template, Some(&pod_name)).err().map(|f| f.message);
                }
            }
        }
        if set["spec"]["updateStrategy"]["type"] == "OnDelete" {
            return None;
        }
        for ordinal in (0..wanted).rev() {
            let pod = find(ordinal)?;
            if pod["metadata"]["labels"]["controller-revision-hash"] != revision {
                let pod = pod.clone();
                self.drop_pod(&pod);
                return None;
            }
            if !is_ready(pod) {
                return None;
            }
        }
        None
    }

    pub(super) fn daemon_sets(&mut self) {
        let Some(resource) = self.store.known("apps", "daemonsets") else { return };
        let nodes: Vec<String> = self.all("", "nodes").iter().map(|n| text(n, "name").to_string()).collect();
        for set in self.all("apps", "daemonsets") {
            if set["metadata"].get("deletionTimestamp").is_some() {
                continue;
            }
            let revision = hash(&set["spec"]["template"]);
            let generation = set["metadata"]["annotations"]["deprecated.daemonset.template.generation"].clone();
            let mine = self.children("", "pods", &set);
            let current = |p: &Value| p["metadata"]["labels"]["controller-revision-hash"] == revision.as_str();
            let on = |p: &Value, node: &str| p["spec"]["affinity"].to_string().contains(&format!("[{node:?}]"));
            for node in &nodes {
                match mine.iter().find(|p| on(p, node)) {
                    None => {
                        let mut template = set["spec"]["template"].clone();
                        let labels = metadata(&mut template).entry("labels").or_insert_with(|| json!({}));
                        labels["controller-revision-hash"] = json!(revision);
                        labels["pod-template-generation"] = generation.clone();
                        pin(&mut template, node);
                        if let Err(refused) = self.make_pod(&set, &template, None) {
                            let shown = format!("Error creating: {}", refused.message);
                            self.event(&set, "daemonset-controller", "Warning", "FailedCreate", &shown);
                        }
                    }
                    Some(pod) if !current(pod) && set["spec"]["updateStrategy"]["type"] != "OnDelete" => {
                        self.drop_pod(pod);
                    }
                    Some(_) => {}
                }
            }
            if nodes.is_empty() {
                for pod in &mine {
                    self.drop_pod(pod);
                }
            }
            let mine = self.children("", "pods", &set);
            let ready = i64::try_from(mine.iter().filter(|p| is_ready(p)).count()).unwrap_or(0);
            let desired = i64::try_from(nodes.len()).unwrap_or(0);
            let mut next = set.clone();
            let status = &mut next["status"];
            status["currentNumberScheduled"] = json!(mine.len());
            status["numberMisscheduled"] = json!(0);
            status["desiredNumberScheduled"] = json!(desired);
            status["numberReady"] = json!(ready);
            status["observedGeneration"] = set["metadata"]["generation"].clone();
            let updated = i64::try_from(mine.iter().filter(|p| current(p)).count()).unwrap_or(0);
            set_count(status, "updatedNumberScheduled", updated);
            set_count(status, "numberAvailable", ready);
            set_count(status, "numberUnavailable", desired - ready);
            self.write_status(&resource, next);
        }
    }
}

/// Binds a DaemonSet's pod to its node and adds its tolerations.
fn pin(template: &mut Value, node: &str) {
    template["spec"]["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}],
    }}});
    let one = |key: &str, effect: &str| json!({"key": format!("node.kubernetes.io/{key}"), "operator": "Exists", "effect": effect});
    let mut all = vec![one("not-ready", "NoExecute"), one("unreachable", "NoExecute")];
    for key in ["disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"] {
        all.push(one(key, "NoSchedule"));
    }
    template["spec"]["tolerations"] = json!(all);
}

fn number_of(pod: &Value) -> u64 {
    text(pod, "resourceVersion").parse().unwrap_or_default()
}
