//! An error answer of an Azure service, in whatever format.
//!
//! ARM's contract requires `{"error":{"code","message"}}` (Azure/azure-resource-manager-rpc, common-api-details).
//! Services also send the error without the wrapper (AKS, Cosmos DB), capitalised (App Service), as OData, as Entra's
//! `error_description`, as XML (Storage, Service Bus), as HTML (proxies, gateways), or send no body. Optional fields
//! may be null or absent.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use super::retry;
use crate::model::mask;

/// Maximum length of a kept message, in characters. Some services return whole templates.
const LONGEST_MESSAGE: usize = 4000;

/// An error reported by a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceError {
    /// The HTTP status. For a failed long-running operation: the status of its last poll.
    pub status: u16,
    /// The outermost error code; derived from the status if the body has none.
    pub code: String,
    /// The outermost message, cleaned for display.
    pub message: String,
    /// The subject of the error, if the service names one.
    pub target: Option<String>,
    /// Codes and messages of the inner errors, outermost first. Denying policies are listed with the code `PolicyViolation`.
    pub details: Vec<(String, String)>,
    /// `x-ms-request-id` of the answer.
    pub request_id: Option<String>,
    /// `x-ms-correlation-request-id` of the answer.
    pub correlation_id: Option<String>,
    /// Seconds after which the service wants to be asked again.
    pub retry_after: Option<u64>,
    /// Whether ARM itself refused, before the resource's provider saw the request (`x-ms-failure-cause: gateway`).
    pub gateway: bool,
}

impl ServiceError {
    /// Whether `code` is the error's code or a code in its details, ignoring case.
    pub fn is(&self, code: &str) -> bool {
        std::iter::once(&self.code).chain(self.details.iter().map(|(code, _)| code)).any(|own| own.eq_ignore_ascii_case(code))
    }

    /// The most specific code and message: those of the first detail if the outer code is a mere wrapper.
    pub fn telling(&self) -> (&str, &str) {
        const WRAPPERS: [&str; 5] =
            ["BadRequest", "Conflict", "DeploymentFailed", "ResourceDeploymentFailure", "InvalidTemplateDeployment"];
        let wrapped = WRAPPERS.iter().any(|w| self.code.eq_ignore_ascii_case(w));
        let inner = self
            .details
            .iter()
            .find(|(code, message)| !code.is_empty() && !message.is_empty() && !WRAPPERS.iter().any(|w| code.eq_ignore_ascii_case(w)));
        match inner {
            Some((code, message)) if wrapped => (code, message),
            _ => (&self.code, &self.message),
        }
    }

