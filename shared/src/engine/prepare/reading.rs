//! Stage 4: reads the current state of everything that was found. Data that a later stage will probably need is
//! prefetched at the same time.

use futures::future::join3;
use serde_json::Value;

use super::asked::Asked;
use super::observed::Observed;
use super::prefetch;
use super::preflight;
use super::subject::Subject;
use crate::lookup::azure::{self, Located};
use crate::lookup::nodes;
use crate::lookup::session::Session;
use crate::model::Result;

/// What was read.
pub(crate) struct Reading {
    /// Cluster and target.
    pub located: Located,
    /// Whether the nodes' machines could be read, if the CSI driver uses an identity of the nodes.
    pub nodes_were_seen: bool,
}

impl Reading {
    /// Reads cluster and target.
    ///
    /// # Errors
    /// If cluster or target does not exist, the cluster is stopped, or no node has the identity that the driver is to
    /// use.
    pub(crate) async fn of(session: &Session, asked: &Asked, observed: &Observed, subject: &Subject) -> Result<Reading> {
        let found = &observed.azure;
        let machines_of = |cluster, body| async move {
            match asked.reads_as_nodes() {
                true => nodes::look(session, cluster, body).await,
                false => None,
            }
        };
        let reading = azure::read(session, asked.service, found, subject.identity.as_ref(), subject.past());
        let trial = prefetch::try_workload(session, asked, observed, subject);
        let (located, (), mut machines) = join3(reading, trial, machines_of(&found.cluster, &found.cluster_seen)).await;
        let located = located?;
        // If the cluster was given by id, it is not known before it is read.
        if found.cluster_seen == Value::Null {
            machines = machines_of(&located.cluster, &located.cluster_body).await;
        }
        if let (Some(machines), Some(identity)) = (&machines, &subject.identity) {
            nodes::judge(session, &located.cluster, machines, identity)?;
        }
        preflight::cluster_runs(&located.cluster_body, located.cluster.name(), located.cluster.resource_group())?;
        Ok(Reading { located, nodes_were_seen: machines.is_some() })
    }
}
