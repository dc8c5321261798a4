//! The pod template: has the label, sets no conflicting variables, and reads the connection's variables.

use serde_json::{Value, json};

use crate::health::check::Check;
use crate::health::check::found;
use crate::health::evidence::seen::Evidence;
use crate::kube::workload_identity::{PREFIX, USE};
use crate::kube::{Workload, wrap_template};

const GROUP: &str = "workload";
/// Variables that the webhook sets unless the container has them.
const INJECTED: [&str; 3] = ["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"];

pub(crate) fn judge(e: &Evidence) -> Vec<Check> {
    let mut checks = variables(e);
    let Some(workload) = e.workload.as_ref().filter(|_| e.uses_identity()) else { return checks };
    let facts = e.facts();
    if e.namespace == "kube-system" {
        checks.push(found("KC5509", "kube-system", "another namespace", &facts.pairs()));
        return checks;
    }
    checks.push(label(e, workload));
    let annotation = |key: &str| workload.template()["metadata"]["annotations"][format!("{PREFIX}{key}").as_str()].as_str();
    if annotation("inject-proxy-sidecar").is_some_and(|v| v != "true") {
        checks.push(found("KC5510", annotation("inject-proxy-sidecar").unwrap_or_default(), "no such annotation", &facts.pairs()));
    }
    if let Some(text) =
        annotation("service-account-token-expiration").filter(|t| !t.parse::<u32>().is_ok_and(|s| (3600..=86400).contains(&s)))
    {
        checks.push(found("KC5210", format!("{text} on the pod template"), "3600 to 86400", &facts.pairs()));
    }
    let skipped: Vec<&str> = annotation("skip-containers").unwrap_or_default().split(';').map(str::trim).collect();
    if workload.containers().iter().all(|c| skipped.contains(c)) {
        checks.push(found("KC5511", skipped.join(", "), "at least one container that is not skipped", &facts.pairs()));
    }
    checks.extend(in_the_way(e, workload));
    checks
}

/// Whether the pod template has the label, or which other object has it.
fn label(e: &Evidence, workload: &Workload) -> Check {
    let patch = wrap_template(workload.kind, json!({"metadata": {"labels": {USE: "true"}}})).to_string();
    let facts = e.facts().with("patch", patch);
    let finding =
        |code: &'static str, seen: String| found(code, seen, format!("{USE}: \"true\" in the pod template's labels"), &facts.pairs());
    let has = |object: &Value, at: &str| object["metadata"][at].get(USE).and_then(Value::as_str).map(str::to_owned);
    match has(workload.template(), "labels") {
        Some(value) if value == "true" => Check::ok("KC5502", GROUP, "the pod template has the label", format!("{workload}")),
        Some(value) => finding("KC5506", format!("\"{value}\"")),
        None => {
            let annotated = has(workload.template(), "annotations").or_else(|| has(&workload.object, "annotations"));
            if annotated.is_some() {
                finding("KC5505", "an annotation".into())
            } else if has(&workload.object, "labels").is_some() {
                finding("KC5503", format!("on {workload} itself"))
            } else if e.account.as_ref().is_some_and(|a| has(a, "labels").is_some()) {
                finding("KC5504", format!("on service account {}", e.account_name))
            } else {
                finding("KC5502", "no label".into())
            }
        }
    }
}

/// Identity variables that the manifest sets to other values than the webhook would.
fn in_the_way(e: &Evidence, workload: &Workload) -> Vec<Check> {
    let right = |name: &str| match name {
        "AZURE_CLIENT_ID" => e.annotated().map(str::to_owned),
        "AZURE_TENANT_ID" => e.of_identity("tenantId").map(str::to_owned),
        _ => None,
    };
    let mut checks = Vec::new();
    for container in workload.containers() {
        let entries = workload.container(container).and_then(|c| c["env"].as_array());
        for entry in entries.into_iter().flatten() {
            let name = entry["name"].as_str().unwrap_or_default();
            let Some(name) = INJECTED.iter().find(|i| **i == name) else { continue };
            let value = entry["value"].as_str().unwrap_or("taken from another object");
            // The path varies between versions of the webhook, so a fixed path breaks sooner or later.
            let same = right(name).is_some_and(|r| r.eq_ignore_ascii_case(value));
            if !same && (right(name).is_some() || *name == "AZURE_FEDERATED_TOKEN_FILE") {
                let facts = e.facts().with("container", container).with("variable", *name);
                let expected = right(name).unwrap_or_else(|| "set by the webhook".into());
                checks.push(found("KC5507", format!("{name}={value} in container {container}"), expected, &facts.pairs()));
            }
        }
    }
    checks
}

