//! The token exchange that the workload will do: a Kubernetes token for an Entra token of the identity. Doing it
//! here, with a token of the workload's service account, checks issuer, subject, audience and client id at once.

use jiff::SignedDuration;
use reqwest::{Method, Url};
use serde_json::Value;
use uuid::Uuid;

use super::http::{Call, Payload};
use super::{Arm, Failure, Token};
use crate::clock;
use crate::model::mask;
use crate::model::{Kind, Problem};

/// Input of the exchange.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// Tenant of the identity.
    pub tenant: &'a str,
    /// The identity's client id.
    pub client_id: &'a str,
    /// The service account's token, with the audience of the federated credential. Secret.
    pub assertion: &'a str,
    /// Scope of the requested token: `https://vault.azure.net/.default`.
    pub scope: &'a str,
}

/// A refusal by Entra.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRefused {
    /// AADSTS numbers. Decisions use these, not the text.
    pub codes: Vec<u32>,
    /// First line of Entra's message, without the trace ids at its end.
    pub message: String,
    /// Entra's correlation id.
    pub correlation_id: Option<String>,
}

impl ExchangeRefused {
    /// Whether a new identity or federated credential may cause this refusal until all of Entra knows it. Then it is
    /// worth retrying for a few minutes; the refusal may also return after a first success (Entra docs: federation
    /// considerations).
    pub fn may_be_propagation(&self) -> bool {
        // No credential matches (70021; issuer 700211; subject 700213), there is no credential (70025), the client is
        // unknown (700016), or the issuer's keys can't be fetched yet (5000224, 90061, 50166).
        const SOON_BETTER: [u32; 8] = [70021, 700_211, 700_213, 70025, 700_016, 5_000_224, 90061, 50166];
        self.codes.iter().any(|code| SOON_BETTER.contains(code))
    }
}

impl Arm {
    /// Exchanges a Kubernetes token at Entra. The inner result is Entra's answer: a token or a refusal.
    ///
    /// # Errors
    /// Network errors, throttling and server errors, which say nothing about the credential.
    pub async fn exchange(&self, e: &Exchange<'_>) -> Result<Result<Token, ExchangeRefused>, Failure> {
        let url = token_url(&self.cloud().authority, e.tenant)?;
        let fields = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", e.client_id.to_owned()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
            ("client_assertion", e.assertion.to_owned()),
            ("scope", e.scope.to_owned()),
        ];
        let headers = vec![("client-request-id".to_owned(), Uuid::new_v4().to_string())];
        // A token request changes nothing at Entra, so it may be repeated.
        let call = Call { headers, payload: Payload::Form(fields), reads: true, ..Call::new(Method::POST, url) };
        let asked_at = clock::now();
        let reply = self.http().send(&call).await?;
        if !reply.is_success() {
            let body = reply.json().unwrap_or_default();
            return match refused(&body) {
                Some(refused) if reply.status < 500 && reply.status != 429 => Ok(Err(refused)),
                _ => Err(reply.error().into()),
            };
        }
        let body = reply.json()?;
        let seconds = body.get("expires_in").and_then(|v| v.as_i64().or_else(|| v.as_str()?.parse().ok())).unwrap_or(3600);
        match body.get("access_token").and_then(Value::as_str) {
            Some(secret) => Ok(Ok(Token::new(secret.to_owned(), asked_at + SignedDuration::from_secs(seconds.clamp(0, 7 * 86_400))))),
            None => Err(Problem::new(Kind::Failed, "KC4037", "Entra's answer has no token").into()),
        }
    }
}

fn token_url(authority: &str, tenant: &str) -> Result<Url, Failure> {
    let clean = !tenant.is_empty() && tenant.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    let url = Url::parse(&format!("{authority}/{tenant}/oauth2/v2.0/token")).ok().filter(|_| clean);
    url.ok_or_else(|| Problem::new(Kind::Usage, "KC4038", format!("`{tenant}` is not a tenant id")).into())
}

