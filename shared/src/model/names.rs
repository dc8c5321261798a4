//! Deterministic names. A request gives the same names on every machine: a run after a killed one finds what was
//! created, and two users who make the same connection share its objects instead of creating them twice.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::ids::role_guid;

/// Namespace of the template function `guid()`, which Bicep files commonly use for role assignments.
const GUID_NAMESPACE: Uuid = Uuid::from_u128(0x11fb06fb_712d_4ddd_98c7_e71bbd588830);

/// Name of the role assignment of `role` for `principal` at `scope`: a UUIDv5 over all three. Case is ignored in all
/// three, so the same assignment always has the same name.
pub fn role_assignment(scope: &str, principal: &str, role_definition_id: &str) -> String {
    let name = format!("{}-{}-{}", scope.to_ascii_lowercase(), principal.to_ascii_lowercase(), role_guid(role_definition_id));
    Uuid::new_v5(&GUID_NAMESPACE, name.as_bytes()).to_string()
}

/// Name of the federated credential for a service account of a cluster: a readable part plus a hash of everything
/// that must match. A recreated cluster has a new issuer and so gets a new credential instead of overwriting the old
/// one. Fits `^[A-Za-z0-9][A-Za-z0-9_-]{2,119}$`.
pub fn federated_credential(issuer: &str, namespace: &str, service_account: &str) -> String {
    let hash = short_hash(&[issuer, namespace, service_account]);
    clipped(&format!("{namespace}-{service_account}"), 110, &hash)
}

/// Name of the managed identity for a service account of a cluster. Azure allows 3 to 128 letters, digits, hyphens
/// and underscores.
pub fn identity(cluster: &str, namespace: &str, service_account: &str) -> String {
    clipped(&format!("id-{cluster}-{namespace}-{service_account}"), 119, &short_hash(&[cluster, namespace, service_account]))
}

/// Name of a cluster outside AKS, from its issuer: a readable part plus a hash of the whole issuer.
pub fn cluster(issuer: &str) -> String {
    let readable = issuer.split_once("://").map_or(issuer, |(_, rest)| rest).trim_matches('/');
    clipped(readable, 40, &short_hash(&[issuer]))
}

/// Name of the vault secret that holds one variable of a connection. Fits `^[0-9a-zA-Z-]+$` and 127 characters.
pub fn vault_secret(cluster: &str, namespace: &str, connection: &str, variable: &str) -> String {
    let hash = short_hash(&[&cluster.to_ascii_lowercase(), namespace, connection, variable]);
    clipped(&format!("{namespace}-{connection}-{variable}").replace(['_', '.'], "-"), 110, &hash)
}

/// Default name of a connection: `<service>-<target>`, a DNS label of at most 63 characters.
pub fn connection(service: &str, target: &str) -> String {
    let name = dns_label(&format!("{service}-{target}"));
    if name.len() <= 63 { name } else { clipped(&name, 54, &short_hash(&[service, target])) }
}

/// Why `name` is not a valid connection name; `None` if it is valid. The name becomes part of object names, labels
/// and field managers.
pub fn connection_name_fault(name: &str) -> Option<String> {
    dns_label_fault(name, 63)
}

/// Why `name` is not a valid namespace; `None` if it is valid.
pub fn namespace_fault(name: &str) -> Option<String> {
    dns_label_fault(name, 63)
}

/// Why `name` is not a valid object name (DNS subdomain); `None` if it is valid.
pub fn object_name_fault(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > 253 {
        return Some("must have 1 to 253 characters".into());
    }
    name.split('.').find_map(|label| dns_label_fault(label, 253))
}

fn dns_label_fault(name: &str, most: usize) -> Option<String> {
    if name.is_empty() || name.len() > most {
        return Some(format!("must have 1 to {most} characters"));
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        return Some(format!("may contain only lower-case letters, digits and hyphens, not `{bad}`"));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Some("must begin and end with a letter or a digit".into());
    }
    None
}

fn dns_label(text: &str) -> String {
    let mapped: String = text.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    mapped.trim_matches('-').to_owned()
}

/// The first eight hexadecimal digits of SHA-256 over the parts, each followed by a zero byte, which no part
/// contains.
pub fn short_hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize()[..4].iter().map(|b| format!("{b:02x}")).collect()
}

/// `text-hash`: `text` is cut to `most` characters, and all but letters, digits, `-` and `_` become `-`.
fn clipped(text: &str, most: usize, hash: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' }).take(most).collect();
    format!("{}-{hash}", clean.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn uses_the_namespace_of_the_template_function() {
        // Test vector of the public algorithm: guid('a', 'b', 'c').
        assert_eq!(Uuid::new_v5(&GUID_NAMESPACE, b"a-b-c").to_string(), "a98fa280-e03f-5afa-8d8e-92d0a9c201e8");
    }

    #[test]
    fn one_resource_has_one_assignment_name() {
        let role = "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/4633458b-17de-408a-b874-0445c86b69e6";
        assert_eq!(role_assignment("/Subscriptions/S", "P", role), role_assignment("/subscriptions/s", "p", &role_guid(role)));
        assert_ne!(role_assignment("/subscriptions/s", "p", role), role_assignment("/subscriptions/s", "q", role));
    }

    #[test]
    fn faults_name_the_offending_character() {
        assert_eq!(connection_name_fault("my-vault"), None);
        assert!(connection_name_fault("My").unwrap().contains("`M`"));
        assert!(connection_name_fault("-a").is_some() && connection_name_fault("").is_some());
        assert!(connection_name_fault(&"a".repeat(64)).is_some());
    }

    proptest! {
        #[test]
        fn generated_names_are_valid_for_their_services(cluster in "[a-zA-Z0-9_-]{1,63}", ns in "[a-z0-9]{1,63}", sa in "[a-z0-9.]{1,100}[a-z0-9]") {
            let ok = |name: &str, most: usize| name.len() >= 3 && name.len() <= most && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            let fic = federated_credential("https://issuer/", &ns, &sa);
            prop_assert!(ok(&fic, 120), "{fic}");
            let id = identity(&cluster, &ns, &sa);
            prop_assert!(ok(&id, 128), "{id}");
            prop_assert_eq!(connection_name_fault(&connection("keyvault", &cluster)), None);
        }
    }
}
