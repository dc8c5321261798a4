//! Credentials that don't come from a kubeconfig file: those of a cluster fetched by its Azure name, and tokens for
//! AKS' server application, which kubelogin would get from the sign-in that this process already has.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

use super::cluster_credentials::Source;
use super::flags::Flags;
use crate::model::{Events, Result};

/// The token to request in place of kubelogin.
pub(crate) struct Azure {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) audience: String,
    pub(crate) tenant: Option<String>,
    pub(crate) events: Events,
}

impl Azure {
    pub(crate) async fn token(&self) -> Result<SecretString> {
        self.source.token(self.tenant.as_deref(), &self.audience, &self.events).await
    }
}

impl fmt::Debug for Azure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Azure({})", self.audience)
    }
}

pub(crate) async fn kubeconfig(flags: &Flags, events: &Events) -> Result<Option<SecretString>> {
    match &flags.source {
        // A context or file named by the user takes precedence over a cluster named by its Azure name.
        Some(source) if flags.context.is_none() && flags.kubeconfig.is_none() => source.kubeconfig(events).await,
        _ => Ok(None),
    }
}
