//! A token of the service account, requested once and shared by all checks.

use crate::kube::{Cluster, Minted};
use crate::model::{Result, TOKEN_EXCHANGE_AUDIENCE};

/// A token of the service account, requested once and shared.
#[derive(Default)]
pub(crate) struct Mint(tokio::sync::OnceCell<Result<Minted>>);

impl Mint {
    /// The token.
    pub(crate) async fn token(&self, kube: &Cluster, namespace: &str, account: &str) -> &Result<Minted> {
        let ask = || async { Ok(kube.mint_token(namespace, account, TOKEN_EXCHANGE_AUDIENCE, 600).await?) };
        self.0.get_or_init(ask).await
    }
}
