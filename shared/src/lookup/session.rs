//! Both sides of a run: the signed-in Azure session and the cluster of the kube context.

use crate::azure::{Arm, Profile, SignIn};
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
    pub async fn open(flags: &Flags, events: &Events) -> Result<Session> {
        let (profile, arm) = Self::azure(events)?;
        arm.prefetch_token();
        let kube = Cluster::connect(flags, events).await?;
        Ok(Session { profile, arm, kube, events: events.clone() })
    }

    pub(crate) fn azure(events: &Events) -> Result<(Profile, Arm)> {
        let profile = Profile::load()?;
        let tenant = profile.active().map(|s| s.tenant.clone());
        let arm = Arm::new(profile.cloud.clone(), SignIn::new(), tenant, events.clone())?;
        Ok((profile, arm))
    }

    /// az's active cloud.
    pub fn cloud(&self) -> &Cloud {
        &self.profile.cloud
    }
}