/// Parses Entra's error body. `error_codes` decide; the text is only shown.
fn refused(body: &Value) -> Option<ExchangeRefused> {
    let codes = body.get("error_codes").and_then(Value::as_array).into_iter().flatten();
    let codes: Vec<u32> = codes.filter_map(|code| code.as_u64().and_then(|code| code.try_into().ok())).collect();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let told = text("error_description").or_else(|| text("error"))?;
    // Older answers have the trace ids on separate lines, newer ones after a blank.
    let message = told.lines().next().unwrap_or_default().split(" Trace ID:").next().unwrap_or_default().trim();
    Some(ExchangeRefused { codes, message: mask::tokens(message), correlation_id: text("correlation_id").map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::testing::{Service, told};
    use serde_json::json;

    const EXCHANGE: Exchange<'_> =
        Exchange { tenant: "t-1", client_id: "c1", assertion: "aaa.bbb.ccc", scope: "https://vault.azure.net/.default" };

    fn refusal(code: u32, tail: &str) -> String {
        json!({"error": "invalid_client", "error_description": format!("AADSTS{code}: No match.{tail}"), "error_codes": [code], "correlation_id": "cc", "trace_id": "tt"}).to_string()
    }

    #[tokio::test]
    async fn the_request_equals_that_of_a_workload() {
        let service =
            Service::telling([told(200, &[], json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "opaque"}))]).await;
        let token = service.arm().exchange(&EXCHANGE).await.unwrap().unwrap();
        assert_eq!(token.secret(), "opaque");
        assert!(token.expires() > clock::now() + SignedDuration::from_mins(59));
        let seen = &service.seen()[0];
        assert_eq!(seen.line(), "POST /t-1/oauth2/v2.0/token");
        assert_eq!(
            seen.body,
            "grant_type=client_credentials&client_id=c1&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion=aaa.bbb.ccc&scope=https%3A%2F%2Fvault.azure.net%2F.default"
        );
        assert!(!seen.headers.contains_key("authorization"), "az's token is not for Entra");
    }

    #[tokio::test]
    async fn reads_both_forms_of_a_refusal() {
        for tail in ["\r\nTrace ID: tt\r\nCorrelation ID: cc", " Trace ID: tt Correlation ID: cc Timestamp: x"] {
            let service = Service::telling([told(401, &[], refusal(700_213, tail))]).await;
            let refused = service.arm().exchange(&EXCHANGE).await.unwrap().unwrap_err();
            assert_eq!(
                (refused.codes.as_slice(), refused.message.as_str(), refused.correlation_id.as_deref()),
                (&[700_213][..], "AADSTS700213: No match.", Some("cc"))
            );
            assert!(refused.may_be_propagation());
        }
    }

    #[tokio::test]
    async fn an_answer_that_proves_nothing_is_a_failure() {
        let page = Service::telling([told(403, &[], "<html><title>Proxy</title></html>")]).await;
        assert_eq!(page.arm().exchange(&EXCHANGE).await.unwrap_err().status(), Some(403));
        let busy = Service::telling([told(429, &[("retry-after", "0")], json!({"error": "temporarily_unavailable"}))]).await;
        assert_eq!((busy.arm().exchange(&EXCHANGE).await.unwrap_err().status(), busy.seen().len()), (Some(429), 5));
        let tenant = Exchange { tenant: "a/../b", ..EXCHANGE };
        assert!(matches!(busy.arm().exchange(&tenant).await, Err(Failure::Problem(p)) if p.code() == "KC4038"));
    }

    #[test]
    fn only_temporary_refusals_may_be_propagation() {
        let of = |code: u32| ExchangeRefused { codes: vec![code], message: String::new(), correlation_id: None }.may_be_propagation();
        assert!([70021, 700_211, 700_213, 70025, 700_016, 5_000_224, 90061, 50166].into_iter().all(of));
        assert!(![700_212, 7_002_138, 700_024, 50027, 90002, 500_011].into_iter().any(of));
    }
}
