//! Permission checks and service account tokens: questions to the API server.

use base64::Engine;
use http::Method;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::call::Call;
use super::connect::Cluster;
use super::error::{Doing, Failure};
use super::permission::{Access, Allowed};
use super::resources::{Resource, SERVICE_ACCOUNT};
use crate::model::{Kind, Problem};

const ACCESS_REVIEW: Resource = Resource {
    group: "authorization.k8s.io",
    version: "v1",
    kind: "SelfSubjectAccessReview",
    plural: "selfsubjectaccessreviews",
    namespaced: false,
};

/// A service account's token. `Debug` hides it.
#[derive(Clone, Debug)]
pub struct Minted {
    /// The token.
    pub token: SecretString,
    /// The cluster's issuer, as written in the token.
    pub issuer: String,
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub subject: String,
    /// Audiences of the token.
    pub audience: Vec<String>,
    /// Time of expiry.
    pub expires: Timestamp,
}

impl Cluster {
    /// Requests a token of a service account. The API server grants at least 600 seconds.
    ///
    /// # Errors
    /// Any [`Failure`]; an absent service account is a status 404.
    pub async fn mint_token(&self, namespace: &str, service_account: &str, audience: &str, seconds: u64) -> Result<Minted, Failure> {
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": { "audiences": [audience], "expirationSeconds": seconds.max(600) },
        });
        let doing = Doing { verb: "asking for", kind: TOKEN, namespace: Some(namespace.into()), name: Some(service_account.into()) };
        let path = format!("{}/token", SERVICE_ACCOUNT.path(Some(namespace), Some(service_account)));
        // Safe to repeat: the API server stores nothing.
        let call = Call {
            method: Method::POST,
            path,
            body: Some(body),
            content_type: "application/json",
            accept: "application/json",
            doing,
            again: true,
        };
        let answer = self.send(&call).await?;
        let token = answer["status"]["token"].as_str().unwrap_or_default();
        read_claims(token).ok_or_else(|| {
            Failure::Other(
                Problem::new(Kind::Failed, "KC3501", format!("the token of serviceaccount {service_account} can't be read"))
                    .why("the API server answered with something that is not a signed service account token"),
            )
        })
    }

    /// Checks whether the user has a permission.
    ///
    /// # Errors
    /// Any [`Failure`]. A missing permission is an answer, not a failure.
    pub async fn may(&self, ask: &Access) -> Result<Allowed, Failure> {
        let mut attributes = json!({ "verb": ask.verb, "resource": ask.resource });
        let rest = [("subresource", &ask.subresource), ("namespace", &ask.namespace), ("name", &ask.name)];
        for (key, value) in rest {
            if let Some(value) = value {
                attributes[key] = value.as_str().into();
            }
        }
        if !ask.group.is_empty() {
            attributes["group"] = ask.group.as_str().into();
        }
        let body =
            json!({ "apiVersion": ACCESS_REVIEW.api_version(), "kind": ACCESS_REVIEW.kind, "spec": { "resourceAttributes": attributes } });
        let doing = Doing { verb: "asking for", kind: ACCESS_REVIEW, namespace: None, name: None };
        let call = Call {
            method: Method::POST,
            path: ACCESS_REVIEW.path(None, None),
            body: Some(body),
            content_type: "application/json",
            accept: "application/json",
            doing,
            again: true,
        };
        let status = &self.send(&call).await?["status"];
        let reason = status["reason"].as_str().filter(|r| !r.is_empty()).or(status["evaluationError"].as_str()).unwrap_or_default();
        Ok(Allowed { yes: status["allowed"] == true, reason: reason.into() })
    }
}

/// Used only in messages; the request goes to the service account's `token` subresource.
const TOKEN: Resource =
    Resource { group: "", version: "v1", kind: "ServiceAccount", plural: "a token of serviceaccounts", namespaced: true };

/// Reads a token's claims. The signature is not verified: the token came directly from the server that signed it.
fn read_claims(token: &str) -> Option<Minted> {
    let payload = token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let audience = match &claims["aud"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(Into::into).collect(),
        _ => Vec::new(),
    };
    Some(Minted {
        token: SecretString::from(token.to_owned()),
        issuer: claims["iss"].as_str()?.into(),
        subject: claims["sub"].as_str()?.into(),
        audience,
        expires: Timestamp::from_second(claims["exp"].as_i64()?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::resources::DEPLOYMENT;

    #[test]
    fn reads_claims_and_hides_the_token() {
        let part = |v: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(v.to_string());
        let claims = json!({ "iss": "https://issuer/", "sub": "system:serviceaccount:shop:web", "aud": ["api://AzureADTokenExchange"], "exp": 1_800_000_000 });
        let token = format!("{}.{}.c2ln", part(json!({ "alg": "RS256" })), part(claims));
        let minted = read_claims(&token).unwrap();
        assert_eq!((minted.issuer.as_str(), minted.audience.len()), ("https://issuer/", 1));
        assert_eq!(minted.expires.as_second(), 1_800_000_000);
        assert!(!format!("{minted:?}").contains("c2ln"));
        for bad in ["", "a.b", "a.!!.c", "a.e30.c"] {
            assert!(read_claims(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_permission_is_shown_as_in_kubectl_auth_can_i() {
        let access = Access::to("patch", &DEPLOYMENT, Some("shop")).named("web");
        assert_eq!(access.to_string(), "patch deployments.apps/web -n shop");
        assert_eq!(
            Access::to("create", &SERVICE_ACCOUNT, Some("shop")).subresource("token").to_string(),
            "create serviceaccounts --subresource=token -n shop"
        );
    }
}
