//! Finds why pods don't start and says it in one line: what users would look up with `kubectl describe pods`.

use std::time::Duration;

use serde_json::Value;

use super::connect::Cluster;
use super::error::shorten;
use super::resources::POD;
use super::workload::Workload;

/// Time limit of the search for a reason: it starts only after something else has failed.
const LIMIT: Duration = Duration::from_secs(5);

/// What keeps a workload's pods from starting; `None` if nothing is found or permissions are missing.
pub(crate) async fn trouble(cluster: &Cluster, workload: &Workload) -> Option<String> {
    tokio::time::timeout(LIMIT, look(cluster, workload)).await.ok().flatten()
}

async fn look(cluster: &Cluster, workload: &Workload) -> Option<String> {
    let selector = workload.selector()?;
    let mut pods = cluster.list(&POD, Some(&workload.namespace), Some(&selector)).await.ok()?;
    // The newest pods are those of the latest change.
    pods.sort_by(|a, b| created(b).cmp(created(a)));
    let pod = pods.iter().find(|pod| !is_ready(pod) && pod["metadata"]["deletionTimestamp"].is_null())?;
    let name = pod["metadata"]["name"].as_str()?;
    if let Some(why) = waiting(pod) {
        return Some(format!("pod {name}: {why}"));
    }
    // Only events show that a volume can't be mounted.
    let events = cluster.events_of(&POD, &workload.namespace, name).await.ok()?;
    let warning = events.iter().rfind(|event| event["type"] == "Warning")?;
    let text = |key: &str| warning[key].as_str().unwrap_or_default();
    Some(format!("pod {name}: {}: {}", text("reason"), shorten(cause(text("message")))))
}

/// The innermost message of a chain of calls: kubelet, driver and provider each add a prefix.
fn cause(message: &str) -> &str {
    let last = message.rsplit_once(" desc = ").map_or(message, |(_, last)| last);
    last.rsplit_once(", error: ").map_or(last, |(_, cause)| cause)
}

fn created(pod: &Value) -> &str {
    pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default()
}

fn is_ready(pod: &Value) -> bool {
    pod["status"]["conditions"].as_array().into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// The reason in the pod's own status. Reasons that every pod goes through don't count.
fn waiting(pod: &Value) -> Option<String> {
    let status = &pod["status"];
    let containers =
        ["initContainerStatuses", "containerStatuses"].into_iter().flat_map(|list| status[list].as_array().into_iter().flatten());
    for container in containers {
        let name = container["name"].as_str().unwrap_or_default();
        let waiting = &container["state"]["waiting"];
        let Some(reason) = waiting["reason"].as_str().filter(|reason| !matches!(*reason, "ContainerCreating" | "PodInitializing")) else {
            continue;
        };
        let ended = &container["lastState"]["terminated"];
        let message =
            [&waiting["message"], &ended["message"]].into_iter().find_map(|m| m.as_str().filter(|m| !m.is_empty())).unwrap_or_default();
        let code = ended["exitCode"].as_i64().map(|code| format!(" (exit code {code})")).unwrap_or_default();
        let message = if message.is_empty() { String::new() } else { format!(": {}", shorten(message)) };
        return Some(format!("container {name}: {reason}{code}{message}"));
    }
    let scheduled = status["conditions"].as_array()?.iter().find(|c| c["type"] == "PodScheduled" && c["status"] == "False")?;
    Some(format!("not scheduled: {}", shorten(scheduled["message"].as_str().unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kube::WorkloadKind;
    use crate::kube::testing::{Answer, Server};

    #[test]
    fn the_first_container_that_can_not_start_is_reported() {
        let pod = |state: Value| json!({ "status": { "containerStatuses": [{ "name": "ok", "state": { "running": {} } }, state] } });
        let crash = json!({ "name": "app", "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } }, "lastState": { "terminated": { "exitCode": 1 } } });
        assert_eq!(waiting(&pod(crash)).as_deref(), Some("container app: CrashLoopBackOff (exit code 1): back-off"));
        let config = json!({ "name": "app", "state": { "waiting": { "reason": "CreateContainerConfigError", "message": "secret \"x\" not found" } } });
        assert_eq!(waiting(&pod(config)).as_deref(), Some("container app: CreateContainerConfigError: secret \"x\" not found"));
        assert_eq!(waiting(&pod(json!({ "name": "app", "state": { "waiting": { "reason": "ContainerCreating" } } }))), None);
        let unscheduled = json!({ "status": { "conditions": [{ "type": "PodScheduled", "status": "False", "message": "0/3 nodes" }] } });
        assert_eq!(waiting(&unscheduled).as_deref(), Some("not scheduled: 0/3 nodes"));
    }

    #[test]
    fn the_innermost_cause_of_a_chain_is_reported() {
        let chain = "MountVolume.SetUp failed for volume \"v\" : rpc error: code = Unknown desc = failed to mount secrets store objects \
                     for pod shop/web, err: rpc error: code = Unknown desc = failed to mount objects, error: no such secret";
        assert_eq!(cause(chain), "no such secret");
        assert_eq!(cause("rpc error: 403"), "rpc error: 403");
    }

    #[tokio::test]
    async fn a_volume_that_can_not_be_mounted_is_found_in_events() {
        let pod = |name: &str, ready: &str, at: &str| json!({ "metadata": { "name": name, "creationTimestamp": at }, "status": { "conditions": [{ "type": "Ready", "status": ready }] } });
        let event = |kind: &str, reason: &str| json!({ "type": kind, "reason": reason, "message": "rpc error: 403" });
        let server = Server::start(vec![
            Answer::Json(
                200,
                json!({ "items": [pod("old", "True", "2026-01-01T00:00:00Z"), pod("new", "False", "2026-01-02T00:00:00Z")] }),
            ),
            Answer::Json(200, json!({ "items": [event("Normal", "Scheduled"), event("Warning", "FailedMount")] })),
        ])
        .await;
        let object =
            json!({ "metadata": { "name": "web", "namespace": "shop" }, "spec": { "selector": { "matchLabels": { "app": "web" } } } });
        let workload = Workload::new(WorkloadKind::Deployment, object);
        let told = trouble(&server.cluster().await, &workload).await;
        assert_eq!(told.as_deref(), Some("pod new: FailedMount: rpc error: 403"));
        assert!(server.asked()[1].path.contains("fieldSelector=involvedObject.kind%3DPod%2CinvolvedObject.name%3Dnew"));
    }
}
