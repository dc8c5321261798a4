//! Tokens from the az extension, when that started this process.
//!
//! The extension runs inside az, where the user is already signed in. So it can provide tokens within milliseconds
//! and for every kind of sign-in. It listens on a loopback port for this process only, and passes port and one-time
//! key in the environment.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::token::{Refusal, Token};
use crate::clock;
use crate::model::Kind;
use crate::model::mask;
use crate::sys;

/// Time limit for one answer. A new token may need a round trip to Entra, which az may repeat.
const LIMIT: Duration = Duration::from_secs(60);

/// Whether the az extension started this process.
pub fn is_handed_over() -> bool {
    sys::var(sys::HANDED_OVER[0]).is_some()
}

/// The active subscription of this az run.
pub(crate) fn subscription() -> Option<String> {
    sys::var(sys::HANDED_OVER[2])
}

/// The extension's token endpoint, and the key that authorises this process.
pub(crate) struct Endpoint {
    url: String,
    key: SecretString,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.url)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    token: Option<String>,
    expires_on: Option<i64>,
    error: Option<Said>,
}

#[derive(Deserialize)]
struct Said {
    code: String,
    message: String,
    recommendation: Option<String>,
}

impl Endpoint {
    /// The endpoint from the environment; `None` if the az extension did not start this process.
    pub(crate) fn from_environment() -> Option<Endpoint> {
        let [url, key, _] = sys::HANDED_OVER;
        Some(Endpoint::new(sys::var(url)?, sys::var(key)?))
    }

    pub(crate) fn new(url: String, key: String) -> Endpoint {
        Endpoint { url, key: key.into() }
    }

    /// A token of `tenant` for `scope`.
    pub(crate) async fn token(&self, tenant: Option<&str>, scope: &str) -> Result<Token, Refusal> {
        // The key must not leave this machine, so the URL must be a loopback address whatever the variable says.
        let url = Url::parse(&self.url).ok().filter(|url| url.scheme() == "http" && url.host_str() == Some("127.0.0.1"));
        let url = url.ok_or_else(|| broken("the token endpoint is not on this machine"))?;
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(LIMIT).build();
        let client = client.map_err(|e| broken(&e.to_string()))?;
        let sent = client.post(url).bearer_auth(self.key.expose_secret()).json(&json!({"scopes": [scope], "tenantId": tenant})).send();
        let reply = sent.await.map_err(|e| broken(&e.without_url().to_string()))?;
        if reply.status() != StatusCode::OK {
            return Err(broken(&format!("the token endpoint answered with HTTP {}", reply.status().as_u16())));
        }
        let answer: Answer = reply.json().await.map_err(|_| broken("the token endpoint's answer can't be parsed"))?;
        match answer {
            Answer { token: Some(token), expires_on: Some(at), .. } => {
                Ok(Token::new(token, Timestamp::from_second(at).unwrap_or_else(|_| clock::now())))
            }
            Answer { error: Some(said), .. } => Err(refused(said, tenant, scope)),
            _ => Err(broken("the token endpoint's answer has no token")),
        }
    }
}

fn broken(why: &str) -> Refusal {
    Refusal {
        kind: Kind::Failed,
        code: "KC2010",
        what: "the az extension returned no token".into(),
        why: Some(mask::tokens(why)),
        fix: "run the same command again; if that fails too, reinstall the extension: az extension remove --name connect".into(),
    }
}

