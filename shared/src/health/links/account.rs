//! The service account: exists, with correctly spelt annotations that name an existing identity.

use serde_json::Value;

use crate::health::check::Check;
use crate::health::check::found;
use crate::health::evidence::seen::Evidence;
use crate::kube::workload_identity::{CLIENT_ID, PREFIX};

const GROUP: &str = "service account";
const KNOWN: [&str; 3] = ["client-id", "tenant-id", "service-account-token-expiration"];

pub(crate) fn judge(e: &Evidence) -> Vec<Check> {
    if !e.needs_trust() && e.account.is_some() {
        return vec![];
    }
    let facts = e.facts();
    let (name, namespace) = (&e.account_name, &e.namespace);
    if let (Some(workload), Some(_)) = (&e.workload, &e.record) {
        let runs_as = workload.service_account().unwrap_or("default");
        if runs_as != name {
            return vec![found("KC5211", format!("{workload} runs as {runs_as}"), name.clone(), &facts.pairs())];
        }
    }
    let Some(account) = &e.account else {
        return vec![match e.elsewhere.is_empty() {
            true => found("KC5200", format!("there is no {name} in namespace {namespace}"), "it exists", &facts.pairs()),
            false => {
                found("KC5212", format!("{name} is in namespace {}", e.elsewhere.join(", ")), format!("in {namespace}"), &facts.pairs())
            }
        }];
    };
    let annotations = &account["metadata"]["annotations"];
    let mut checks = Vec::new();
    checks.extend(misspelt(e, annotations));
    let lifetime = annotations[format!("{PREFIX}service-account-token-expiration").as_str()].as_str();
    if let Some(text) = lifetime.filter(|t| !t.parse::<u32>().is_ok_and(|s| (3600..=86400).contains(&s))) {
        checks.push(found("KC5210", text, "3600 to 86400", &facts.pairs()));
    }
    match e.annotated() {
        Some(client_id) => checks.extend(acts_as(e, client_id)),
        // The CSI driver takes the identity from the class, not from the annotation.
        None if e.uses_csi() && !e.uses_identity() => {}
        None if checks.iter().any(|c| c.code == "KC5202") => {}
        None => checks.push(unnamed(e)),
    }
    checks.extend(tenant(e, annotations));
    if checks.is_empty() && e.annotated().is_some() {
        let seen = format!("{namespace}/{name} → {}", e.annotated().unwrap_or_default());
        checks.push(Check::ok("KC5201", GROUP, "the service account names the identity", seen));
    }
    checks
}

fn tenant(e: &Evidence, annotations: &Value) -> Option<Check> {
    let facts = e.facts();
    let said = annotations[format!("{PREFIX}tenant-id").as_str()].as_str()?;
    if said.is_empty() {
        return Some(found("KC5208", "an empty text", "a tenant id, or no annotation", &facts.pairs()));
    }
    let own = e.of_identity("tenantId")?;
    (!said.eq_ignore_ascii_case(own)).then(|| found("KC5209", said, own, &facts.pairs()))
}

/// The annotation exists: checks that it is the client id of an identity.
fn acts_as(e: &Evidence, said: &str) -> Option<Check> {
    let facts = e.facts();
    let own = e.of_identity("clientId");
    if uuid::Uuid::parse_str(said).is_err() {
        return Some(found("KC5204", said, own.unwrap_or("a GUID"), &facts.pairs()));
    }
    if e.of_identity("principalId").is_some_and(|p| p.eq_ignore_ascii_case(said)) {
        return Some(found("KC5205", said, own.unwrap_or_default(), &facts.pairs()));
    }
    match own {
        Some(own) if own.eq_ignore_ascii_case(said) => None,
        Some(own) => Some(found("KC5207", said, own, &facts.pairs())),
        None if e.identity_hidden => None,
        None => Some(found("KC5206", said, "the client id of a managed identity", &facts.pairs())),
    }
}

/// Keys that resemble the webhook's keys but are misspelt.
fn misspelt(e: &Evidence, annotations: &Value) -> Option<Check> {
    let keys = annotations.as_object()?;
    for (key, value) in keys {
        let value = value.as_str().unwrap_or_default();
        let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-', '.', '/'], "");
        let near = KNOWN.iter().find(|k| {
            let right = format!("{PREFIX}{k}");
            *key != right && (plain(key) == plain(&right) || strsim::damerau_levenshtein(key, &right) <= 2)
        });
        if let Some(near) = near.filter(|n| annotations[format!("{PREFIX}{n}").as_str()].is_null()) {
            let right = format!("{PREFIX}{near}");
            let facts = e.facts().with("wrong", key).with("right", &right).with("value", value);
            return Some(found("KC5202", key, right, &facts.pairs()));
        }
    }
    None
}

