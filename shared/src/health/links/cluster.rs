//! The cluster: issuer and workload identity enabled, issuer documents published, tokens from this issuer, and Entra
//! reachable.

use serde_json::Value;

use crate::health::check::Check;
use crate::health::check::found;
use crate::health::evidence::seen::Evidence;

const GROUP: &str = "cluster";

pub(crate) fn judge(e: &Evidence) -> Vec<Check> {
    let (Some(id), Some(body)) = (&e.cluster, &e.cluster_body) else {
        return vec![Check::skipped("KC5101", GROUP, "OIDC issuer and workload identity", "the cluster can't be read in Azure")];
    };
    // A workload without an identity needs none of this.
    if !e.needs_trust() {
        return vec![];
    }
    let facts = e.facts().with("cluster", id.name()).with("group", id.resource_group());
    let on = |pointer: &str| body.pointer(pointer) == Some(&Value::Bool(true));
    if !on("/properties/oidcIssuerProfile/enabled") {
        return vec![found("KC5110", format!("oidcIssuerProfile is off in {}", id.name()), "on", &facts.pairs())];
    }
    let mut checks = Vec::new();
    let needs_hook = e.uses_identity();
    if needs_hook && !on("/properties/securityProfile/workloadIdentity/enabled") {
        checks.push(found("KC5111", format!("workloadIdentity is off in {}", id.name()), "on", &facts.pairs()));
    } else {
        checks.push(Check::ok("KC5101", GROUP, "OIDC issuer and workload identity are on", e.issuer().unwrap_or_default()));
    }
    if let (Some(token), Some(issuer)) = (&e.token, e.issuer())
        && token.issuer != issuer
    {
        let fresh = facts.with("issuer", issuer);
        checks.push(found("KC5113", token.issuer.clone(), issuer, &fresh.pairs()));
        return checks;
    }
    match (&e.issuer_fault, &e.token) {
        (Some(fault), _) => checks.push(found("KC5112", fault.clone(), "two publicly readable JSON documents", &facts.pairs())),
        (None, Some(_)) => checks.push(Check::ok("KC5102", GROUP, "the issuer's documents can be read", "")),
        (None, None) => {}
    }
    let way_out = body["properties"]["networkProfile"]["outboundType"].as_str().unwrap_or_default();
    if matches!(way_out, "none" | "block") {
        checks.push(found("KC5115", format!("outboundType {way_out}"), "access to Entra", &facts.pairs()));
    }
    checks
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::check::Outcome::{Error, Skipped, Success, Warning};
    use crate::health::links::testing::{ISSUER, fault, fix, judged, seen};

    fn properties(e: &mut Evidence) -> &mut Value {
        &mut e.cluster_body.as_mut().unwrap()["properties"]
    }

    #[test]
    fn a_cluster_with_both_features_is_sound() {
        assert_eq!(judged(judge, |_| {}), [("KC5101", Success), ("KC5102", Success)]);
        assert_eq!(judged(judge, |e| e.cluster_body = None), [("KC5101", Skipped)]);
    }

    #[test]
    fn each_feature_is_named_when_it_is_off() {
        let issuer = fault(judge, |e| properties(e)["oidcIssuerProfile"]["enabled"] = json!(false));
        assert_eq!((issuer.code, issuer.result), ("KC5110", Error));
        assert!(fix(&issuer).contains("--name aks --resource-group shop-rg"), "{}", fix(&issuer));
        assert_eq!(judged(judge, |e| properties(e)["securityProfile"] = json!({})), [("KC5111", Error), ("KC5102", Success)]);
    }

    #[test]
    fn tokens_must_come_from_the_issuer_that_is_published() {
        let old = fault(judge, |e| e.token.as_mut().unwrap().issuer = "https://old/".into());
        assert_eq!((old.code, seen(&old), old.expected.as_deref()), ("KC5113", "https://old/", Some(ISSUER)));
        let hidden = fault(judge, |e| e.issuer_fault = Some("HTTP 404".into()));
        assert_eq!((hidden.code, seen(&hidden)), ("KC5112", "HTTP 404"));
    }

    #[test]
    fn a_cluster_without_a_way_out_is_only_a_warning() {
        let closed = fault(judge, |e| properties(e)["networkProfile"]["outboundType"] = json!("none"));
        assert_eq!((closed.code, closed.result, seen(&closed)), ("KC5115", Warning, "outboundType none"));
    }
}
