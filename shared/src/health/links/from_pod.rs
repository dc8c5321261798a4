//! The addresses to which the workload's own pods resolve the target's host name. Azure knows whether a private
//! endpoint exists, but only a pod shows whether its DNS uses it. Done only with `--from-pod`, since it runs a
//! program in a container.

use std::net::IpAddr;

use crate::health::check::{Check, Outcome, found};
use crate::health::evidence::from_pod::private_endpoints;
use crate::health::evidence::seen::{Evidence, Seen};

const GROUP: &str = "target";

pub(crate) fn judge(e: &Evidence) -> Vec<Check> {
    let (Some(inside), Some(target)) = (&e.inside, &e.target) else { return vec![] };
    let (host, pod) = (&e.host, &inside.pod);
    let links = crate::health::evidence::network::endpoints(&target.properties);
    let private = links.iter().any(|(_, state)| state == "Approved");
    let wanted = match (private, inside.endpoints.as_slice()) {
        (false, _) => "an address".to_owned(),
        (true, []) => "a private address".to_owned(),
        (true, all) => shown(all),
    };
    let not_there = |seen: String| {
        let check = found("KC5707", seen, wanted.clone(), &facts(e).pairs());
        // With public access enabled, the public address works as well.
        let result = if crate::health::evidence::network::is_closed(&target.properties) { check.result } else { Outcome::Warning };
        Check { result, ..check }
    };
    vec![match (&inside.seen, private) {
        (Seen::NotTried(why), _) => Check::skipped("KC5707", GROUP, format!("the address to which pods resolve {host}"), why.clone()),
        (Seen::Unknown, true) => not_there(format!("pod {pod} does not know {host}")),
        (Seen::Unknown, false) => found("KC5706", format!("pod {pod} does not know {host}"), wanted, &e.facts().with("host", host).pairs()),
        (Seen::Addresses(all), true) if !inside.fits(all) => not_there(format!("{} in pod {pod}", shown(all))),
        (Seen::Addresses(all), true) => {
            Check::ok("KC5707", GROUP, format!("pods resolve {host} to its private endpoint"), format!("{} in pod {pod}", shown(all)))
        }
        (Seen::Addresses(all), false) => {
            Check::ok("KC5707", GROUP, format!("pods resolve {host}"), format!("{} in pod {pod}; it has no private endpoint", shown(all)))
        }
    }]
}

/// Values for the remedy: zone and endpoint of the target, network of the cluster.
fn facts(e: &Evidence) -> crate::health::evidence::gather::FactSheet {
    let zone = e.service.and_then(|s| s.private_link.ok()?.first()?.zones.first().copied());
    let subnet = e.cluster_body.as_ref().and_then(|c| c["properties"]["agentPoolProfiles"][0]["vnetSubnetID"].as_str());
    let network = subnet.and_then(|s| s.split_once("/subnets/")).map(|(network, _)| network);
    let mut facts = e.facts();
    if let Some(id) = private_endpoints(e.target.as_ref()).first() {
        facts = facts.with("group", id.resource_group()).with("endpoint", id.name());
    }
    for (key, value) in [("zone", zone), ("network", network)] {
        if let Some(value) = value {
            facts = facts.with(key, value);
        }
    }
    facts
}

fn shown(all: &[IpAddr]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::health::check::Outcome::{Error, Skipped, Success, Warning};
    use crate::health::evidence::seen::Inside;
    use crate::health::links::testing::{checks, judged, seen};
    use crate::plan::testing::{VAULTS, target};

    const ENDPOINT: &str = "10.1.2.3";
    const PUBLIC: &str = "20.61.97.10";

    fn addresses(all: &[&str]) -> Vec<IpAddr> {
        all.iter().map(|a| a.parse().unwrap()).collect()
    }

    /// A pod saw this of a vault with these properties, whose endpoint has the address [`ENDPOINT`].
    fn asked(properties: Value, seen: Seen) -> impl FnOnce(&mut Evidence) {
        move |e: &mut Evidence| {
            e.target = Some(target(VAULTS, "vault", properties));
            e.inside = Some(Inside { pod: "web-1".into(), seen, endpoints: addresses(&[ENDPOINT]) });
        }
    }

    fn private(access: &str) -> Value {
        let state = json!({"privateLinkServiceConnectionState": {"status": "Approved"}});
        json!({"publicNetworkAccess": access, "privateEndpointConnections": [{"id": "/x", "properties": state}]})
    }

    #[test]
    fn without_the_question_nothing_is_said() {
        assert_eq!(judged(judge, |_| {}), []);
        assert_eq!(judged(judge, asked(json!({}), Seen::NotTried("no shell".into()))), [("KC5707", Skipped)]);
    }

    #[test]
    fn pods_must_resolve_a_private_target_to_its_endpoint() {
        let there = checks(judge, asked(private("Disabled"), Seen::Addresses(addresses(&[ENDPOINT]))));
        assert_eq!((there[0].code, there[0].result, seen(&there[0])), ("KC5707", Success, "10.1.2.3 in pod web-1"));
        let away = checks(judge, asked(private("Disabled"), Seen::Addresses(addresses(&[PUBLIC]))));
        assert_eq!((away[0].code, away[0].result, away[0].expected.as_deref()), ("KC5707", Error, Some(ENDPOINT)));
        assert_eq!(seen(&away[0]), "20.61.97.10 in pod web-1");
        assert_eq!(judged(judge, asked(private("Disabled"), Seen::Unknown)), [("KC5707", Error)]);
        let open = asked(private("Enabled"), Seen::Addresses(addresses(&[PUBLIC])));
        assert_eq!(judged(judge, open), [("KC5707", Warning)], "the public way works as well");
    }

    #[test]
    fn a_public_target_needs_any_address() {
        assert_eq!(judged(judge, asked(json!({}), Seen::Addresses(addresses(&[PUBLIC])))), [("KC5707", Success)]);
        assert_eq!(judged(judge, asked(json!({}), Seen::Unknown)), [("KC5706", Error)]);
    }
}
