//! Reads and writes secrets of a vault with the user's token. Their values stay within this process and the vault:
//! request and response bodies are not logged.

use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::http::{Call, Payload, Reply};
use super::{Arm, Failure};
use crate::clock::Wait;
use crate::model::{Kind, Problem};

/// API version of the data plane (REST reference of Key Vault).
const VERSION: &str = "7.6";

impl Arm {
    /// Reads a secret with its value and tags; `None` if there is no secret of this name.
    ///
    /// # Errors
    /// Any error of the vault except absence.
    pub async fn vault_secret(&self, vault: &str, name: &str) -> Result<Option<Value>, Failure> {
        let reply = self.ask_vault(Method::GET, &format!("{vault}/secrets/{name}/"), None).await?;
        match reply.status {
            404 => Ok(None),
            _ => checked(&reply).map(Some),
        }
    }

    /// Writes a secret. A soft-deleted secret of the same name blocks the name, so it is recovered first.
    ///
    /// # Errors
    /// Errors of the vault.
    pub async fn set_vault_secret(&self, vault: &str, name: &str, value: &str, tags: &Value) -> Result<Value, Failure> {
        let (url, body) = (format!("{vault}/secrets/{name}"), json!({"value": value, "contentType": "text/plain", "tags": tags}));
        let mut reply = self.ask_vault(Method::PUT, &url, Some(body.clone())).await?;
        if reply.status == 409 && is_in_the_bin(&reply) {
            checked(&self.ask_vault(Method::POST, &format!("{vault}/deletedsecrets/{name}/recover"), None).await?)?;
            // Recovery continues after its answer, so the write is repeated until the name is free.
            let mut wait = Wait::new(self.events(), &url, format!("waiting for the vault to bring back the deleted secret {name}"));
            for _ in 0..30 {
                reply = self.ask_vault(Method::PUT, &url, Some(body.clone())).await?;
                if reply.status != 409 {
                    break;
                }
                wait.pause(std::time::Duration::from_secs(1)).await;
            }
        }
        checked(&reply)
    }

    /// Deletes a secret; the vault keeps it as soft-deleted. Returns whether it existed.
    ///
    /// # Errors
    /// Any error of the vault except absence.
    pub async fn delete_vault_secret(&self, vault: &str, name: &str) -> Result<bool, Failure> {
        let reply = self.ask_vault(Method::DELETE, &format!("{vault}/secrets/{name}"), None).await?;
        match reply.status {
            404 => Ok(false),
            _ => checked(&reply).map(|_| true),
        }
    }

    async fn ask_vault(&self, method: Method, url: &str, body: Option<Value>) -> Result<Reply, Failure> {
        let scope = format!("https://{}/.default", self.cloud().keyvault_suffix);
        let token = self.token(&scope).await?;
        let shown = url.to_owned();
        let url = Url::parse(&format!("{url}?api-version={VERSION}"))
            .map_err(|e| Failure::Problem(Problem::new(Kind::Failed, "KC4039", format!("`{shown}` is not a URL")).why(e.to_string())))?;
        let payload = body.map_or(Payload::Nothing, Payload::Json);
        let reads = method == Method::GET;
        self.http().send(&Call { token: Some(&token), payload, reads, ..Call::new(method, url) }).await
    }
}

fn is_in_the_bin(reply: &Reply) -> bool {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    body["error"]["innererror"]["code"] == "ObjectIsDeletedButRecoverable"
}

fn checked(reply: &Reply) -> Result<Value, Failure> {
    if reply.is_success() { reply.json() } else { Err(reply.error().into()) }
}
