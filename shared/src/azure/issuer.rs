//! The documents that an OIDC issuer publishes. Entra fetches them to check a cluster's tokens; this file fetches
//! them to see whether Entra can.

use reqwest::{Method, Url};

use super::Arm;
use super::http::Call;
use crate::model::Problem;

impl Arm {
    /// Why the issuer's two documents can't be read from this machine; `None` if they can.
    pub async fn issuer_fault(&self, issuer: &str) -> Option<String> {
        let base = issuer.trim_end_matches('/');
        let document = match self.fetch_document(&format!("{base}/.well-known/openid-configuration")).await {
            Ok(document) => document,
            Err(why) => return Some(why),
        };
        if document["issuer"] != issuer {
            return Some(format!("its discovery document names another issuer: {}", document["issuer"]));
        }
        let Some(keys) = document["jwks_uri"].as_str() else { return Some("its discovery document has no jwks_uri".into()) };
        match self.fetch_document(keys).await {
            Ok(keys) if keys["keys"].as_array().is_some_and(|k| !k.is_empty()) => None,
            Ok(_) => Some(format!("{keys} has no keys")),
            Err(why) => Some(why),
        }
    }

    async fn fetch_document(&self, url: &str) -> Result<serde_json::Value, String> {
        let parsed = Url::parse(url).map_err(|e| format!("{url}: {e}"))?;
        let reply = self.http().send(&Call::new(Method::GET, parsed)).await.map_err(|e| Problem::from(e).to_string())?;
        if !reply.is_success() {
            return Err(format!("{url} answered with HTTP {}", reply.status));
        }
        reply.json().map_err(|e| Problem::from(e).to_string())
    }
}
