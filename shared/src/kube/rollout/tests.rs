use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::kube::testing::{Answer, Server};
use crate::model::{Event, Events};

/// A Deployment as the controllers write it (counts of a real rollout).
fn deployment(generation: u64, observed: u64, replicas: u64, counts: [u64; 3], conditions: Value) -> Value {
    let mut status = json!({ "observedGeneration": observed, "conditions": conditions });
    // The server omits zeros.
    for (key, count) in ["replicas", "updatedReplicas", "availableReplicas"].into_iter().zip(counts) {
        if count > 0 {
            status[key] = count.into();
        }
    }
    json!({ "metadata": { "name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "generation": generation },
        "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": "web" } } }, "status": status })
}

fn going(text: &str) -> Seen {
    Seen::Going(text.into())
}

#[test]
fn deployments_are_judged_by_generation_then_counts() {
    let look = |object: &Value| look(WorkloadKind::Deployment, object);
    let none = || json!([]);
    assert_eq!(look(&deployment(2, 1, 2, [2, 2, 2], none())), going("waiting for the rollout to start"), "the patch's own answer");
    assert_eq!(look(&deployment(2, 2, 2, [3, 1, 2], none())), going("1 of 2 pods updated"));
    assert_eq!(look(&deployment(2, 2, 2, [3, 2, 2], none())), going("1 old pod still to be deleted"));
    assert_eq!(look(&deployment(2, 2, 2, [2, 2, 1], none())), going("1 of 2 updated pods available"));
    assert_eq!(look(&deployment(2, 2, 2, [2, 2, 2], none())), Seen::Done(None));
    assert_eq!(look(&deployment(1, 1, 0, [0, 0, 0], none())), Seen::Done(None), "no replicas wanted");
    let late =
        json!([{ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out progressing." }]);
    assert_eq!(look(&deployment(2, 2, 2, [3, 1, 2], late.clone())), Seen::Stuck(Stuck::Deadline("timed out progressing.".into())));
    assert_eq!(look(&deployment(2, 1, 2, [3, 1, 2], late.clone())), going("waiting for the rollout to start"), "an old verdict");
    let mut paused = deployment(3, 3, 2, [2, 0, 0], late);
    paused["spec"]["paused"] = true.into();
    assert_eq!(look(&paused), Seen::Stuck(Stuck::Paused));
    let failing = json!([{ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "m" }]);
    assert_eq!(look(&deployment(2, 2, 2, [2, 0, 2], failing)), Seen::CannotCreate("m".into()));
}

#[test]
fn stateful_and_daemon_sets_have_separate_rules() {
    let set = |observed: u64, update: &str, updated: u64, available: u64, partition: u64| {
        json!({ "metadata": { "generation": 2 }, "spec": { "replicas": 2, "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": partition } } },
            "status": { "observedGeneration": observed, "replicas": 2, "updatedReplicas": updated, "availableReplicas": available, "currentRevision": "r1", "updateRevision": update } })
    };
    let sts = |object: Value| look(WorkloadKind::StatefulSet, &object);
    assert_eq!(sts(set(1, "r1", 2, 2, 0)), going("waiting for the rollout to start"));
    assert_eq!(sts(set(2, "r2", 1, 1, 0)), going("1 of 2 pods updated"));
    assert_eq!(sts(set(2, "r2", 2, 1, 0)), going("1 of 2 pods available"));
    assert_eq!(sts(set(2, "r1", 2, 2, 0)), Seen::Done(None));
    assert!(matches!(sts(set(2, "r2", 1, 2, 1)), Seen::Done(Some(text)) if text.contains("partition 1")));
    let mut by_hand = set(2, "r2", 0, 2, 0);
    by_hand["spec"]["updateStrategy"]["type"] = "OnDelete".into();
    assert_eq!(sts(by_hand), Seen::Stuck(Stuck::OnDelete));

    let ds = |wanted: u64, updated: u64, available: u64| {
        look(
            WorkloadKind::DaemonSet,
            &json!({ "metadata": { "generation": 1 }, "spec": {},
            "status": { "observedGeneration": 1, "desiredNumberScheduled": wanted, "updatedNumberScheduled": updated, "numberAvailable": available } }),
        )
    };
    assert_eq!(ds(0, 0, 0), Seen::Done(None), "no nodes");
    assert_eq!(
        (ds(1, 0, 1), ds(1, 1, 0), ds(1, 1, 1)),
        (going("0 of 1 pods updated"), going("0 of 1 updated pods available"), Seen::Done(None))
    );
    assert!(matches!(look(WorkloadKind::CronJob, &json!({})), Seen::Done(Some(_))));
}

#[test]
fn failures_to_create_pods_are_explained() {
    let webhook = "Internal error occurred: failed calling webhook \"mutation.azure-workload-identity.io\": failed to call webhook: Post \"https://azure-wi-webhook-webhook-service.kube-system.svc:443/mutate-v1-pod?timeout=10s\": service \"azure-wi-webhook-webhook-service\" not found";
    assert_eq!(
        plain(webhook),
        "the admission webhook mutation.azure-workload-identity.io does not answer (service \"azure-wi-webhook-webhook-service\" not found)"
    );
    let account = "pods \"web-abc-\" is forbidden: error looking up service account shop/web-wi: serviceaccount \"web-wi\" not found";
    assert_eq!(plain(account), "service account web-wi does not exist");
    let w = Workload::new(WorkloadKind::Deployment, deployment(1, 1, 1, [0, 0, 0], json!([])));
    assert_eq!(cannot_create(&w, account).fixes(), ["kubectl create serviceaccount web-wi -n shop"]);
    assert_eq!(cannot_create(&w, webhook).code(), "KC3605");
}

async fn waited(first: Value, answers: Vec<Answer>, limit: Duration) -> (Result<()>, Vec<String>, Vec<String>) {
    let server = Server::start(answers).await;
    let cluster = server.cluster().await;
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = told.clone();
    let events = Events::new(move |event| {
        if let Event::Waiting { why, .. } = event {
            sink.lock().unwrap().push(why);
        }
    });
    let workload = Workload::new(WorkloadKind::Deployment, first);
    let result = wait(&cluster, &workload, limit, &mut Wait::new(&events, "workload", "waiting")).await;
    let asked = server.asked().into_iter().map(|asked| asked.path).collect();
    (result, told.lock().unwrap().clone(), asked)
}

#[tokio::test]
async fn one_watch_covers_the_rollout_from_the_patch_on() {
    let events: &'static str = Box::leak(
        [deployment(2, 2, 2, [3, 1, 2], json!([])), deployment(2, 2, 2, [2, 2, 2], json!([]))]
            .map(|object| json!({ "type": "MODIFIED", "object": object }).to_string())
            .join("\n")
            .into_boxed_str(),
    );
    let (result, told, asked) =
        waited(deployment(2, 1, 2, [2, 2, 2], json!([])), vec![Answer::Text(200, events)], Duration::from_secs(10)).await;
    result.unwrap();
    assert_eq!(told, ["waiting for the rollout to start", "1 of 2 pods updated"]);
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].starts_with("/apis/apps/v1/namespaces/shop/deployments?watch=true&fieldSelector=metadata.name%3Dweb&resourceVersion=7"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn without_a_watch_the_object_is_polled() {
    let gone = Answer::Text(
        200,
        r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}}"#,
    );
    let done = Answer::Json(200, deployment(2, 2, 2, [2, 2, 2], json!([])));
    let (result, _, asked) = waited(deployment(2, 1, 2, [2, 2, 2], json!([])), vec![gone, done], Duration::from_secs(10)).await;
    result.unwrap();
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn an_unchanged_workload_needs_no_request_and_waiting_ends_at_the_limit() {
    let (result, told, asked) = waited(deployment(2, 2, 2, [2, 2, 2], json!([])), vec![], Duration::ZERO).await;
    result.unwrap();
    assert!(told.is_empty() && asked.is_empty());

    let (result, _, _) = waited(deployment(2, 2, 2, [3, 1, 2], json!([])), vec![Answer::Never], Duration::from_millis(200)).await;
    let problem = result.unwrap_err();
    assert_eq!((problem.code(), problem.kind(), problem.reason()), ("KC3601", Kind::TimedOut, Some("1 of 2 pods updated")));
    assert_eq!(problem.fixes()[0], "kubectl describe pods -l app=web -n shop   # the events at the end show the reason");

    let deleted = Answer::Text(200, r#"{"type":"DELETED","object":{}}"#);
    let (result, _, _) = waited(deployment(2, 2, 2, [3, 1, 2], json!([])), vec![deleted], Duration::from_secs(10)).await;
    assert_eq!(result.unwrap_err().code(), "KC3606");
}

/// A recorded real rollout counts as done at the recorded "rolled out", and at no earlier step.
#[test]
fn recorded_rollouts_are_evaluated_correctly() {
    let Some(recorded) = crate::kube::testing::recordings("recorded_rollouts_are_evaluated_correctly") else { return };
    let mut judged = std::collections::BTreeMap::<&str, usize>::new();
    for case in recorded["cases"].as_array().unwrap().iter().filter(|case| case["name"].as_str().unwrap().starts_with("rollout")) {
        for step in case["steps"].as_array().unwrap() {
            let object = &step["response"]["body"];
            let kind = match object["kind"].as_str() {
                Some("Deployment") => WorkloadKind::Deployment,
                Some("StatefulSet") => WorkloadKind::StatefulSet,
                Some("DaemonSet") => WorkloadKind::DaemonSet,
                _ => continue,
            };
            let note = step["note"].as_str().unwrap_or_default();
            let seen = look(kind, object);
            let place = format!("{} {note}: {seen:?}", case["name"]);
            let done = matches!(seen, Seen::Done(_));
            if object["status"].get("observedGeneration").is_none() {
                assert!(!done, "{place}");
            }
            let word = if note.starts_with("rolled out") || note.contains("counts as rolled out") || note.contains(": rolled out at once") {
                assert!(done, "{place}");
                "done"
            } else if note.starts_with("the answer")
                || note.starts_with("under way")
                || note.starts_with("one ")
                || note.starts_with("web-1 replaced")
            {
                assert!(matches!(seen, Seen::Going(_)), "{place}");
                "going"
            } else if note.starts_with("ReplicaFailure") {
                assert!(matches!(&seen, Seen::CannotCreate(text) if !plain(text).contains("failed calling")), "{place}");
                "failing"
            } else if note.starts_with("Progressing False") {
                assert!(matches!(seen, Seen::Stuck(Stuck::Deadline(_))), "{place}");
                "late"
            } else if note.contains("aused") {
                assert_eq!(seen, Seen::Stuck(Stuck::Paused), "{place}");
                "paused"
            } else {
                continue;
            };
            *judged.entry(word).or_default() += 1;
        }
    }
    for word in ["done", "going", "failing", "late", "paused"] {
        assert!(judged.contains_key(word), "{word} is not among {judged:?}");
    }
}