/// Checks the Secret of the connection and the references to it.
fn variables(e: &Evidence) -> Vec<Check> {
    let Some(record) = &e.record else { return vec![] };
    let facts = e.facts();
    let Some(secret) = record.secret() else {
        return vec![];
    };
    let mut checks = vec![match &e.secret {
        None => Check::skipped("KC5500", "variables", format!("secret {}", secret.name), "you lack the permission to read it"),
        Some(None) => found("KC5500", format!("no secret {}", secret.name), "it exists", &facts.pairs()),
        Some(Some(_)) if e.secret_differs.is_empty() => {
            let names: Vec<&str> = secret.variables.iter().map(|v| v.name.as_str()).collect();
            Check::ok("KC5501", "variables", format!("secret {}", secret.name), names.join(", "))
        }
        // Only names are shown, since values may be secret.
        Some(Some(_)) => found("KC5501", format!("{} missing or changed", e.secret_differs.join(", ")), "as recorded", &facts.pairs()),
    }];
    if let (Some(step), Some(workload)) = (record.patched(), &e.workload) {
        let reads = |container: &&String| {
            let env = workload.env_of(container);
            step.variables.iter().all(|v| {
                env.iter().any(|(name, _, from)| *name == v.name && from.is_some_and(|f| f["secretKeyRef"]["name"] == step.secret.as_str()))
            })
        };
        let without: Vec<&str> = step.containers.iter().filter(|c| !reads(c)).map(String::as_str).collect();
        if !without.is_empty() {
            checks.push(found(
                "KC5508",
                format!("container {}", without.join(", ")),
                format!("secretKeyRef to {}", step.secret),
                &facts.pairs(),
            ));
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::check::Outcome::{Error, Skipped, Success};
    use crate::health::links::testing::{CLIENT, fault, fix, judged, seen, set};

    const TEMPLATE: &str = "/spec/template/metadata";

    #[test]
    fn a_template_with_label_and_variables_is_sound() {
        assert_eq!(judged(judge, |_| {}), [("KC5501", Success), ("KC5502", Success)]);
        assert_eq!(judged(judge, |e| e.secret = None), [("KC5500", Skipped), ("KC5502", Success)]);
    }

    #[test]
    fn the_label_is_looked_for_where_people_put_it() {
        let unlabelled = |e: &mut Evidence| set(e, TEMPLATE, "labels", json!({"app": "web"}));
        let label = || json!({USE: "true"});
        assert_eq!(fault(judge, unlabelled).code, "KC5502");
        let on = |place: &dyn Fn(&mut Evidence)| {
            let found = fault(judge, |e| {
                unlabelled(e);
                place(e);
            });
            assert!(fix(&found).contains(r#"{"spec":{"template":{"metadata":{"labels":{"azure.workload.identity/use":"true"}}}}}"#));
            found.code
        };
        assert_eq!(on(&|e| set(e, "/metadata", "labels", label())), "KC5503");
        assert_eq!(on(&|e| e.account.as_mut().unwrap()["metadata"]["labels"] = label()), "KC5504");
        assert_eq!(on(&|e| set(e, TEMPLATE, "annotations", label())), "KC5505");
        let value = fault(judge, |e| set(e, TEMPLATE, "labels", json!({USE: "yes"})));
        assert_eq!((value.code, seen(&value)), ("KC5506", "\"yes\""));
    }

    #[test]
    fn variables_of_the_webhook_may_not_be_set_otherwise() {
        let sets = |name: &str, value: &str| {
            let entry = json!({"name": name, "value": value});
            judged(judge, |e| {
                let env = &mut e.workload.as_mut().unwrap().object["spec"]["template"]["spec"]["containers"][0]["env"];
                env.as_array_mut().unwrap().push(entry);
            })
        };
        let sound = [("KC5501", Success), ("KC5502", Success)];
        assert_eq!(sets("AZURE_CLIENT_ID", CLIENT), sound);
        assert_eq!(sets("AZURE_CLIENT_ID", "other"), [sound[0], sound[1], ("KC5507", Error)]);
        assert_eq!(sets("AZURE_FEDERATED_TOKEN_FILE", "/tmp/token"), [sound[0], sound[1], ("KC5507", Error)]);
    }

    #[test]
    fn the_secret_and_the_references_to_it_are_checked() {
        assert_eq!(judged(judge, |e| e.secret = Some(None)), [("KC5500", Error), ("KC5502", Success)]);
        let changed = fault(judge, |e| e.secret_differs = vec!["AZURE_KEYVAULT_SCOPE".into()]);
        assert_eq!((changed.code, seen(&changed)), ("KC5501", "AZURE_KEYVAULT_SCOPE missing or changed"));
        let unread = fault(judge, |e| set(e, "/spec/template/spec/containers/0", "env", json!([])));
        assert_eq!(
            (unread.code, seen(&unread), unread.expected.as_deref()),
            ("KC5508", "container app", Some("secretKeyRef to keyvault-vault"))
        );
    }

    #[test]
    fn settings_that_keep_the_webhook_away_are_found() {
        assert_eq!(fault(judge, |e| e.namespace = "kube-system".into()).code, "KC5509");
        let annotated = |key: &str, value: &str| {
            let found = fault(judge, |e| set(e, TEMPLATE, "annotations", json!({format!("{PREFIX}{key}"): value})));
            found.code
        };
        assert_eq!(annotated("inject-proxy-sidecar", "false"), "KC5510");
        assert_eq!(annotated("service-account-token-expiration", "60"), "KC5210");
        assert_eq!(annotated("skip-containers", "app; other"), "KC5511");
    }
}
