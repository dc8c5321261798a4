//! Both sides of a run: the signed-in Azure session and the cluster of the kube context.

use super::azure_session::AzureSession;
use crate::azure::{Arm, Profile};
use crate::kube::{Cluster, Flags};
use crate::model::{Cloud, Events, Result};

/// Both sides of a connection: az's sign-in and the cluster of the kube context.
pub struct Session {
    /// az's cloud and subscriptions.
    pub profile: Profile,
    /// Azure Resource Manager in the tenant of az's active subscription.
    pub arm: Arm,
    /// The cluster's body.
    pub kube: Cluster,
    /// Receiver of progress events.
    pub events: Events,
}

impl Session {
    /// Opens both sides. az is asked for a token in the background, while the kubeconfig is read and the first
    /// requests go to the cluster.
    ///
    /// # Errors
    /// Errors in az's files or in the kube context.
    pub async fn open(flags: &Flags, azure: &AzureSession, events: &Events) -> Result<Session> {
        let (profile, arm) = azure.open(events)?;
        arm.prefetch_token();
        let kube = Cluster::connect(flags, events).await?;
        Ok(Session { profile, arm, kube, events: events.clone() })
    }

    /// The same sides with empty read caches: for looks that must not see answers from before a change.
    #[must_use]
    pub fn afresh(self) -> Session {
        Session { arm: self.arm.afresh(), kube: self.kube.afresh(), ..self }
    }

    /// az's active cloud.
    pub fn cloud(&self) -> &Cloud {
        &self.profile.cloud
    }
}
