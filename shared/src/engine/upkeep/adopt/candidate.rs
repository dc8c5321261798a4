//! A set-up of somebody else that can be adopted, and the result of searching for set-ups.

use serde_json::{Value, json};

use crate::catalogue::Service;
use crate::kube::Workload;
use crate::lookup::records::Stored;
use crate::model::target::Target;
use crate::model::variable::Client;
use crate::model::{Auth, ResourceId};
use crate::plan::record::Origin;

/// A managed identity as returned by Resource Graph.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Resource id.
    pub id: ResourceId,
    /// Client id.
    pub client_id: String,
    /// Object id.
    pub principal: String,
    /// Region.
    pub location: String,
}

/// A set-up that can be adopted.
#[derive(Clone)]
pub struct Candidate {
    /// Name.
    pub name: String,
    /// How it was set up.
    pub origin: Origin,
    /// Service.
    pub service: &'static Service,
    /// Target.
    pub target: Target,
    /// Values of service-specific flags from the target's id.
    pub parameters: Vec<(String, String)>,
    /// Way of authentication.
    pub auth: Auth,
    /// Client type.
    pub client: Client,
    /// User name that belongs to a password.
    pub user: Option<String>,
    /// Workloads that use the set-up, as `deployment/web`.
    pub workloads: Vec<String>,
    /// The service account, if there is an identity.
    pub account: Option<String>,
    /// The identity.
    pub identity: Option<Identity>,
    /// Client and object id of a service principal.
    pub principal: Option<(String, Option<String>)>,
    /// The Secret with the variables.
    pub secret: Option<String>,
}

impl Candidate {
    /// The candidate as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "madeBy": self.origin,
            "service": self.service.name,
            "target": self.target.id,
            "auth": self.auth,
            "workloads": self.workloads,
            "serviceAccount": self.account,
            "identity": self.identity.as_ref().map(|i| &i.id),
            "secret": self.secret,
        })
    }
}

/// Result of the search.
pub struct Found {
    /// The cluster's ARM id, or its synthetic id outside AKS.
    pub cluster: ResourceId,
    /// Issuer of a cluster outside AKS.
    pub issuer: Option<String>,
    /// Set-ups that can be adopted, by name.
    pub candidates: Vec<Candidate>,
    /// Set-ups that can't be adopted, with the reason.
    pub passed_over: Vec<String>,
    /// All visible records.
    pub records: Vec<Stored>,
}

/// Objects read from the cluster.
pub(crate) struct Shown {
    pub accounts: Vec<Value>,
    pub workloads: Vec<Workload>,
    pub secrets: Vec<String>,
}
