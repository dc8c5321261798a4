//! The controller of Jobs.

use serde_json::{Value, json};

use super::store::metadata;
use super::workloads::{is_ready, set_condition, set_count};
use super::{State, timestamp};

impl State {
    pub(super) fn jobs(&mut self) {
        let Some(resource) = self.store.known("batch", "jobs") else { return };
        for job in self.all("batch", "jobs") {
            let finished = |kind: &str| job["status"]["conditions"].as_array().is_some_and(|l| l.iter().any(|c| c["type"] == kind));
            if finished("Complete") || job["spec"]["suspend"] == true || job["metadata"].get("deletionTimestamp").is_some() {
                continue;
            }
            let mine = self.children("", "pods", &job);
            let mut next = job.clone();
            let now = timestamp();
            if mine.is_empty()
                && let Err(refused) = self.make_pod(&job, &job["spec"]["template"], None)
            {
                let shown = format!("Error creating: {}", refused.message);
                self.event(&job, "job-controller", "Warning", "FailedCreate", &shown);
                continue;
            }
            let succeeded = mine.iter().any(|p| p["status"]["phase"] == "Succeeded");
            let counted: Vec<Value> = mine
                .iter()
                .filter(|p| p["status"]["phase"] == "Succeeded" || p["metadata"].get("deletionTimestamp").is_some())
                .map(|p| (*p).clone())
                .collect();
            for pod in counted {
                self.release_pod(pod);
            }
            let mine = self.children("", "pods", &job);
            let ready = i64::try_from(mine.iter().filter(|p| is_ready(p)).count()).unwrap_or(0);
            let status = &mut next["status"];
            if status["startTime"].is_null() {
                status["startTime"] = json!(now);
            }
            status["terminating"] = json!(0);
            status["ready"] = json!(if succeeded { 0 } else { ready });
            status["uncountedTerminatedPods"] = json!({});
            set_count(status, "active", i64::from(!succeeded));
            if succeeded {
                set_count(status, "succeeded", 1);
                status["completionTime"] = json!(now);
                for kind in ["SuccessCriteriaMet", "Complete"] {
                    set_condition(
                        status,
                        json!({
                            "type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now,
                            "reason": "CompletionsReached", "message": "Reached expected number of succeeded pods",
                        }),
                    );
                }
            }
            self.write_status(&resource, next);
        }
    }

    /// Releases the pod of a Job after it was counted.
    fn release_pod(&mut self, mut pod: Value) {
        let Some(resource) = self.store.known("", "pods") else { return };
        if pod["metadata"].get("deletionTimestamp").is_some() {
            self.drop_pod(&pod);
            return;
        }
        metadata(&mut pod).shift_remove("finalizers");
        self.write_main(&resource, pod);
    }
}