fn refused(said: Said, tenant: Option<&str>, scope: &str) -> Refusal {
    let of_tenant = tenant.map(|t| format!(" --tenant {t}")).unwrap_or_default();
    let (kind, code, what, fix) = match said.code.as_str() {
        "NotSignedIn" => (Kind::NotSignedIn, "KC2002", "nobody is signed in to Azure", format!("az login{of_tenant}")),
        "SignInAgain" => {
            (Kind::NotSignedIn, "KC2004", "Entra requires you to sign in again", format!("az login{of_tenant} --scope {scope}"))
        }
        _ => {
            let fix = format!("az account get-access-token{of_tenant} --scope {scope} --output none");
            (Kind::Failed, "KC2006", "the Azure CLI (az) returned no token", fix)
        }
    };
    let fix = said.recommendation.filter(|line| !line.is_empty()).unwrap_or(fix);
    Refusal { kind, code, what: what.into(), why: Some(mask::tokens(&said.message)), fix }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Json;
    use axum::http::HeaderMap;
    use serde_json::Value;

    use super::*;
    use crate::azure::SignIn;
    use crate::azure::testing::FakeAz;

    const SCOPE: &str = "https://vault.azure.net/.default";

    /// An endpoint that always gives `answer`, if the request has the right key.
    async fn telling(answer: Value) -> (String, Arc<std::sync::Mutex<Vec<Value>>>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let heard = seen.clone();
        let handler = move |headers: HeaderMap, Json(body): Json<Value>| async move {
            if headers["authorization"] != "Bearer k3y" {
                return (axum::http::StatusCode::FORBIDDEN, Json(json!({})));
            }
            heard.lock().unwrap().push(body);
            (axum::http::StatusCode::OK, Json(answer))
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let app = axum::Router::new().route("/token", axum::routing::post(handler));
        tokio::spawn(async move { axum::serve(listener, app).await });
        (url, seen)
    }

    #[tokio::test]
    async fn tokens_come_from_the_extension_and_az_is_not_started() {
        let expires = clock::now().as_second() + 3600;
        let (url, seen) = telling(json!({"token": "t0ken", "expiresOn": expires, "subscriptionId": null, "tenantId": "t1"})).await;
        let sign_in = SignIn::from(FakeAz::saying([]), Some(Endpoint::new(url, "k3y".into())));
        assert_eq!(sign_in.token(Some("t1"), SCOPE).await.unwrap().secret(), "t0ken");
        sign_in.token(Some("T1"), SCOPE).await.unwrap();
        assert_eq!(sign_in.starts(), 0);
        assert_eq!(*seen.lock().unwrap(), [json!({"scopes": [SCOPE], "tenantId": "t1"})], "the second one is remembered");
    }

    #[tokio::test]
    async fn refusals_keep_their_code() {
        for (code, expected, kind) in
            [("NotSignedIn", "KC2002", Kind::NotSignedIn), ("SignInAgain", "KC2004", Kind::NotSignedIn), ("Other", "KC2006", Kind::Failed)]
        {
            let (url, _) = telling(json!({"error": {"code": code, "message": "AADSTS1 eyJhbGciOiJub25lIn0.eyJhIjoxfQ.abcdefg"}})).await;
            let refusal = Endpoint::new(url, "k3y".into()).token(None, SCOPE).await.unwrap_err();
            assert_eq!((refusal.code, refusal.kind), (expected, kind));
            assert_eq!(refusal.why.as_deref(), Some("AADSTS1 ***"));
        }
    }

    #[tokio::test]
    async fn the_key_stays_on_this_machine() {
        let (url, _) = telling(json!({})).await;
        for (url, key) in
            [("https://example.com/token", "k3y"), ("http://example.com/", "k3y"), ("", "k3y"), (&url, "other"), (&url, "k3y")]
        {
            let refusal = Endpoint::new(url.into(), key.into()).token(None, SCOPE).await.unwrap_err();
            assert_eq!(refusal.code, "KC2010");
            assert!(!format!("{refusal:?}").contains("k3y"));
        }
    }

    #[tokio::test]
    async fn children_do_not_inherit_what_was_handed_over() {
        let child = sys::child("env");
        let removed: Vec<_> = child.as_std().get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name.to_owned()).collect();
        assert!(sys::HANDED_OVER.iter().all(|name| removed.iter().any(|r| r == name)), "{removed:?}");
    }
}
