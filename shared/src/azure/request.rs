//! Requests to ARM: URL, headers and token, and what happens if the token is not accepted.

use base64::Engine as _;
use reqwest::{Method, Url};
use uuid::Uuid;

use super::http::{Call, Payload, Reply};
use super::{Arm, Failure};
use crate::model::{Kind, Problem};

impl Arm {
    /// Sends one request with ARM's headers and a token. If the service reports the token as expired or invalid, the
    /// request is repeated once with a new token.
    pub(crate) async fn ask(
        &self,
        method: Method,
        url: Url,
        payload: Payload,
        if_match: Option<&str>,
        reads: bool,
    ) -> Result<Reply, Failure> {
        let (tenant, scope) = (self.tenant(), self.cloud().arm_scope());
        let mut call = Call { payload, reads, ..Call::new(method, url) };
        let mut renewed = false;
        loop {
            let token = self.token_of(tenant, &scope).await?;
            call.headers = vec![
                ("x-ms-client-request-id".into(), Uuid::new_v4().to_string()),
                ("x-ms-correlation-request-id".into(), self.correlation_id().to_owned()),
                ("x-ms-return-client-request-id".into(), "true".into()),
            ];
            call.headers.extend(if_match.map(|tag| ("if-match".to_owned(), tag.to_owned())));
            let reply = self
                .http()
                .send(&Call {
                    token: Some(&token),
                    headers: call.headers.clone(),
                    payload: call.payload.clone(),
                    url: call.url.clone(),
                    method: call.method.clone(),
                    ..call
                })
                .await?;
            if reply.status != 401 {
                return Ok(reply);
            }
            if let Some(claims) =
                reply.headers.get_all("www-authenticate").iter().filter_map(|v| v.to_str().ok()).find_map(claims_challenge)
            {
                return Err(challenged(tenant, &scope, &claims, self.correlation_id()).into());
            }
            let error = reply.error();
            if renewed || !(error.is("ExpiredAuthenticationToken") || error.is("InvalidAuthenticationToken")) {
                return Ok(reply);
            }
            renewed = true;
            self.sign_in().forget(tenant, &scope, &token);
        }
    }

    /// The URL of a path below ARM. Names come from users and clusters, so no name may change the structure of the
    /// path.
    pub(crate) fn url(&self, path: &str, api_version: &str, query: &[(&str, &str)]) -> Result<Url, Failure> {
        let mut url = self.base().clone();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        if segments.iter().any(|s| matches!(*s, "" | "." | "..")) {
            return Err(Problem::new(Kind::Failed, "KC4034", format!("`{path}` is not a path of Azure Resource Manager")).into());
        }
        if let Ok(mut into) = url.path_segments_mut() {
            // `extend` encodes `?`, `#`, `%` and blanks.
            into.pop_if_empty().extend(segments);
        }
        url.query_pairs_mut().append_pair("api-version", api_version).extend_pairs(query);
        Ok(url)
    }

    /// Checks a URL from a service before it is called: the token may go only to ARM's own host.
    pub(crate) fn own_url(&self, given: &str) -> Result<Url, Failure> {
        let base = self.base();
        match base.join(given) {
            Ok(url) if url.origin() == base.origin() => Ok(url),
            other => {
                let host = other.ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| given.chars().take(80).collect());
                Err(Problem::new(
                    Kind::Failed,
                    "KC4035",
                    format!("Azure's answer points to {host}, which is not {}", base.host_str().unwrap_or_default()),
                )
                .why("the token is for Azure Resource Manager only and is not sent elsewhere")
                .into())
            }
        }
    }

    /// The reply, if it is not an error.
    pub(crate) fn accepted<'r>(&self, reply: &'r Reply) -> Result<&'r Reply, Failure> {
        if reply.is_success() {
            return Ok(reply);
        }
        let mut error = reply.error();
        // ARM repeats the correlation id in errors. A proxy does not, so this run's id is added; with a proxy error
        // it finds nothing.
        error.correlation_id.get_or_insert_with(|| self.correlation_id().to_owned());
        Err(error.into())
    }
}

/// The claims of a continuous-access challenge, as base64, exactly as the service sent them (azure-cli 31777).
fn claims_challenge(header: &str) -> Option<String> {
    let at = header.find("claims=")?;
    let value = header[at + "claims=".len()..].trim_start_matches('"').split(['"', ',']).next()?;
    let decodes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(value.trim_end_matches('=')).is_ok();
    (decodes && !value.is_empty()).then(|| value.to_owned())
}

