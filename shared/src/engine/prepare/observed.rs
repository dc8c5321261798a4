//! Stage 2: reads the cluster and, at the same time, resolves the request's names in Azure.

use futures::future::join;

use super::asked::Asked;
use super::preflight;
use crate::lookup::azure::{self, Found};
use crate::lookup::cluster::{self, Survey};
use crate::lookup::session::Session;
use crate::model::Result;

/// The first state read from both sides.
pub(crate) struct Observed {
    /// The cluster: workload, records, webhook.
    pub cluster: Survey,
    /// Azure: the resources that the names stand for.
    pub azure: Found,
}

impl Observed {
    /// Reads both sides.
    ///
    /// # Errors
    /// Errors of either side. If both fail, the cluster's error is returned, so that the message is always the same.
    /// Exception: a stopped cluster does not answer, and the better message is that it is stopped.
    pub(crate) async fn look(session: &Session, asked: &Asked) -> Result<Observed> {
        let Asked { service, auth, request, .. } = asked;
        // Outside AKS, earlier records say which resource group holds the identities; the survey sends them to the search.
        let (records_tx, records_rx) = tokio::sync::oneshot::channel();
        let surveying = async {
            let surveyed = cluster::survey(&session.kube, service, request).await;
            // The search may have ended already, and does not need the records then.
            let _ = records_tx.send(surveyed.as_ref().map(Survey::own_records).unwrap_or_default());
            surveyed
        };
        let (surveyed, found) = join(surveying, azure::search(session, service, request, *auth, records_rx)).await;
        if let (Err(_), Ok(found)) = (&surveyed, &found) {
            preflight::cluster_runs(&found.cluster_seen, found.cluster.name(), found.cluster.resource_group())?;
        }
        Ok(Observed { cluster: surveyed?, azure: found? })
    }
}
