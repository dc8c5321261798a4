//! A set-up of somebody else that can be taken over, and what was seen while looking for it.

use serde_json::{Value, json};

use crate::catalogue::Service;
use crate::kube::Workload;
use crate::lookup::records::Stored;
use crate::model::target::Target;
use crate::model::variable::Client;
use crate::model::{Auth, ResourceId};
use crate::plan::record::Origin;

/// A managed identity as Resource Graph tells it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its id.
    pub id: ResourceId,
    /// Client id.
    pub client_id: String,
    /// Object id.
    pub principal: String,
    /// Region.
    pub location: String,
}

/// A set-up that can be taken over.
#[derive(Clone)]
pub struct Candidate {
    /// What it is called.
    pub name: String,
    /// Who set it up.
    pub origin: Origin,
    /// Its service.
    pub service: &'static Service,
    /// What it leads to.
    pub target: Target,
    /// Values of the service's flags that the target's id told.
    pub parameters: Vec<(String, String)>,
    /// Way of authentication.
    pub auth: Auth,
    /// Client type.
    pub client: Client,
    /// User name that goes with a password.
    pub user: Option<String>,
    /// Workloads that use it, as `deployment/web`.
    pub workloads: Vec<String>,
    /// The service account, where there is an identity.
    pub account: Option<String>,
    /// The identity.
    pub identity: Option<Identity>,
    /// Client and object id of a service principal.
    pub principal: Option<(String, Option<String>)>,
    /// The Secret with its variables.
    pub secret: Option<String>,
}

impl Candidate {
    /// The candidate for programs.
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

/// Everything that was found.
pub struct Found {
    /// The cluster, as Azure knows it or as we name it.
    pub cluster: ResourceId,
    /// Issuer of a cluster that Azure does not know.
    pub issuer: Option<String>,
    /// What can be taken over, by name.
    pub candidates: Vec<Candidate>,
    /// What looks like a set-up and can't be taken over, and why.
    pub passed_over: Vec<String>,
    /// All records that can be seen.
    pub records: Vec<Stored>,
}

/// What the cluster shows.
pub(crate) struct Shown {
    pub accounts: Vec<Value>,
    pub workloads: Vec<Workload>,
    pub secrets: Vec<String>,
}
