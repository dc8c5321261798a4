//! ARM's error answers. Status and code are those of the service, and clients must decide by them. Texts follow the
//! service's wording where clients or people are known to read it; the others are invented.

use serde_json::json;

use crate::http::Response;

/// The usual format, with a wrapper.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, &json!({"error": {"code": code, "message": message}}))
}

/// An error from ARM itself, before any provider; a header says so.
pub(crate) fn gateway(status: u16, code: &str, message: &str) -> Response {
    error(status, code, message).with("x-ms-failure-cause", "gateway")
}

/// The format of the AKS provider, without a wrapper.
pub(crate) fn bare(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, &json!({"code": code, "details": null, "message": message, "subcode": ""}))
}

pub(crate) fn bad_request(message: &str) -> Response {
    error(400, "BadRequest", message)
}

pub(crate) fn not_allowed(method: &str) -> Response {
    gateway(405, "MethodNotAllowed", &format!("The method {method} is not served for this resource."))
}

pub(crate) fn resource_not_found(kind: &str, name: &str, group: &str) -> Response {
    gateway(404, "ResourceNotFound", &format!("The Resource '{kind}/{name}' under resource group '{group}' was not found."))
}

pub(crate) fn parent_not_found(parent: &str) -> Response {
    gateway(404, "ParentResourceNotFound", &format!("The parent '{parent}' of this resource does not exist."))
}
