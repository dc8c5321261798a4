//! The webhook that gives pods their token and variables: registered once, and ready.

use serde_json::Value;

use crate::health::check::Check;
use crate::health::check::found;
use crate::health::evidence::seen::Evidence;
use crate::lookup::outside_aks;
use crate::model::words;

const GROUP: &str = "webhook";

pub(crate) fn judge(e: &Evidence) -> Vec<Check> {
    if !e.uses_identity() {
        return vec![];
    }
    let facts = match &e.cluster {
        Some(id) => e.facts().with("cluster", id.name()).with("group", id.resource_group()),
        None => e.facts(),
    };
    let Some(hooks) = &e.hooks else {
        return vec![Check::skipped(
            "KC5103",
            GROUP,
            "the workload identity webhook",
            "you lack the permission to list webhook \
            configurations",
        )];
    };
    let Some(hook) = hooks.first() else {
        let mut missing = found("KC5120", "there is no MutatingWebhookConfiguration for it", "the add-on's configuration", &facts.pairs());
        if e.cluster.as_ref().is_some_and(outside_aks::is_one) {
            missing.fix = Some(e.webhook_fix.clone());
        }
        return vec![missing];
    };
    let mut checks = Vec::new();
    let place = |d: &Value| d["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let ready = |d: &Value| d["status"]["readyReplicas"].as_u64().unwrap_or(0);
    let places: Vec<String> = e.hook_deployments.iter().map(place).collect();
    if e.hook_deployments.len() > 1 || hooks.len() > 1 {
        let names: Vec<&str> = hooks.iter().filter_map(|h| h["metadata"]["name"].as_str()).collect();
        checks.push(found("KC5122", format!("in {}; configurations {}", places.join(" and "), names.join(", ")), "one", &facts.pairs()));
    } else if let Some(down) = e.hook_deployments.iter().find(|d| ready(d) == 0) {
        let wanted = down["spec"]["replicas"].as_u64().unwrap_or(1);
        let seen = format!("0 of {wanted} pods ready in {}{}", place(down), last_event(e, &place(down)));
        checks.push(found("KC5121", seen, "at least one", &facts.pairs()));
    } else {
        let seen = e
            .hook_deployments
            .first()
            .map_or_else(String::new, |d| format!("{} ready in {}, {}", words::count(ready(d), "pod"), place(d), version(d)));
        checks.push(Check::ok("KC5103", GROUP, "the webhook is registered and ready", seen));
    }
    let policies = hook["webhooks"].as_array().into_iter().flatten().filter_map(|w| w["failurePolicy"].as_str());
    if policies.into_iter().any(|p| p == "Ignore") {
        let name = hook["metadata"]["name"].as_str().unwrap_or_default();
        checks.push(found("KC5124", "Ignore", "Fail", &facts.with("webhook", name).pairs()));
    }
    let template = e.workload.as_ref().map(|w| &w.template()["metadata"]["annotations"]);
    let binding = template
        .is_some_and(|a| a["azure.workload.identity/use-identity-binding"].as_str().is_some_and(|v| v.eq_ignore_ascii_case("true")));
    let version = e.hook_deployments.first().map(version).unwrap_or_default();
    if binding && (version.starts_with("v1.5") || version.starts_with("v1.4")) {
        let facts =
            e.cluster.as_ref().map_or_else(|| e.facts(), |id| e.facts().with("cluster", id.name()).with("group", id.resource_group()));
        checks.push(found("KC5512", format!("webhook {version}"), "v1.6.0 or newer", &facts.pairs()));
    }
    checks
}

fn version(deployment: &Value) -> String {
    let image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
    image.rsplit_once(':').map_or("", |(_, tag)| tag).to_owned()
}

fn last_event(e: &Evidence, namespace: &str) -> String {
    let of_hook = |event: &&Value| {
        event["metadata"]["namespace"] == namespace
            && event["involvedObject"]["name"].as_str().is_some_and(|n| n.starts_with("azure-wi-webhook"))
    };
    let message = e.events.iter().rfind(of_hook).and_then(|event| event["message"].as_str());
    message.map_or_else(String::new, |m| format!("; last event: {m}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::check::Outcome::{Skipped, Success, Warning};
    use crate::health::links::testing::{fault, judged, seen, set};
    use crate::plan::testing::id;

    #[test]
    fn a_webhook_that_is_ready_is_sound() {
        assert_eq!(judged(judge, |_| {}), [("KC5103", Success)]);
        assert_eq!(judged(judge, |e| e.hooks = None), [("KC5103", Skipped)]);
    }

    #[test]
    fn an_absent_webhook_is_installed_as_the_cluster_wants_it() {
        let absent = |e: &mut Evidence| (e.hooks, e.webhook_fix) = (Some(vec![]), "helm install webhook".into());
        let of_aks = fault(judge, absent);
        assert_eq!(of_aks.code, "KC5120");
        assert!(of_aks.fix.unwrap().contains("az aks update --name aks"), "the add-on brings it");
        let elsewhere = fault(judge, |e| {
            absent(e);
            e.cluster = Some(id("kubectl-connect.dev/clusters", "kind"));
        });
        assert_eq!((elsewhere.code, elsewhere.fix.as_deref()), ("KC5120", Some("helm install webhook")));
    }

    #[test]
    fn a_webhook_without_pods_shows_its_last_event() {
        let down = fault(judge, |e| {
            e.hook_deployments[0]["status"] = json!({});
            let about = json!({"name": "azure-wi-webhook-controller-manager-1"});
            e.events = vec![json!({"metadata": {"namespace": "kube-system"}, "involvedObject": about, "message": "no nodes"})];
        });
        assert_eq!((down.code, seen(&down)), ("KC5121", "0 of 2 pods ready in kube-system; last event: no nodes"));
    }

    #[test]
    fn a_second_webhook_and_an_open_failure_policy_are_found() {
        let two = fault(judge, |e| {
            let mut own = e.hook_deployments[0].clone();
            own["metadata"]["namespace"] = json!("azure-workload-identity-system");
            e.hook_deployments.push(own);
        });
        assert_eq!(two.code, "KC5122");
        let open = fault(judge, |e| e.hooks.as_mut().unwrap()[0]["webhooks"][0]["failurePolicy"] = json!("Ignore"));
        assert_eq!((open.code, open.result), ("KC5124", Warning));
    }

    #[test]
    fn an_identity_binding_needs_a_recent_webhook() {
        let asked = |e: &mut Evidence| {
            set(e, "/spec/template/metadata", "annotations", json!({"azure.workload.identity/use-identity-binding": "true"}));
        };
        assert_eq!(judged(judge, asked), [("KC5103", Success)]);
        let old = fault(judge, |e| {
            asked(e);
            e.hook_deployments[0]["spec"]["template"]["spec"]["containers"][0]["image"] = json!("example.test/webhook:v1.5.1");
        });
        assert_eq!((old.code, seen(&old)), ("KC5512", "webhook v1.5.1"));
    }
}
