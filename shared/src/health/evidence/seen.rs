//! The evidence: everything that was read before the links are evaluated.

use std::net::IpAddr;

use serde_json::Value;

use super::network::is_private;
use crate::catalogue::Service;
use crate::kube::Workload;
use crate::model::ResourceId;
use crate::model::target::Target;
use crate::plan::record::Record;

/// Claims of a service account token.
#[derive(Clone, Debug)]
pub(crate) struct TokenSays {
    pub issuer: String,
    pub subject: String,
    pub audience: String,
}

/// The evidence for all links.
#[derive(Default)]
pub(crate) struct Evidence {
    pub(crate) namespace: String,
    pub(crate) record: Option<Record>,
    pub(crate) authority: String,
    pub(crate) cluster: Option<ResourceId>,
    pub(crate) cluster_body: Option<Value>,
    pub(crate) hooks: Option<Vec<Value>>,
    pub(crate) hook_deployments: Vec<Value>,
    /// Command that installs the webhook in a cluster outside AKS.
    pub(crate) webhook_fix: String,
    pub(crate) workload: Option<Workload>,
    pub(crate) pods: Option<Vec<Value>>,
    pub(crate) events: Vec<Value>,
    pub(crate) account_name: String,
    pub(crate) account: Option<Value>,
    pub(crate) accounts: Vec<Value>,
    pub(crate) elsewhere: Vec<String>,
    pub(crate) services: Vec<Value>,
    pub(crate) identity: Option<Value>,
    pub(crate) identity_hidden: bool,
    pub(crate) credentials: Option<Vec<Value>>,
    pub(crate) assignments: Option<Vec<Value>>,
    /// Assignments listed by the target's data plane, if the connection's grant is one of those.
    pub(crate) own_grants: Option<Vec<Value>>,
    pub(crate) service: Option<&'static Service>,
    pub(crate) target: Option<Target>,
    pub(crate) target_gone: bool,
    /// Host of the target's data plane in the current cloud; empty if unknown.
    pub(crate) host: String,
    /// The addresses to which a pod resolves that host, if requested.
    pub(crate) inside: Option<self::Inside>,
    pub(crate) store: Option<Target>,
    pub(crate) secret: Option<Option<Value>>,
    pub(crate) secret_differs: Vec<String>,
    pub(crate) token: Option<TokenSays>,
    pub(crate) issuer_fault: Option<String>,
    pub(crate) classes: Vec<(String, Option<Value>)>,
    pub(crate) driver: Option<Option<Value>>,
    pub(crate) driver_pods: Vec<Value>,
}

/// The result of asking a pod.
pub(crate) struct Inside {
    pub(crate) pod: String,
    pub(crate) seen: Seen,
    /// Addresses of the target's private endpoints that the user may read.
    pub(crate) endpoints: Vec<IpAddr>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The resolved addresses.
    Addresses(Vec<IpAddr>),
    /// The pod's DNS does not know the name.
    Unknown,
    /// No pod could be asked, and why.
    NotTried(String),
}

impl Inside {
    /// Whether pods reach the target's private endpoint.
    pub(crate) fn is_private(&self, e: &Evidence) -> bool {
        let approved = e
            .target
            .as_ref()
            .is_some_and(|t| crate::health::evidence::network::endpoints(&t.properties).iter().any(|(_, state)| state == "Approved"));
        approved && matches!(&self.seen, Seen::Addresses(all) if self.fits(all))
    }

    pub(crate) fn fits(&self, addresses: &[IpAddr]) -> bool {
        match self.endpoints.is_empty() {
            true => addresses.iter().all(|a| is_private(*a)),
            false => addresses.iter().all(|a| self.endpoints.contains(a)),
        }
    }
}
