//! The running pods: they may differ from the template, for example when they started before a change.

use jiff::Timestamp;
use serde_json::Value;

use crate::health::check::Check;
use crate::health::check::found;
use crate::health::evidence::seen::Evidence;
use crate::kube::Workload;
use crate::kube::workload_identity::{CLIENT_ID, PREFIX, USE};
use crate::model::{TOKEN_EXCHANGE_AUDIENCE, words};

const GROUP: &str = "pods";

pub(crate) fn judge(e: &Evidence) -> Vec<Check> {
    let (Some(workload), Some(pods)) = (&e.workload, &e.pods) else { return vec![] };
    let mut checks = blocked(e, workload);
    if pods.is_empty() {
        if workload.replicas().unwrap_or(0) > 0 && checks.is_empty() {
            checks.push(found("KC5600", "no pod", format!("{}", workload.replicas().unwrap_or(0)), &e.facts().pairs()));
        }
        return checks;
    }
    // Pods can only have the webhook's changes if the template has the label; in kube-system they never do.
    if !e.uses_identity() || workload.pod_label(USE) != Some("true") || e.namespace == "kube-system" {
        return checks;
    }
    let verdicts: Vec<(&Value, Option<Verdict>)> = pods.iter().map(|p| (p, verdict(e, workload, p))).collect();
    let mut codes: Vec<&'static str> = verdicts.iter().filter_map(|(_, v)| v.as_ref().map(|v| v.0)).collect();
    codes.sort_unstable();
    codes.dedup();
    for code in codes {
        let hit: Vec<&(&Value, Option<Verdict>)> = verdicts.iter().filter(|(_, v)| v.as_ref().is_some_and(|v| v.0 == code)).collect();
        let names: Vec<&str> = hit.iter().filter_map(|(p, _)| p["metadata"]["name"].as_str()).collect();
        let why = hit.first().and_then(|(_, v)| v.as_ref()).map(|v| v.1.clone()).unwrap_or_default();
        let seen = format!("{} of {} ({}): {why}", hit.len(), words::count(pods.len(), "pod"), words::list(names));
        checks.push(found(code, seen, "as in the current template and service account", &e.facts().pairs()));
    }
    if checks.is_empty() {
        checks.push(Check::ok("KC5602", GROUP, "running pods have token file and variables", words::count(pods.len(), "pod")));
    }
    checks
}