/// The annotation is missing: looks for it on other objects.
fn unnamed(e: &Evidence) -> Check {
    let named = |object: &Value| {
        let entry = |at: &str| {
            object["metadata"][at].as_object().and_then(|m| m.iter().find(|(k, _)| k.starts_with(PREFIX) && k.contains("client")))
        };
        entry("annotations").or_else(|| entry("labels")).and_then(|(_, v)| v.as_str().map(str::to_owned))
    };
    let label = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let selects = |service: &&Value| {
        let (Some(selector), Some(workload)) = (service["spec"]["selector"].as_object(), &e.workload) else { return false };
        selector.iter().all(|(k, v)| workload.pod_label(k) == v.as_str())
    };
    let account = named_labels(e).map(|v| ("a label of the service account".to_owned(), v));
    let workload = e.workload.as_ref().and_then(|w| {
        let template = named(w.template()).map(|v| ("the pod template".to_owned(), v));
        template.or_else(|| named(&w.object).map(|v| (w.to_string(), v)))
    });
    let service = e.services.iter().filter(selects).find_map(|s| Some((format!("service {}", label(s)), named(s)?)));
    if let Some((place, value)) = account.or(workload).or(service) {
        return found(
            "KC5203",
            format!("{value} on {place}"),
            format!("on service account {}", e.account_name),
            &e.facts().with("client_id", value).pairs(),
        );
    }
    // Another annotated service account of the namespace: the one named like the workload, or the only one.
    let annotated: Vec<&Value> = e.accounts.iter().filter(|a| a["metadata"]["annotations"][CLIENT_ID].is_string()).collect();
    let meant = annotated.iter().find(|a| e.workload.as_ref().is_some_and(|w| a["metadata"]["name"] == w.name.as_str()));
    if let (Some(meant), Some(workload)) = (meant.or(annotated.first().filter(|_| annotated.len() == 1)), &e.workload) {
        let facts = e.facts().with("account", label(meant));
        return found(
            "KC5211",
            format!("{workload} runs as {}", e.account_name),
            format!("{}, which names an identity", label(meant)),
            &facts.pairs(),
        );
    }
    found("KC5201", format!("{} has no annotation {CLIENT_ID}", e.account_name), "the client id of a managed identity", &e.facts().pairs())
}

fn named_labels(e: &Evidence) -> Option<String> {
    e.account.as_ref()?["metadata"]["labels"][CLIENT_ID].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::check::Outcome::{Error, Success};
    use crate::health::links::testing::{CLIENT, PRINCIPAL, fault, fix, judged, seen};

    fn annotate(e: &mut Evidence, key: &str, value: &str) {
        e.account.as_mut().unwrap()["metadata"]["annotations"][format!("{PREFIX}{key}")] = json!(value);
    }

    #[test]
    fn an_account_that_names_the_identity_is_sound() {
        assert_eq!(judged(judge, |_| {}), [("KC5201", Success)]);
    }

    #[test]
    fn an_account_may_be_absent_elsewhere_or_not_the_one_that_is_used() {
        assert_eq!(judged(judge, |e| e.account = None), [("KC5200", Error)]);
        let elsewhere = fault(judge, |e| (e.account, e.elsewhere) = (None, vec!["stock".into()]));
        assert_eq!((elsewhere.code, seen(&elsewhere)), ("KC5212", "web is in namespace stock"));
        let other = fault(judge, |e| e.account_name = "shop".into());
        assert_eq!((other.code, seen(&other), other.expected.as_deref()), ("KC5211", "deployment/web runs as web", Some("shop")));
    }

    #[test]
    fn the_annotation_must_be_the_client_id_of_the_identity() {
        for (value, code) in [("id-web", "KC5204"), (PRINCIPAL, "KC5205"), ("99999999-aaaa-4bbb-8ccc-000000000099", "KC5207")] {
            let wrong = fault(judge, |e| annotate(e, "client-id", value));
            assert_eq!((wrong.code, seen(&wrong), wrong.expected.as_deref()), (code, value, Some(CLIENT)));
        }
        assert_eq!(judged(judge, |e| e.identity = None), [("KC5206", Error)]);
        assert_eq!(judged(judge, |e| (e.identity, e.identity_hidden) = (None, true)), [("KC5201", Success)], "nobody may look");
    }

    #[test]
    fn a_missing_annotation_is_looked_for_under_other_keys_and_on_other_objects() {
        let none = |e: &mut Evidence| e.account.as_mut().unwrap()["metadata"]["annotations"] = json!({});
        assert_eq!(judged(judge, none), [("KC5201", Error)]);
        let misspelt = fault(judge, |e| {
            none(e);
            annotate(e, "client_id", CLIENT);
        });
        assert_eq!((misspelt.code, misspelt.expected.as_deref()), ("KC5202", Some(CLIENT_ID)));
        assert!(fix(&misspelt).contains("azure.workload.identity/client_id-") && fix(&misspelt).contains(CLIENT), "{}", fix(&misspelt));
        let label = fault(judge, |e| {
            none(e);
            e.account.as_mut().unwrap()["metadata"]["labels"] = json!({CLIENT_ID: CLIENT});
        });
        assert_eq!(label.code, "KC5203");
        assert!(seen(&label).starts_with(CLIENT), "{}", seen(&label));
    }

    #[test]
    fn tenant_and_lifetime_are_checked_where_they_are_set() {
        assert_eq!(judged(judge, |e| annotate(e, "tenant-id", "")), [("KC5208", Error)]);
        assert_eq!(judged(judge, |e| annotate(e, "tenant-id", CLIENT)), [("KC5209", Error)]);
        assert_eq!(judged(judge, |e| annotate(e, "service-account-token-expiration", "60")), [("KC5210", Error)]);
        assert_eq!(judged(judge, |e| annotate(e, "service-account-token-expiration", "3600")), [("KC5201", Success)]);
    }
}
