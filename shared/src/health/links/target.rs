//! The target: exists, accepts Entra tokens, and is reachable from the pods.

use crate::health::check::{Check, Refusal, found};
use crate::health::evidence::network::{endpoints, has_firewall, is_closed};
use crate::health::evidence::seen::Evidence;

const GROUP: &str = "target";

pub(crate) fn judge(e: &Evidence) -> Vec<Check> {
    let Some(service) = e.service else { return vec![] };
    if e.target_gone {
        let id = e.record.as_ref().map(|r| r.target.to_string()).unwrap_or_default();
        return vec![found("KC5700", format!("there is no {} {id}", service.noun), "it exists", &e.facts().pairs())];
    }
    let Some(target) = &e.target else { return vec![Check::skipped("KC5701", GROUP, "the target", "it can't be read")] };
    let mut checks = Vec::new();
    if let Some(refusal) = (service.refusal)(target, e.record.as_ref().map(|r| r.auth).unwrap_or_default()) {
        checks.push(found("KC5705", refusal.what, refusal.why, &[("fix", &refusal.fix)]));
    }
    let links = endpoints(&target.properties);
    if let Some((id, _)) = links.iter().find(|(_, state)| state == "Pending") {
        checks.push(found("KC5703", "Pending", "Approved", &e.facts().with("endpoint", id).pairs()));
    }
    let closed = is_closed(&target.properties);
    let approved = links.iter().any(|(_, state)| state == "Approved");
    if closed && links.is_empty() {
        let link = service.private_link.ok().and_then(<[_]>::first);
        let subnet =
            e.cluster_body.as_ref().and_then(|c| c["properties"]["agentPoolProfiles"][0]["vnetSubnetID"].as_str().map(str::to_owned));
        let mut facts = e.facts().with("group", target.id.resource_group()).with("scope", target.id.as_str());
        if let Some(link) = link {
            facts = facts.with("link", link.group).with("zone", link.zones.first().copied().unwrap_or_default());
        }
        if let Some(subnet) = subnet {
            facts = facts.with("subnet", subnet);
        }
        checks.push(found(
            "KC5701",
            "publicNetworkAccess Disabled, no private endpoint",
            "public access or a private endpoint",
            &facts.pairs(),
        ));
    }
    if checks.is_empty() {
        let way = match (closed, approved, has_firewall(&target.properties)) {
            (true, true, _) => "private endpoint, public access off",
            (false, true, _) => "private endpoint and public access",
            (_, _, true) => "public, with firewall rules",
            _ => "public",
        };
        checks.push(Check::ok("KC5701", GROUP, format!("the {} exists", service.noun), way));
    }
    checks
}

/// A check that can't be made from this machine, although pods use the private endpoint.
fn only_inside(check: &Check) -> Check {
    let why = "it is only reachable through its private endpoint, which pods use: its data plane can't be checked from this machine";
    Check::skipped(check.code, check.group, check.description.clone(), why)
}

/// The cause of a refusal, if it is the network.
pub(crate) fn refused(check: &Check, e: &Evidence) -> Option<Check> {
    let (Some(target), Some(service)) = (&e.target, e.service) else { return None };
    let seen = check.message.clone().unwrap_or_default();
    let private = endpoints(&target.properties).iter().any(|(_, state)| state == "Approved");
    let facts = e.facts().with("host", &e.host);
    // If `--from-pod` showed that pods reach the private endpoint, a refusal from this machine proves nothing.
    let looked = e.inside.as_ref().is_some_and(|inside| inside.is_private(e));
    match &check.refusal {
        Some(Refusal::DataPlane(_, code)) if code == "ForbiddenByConnection" && private && looked => Some(only_inside(check)),
        Some(Refusal::DataPlane(_, code)) if code == "ForbiddenByConnection" && private => Some(found("KC5704", seen, "", &facts.pairs())),
        Some(Refusal::DataPlane(403, code))
            if code == "ForbiddenByFirewall"
                || (has_firewall(&target.properties) && code != "ForbiddenByRbac" && code != "ForbiddenByPolicy") =>
        {
            let (name, group) = (target.name(), target.id.resource_group());
            let add = match service.name {
                "keyvault" => format!("az keyvault network-rule add --name {name} --ip-address ADDRESS"),
                "cognitiveservices" => {
                    format!("az cognitiveservices account network-rule add --name {name} --resource-group {group} --ip-address ADDRESS")
                }
                _ => format!("az storage account network-rule add --account-name {name} --resource-group {group} --ip-address ADDRESS"),
            };
            let fix = format!("{add}   # ADDRESS: the cluster's outbound address, or yours for this machine");
            Some(found("KC5702", seen, "its rules include the address", &facts.with("firewall", fix).pairs()))
        }
        Some(Refusal::Silence) if private && looked => Some(only_inside(check)),
        Some(Refusal::Silence) if private => Some(found("KC5704", seen, "", &facts.pairs())),
        Some(Refusal::Silence) => Some(found("KC5706", seen, "an answer", &facts.pairs())),
        _ => None,
    }
}
