//! Where credentials come from when no kubeconfig names them.

use secrecy::SecretString;

use crate::model::Result;

/// Who knows more about clusters and their tokens than the kubeconfig does.
#[async_trait::async_trait]
pub trait Source: Send + Sync {
    /// The kubeconfig of the cluster that the command line names; `None` where it names none.
    ///
    /// # Errors
    /// Says why it can't be had.
    async fn kubeconfig(&self) -> Result<Option<SecretString>>;

    /// A token of `tenant` for the server application `audience`. Asked before every request: it is to be remembered.
    ///
    /// # Errors
    /// Says why there is none.
    async fn token(&self, tenant: Option<&str>, audience: &str) -> Result<SecretString>;
}
