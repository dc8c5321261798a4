//! Both sides of a run: the signed-in Azure session and the cluster of the kube context.

use crate::azure::{Arm, Profile, SignIn};
use crate::kube::{Cluster, Flags};
use crate::model::{Cloud, Events, Result};

/// Both sides of the bridge: the signed-in az session and the cluster of the kube context.
pub struct Session {
    /// What az knows: cloud and subscriptions.
    pub profile: Profile,
    /// Azure Resource Manager in the tenant of az's active subscription.
    pub arm: Arm,
    /// The cluster.
    pub kube: Cluster,
    /// Where progress goes.
    pub events: Events,
}

impl Session {
    /// Opens both sides. `az` is asked for its token in the background, while the kubeconfig is read and the cluster is
    /// asked its first questions.
    ///
    /// # Errors
    /// What is wrong with az's files or with the kube context.
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

    /// The cloud that az is set to.
    pub fn cloud(&self) -> &Cloud {
        &self.profile.cloud
    }
}