    /// Parses an error answer. Never fails: missing parts are derived from the status.
    pub(crate) fn parse(status: u16, headers: &HeaderMap, body: &[u8]) -> ServiceError {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty()).map(str::to_owned);
        let text = String::from_utf8_lossy(body);
        let mut error = ServiceError { status, ..ServiceError::default() };
        let mut speechless = body.is_empty();
        match serde_json::from_str::<Value>(text.trim().trim_start_matches('\u{feff}')) {
            Ok(value) => {
                error.take_json(&value);
                speechless = true;
            }
            Err(_) => error.take_markup(&text),
        }
        if error.code.is_empty() {
            error.code = header("x-ms-error-code").unwrap_or_else(|| code_of(status));
        }
        if error.message.is_empty() {
            error.message = if speechless { "the service gave no reason".into() } else { fit(&text) };
        }
        error.request_id = header("x-ms-request-id").or_else(|| header("request-id"));
        error.correlation_id = header("x-ms-correlation-request-id");
        error.retry_after = retry::retry_after(headers, crate::clock::now()).map(|wait| wait.as_secs());
        error.gateway = header("x-ms-failure-cause").is_some_and(|cause| cause.eq_ignore_ascii_case("gateway"));
        error
    }

    /// The error of a failed long-running operation: `body` is the answer to the poll, `word` its status.
    pub(crate) fn of_operation(status: u16, headers: &HeaderMap, body: &Value, word: &str) -> ServiceError {
        let mut error = ServiceError::parse(status, headers, b"");
        (error.code, error.message) = Default::default();
        error.take_json(body);
        if error.code.is_empty() {
            error.code = if word.eq_ignore_ascii_case("failed") { "OperationFailed".into() } else { format!("Operation{word}") };
        }
        if error.message.is_empty() {
            error.message = format!("the operation ended with status {word}, and the service gave no reason");
        }
        error
    }

    fn take_json(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.message = fit(text),
            Value::Array(items) => {
                if let Some(first) = items.first() {
                    self.take_json(first);
                }
            }
            Value::Object(fields) => {
                let outer = ["error", "odata.error", "errors"].iter().find_map(|name| field(fields, name)).filter(|e| !e.is_null());
                match (outer, field(fields, "properties").and_then(|p| p.get("error"))) {
                    // Entra: {"error":"invalid_client","error_description":"AADSTS…"}.
                    (Some(Value::String(code)), _) => {
                        self.code.clone_from(code);
                        self.message = fit(&words(field(fields, "error_description").or_else(|| field(fields, "message"))));
                    }
                    (Some(error), _) => self.take_json(error),
                    (None, Some(error @ Value::Object(_))) => self.take_json(error),
                    _ => self.take_fields(fields),
                }
            }
            _ => {}
        }
    }

    fn take_fields(&mut self, fields: &Map<String, Value>) {
        self.code = words(field(fields, "code"));
        let message = words(["message", "detail", "title", "reason"].iter().find_map(|name| field(fields, name).filter(|v| !v.is_null())));
        // Some providers put a complete error into the message of another.
        if let Ok(inner @ Value::Object(_)) = serde_json::from_str::<Value>(message.trim()) {
            let mut nested = ServiceError::default();
            nested.take_json(&inner);
            if !nested.message.is_empty() {
                if self.code.is_empty() {
                    self.code.clone_from(&nested.code);
                }
                self.message.clone_from(&nested.message);
                self.details.push((nested.code, nested.message));
                self.details.append(&mut nested.details);
            }
        }
        if self.message.is_empty() {
            self.message = fit(&message);
        }
        self.target = field(fields, "target").and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
        self.take_inner(fields, 0);
        if self.message.is_empty() {
            self.message = self.details.iter().map(|(_, message)| message).find(|m| !m.is_empty()).cloned().unwrap_or_default();
        }
    }

    /// Collects details and inner errors, to a limited depth; deeper ones are not useful.
    fn take_inner(&mut self, fields: &Map<String, Value>, depth: u8) {
        if depth > 5 {
            return;
        }
        let details = match field(fields, "details") {
            Some(Value::Array(items)) => items.as_slice(),
            _ => &[],
        };
        let inner = field(fields, "innererror").into_iter();
        for value in details.iter().chain(inner) {
            let Value::Object(inner) = value else { continue };
            let (code, message) = (words(field(inner, "code").or_else(|| field(inner, "errorcode"))), fit(&words(field(inner, "message"))));
            if !code.is_empty() || !message.is_empty() {
                self.details.push((code, message));
            }
            if self.target.is_none() {
                self.target = field(inner, "target").and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
            }
            self.take_inner(inner, depth + 1);
        }
        for info in field(fields, "additionalInfo").and_then(Value::as_array).into_iter().flatten() {
            self.take_policy(info);
        }
    }

    /// `additionalInfo` of a denial: {"type":"PolicyViolation","info":{"policyAssignmentDisplayName",…}} (policy docs).
    fn take_policy(&mut self, info: &Value) {
        let text = |name: &str| info.pointer(&format!("/info/{name}")).and_then(Value::as_str).filter(|t| !t.is_empty());
        if info.get("type").and_then(Value::as_str).is_none_or(|kind| !kind.eq_ignore_ascii_case("PolicyViolation")) {
            return;
        }
        let name = |what: &str| text(&format!("policy{what}DisplayName")).or_else(|| text(&format!("policy{what}Name")));
        let mut told = name("Definition").map_or_else(|| "a policy".to_owned(), |definition| format!("`{definition}`"));
        if let Some(assignment) = name("Assignment") {
            told.push_str(&format!(" (assignment `{assignment}`)"));
        }
        if let Some(id) = text("policyAssignmentId") {
            told.push_str(&format!(" at {id}"));
        }
        self.details.push(("PolicyViolation".into(), told));
    }

    /// Parses XML with `<Code>` and `<Message>` or `<Detail>`; of an HTML page only the title is used.
    fn take_markup(&mut self, text: &str) {
        let lower = text.to_ascii_lowercase();
        if lower.contains("<html") || lower.contains("<!doctype html") {
            let title = between(text, &lower, "title").unwrap_or_default();
            self.message = if title.is_empty() { "the answer is a web page, probably from a proxy".into() } else { fit(&title) };
        } else {
            self.code = between(text, &lower, "code").unwrap_or_default();
            self.message =
                between(text, &lower, "message").or_else(|| between(text, &lower, "detail")).map(|m| fit(&m)).unwrap_or_default();
        }
    }
}

