//! The data planes, on which a connection is proven.

use crate::azure::{Azure, Store};
use crate::control::Kind;
use serde_json::Value;

pub(crate) mod ai;
pub(crate) mod blob;
pub(crate) mod mount;
pub(crate) mod objects;
mod secrets;
pub(crate) mod services;
pub(crate) mod vault;

/// The data plane of a host. Only existing resources have names.
pub(crate) fn kind_of(azure: &Azure, host: &str) -> Option<Kind> {
    if host == ai::REGIONAL {
        return Some(Kind::OpenAi);
    }
    let (name, domain) = host.split_once('.')?;
    let store = azure.store();
    match domain {
        "vault.azure.net" => find(&store, "Microsoft.KeyVault/vaults", "name", name).map(|_| Kind::KeyVault),
        "blob.core.windows.net" => find(&store, "Microsoft.Storage/storageAccounts", "name", name).map(|_| Kind::Blob),
        "openai.azure.com" | "cognitiveservices.azure.com" | "services.ai.azure.com" => ai::account(&store, host).map(|_| Kind::OpenAi),
        _ => services::serves(&store, host).then_some(Kind::Data),
    }
}

/// A resource by a field of its body or its properties.
fn find<'a>(store: &'a Store, kind: &str, field: &str, value: &str) -> Option<&'a Value> {
    store.resources.values().map(|one| &one.body).find(|body| {
        let own = body[field].as_str().or(body["properties"][field].as_str());
        body["type"].as_str().is_some_and(|is| is.eq_ignore_ascii_case(kind)) && own.is_some_and(|own| own.eq_ignore_ascii_case(value))
    })
}

/// Whether a resource's network settings allow a caller from the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    Open,
    /// Public access is disabled.
    Closed,
    /// Only listed addresses are allowed, and the caller's is not listed.
    Filtered,
}

fn network(properties: &Value) -> Network {
    if properties["publicNetworkAccess"].as_str().is_some_and(|access| access.eq_ignore_ascii_case("Disabled")) {
        return Network::Closed;
    }
    let deny = properties["networkAcls"]["defaultAction"].as_str().is_some_and(|action| action.eq_ignore_ascii_case("Deny"));
    if deny { Network::Filtered } else { Network::Open }
}
