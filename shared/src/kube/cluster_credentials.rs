//! Where credentials come from when no kubeconfig names them.

use secrecy::SecretString;

use crate::model::{Events, Result};

/// Provides credentials beyond the kubeconfig.
#[async_trait::async_trait]
pub trait Source: Send + Sync {
    /// The kubeconfig of the cluster named on the command line; `None` if none is named.
    ///
    /// # Errors
    /// If the kubeconfig can't be fetched.
    async fn kubeconfig(&self, events: &Events) -> Result<Option<SecretString>>;

    /// A token of `tenant` for the server application `audience`. Called before every request, so implementations
    /// must cache.
    ///
    /// # Errors
    /// If there is no token.
    async fn token(&self, tenant: Option<&str>, audience: &str, events: &Events) -> Result<SecretString>;
}
