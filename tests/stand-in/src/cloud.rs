//! Routes hosts to services.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::azure::Azure;
use crate::control::{Control, Kind};
use crate::data;
use crate::entra;
use crate::http::{Request, Response};
use crate::kube::KubeCluster;

/// Everything behind the proxy.
pub(crate) struct Cloud {
    pub(crate) azure: Arc<Azure>,
    pub(crate) clusters: BTreeMap<String, KubeCluster>,
}

impl Cloud {
    pub(crate) fn control(&self) -> &Control {
        &self.azure.control
    }

    pub(crate) fn timestamp(&self) -> String {
        self.azure.timestamp()
    }

    /// The service behind a host, if any: as in real DNS, only existing resources have names.
    pub(crate) fn kind_of(&self, host: &str, path: &str) -> Option<Kind> {
        if host == "management.azure.com" {
            let graph = path.to_ascii_lowercase().starts_with("/providers/microsoft.resourcegraph/");
            return Some(if graph { Kind::Graph } else { Kind::Arm });
        }
        if host == "login.microsoftonline.com" {
            return Some(Kind::Entra);
        }
        if host == "graph.microsoft.com" {
            return Some(Kind::People);
        }
        if self.clusters.contains_key(host) {
            return Some(Kind::Kube);
        }
        // Names inside a cluster can't be resolved outside it.
        let publishes = |one: &crate::world::Cluster| one.is_elsewhere() && one.issuer.starts_with(&format!("https://{host}/"));
        let outside = !host.ends_with(".svc.cluster.local");
        if host.ends_with(".oic.prod-aks.azure.com") || outside && self.azure.world.clusters.iter().any(publishes) {
            return Some(Kind::Oidc);
        }
        data::kind_of(&self.azure, host)
    }

    /// Marks the identity of a credential write; the inner error is the refusal if it is already marked.
    pub(crate) fn occupy(&self, request: &Request) -> Option<Result<crate::azure::credentials::Occupied, Response>> {
        crate::azure::credentials::occupy(&self.azure, request)
    }

    pub(crate) async fn handle(&self, kind: Kind, request: Request) -> Response {
        self.azure.settle();
        match kind {
            Kind::Arm | Kind::Graph => self.azure.handle(&request),
            Kind::Entra => entra::handle(&self.azure, &request),
            Kind::People => entra::people::handle(&self.azure, &request),
            Kind::Oidc => entra::published_keys(&self.azure, &request),
            Kind::KeyVault => data::vault::handle(&self.azure, &request),
            Kind::Blob => data::blob::handle(&self.azure, &request),
            Kind::Data => data::services::handle(&self.azure, &request),
            Kind::OpenAi => data::ai::handle(&self.azure, &request),
            Kind::Kube => match self.clusters.get(&request.host) {
                Some(cluster) => cluster.clone().handle(request).await,
                None => Response::empty(502),
            },
            Kind::Az | Kind::Unknown => Response::empty(502),
        }
    }
}
