//! Network settings in a target's properties: public access, firewall, private endpoints.

use std::net::IpAddr;

use serde_json::Value;

pub(crate) fn is_closed(properties: &Value) -> bool {
    properties["publicNetworkAccess"].as_str().is_some_and(|p| p.eq_ignore_ascii_case("Disabled"))
}

pub(crate) fn has_firewall(properties: &Value) -> bool {
    properties["networkAcls"]["defaultAction"].as_str().is_some_and(|a| a.eq_ignore_ascii_case("Deny"))
}

/// Private endpoint connections: id and state.
pub(crate) fn endpoints(properties: &Value) -> Vec<(String, String)> {
    let listed = properties["privateEndpointConnections"].as_array();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    listed.into_iter().flatten().map(|c| (text(&c["id"]), text(&c["properties"]["privateLinkServiceConnectionState"]["status"]))).collect()
}

/// Whether an address is private: RFC 1918, carrier-grade NAT (which AKS allows for networks), unique local.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_recognised() {
        for (address, private) in
            [("10.1.2.3", true), ("100.64.0.9", true), ("100.128.0.9", false), ("20.61.97.10", false), ("fd00::1", true)]
        {
            assert_eq!(is_private(address.parse().unwrap()), private, "{address}");
        }
    }
}
