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
