//! Logs requests to the API server for `-v`, with kubectl's levels and without secrets.

use std::time::Instant;

use http::{HeaderName, HeaderValue};

use super::call::Call;
use crate::model::mask;

/// A request with the status of its answer; 0 if there was none.
pub(super) fn answer(host: &str, call: &Call, code: u16, started: Instant, id: &str) {
    let took = started.elapsed().as_millis();
    tracing::debug!(target: "connect::http", "{} https://{host}{} {code} {took} ms {id}", call.method, call.path);
}

/// Headers of a request or an answer.
pub(super) fn headers<'a>(sign: &str, headers: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>) {
    if tracing::enabled!(target: "connect::http", tracing::Level::TRACE) {
        let shown: Vec<String> = headers.map(|(name, value)| mask::header(name.as_str(), value.to_str().unwrap_or("?"))).collect();
        tracing::trace!(target: "connect::http", "{sign} [{}]", shown.join(", "));
    }
}

/// A request or response body. Bodies of Secrets and token requests are not shown at all.
pub(super) fn body(call: &Call, sign: &str, body: &[u8]) {
    if body.is_empty() || !tracing::enabled!(target: "connect::body", tracing::Level::TRACE) {
        return;
    }
    let secret = call.path.contains("/secrets") || call.path.contains("/token");
    let shown = match serde_json::from_slice(body) {
        Ok(value) if !secret => mask::json(&value).to_string(),
        _ => format!("({} bytes)", body.len()),
    };
    tracing::trace!(target: "connect::body", "{sign} {shown}");
}
