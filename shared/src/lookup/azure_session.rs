//! The Azure half of a run: opened when something first needs it and shared by everybody in the run. So az is started
//! once per tenant and scope, also where the cluster's credentials come from Azure.

use std::sync::{Arc, Mutex, PoisonError};

use crate::azure::{Arm, Profile, SignIn};
use crate::model::{Events, Result};

/// The sign-in of a run. Clones share it.
#[derive(Clone, Default)]
pub struct AzureSession(Arc<Mutex<Option<(Profile, Arm)>>>);

impl AzureSession {
    /// az's cloud and subscriptions, and Azure Resource Manager in the tenant of az's active subscription. `events`
    /// receives what this client reports.
    ///
    /// # Errors
    /// Errors in az's files.
    pub fn open(&self, events: &Events) -> Result<(Profile, Arm)> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((profile, arm)) = &*held {
            return Ok((profile.clone(), arm.with_events(events)));
        }
        let profile = Profile::load()?;
        let tenant = profile.active().map(|s| s.tenant.clone());
        let arm = Arm::new(profile.cloud.clone(), SignIn::new(), tenant, events.clone())?;
        Ok(held.insert((profile, arm)).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_signs_in_once() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let run = AzureSession::default();
        let sign_in = |run: &AzureSession| run.open(&Events::silent()).unwrap().1.sign_in().clone();
        assert!(Arc::ptr_eq(&sign_in(&run), &sign_in(&run.clone())));
        assert!(!Arc::ptr_eq(&sign_in(&run), &sign_in(&AzureSession::default())));
    }
}