/// Code for an answer without one: the standard phrase of the status without blanks, such as `BadGateway`.
fn code_of(status: u16) -> String {
    let phrase = StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
    phrase.map_or_else(|| format!("Http{status}"), |phrase| phrase.split(' ').collect())
}

fn field<'v>(fields: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    fields.get(name).or_else(|| fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Text of a field that may be a number, null or OData's `{"lang","value"}`.
fn words(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Object(fields)) => words(field(fields, "value")),
        _ => String::new(),
    }
}

fn between(text: &str, lower: &str, tag: &str) -> Option<String> {
    let open = lower.find(&format!("<{tag}"))?;
    let start = open + lower[open..].find('>')? + 1;
    let end = start + lower[start..].find(&format!("</{tag}"))?;
    let found = text.get(start..end)?.trim();
    (!found.is_empty()).then(|| found.to_owned())
}

/// Cleans a message for display: one paragraph, no tokens, limited length.
fn fit(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut message = mask::tokens(&message);
    if let Some((at, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
        message.truncate(at);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::Write as _;

    fn parse(status: u16, body: &str) -> ServiceError {
        ServiceError::parse(status, &HeaderMap::new(), body.as_bytes())
    }

    fn told(status: u16, body: &str) -> (String, String) {
        let error = parse(status, body);
        (error.code, error.message)
    }

    #[test]
    fn every_known_format_is_parsed() {
        let of = |code: &str, message: &str| (code.to_owned(), message.to_owned());
        for (status, body, expected) in [
            (404, r#"{"error":{"code":"ResourceNotFound","message":"gone","details":null,"target":null}}"#, of("ResourceNotFound", "gone")),
            (409, r#"{"code":"OperationNotAllowed","details":null,"message":"busy","subcode":""}"#, of("OperationNotAllowed", "busy")),
            (429, r#"{"Code":"TooMany","Message":"slow\r\ndown","Target":null,"Details":[]}"#, of("TooMany", "slow down")),
            (404, r#"{"error":{"code":"ResourceNotFound"}}"#, of("ResourceNotFound", "the service gave no reason")),
            (401, r#"{"error":"invalid_client","error_description":"AADSTS70021: no"}"#, of("invalid_client", "AADSTS70021: no")),
            (400, r#"{"odata.error":{"code":"X","message":{"lang":"en","value":"y"}}}"#, of("X", "y")),
            (400, r#"{"Message":"only this"}"#, of("BadRequest", "only this")),
            (
                403,
                "\u{feff}<?xml version=\"1.0\"?><Error><Code>AuthorizationFailure</Code><Message>no\nentry</Message></Error>",
                of("AuthorizationFailure", "no entry"),
            ),
            (401, "<Error><Code>401</Code><Detail>claim is empty</Detail></Error>", of("401", "claim is empty")),
            (503, "<!DOCTYPE html><HTML><head><TITLE>Service down</TITLE></head></HTML>", of("ServiceUnavailable", "Service down")),
            (502, "<html></html>", of("BadGateway", "the answer is a web page, probably from a proxy")),
            (504, "", of("GatewayTimeout", "the service gave no reason")),
            (500, "oops", of("InternalServerError", "oops")),
            (599, "null", of("Http599", "the service gave no reason")),
            (400, r#""just text""#, of("BadRequest", "just text")),
            (400, r#"[{"error":{"code":"A","message":"b"}}]"#, of("A", "b")),
        ] {
            assert_eq!(told(status, body), expected, "{body}");
        }
    }

    #[test]
    fn the_most_specific_code_is_found() {
        let error = parse(
            409,
            &json!({"error": {"code": "Conflict", "message": "outer", "details": [
                {"code": "MissingSubscriptionRegistration", "message": "register", "target": "Microsoft.X"}],
                "innererror": {"code": "Deep", "innererror": {"code": "Deeper"}}}})
            .to_string(),
        );
        assert_eq!(error.telling(), ("MissingSubscriptionRegistration", "register"));
        assert_eq!(error.target.as_deref(), Some("Microsoft.X"));
        assert!(error.is("missingsubscriptionregistration") && error.is("conflict") && error.is("deeper") && !error.is("x"));
        let nested = parse(400, r#"{"error":{"code":"BadRequest","message":"{\"error\":{\"code\":\"Real\",\"message\":\"why\"}}"}}"#);
        assert_eq!((nested.message.as_str(), nested.telling()), ("why", ("Real", "why")));
    }

    #[test]
    fn names_the_policies_that_deny() {
        let error = parse(
            403,
            &json!({"error": {"code": "RequestDisallowedByPolicy", "message": "no", "additionalInfo": [{"type": "PolicyViolation", "info":
                {"policyDefinitionDisplayName": "Tags needed", "policyAssignmentName": "a1", "policyAssignmentId": "/subscriptions/s/x"}}]}})
            .to_string(),
        );
        assert_eq!(error.details, [("PolicyViolation".into(), "`Tags needed` (assignment `a1`) at /subscriptions/s/x".into())]);
    }

    #[test]
    fn keeps_the_ids_and_hints_of_the_headers() {
        let headers: HeaderMap = [
            ("x-ms-request-id", "r"),
            ("x-ms-correlation-request-id", "c"),
            ("retry-after", "9"),
            ("x-ms-failure-cause", "gateway"),
            ("x-ms-error-code", "FromHeader"),
        ]
        .into_iter()
        .map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap()))
        .collect();
        let error = ServiceError::parse(404, &headers, b"");
        assert_eq!((error.request_id.as_deref(), error.correlation_id.as_deref()), (Some("r"), Some("c")));
        assert_eq!((error.retry_after, error.gateway, error.code.as_str()), (Some(9), true, "FromHeader"));
    }

    #[test]
    fn a_failed_operation_is_reported_with_its_status() {
        let of = |body: Value, word: &str| {
            let error = ServiceError::of_operation(200, &HeaderMap::new(), &body, word);
            (error.code, error.message)
        };
        assert_eq!(of(json!({"status": "Failed", "error": {"code": "A", "message": "b"}}), "Failed"), ("A".into(), "b".into()));
        assert_eq!(of(json!({"properties": {"error": {"code": "A", "message": "b"}}}), "Failed"), ("A".into(), "b".into()));
        assert_eq!(of(json!({"status": "Canceled", "error": null}), "Canceled").0, "OperationCanceled");
    }

    #[test]
    fn messages_are_masked_and_shortened() {
        let error = parse(401, &json!({"error": {"code": "X", "message": format!("bad eyJ{}", "a".repeat(40))}}).to_string());
        assert_eq!(error.message, "bad ***");
        assert_eq!(parse(400, &"x".repeat(9000)).message.chars().count(), LONGEST_MESSAGE + 1);
    }

    #[test]
    fn every_recorded_error_is_parsed() {
        let Ok(dir) = std::env::var("CONNECT_REFERENCE_DATA") else {
            // The test runner hides the output of print macros, so this writes to stderr directly.
            let _ = writeln!(std::io::stderr(), "SKIPPED: CONNECT_REFERENCE_DATA is not set, so the recorded errors were not read");
            return;
        };
        let path = std::path::Path::new(&dir).join("recordings/arm_errors.json");
        let all: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let all = all["errors"].as_array().unwrap();
        assert!(all.len() > 50, "{} errors in {}", all.len(), path.display());
        for one in all {
            let (status, body) = (one["status"].as_u64().unwrap() as u16, &one["response"]["body"]);
            let text = match body {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let error = parse(status, &text);
            assert!(!error.code.is_empty() && !error.message.is_empty(), "{one}");
            let recorded = one["code"].as_str().unwrap_or_default();
            assert!(recorded.is_empty() || error.is(recorded), "{recorded}: {error:?}");
        }
    }
}
