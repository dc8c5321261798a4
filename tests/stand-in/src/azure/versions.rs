//! Accepted api-versions: for each type the product's version and the newest stable one.
//!
//! Other clients use other versions; with a knob every well-formed version is accepted for them.

use crate::azure::Azure;
use crate::azure::errors::gateway;
use crate::http::{Request, Response};

/// Types (in lower case) with their versions; `*` means all other types of a provider.
const VERSIONS: &[(&str, &[&str])] = &[
    ("microsoft.containerservice/managedclusters", &["2025-07-01", "2026-05-01"]),
    // Operation URLs have a different api-version, as recorded.
    ("microsoft.containerservice/locations/operations", &["2016-03-30"]),
    ("microsoft.servicelinker/linkers", &["2024-04-01"]),
    ("microsoft.servicelinker/locations/operationstatuses", &["2021-01-01-privatepreview"]),
    ("microsoft.managedidentity/*", &["2024-11-30"]),
    ("microsoft.authorization/roleassignments", &["2022-04-01"]),
    ("microsoft.authorization/roledefinitions", &["2022-04-01"]),
    ("microsoft.authorization/permissions", &["2022-04-01"]),
    ("microsoft.authorization/locks", &["2020-05-01"]),
    ("microsoft.keyvault/*", &["2025-05-01", "2026-02-01"]),
    ("microsoft.storage/*", &["2025-01-01", "2026-04-01"]),
    ("microsoft.cognitiveservices/*", &["2025-06-01", "2026-07-01"]),
    ("microsoft.appconfiguration/*", &["2024-06-01"]),
    ("microsoft.search/*", &["2025-05-01"]),
    ("microsoft.insights/*", &["2020-02-02"]),
    ("microsoft.servicebus/*", &["2024-01-01"]),
    ("microsoft.eventhub/*", &["2024-01-01", "2026-01-01"]),
    ("microsoft.signalrservice/*", &["2024-03-01"]),
    ("microsoft.cache/redisenterprise", &["2025-04-01"]),
    ("microsoft.cache/redisenterprise/databases", &["2025-04-01"]),
    ("microsoft.cache/*", &["2024-11-01"]),
    ("microsoft.documentdb/*", &["2025-04-15", "2026-03-15"]),
    ("microsoft.dbforpostgresql/*", &["2024-08-01"]),
    ("microsoft.dbformysql/*", &["2024-12-30"]),
    ("microsoft.sql/*", &["2023-08-01"]),
    ("microsoft.network/*", &["2024-10-01"]),
    ("microsoft.resourcegraph/resources", &["2024-04-01"]),
    ("microsoft.resources/subscriptions", &["2022-12-01"]),
    ("microsoft.resources/tenants", &["2022-12-01"]),
    ("microsoft.resources/*", &["2025-04-01"]),
];

/// Refuses a request without an api-version, or with one that is not accepted for its type.
pub(crate) fn check(azure: &Azure, request: &Request, kind: &str) -> Result<(), Response> {
    let Some(version) = request.q("api-version").filter(|version| !version.is_empty()) else {
        return Err(gateway(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    let shape = version.as_bytes();
    let well_formed = shape.len() >= 10
        && shape[..10].iter().enumerate().all(|(i, byte)| if i == 4 || i == 7 { *byte == b'-' } else { byte.is_ascii_digit() });
    if !well_formed {
        return Err(gateway(400, "InvalidApiVersionParameter", &format!("The api-version '{version}' is invalid.")));
    }
    if !azure.control.knobs(|knobs| knobs.strict_api_versions) {
        return Ok(());
    }
    let provider = kind.split('/').next().unwrap_or_default();
    let taken = VERSIONS
        .iter()
        .find(|(known, _)| *known == kind)
        .or_else(|| VERSIONS.iter().find(|(known, _)| known.strip_suffix("/*") == Some(provider)));
    match taken {
        Some((_, versions)) if versions.contains(&version) => Ok(()),
        Some((_, versions)) => Err(gateway(
            400,
            "NoRegisteredProviderFound",
            &format!("No provider takes api-version '{version}' for type '{kind}'. Taken are: {}.", versions.join(", ")),
        )),
        None => Err(gateway(400, "InvalidResourceType", &format!("The resource type '{kind}' is not known here."))),
    }
}

#[cfg(test)]
mod tests {
    use super::VERSIONS;

    #[test]
    fn types_are_in_lower_case() {
        assert!(VERSIONS.iter().all(|(kind, _)| *kind == kind.to_ascii_lowercase()));
    }
}
