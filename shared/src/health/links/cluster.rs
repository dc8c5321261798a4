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
