//! The catalogue: everything this tool knows about each service, as data, one file per service.
//!
//! Adding a service is one file here and one line in [`SERVICES`]. Subcommands, aliases, help, the `services` table and
//! the contract tests all follow from the list.

mod cognitiveservices;
mod keyvault;
mod storage_blob;

use crate::model::access::{Access, Grant, Role};
use crate::model::target::Target;
use crate::model::variable::{Client, Variable};
use crate::model::{Cloud, names};

/// Every service, in the order in which they are shown.
pub static SERVICES: &[&Service] = &[&keyvault::SERVICE, &storage_blob::SERVICE, &cognitiveservices::SERVICE];

/// A kind of Azure resource that workloads can be connected to.
pub struct Service {
    /// The word on the command line, equal to Service Connector's where it has one.
    pub name: &'static str,
    /// Other words for it.
    pub aliases: &'static [&'static str],
    /// What people call it: `Key Vault`.
    pub title: &'static str,
    /// What one of it is called in a sentence: `vault`.
    pub noun: &'static str,
    /// ARM type of the resource that is looked up.
    pub arm_type: &'static str,
    /// api-version that the resource is read with.
    pub api_version: &'static str,
    /// Kinds of the resource that belong to this service; empty: all.
    pub kinds: &'static [&'static str],
    /// Client types that it has variables for.
    pub clients: &'static [Client],
    /// Access level where none is asked for: the least with which the usual client libraries work.
    pub default_access: Access,
    /// Ways to reach it privately.
    pub private_link: &'static [PrivateLink],
    /// Documentation of the service's Entra authentication.
    pub docs: &'static str,
    /// What lets an identity in at a level of access.
    pub grants: fn(&Target, Access) -> Vec<Grant>,
    /// Why this particular resource can't be used, if so.
    pub refusal: fn(&Target) -> Option<Refusal>,
    /// The variables for a client type.
    pub variables: fn(&Target, &Cloud, Client) -> Vec<Variable>,
    /// A read on the data plane that proves access without reading a secret.
    pub probe: fn(&Target, &Cloud) -> Probe,
}

/// A sub-resource for private endpoints and the private DNS zones of the public cloud that go with it
/// (product documentation of private endpoint DNS).
pub struct PrivateLink {
    /// Group id of the private endpoint connection.
    pub group: &'static str,
    /// Zone names in the public cloud.
    pub zones: &'static [&'static str],
}

/// Why a resource can't be connected to, and what to do about it.
pub struct Refusal {
    /// Stable code.
    pub code: &'static str,
    /// What is wrong with the resource.
    pub what: String,
    /// Why that matters.
    pub why: &'static str,
    /// The command that changes it.
    pub fix: String,
}

/// One read on a data plane.
pub struct Probe {
    /// Scope of the Entra token that it needs.
    pub scope: String,
    /// What is read, for people: `list the names of secrets`.
    pub what: &'static str,
    /// URL of the GET.
    pub url: String,
    /// Headers besides the bearer token.
    pub headers: &'static [(&'static str, &'static str)],
}

impl Service {
    /// Whether `word` names this service.
    pub fn is_called(&self, word: &str) -> bool {
        self.name.eq_ignore_ascii_case(word) || self.aliases.iter().any(|a| a.eq_ignore_ascii_case(word))
    }

    /// Default name of a connection to `target`.
    pub fn connection_name(&self, target: &str) -> String {
        names::connection(self.name, target)
    }
}

/// The service called `word`, by name or alias.
pub fn find(word: &str) -> Option<&'static Service> {
    SERVICES.iter().copied().find(|s| s.is_called(word))
}

/// The service that a resource of this ARM type and kind belongs to.
pub fn of_type(arm_type: &str) -> Option<&'static Service> {
    SERVICES.iter().copied().find(|s| s.arm_type.eq_ignore_ascii_case(arm_type))
}

/// Short form for the catalogue's files.
fn role(name: &str, id: &str) -> Grant {
    Grant::Role(Role { name: name.into(), id: id.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::HashSet;

    fn some_target(service: &Service) -> Target {
        let id = crate::model::ResourceId::resource("s", "rg", service.arm_type, "thing");
        Target::from_arm(
            id,
            &json!({"kind": service.kinds.first(), "location": "westeurope",
                "properties": {"enableRbacAuthorization": true, "customSubDomainName": "thing"}}),
        )
    }

    #[test]
    fn words_are_unique() {
        let mut seen = HashSet::new();
        for service in SERVICES {
            for word in std::iter::once(&service.name).chain(service.aliases) {
                assert!(seen.insert(word.to_ascii_lowercase()), "{word} names two services");
            }
        }
    }

    #[test]
    fn no_entry_lacks_a_fact() {
        for service in SERVICES {
            let target = some_target(service);
            assert!((service.refusal)(&target).is_none(), "{}", service.name);
            for level in Access::ALL {
                assert!(!(service.grants)(&target, level).is_empty(), "{} grants nothing for {level}", service.name);
            }
            for client in service.clients {
                let variables = (service.variables)(&target, &Cloud::public(), *client);
                let names: HashSet<_> = variables.iter().map(|v| &v.name).collect();
                assert!(!variables.is_empty() && names.len() == variables.len(), "{} for {}", service.name, client.word());
            }
            let probe = (service.probe)(&target, &Cloud::public());
            assert!(probe.url.starts_with("https://") && probe.scope.ends_with("/.default"), "{}", service.name);
            assert!(service.clients.contains(&Client::None) && service.docs.starts_with("https://") && !service.private_link.is_empty());
        }
    }

    #[test]
    fn roles_are_guids() {
        for service in SERVICES {
            for level in Access::ALL {
                for grant in (service.grants)(&some_target(service), level) {
                    if let Grant::Role(role) = grant {
                        assert!(uuid::Uuid::parse_str(&role.id).is_ok(), "{} {}", service.name, role.name);
                    }
                }
            }
        }
    }
}