fn challenged(tenant: Option<&str>, scope: &str, claims: &str, correlation_id: &str) -> Problem {
    let tenant = tenant.map(|t| format!(" --tenant {t}")).unwrap_or_default();
    Problem::new(Kind::NotSignedIn, "KC2007", "Azure requires you to sign in again")
        .why("a Conditional Access policy or a change of the account ended the current sign-in")
        .fix(format!("az logout; az login{tenant} --scope {scope} --claims-challenge {claims}"))
        .request(format!("correlation {correlation_id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::testing::{Service, told};
    use serde_json::json;

    const VAULT: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v";

    #[tokio::test]
    async fn every_request_has_the_runs_id_and_a_new_request_id() {
        let service = Service::telling([told(200, &[], "{}")]).await;
        let arm = service.arm();
        for path in ["/a", "/b"] {
            arm.read(path, "v1", &[("$filter", "principalId eq 'x y'")]).await.unwrap();
        }
        let header = |n: usize, name: &str| service.seen()[n].headers[name].to_str().unwrap().to_owned();
        assert_eq!(header(0, "x-ms-correlation-request-id"), arm.correlation_id());
        assert_eq!(header(0, "x-ms-correlation-request-id"), header(1, "x-ms-correlation-request-id"));
        assert_ne!(header(0, "x-ms-client-request-id"), header(1, "x-ms-client-request-id"));
        assert_eq!(header(0, "authorization"), "Bearer token-1");
        assert_eq!(service.lines()[0], "GET /a?api-version=v1&%24filter=principalId+eq+%27x+y%27");
        assert!(service.az.commands()[0].contains("--tenant t1") && service.az.commands().len() == 1);
    }

    #[tokio::test]
    async fn an_expired_token_is_replaced_once() {
        let expired = || told(401, &[], json!({"error": {"code": "ExpiredAuthenticationToken", "message": "m"}}));
        let service = Service::telling([expired(), told(200, &[], "{}")]).await;
        assert!(service.arm().read(VAULT, "v1", &[]).await.unwrap().is_some());
        assert_eq!(service.seen()[1].headers["authorization"], "Bearer token-2");
        let always = Service::telling([expired()]).await;
        let problem = Problem::from(always.arm().read(VAULT, "v1", &[]).await.unwrap_err());
        assert_eq!((problem.code(), problem.kind(), always.seen().len()), ("KC4011", Kind::NotSignedIn, 2));
        assert!(problem.request_ids().unwrap().starts_with("correlation "));
    }

    #[tokio::test]
    async fn a_claims_challenge_is_reported_with_the_login_command_that_satisfies_it() {
        let challenge = "Bearer authorization_uri=\"https://login.example/t\", error=\"insufficient_claims\", claims=\"eyJhIjoxfQ==\"";
        let service = Service::telling([told(401, &[("www-authenticate", challenge)], "")]).await;
        let problem = Problem::from(service.arm().read(VAULT, "v1", &[]).await.unwrap_err());
        assert_eq!((problem.code(), problem.kind()), ("KC2007", Kind::NotSignedIn));
        let line = format!("az login --tenant t1 --scope {}/.default --claims-challenge eyJhIjoxfQ==", service.base);
        assert!(problem.fixes()[0].ends_with(&line), "{:?}", problem.fixes());
        assert_eq!(claims_challenge("Bearer realm=\"\", error=\"invalid_token\""), None);
    }

    #[tokio::test]
    async fn a_name_can_not_change_the_structure_of_the_path() {
        let arm = Service::telling([told(200, &[], "{}")]).await.arm();
        let path = |p: &str| arm.url(p, "v1", &[]).map(|url| url.path().to_owned());
        assert_eq!(path("/a/b c?d#e%2f").unwrap(), "/a/b%20c%3Fd%23e%252f");
        for bad in ["/a/../b", "/a//b", "/a/./b", ""] {
            assert!(matches!(path(bad), Err(Failure::Problem(p)) if p.code() == "KC4034"), "{bad}");
        }
    }

    #[tokio::test]
    async fn the_token_is_sent_only_to_arm() {
        let service = Service::telling([told(200, &[], "{}")]).await;
        let arm = service.arm();
        assert_eq!(arm.own_url("/op/1?a=b").unwrap().path(), "/op/1");
        assert_eq!(arm.own_url(&format!("{}/op?t=%2B1", service.base)).unwrap().query(), Some("t=%2B1"));
        for bad in ["https://evil.example/op", "//evil.example/op", "https://127.0.0.1/op", "ftp://x"] {
            assert!(arm.own_url(bad).is_err(), "{bad}");
        }
    }
}