struct Verdict(&'static str, String);

/// Whether new pods are refused: the controllers report that in a condition.
fn blocked(e: &Evidence, workload: &Workload) -> Vec<Check> {
    let conditions = workload.object["status"]["conditions"].as_array();
    let failure = conditions.into_iter().flatten().find(|c| c["type"] == "ReplicaFailure" && c["status"] == "True");
    let condition = failure.and_then(|c| c["message"].as_str());
    let event = e.events.iter().rfind(|event| {
        let about = event["involvedObject"]["name"].as_str().unwrap_or_default();
        event["reason"] == "FailedCreate" && about.starts_with(&workload.name) && !["Deployment"].contains(&about)
    });
    // StatefulSets, DaemonSets and Jobs have no such condition. An event may be old, so it counts only while pods are
    // missing.
    let lacking = e.pods.as_ref().is_some_and(|p| (p.len() as u64) < workload.replicas().unwrap_or(1));
    let message = condition.or_else(|| event.filter(|_| lacking).and_then(|event| event["message"].as_str()));
    let Some(message) = message else { return vec![] };
    if message.contains("failed calling webhook") && message.contains("azure-workload-identity") {
        return vec![found("KC5606", message, "pods can be created", &e.facts().pairs())];
    }
    if message.contains("azure-workload-identity") && message.contains("denied the request") {
        return vec![found("KC5607", message, "pods can be created", &e.facts().pairs())];
    }
    vec![]
}

fn verdict(e: &Evidence, workload: &Workload, pod: &Value) -> Option<Verdict> {
    let account = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default");
    if pod["metadata"]["labels"][USE] != "true" {
        return Some(Verdict("KC5601", "created before the label was set".into()));
    }
    if account != e.account_name && workload.service_account().unwrap_or("default") == e.account_name {
        return Some(Verdict("KC5601", format!("runs as {account}")));
    }
    let annotation = format!("{PREFIX}skip-containers");
    let skipped: Vec<&str> =
        pod["metadata"]["annotations"][annotation.as_str()].as_str().unwrap_or_default().split(';').map(str::trim).collect();
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut containers = containers.filter(|c| !skipped.contains(&c["name"].as_str().unwrap_or_default()));
    containers.find_map(|container| in_container(e, workload, pod, container))
}

fn in_container(e: &Evidence, workload: &Workload, pod: &Value, container: &Value) -> Option<Verdict> {
    let name = container["name"].as_str().unwrap_or_default();
    let env = |variable: &str| container["env"].as_array().into_iter().flatten().find(|v| v["name"] == variable);
    let from_manifest = |variable: &str| workload.env_of(name).iter().any(|(n, ..)| *n == variable);
    if let Some(wanted) = e.annotated() {
        match env("AZURE_CLIENT_ID").map(|v| v["value"].as_str().unwrap_or_default()) {
            None => {
                return Some(match older(e, pod) {
                    true => Verdict("KC5601", format!("container {name} has no AZURE_CLIENT_ID")),
                    false => Verdict("KC5602", format!("container {name} has no AZURE_CLIENT_ID")),
                });
            }
            Some(seen) if seen != wanted && !from_manifest("AZURE_CLIENT_ID") => {
                return Some(Verdict("KC5603", format!("AZURE_CLIENT_ID={seen} in container {name}")));
            }
            Some(_) => {}
        }
    }
    if let Some(file) = env("AZURE_FEDERATED_TOKEN_FILE").and_then(|v| v["value"].as_str())
        && !token_files(pod, container).iter().any(|f| f == file)
        // A path that the manifest itself sets is reported by the workload link.
        && !from_manifest("AZURE_FEDERATED_TOKEN_FILE")
    {
        return Some(Verdict("KC5604", file.to_owned()));
    }
    let missing = workload.env_of(name).iter().find(|(n, ..)| env(n).is_none()).map(|(n, ..)| (*n).to_owned());
    missing.map(|variable| Verdict("KC5601", format!("container {name} lacks {variable}")))
}

/// Whether the pod is older than the annotation of its service account.
fn older(e: &Evidence, pod: &Value) -> bool {
    let time = |v: &Value| v.as_str().and_then(|t| t.parse::<Timestamp>().ok());
    let entries = e.account.as_ref().and_then(|a| a["metadata"]["managedFields"].as_array());
    let owns = |entry: &&Value| entry["fieldsV1"]["f:metadata"]["f:annotations"].get(format!("f:{CLIENT_ID}")).is_some();
    let changed = entries.into_iter().flatten().filter(owns).filter_map(|entry| time(&entry["time"])).max();
    match (time(&pod["metadata"]["creationTimestamp"]), changed) {
        (Some(made), Some(changed)) => made <= changed,
        _ => false,
    }
}

/// Files with a token for Entra. Volumes are recognised by their audience, since names and paths vary between
/// versions.
fn token_files(pod: &Value, container: &Value) -> Vec<String> {
    let mut files = Vec::new();
    for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
        for source in volume["projected"]["sources"].as_array().into_iter().flatten() {
            let token = &source["serviceAccountToken"];
            if token["audience"] != TOKEN_EXCHANGE_AUDIENCE && token["audience"] != "api://AKSIdentityBinding" {
                continue;
            }
            let mounts = container["volumeMounts"].as_array().into_iter().flatten().filter(|m| m["name"] == volume["name"]);
            let path = token["path"].as_str().unwrap_or_default();
            files.extend(mounts.filter_map(|m| Some(format!("{}/{path}", m["mountPath"].as_str()?.trim_end_matches('/')))));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::check::Outcome::{Error, Success};
    use crate::health::links::testing::{CLIENT, fault, judged, seen, set};

    fn pod(e: &mut Evidence) -> &mut Value {
        &mut e.pods.as_mut().unwrap()[0]
    }

    /// The entry of a variable in the pod's container.
    fn env(e: &mut Evidence, at: usize) -> &mut Value {
        &mut pod(e)["spec"]["containers"][0]["env"][at]
    }

    #[test]
    fn pods_with_token_and_variables_are_sound() {
        assert_eq!(judged(judge, |_| {}), [("KC5602", Success)]);
        assert_eq!(judged(judge, |e| e.pods = None), [], "nobody may list pods");
    }

    #[test]
    fn a_workload_without_pods_is_found_unless_none_are_wanted() {
        assert_eq!(judged(judge, |e| e.pods = Some(vec![])), [("KC5600", Error)]);
        let scaled = |e: &mut Evidence| {
            e.pods = Some(vec![]);
            set(e, "/spec", "replicas", json!(0));
        };
        assert_eq!(judged(judge, scaled), []);
    }

    #[test]
    fn pods_that_are_older_than_the_change_are_found() {
        let before = fault(judge, |e| pod(e)["metadata"]["labels"] = json!({"app": "web"}));
        assert_eq!(before.code, "KC5601");
        assert!(seen(&before).starts_with("1 of 1 pod (web-1): "), "{}", seen(&before));
        let account = fault(judge, |e| pod(e)["spec"]["serviceAccountName"] = json!("default"));
        assert_eq!((account.code, seen(&account)), ("KC5601", "1 of 1 pod (web-1): runs as default"));
        let variable = fault(judge, |e| env(e, 2)["name"] = json!("OTHER"));
        assert_eq!((variable.code, seen(&variable)), ("KC5601", "1 of 1 pod (web-1): container app lacks AZURE_KEYVAULT_SCOPE"));
    }

    #[test]
    fn pods_that_the_webhook_did_not_see_or_saw_differently_are_found() {
        let unseen = fault(judge, |e| env(e, 0)["name"] = json!("OTHER"));
        assert_eq!((unseen.code, seen(&unseen)), ("KC5602", "1 of 1 pod (web-1): container app has no AZURE_CLIENT_ID"));
        let other = fault(judge, |e| env(e, 0)["value"] = json!("other"));
        assert_eq!((other.code, seen(&other)), ("KC5603", "1 of 1 pod (web-1): AZURE_CLIENT_ID=other in container app"));
        let nowhere = fault(judge, |e| env(e, 1)["value"] = json!("/tmp/token"));
        assert_eq!((nowhere.code, seen(&nowhere)), ("KC5604", "1 of 1 pod (web-1): /tmp/token"));
    }

    #[test]
    fn a_pod_from_before_the_annotation_is_old_and_not_unseen() {
        let old = fault(judge, |e| {
            env(e, 0)["name"] = json!("OTHER");
            pod(e)["metadata"]["creationTimestamp"] = json!("2026-11-01T10:00:00Z");
            let fields = json!({"f:metadata": {"f:annotations": {format!("f:{CLIENT_ID}"): {}}}});
            let entry = json!({"time": "2026-11-02T10:00:00Z", "fieldsV1": fields});
            let annotations = json!({CLIENT_ID: CLIENT});
            e.account = Some(json!({"metadata": {"annotations": annotations, "managedFields": [entry]}}));
        });
        assert_eq!(old.code, "KC5601");
    }

    #[test]
    fn refused_pods_are_explained_by_the_condition_of_the_workload() {
        let refused = |message: &str| {
            judged(judge, |e| {
                e.pods = Some(vec![]);
                let condition = json!({"type": "ReplicaFailure", "status": "True", "message": message});
                e.workload.as_mut().unwrap().object["status"]["conditions"] = json!([condition]);
            })
        };
        assert_eq!(refused("failed calling webhook \"mutation.azure-workload-identity.io\""), [("KC5606", Error)]);
        assert_eq!(refused("admission webhook \"mutation.azure-workload-identity.io\" denied the request"), [("KC5607", Error)]);
        assert_eq!(refused("exceeded quota"), [("KC5600", Error)]);
    }
}
