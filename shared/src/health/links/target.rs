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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::health::check::Outcome::{Error, Skipped, Success};
    use crate::health::evidence::seen::{Inside, Seen};
    use crate::health::links::testing::{checks, fault, fix, judged, seen, sound};
    use crate::plan::testing::{VAULTS, target, vault};

    const ENDPOINT: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/vault/privateEndpointConnections/pe";

    fn vault_with(properties: Value) -> impl FnOnce(&mut Evidence) {
        move |e: &mut Evidence| e.target = Some(target(VAULTS, "vault", properties))
    }

    fn endpoint(state: &str) -> Value {
        json!([{"id": ENDPOINT, "properties": {"privateLinkServiceConnectionState": {"status": state}}}])
    }

    #[test]
    fn the_way_to_the_target_is_told() {
        let closed = json!({"publicNetworkAccess": "Disabled", "privateEndpointConnections": endpoint("Approved")});
        for (properties, way) in [
            (json!({}), "public"),
            (json!({"networkAcls": {"defaultAction": "Deny"}}), "public, with firewall rules"),
            (json!({"privateEndpointConnections": endpoint("Approved")}), "private endpoint and public access"),
            (closed, "private endpoint, public access off"),
        ] {
            let told = checks(judge, vault_with(properties));
            assert_eq!((told[0].code, told[0].result, seen(&told[0])), ("KC5701", Success, way));
        }
        assert_eq!(judged(judge, |e| e.target = None), [("KC5701", Skipped)]);
    }

    #[test]
    fn a_target_that_is_gone_or_closed_is_found() {
        let gone = fault(judge, |e| e.target_gone = true);
        assert_eq!(gone.code, "KC5700");
        assert!(seen(&gone).contains(vault("vault").id.as_str()), "{}", seen(&gone));
        let closed = fault(judge, vault_with(json!({"publicNetworkAccess": "Disabled"})));
        assert_eq!(closed.code, "KC5701");
        for word in ["--resource-group shop-rg", "--group-id vault", "privatelink.vaultcore.azure.net", "SUBNET"] {
            assert!(fix(&closed).contains(word), "{word}: {}", fix(&closed));
        }
        let pending = fault(judge, vault_with(json!({"privateEndpointConnections": endpoint("Pending")})));
        assert_eq!(pending.code, "KC5703");
        assert!(fix(&pending).contains(ENDPOINT), "{}", fix(&pending));
    }

    #[test]
    fn a_target_that_takes_no_tokens_is_found() {
        let keys_only = |e: &mut Evidence| {
            e.service = crate::catalogue::find("redis");
            e.target = Some(target("Microsoft.Cache/redis", "cache", json!({})));
        };
        assert_eq!(judged(judge, keys_only), [("KC5705", Error)]);
    }

    #[test]
    fn a_refusal_is_explained_by_the_network() {
        let because = |properties: Value, refusal: Refusal, inside: bool| {
            let mut e = sound();
            e.target = Some(target(VAULTS, "vault", properties));
            let seen = Seen::Addresses(vec!["10.1.2.3".parse().unwrap()]);
            e.inside = inside.then(|| Inside { pod: "web-1".into(), seen, endpoints: vec![] });
            let check = Check::failed("KC5003", "proof", "read".into(), "HTTP 403".into(), None);
            refused(&Check { refusal: Some(refusal), ..check }, &e).map(|c| (c.code, c.result == Skipped))
        };
        let by = |code: &str| Refusal::DataPlane(403, code.into());
        let private = || json!({"privateEndpointConnections": endpoint("Approved")});
        assert_eq!(because(json!({}), by("ForbiddenByFirewall"), false), Some(("KC5702", false)));
        assert_eq!(because(json!({}), by("ForbiddenByRbac"), false), None, "that is the grant's");
        assert_eq!(because(private(), by("ForbiddenByConnection"), false), Some(("KC5704", false)));
        assert_eq!(because(private(), by("ForbiddenByConnection"), true), Some(("KC5003", true)), "pods get there");
        assert_eq!(because(json!({}), Refusal::Silence, false), Some(("KC5706", false)));
    }
}
