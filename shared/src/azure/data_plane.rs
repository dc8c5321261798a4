//! One harmless request to the service's data plane with the workload's own token, to prove that a connection works.

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde_json::Value;

use super::http::{Call, Reply};
use super::{Arm, Failure, ServiceError, Token};
use crate::model::{Kind, Problem};

/// A GET that shows whether the service accepts the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Complete `https://` URL; its host belongs to the token's scope.
    pub url: String,
    /// Headers that the service requires, such as `x-ms-version`.
    pub headers: Vec<(String, String)>,
    /// Whether to send the token in Cosmos DB's format, with a date (REST reference of Cosmos DB, access control).
    pub cosmos: bool,
}

/// The service's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Error code; `None` for a success, or if the service gave none.
    pub code: Option<String>,
    /// Code of the innermost error. Key Vault gives the actual reason there: `ForbiddenByRbac`,
    /// `ForbiddenByConnection` …
    pub inner_code: Option<String>,
    /// The service's message.
    pub message: Option<String>,
    /// The service's id of the request.
    pub request_id: Option<String>,
}

impl Arm {
    /// Sends the request with `token`. Error answers are returned as answers. The body of a success is not read,
    /// since it may be secret.
    ///
    /// # Errors
    /// If no answer came: name not resolved, connection refused, timeout, untrusted certificate; KC4039 for an
    /// invalid URL.
    pub async fn probe(&self, probe: &Probe, token: &Token) -> Result<Answer, Failure> {
        let url = Url::parse(&probe.url).map_err(|e| {
            Failure::Problem(
                Problem::new(Kind::Failed, "KC4039", format!("`{}` is not a URL", probe.url.split('?').next().unwrap_or_default()))
                    .why(e.to_string()),
            )
        })?;
        let mut headers = probe.headers.clone();
        if probe.cosmos {
            let now = crate::clock::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            headers.push(("x-ms-date".into(), now));
            headers.push(("authorization".into(), format!("type%3daad%26ver%3d1.0%26sig%3d{}", token.secret())));
        }
        let token = (!probe.cosmos).then_some(token);
        let call = Call { token, headers, only_status: true, ..Call::new(Method::GET, url) };
        Ok(answer(&self.http().send(&call).await?))
    }
}

fn answer(reply: &Reply) -> Answer {
    let header =
        |headers: &HeaderMap, name: &str| headers.get(name).and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty()).map(str::to_owned);
    // Cosmos DB calls the request id an activity id.
    let request_id = ["x-ms-request-id", "request-id", "x-ms-activity-id"].iter().find_map(|name| header(&reply.headers, name));
    if reply.status < 400 {
        return Answer { status: reply.status, request_id, ..Answer::default() };
    }
    let error: ServiceError = reply.error();
    let inner_code = serde_json::from_slice::<Value>(&reply.body).ok().and_then(|body| innermost(&body));
    let given = Some(error.code).filter(|_| !reply.body.is_empty() || reply.headers.contains_key("x-ms-error-code"));
    Answer { status: reply.status, code: given, inner_code, message: Some(error.message).filter(|_| !reply.body.is_empty()), request_id }
}

/// The code of the innermost `innererror`.
fn innermost(body: &Value) -> Option<String> {
    let mut at = body.get("error").unwrap_or(body);
    let mut code = None;
    while let Some(inner) = at.get("innererror").or_else(|| at.get("innerError")) {
        code = inner.get("code").and_then(Value::as_str).map(str::to_owned).or(code);
        at = inner;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::testing::{Service, told};
    use serde_json::json;

    async fn probed(service: &Service) -> Answer {
        let probe = Probe {
            url: format!("{}/secrets?api-version=7.6", service.base),
            headers: vec![("x-ms-version".into(), "2023-11-03".into())],
            cosmos: false,
        };
        let token = Token::new("workload".into(), jiff::Timestamp::UNIX_EPOCH);
        service.arm().probe(&probe, &token).await.unwrap()
    }

    #[tokio::test]
    async fn a_success_is_reported_without_its_body() {
        let service = Service::telling([told(200, &[("x-ms-request-id", "r")], json!({"value": "very secret"}))]).await;
        assert_eq!(probed(&service).await, Answer { status: 200, request_id: Some("r".into()), ..Answer::default() });
        let seen = &service.seen()[0];
        assert_eq!(
            (seen.headers["authorization"].to_str().unwrap(), seen.headers["x-ms-version"].to_str().unwrap()),
            ("Bearer workload", "2023-11-03")
        );
        assert!(service.az.commands().is_empty(), "az's token has no business here");
    }

    #[tokio::test]
    async fn a_refusal_is_reported_with_its_reason() {
        let body =
            json!({"error": {"code": "Forbidden", "message": "Caller is not authorized", "innererror": {"code": "ForbiddenByRbac"}}});
        let answer = probed(&Service::telling([told(403, &[], body)]).await).await;
        assert_eq!((answer.code.as_deref(), answer.inner_code.as_deref()), (Some("Forbidden"), Some("ForbiddenByRbac")));
        let xml = "<?xml version=\"1.0\"?><Error><Code>AuthorizationPermissionMismatch</Code><Message>Not permitted.</Message></Error>";
        let answer = probed(&Service::telling([told(403, &[], xml)]).await).await;
        assert_eq!((answer.code.as_deref(), answer.message.as_deref()), (Some("AuthorizationPermissionMismatch"), Some("Not permitted.")));
        let nothing = probed(&Service::telling([told(401, &[], "")]).await).await;
        assert_eq!((nothing.status, nothing.code, nothing.message), (401, None, None));
    }
}
