//! Credentials that don't come from a kubeconfig on disk: a cluster's own, fetched by name, and tokens of AKS' server
//! application, which kubelogin would get from the very sign-in that we hold already.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

use super::cluster_credentials::Source;
use super::flags::Flags;
use crate::model::Result;

/// What to ask for in kubelogin's place.
pub(crate) struct Azure {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) audience: String,
    pub(crate) tenant: Option<String>,
}

impl Azure {
    pub(crate) async fn token(&self) -> Result<SecretString> {
        self.source.token(self.tenant.as_deref(), &self.audience).await
    }
}

impl fmt::Debug for Azure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Azure({})", self.audience)
    }
}

pub(crate) async fn kubeconfig(flags: &Flags) -> Result<Option<SecretString>> {
    match &flags.source {
        // A context or a file named by the user beats a cluster named by its Azure name.
        Some(source) if flags.context.is_none() && flags.kubeconfig.is_none() => source.kubeconfig().await,
        _ => Ok(None),
    }
}
