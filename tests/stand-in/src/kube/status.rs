//! Errors of the API server as `Status` objects.
//!
//! Clients decide by `code`, `reason` and `details.causes`; people read `message`. The texts are those of a real 1.36
//! server, so the product's messages are tested with real wording.

use serde_json::{Map, Value, json};

use super::resources::Resource;
use crate::http::Response;

/// A refused request.
#[derive(Clone, Debug)]
pub struct Failure {
    pub code: u16,
    pub reason: Option<&'static str>,
    pub message: String,
    pub details: Option<Value>,
    /// Unknown groups and paths are answered in plain text, not with a `Status`.
    pub text: bool,
    pub retry_after: Option<u32>,
}

pub type Outcome<T> = Result<T, Box<Failure>>;

/// One cause of a 422, in the server's three parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    pub reason: &'static str,
    pub field: String,
    pub message: String,
}

impl Cause {
    pub fn invalid(field: impl Into<String>, value: &str, why: &str) -> Self {
        Self { reason: "FieldValueInvalid", field: field.into(), message: format!("Invalid value: {value}: {why}") }
    }

    pub fn required(field: impl Into<String>) -> Self {
        Self { reason: "FieldValueRequired", field: field.into(), message: "Required value".into() }
    }

    pub fn required_because(field: impl Into<String>, why: &str) -> Self {
        Self { reason: "FieldValueRequired", field: field.into(), message: format!("Required value: {why}") }
    }

    pub fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self { reason: "FieldValueForbidden", field: field.into(), message: format!("Forbidden: {why}") }
    }

    pub fn not_found(field: impl Into<String>, value: &str) -> Self {
        Self { reason: "FieldValueNotFound", field: field.into(), message: format!("Not found: {value}") }
    }

    pub fn duplicate(field: impl Into<String>, value: &str) -> Self {
        Self { reason: "FieldValueDuplicate", field: field.into(), message: format!("Duplicate value: {value}") }
    }

    pub fn unsupported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let list: Vec<String> = supported.iter().map(|one| format!("{one:?}")).collect();
        Self {
            reason: "FieldValueNotSupported",
            field: field.into(),
            message: format!("Unsupported value: {value}: supported values: {}", list.join(", ")),
        }
    }

    pub fn too_long(field: impl Into<String>, why: &str) -> Self {
        Self { reason: "FieldValueTooLong", field: field.into(), message: format!("Too long: {why}") }
    }
}

impl Failure {
    pub fn new(code: u16, reason: Option<&'static str>, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { code, reason, message: message.into(), details: None, text: false, retry_after: None })
    }

    pub fn with(mut self: Box<Self>, details: Value) -> Box<Self> {
        self.details = Some(details);
        self
    }

    pub fn bad_request(message: impl Into<String>) -> Box<Self> {
        Self::new(400, Some("BadRequest"), message)
    }

    pub fn page_not_found() -> Box<Self> {
        Box::new(Self { code: 404, reason: None, message: "404 page not found\n".into(), details: None, text: true, retry_after: None })
    }

    pub fn no_such_resource() -> Box<Self> {
        Self::new(404, Some("NotFound"), "the server could not find the requested resource").with(json!({}))
    }

    pub fn method_not_allowed() -> Box<Self> {
        Self::new(405, Some("MethodNotAllowed"), "the server does not allow this method on the requested resource").with(json!({}))
    }

    pub fn not_acceptable(available: &str) -> Box<Self> {
        let text = format!("406: Not Acceptable\n\nAvailable representations: {available}");
        Self::new(406, Some("NotAcceptable"), text).with(json!({}))
    }

    pub fn unsupported_media_type(message: String) -> Box<Self> {
        Self::new(415, Some("UnsupportedMediaType"), message).with(json!({}))
    }

    pub fn unauthorized() -> Box<Self> {
        Self::new(401, Some("Unauthorized"), "Unauthorized")
    }

    pub fn not_found(resource: &Resource, name: &str) -> Box<Self> {
        Self::new(404, Some("NotFound"), format!("{} {name:?} not found", resource.qualified())).with(resource.details(name))
    }

    pub fn already_exists(resource: &Resource, name: &str) -> Box<Self> {
        Self::new(409, Some("AlreadyExists"), format!("{} {name:?} already exists", resource.qualified())).with(resource.details(name))
    }

    pub fn modified(resource: &Resource, name: &str) -> Box<Self> {
        Self::conflict(resource, name, "the object has been modified; please apply your changes to the latest version and try again")
    }

    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Box<Self> {
        let text = format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.qualified());
        Self::new(409, Some("Conflict"), text).with(resource.details(name))
    }

    /// A failed precondition of a delete: the message names the kind, while every other conflict names the resource.
    pub fn precondition(resource: &Resource, name: &str, why: &str) -> Box<Self> {
        let text = format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.qualified_kind());
        Self::new(409, Some("Conflict"), text).with(resource.kind_details(name))
    }

    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Box<Self> {
        let shown = if name.is_empty() { String::new() } else { format!(" {name:?}") };
        Self::new(403, Some("Forbidden"), format!("{}{shown} is forbidden: {why}", resource.qualified())).with(resource.details(name))
    }

    pub fn forbidden_path(user: &str, verb: &str, path: &str) -> Box<Self> {
        Self::new(403, Some("Forbidden"), format!("forbidden: User {user:?} cannot {verb} path {path:?}")).with(json!({}))
    }

    pub fn internal(message: impl Into<String>) -> Box<Self> {
        Self::new(500, None, message)
    }

    /// 422 for an object; `group` and `kind` are those of the object or of an options type.
    pub fn invalid(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Box<Self> {
        // The message contains equal faults once; the causes repeat them.
        let mut texts: Vec<String> = Vec::new();
        for text in causes.iter().map(|c| format!("{}: {}", c.field, c.message)) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let list = if let [one] = texts.as_slice() { one.clone() } else { format!("[{}]", texts.join(", ")) };
        let shown = if group.is_empty() { kind.to_string() } else { format!("{kind}.{group}") };
        let mut details = Map::new();
        for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
            if !value.is_empty() {
                details.insert(key.into(), json!(value));
            }
        }
        let causes: Vec<Value> = causes.iter().map(|c| json!({"reason": c.reason, "message": c.message, "field": c.field})).collect();
        details.insert("causes".into(), Value::Array(causes));
        Self::new(422, Some("Invalid"), format!("{shown} {name:?} is invalid: {list}")).with(Value::Object(details))
    }

    /// All errors of a JSON patch, also a failed `test`, have this text.
    pub fn unprocessable() -> Box<Self> {
        Self::new(422, Some("Invalid"), "the server rejected our request due to an error in our request").with(json!({}))
    }

    pub fn body(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
        });
        if let Some(map) = status.as_object_mut() {
            if let Some(reason) = self.reason {
                map.insert("reason".into(), json!(reason));
            }
            if let Some(details) = &self.details {
                map.insert("details".into(), details.clone());
            }
            map.insert("code".into(), json!(self.code));
        }
        status
    }

    pub fn response(&self) -> Response {
        if self.text {
            return Response::text(self.code, &self.message).with("content-type", "text/plain; charset=utf-8");
        }
        let response = Response::json(self.code, &self.body());
        match self.retry_after {
            Some(seconds) => response.with("retry-after", seconds.to_string()),
            None => response,
        }
    }
}

/// The answer to a delete, for most kinds.
pub fn success(resource: &Resource, name: &str, uid: &str) -> Value {
    let mut details = resource.details(name);
    if let Some(map) = details.as_object_mut() {
        map.insert("uid".into(), json!(uid));
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
