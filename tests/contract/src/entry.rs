//! Compares one exchange with its official operation.

use serde_json::Value;

use super::operations::{Found, Operation};
use super::schema::{Document, Place, Reading, value_faults};
use super::trail::Trail;
use super::{CLUSTERS, Contract};
use stand_in::http::percent_decode;
use stand_in::{Entry, Kind};

/// The violations of one exchange, each as a sentence. `trail` has the information of earlier exchanges.
pub(super) fn faults(contract: &Contract, trail: &Trail, entry: &Entry) -> Vec<String> {
    if trail.names_operation(entry) {
        return operation_faults(entry);
    }
    let path = percent_decode(&entry.path);
    let data_plane = entry.kind == Kind::KeyVault;
    if data_plane && is_left_out(&entry.method, &path) {
        return left_out_faults(entry);
    }
    let Some(found) = contract.operations.find(data_plane, &entry.method, &path) else {
        if let Some(version) = undescribed(&entry.method, &path) {
            let sent = entry.query.iter().find(|(name, _)| name == "api-version").map(|(_, value)| value.as_str());
            return if sent == Some(version) { vec![] } else { vec![format!("api-version {sent:?}, published is {version}")] };
        }
        let methods = contract.operations.methods_of(data_plane, &path);
        return vec![match methods.is_empty() {
            true => "no official operation has this path".into(),
            false => format!("the path takes {}, not {}", methods.join(", "), entry.method),
        }];
    };
    let operation = found.0;
    let document = match contract.document(&operation.file) {
        Ok(document) => document,
        Err(error) => return vec![format!("{error:#}")],
    };
    let mut faults = path_faults(&found);
    if !trail.names_page(entry) {
        faults.extend(query_faults(contract, operation, entry));
    }
    faults.extend(header_faults(operation, entry));
    faults.extend(request_faults(operation, &document, trail, entry));
    faults.extend(response_faults(operation, &document, entry));
    faults.into_iter().map(|fault| format!("{}: {fault}", operation.operation_id)).collect()
}

/// Reads of types without a description in the reference data, with the version that their provider publishes.
/// Application Insights' components contain keys as properties, so they are only read.
const UNDESCRIBED: [(&str, &str); 1] = [("/providers/microsoft.insights/components/", "2020-02-02")];

fn undescribed(method: &str, path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    let named = |kind: &str| lower.rsplit_once(kind).is_some_and(|(_, name)| !name.is_empty() && !name.contains('/'));
    UNDESCRIBED.iter().find(|(kind, _)| method == "GET" && named(kind)).map(|(_, version)| *version)
}

/// `DeleteSecret` and `RecoverDeletedSecret` of Key Vault's REST reference; the trimmed descriptions lack them.
fn is_left_out(method: &str, path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    matches!((method, parts.as_slice()), ("DELETE", ["secrets", _]) | ("POST", ["deletedsecrets", _, "recover"]))
}

/// The reference's rules for both: the version in the query, no body, and an answer with the secret but without its
/// value.
fn left_out_faults(entry: &Entry) -> Vec<String> {
    let mut faults = Vec::new();
    if entry.query != [("api-version".to_owned(), "7.6".to_owned())] {
        faults.push("the query is api-version=7.6 and nothing else".into());
    }
    if !entry.request_body.is_null() {
        faults.push("the operation takes no body".into());
    }
    match entry.status {
        _ if entry.status == 0 || is_page(entry) => {}
        200 if !entry.response_body["id"].is_string() => faults.push("the answer has an id".into()),
        200 if !entry.response_body["value"].is_null() => faults.push("the answer has no value".into()),
        200 => {}
        _ => faults.extend(common_error_faults(&entry.response_body)),
    }
    faults
}

fn path_faults((operation, names): &Found<'_>) -> Vec<String> {
    let checked = operation.path_params.iter().filter_map(|parameter| Some((parameter, names.get(parameter["name"].as_str()?)?)));
    checked
        .flat_map(|(parameter, value)| {
            value_faults(parameter, value).into_iter().map(|fault| format!("path {}: {fault}", parameter["name"]))
        })
        .collect()
}

fn query_faults(contract: &Contract, operation: &Operation, entry: &Entry) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, value) in &entry.query {
        let Some(parameter) = operation.query.iter().find(|one| one["name"] == name.as_str()) else {
            faults.push(format!("the query parameter {name} is not described"));
            continue;
        };
        if name == "api-version" {
            if *value != operation.api_version && !contract.is_newer_and_meant(operation, value) {
                faults.push(format!("api-version {value}, described is {}", operation.api_version));
            }
            continue;
        }
        faults.extend(value_faults(parameter, value).into_iter().map(|fault| format!("query {name}: {fault}")));
    }
    let is_missing = |one: &&Value| one["required"] == true && !entry.query.iter().any(|(name, _)| one["name"] == name.as_str());
    faults.extend(operation.query.iter().filter(is_missing).map(|one| format!("the query parameter {} is missing", one["name"])));
    faults
}

/// Headers in the description are required or allowed. Conditional headers are sent only where they are described,
/// since a service that ignores one would overwrite what it should protect.
fn header_faults(operation: &Operation, entry: &Entry) -> Vec<String> {
    let described = |name: &str| operation.headers.iter().any(|one| one["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
    let sent = |name: &str| entry.request_headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let conditions = ["if-match", "if-none-match"].into_iter().filter(|name| sent(name) && !described(name));
    let mut faults: Vec<String> = conditions.map(|name| format!("the header {name} is not described")).collect();
    let required = operation.headers.iter().filter(|one| one["required"] == true).filter_map(|one| one["name"].as_str());
    faults.extend(required.filter(|name| !sent(name)).map(|name| format!("the header {name} is missing")));
    faults
}

fn request_faults(operation: &Operation, document: &Document, trail: &Trail, entry: &Entry) -> Vec<String> {
    let sent = &entry.request_body;
    let Some(body) = &operation.body else {
        return if sent.is_null() { Vec::new() } else { vec!["the operation takes no body".into()] };
    };
    if sent.is_null() {
        return if body.required { vec!["the body is missing".into()] } else { Vec::new() };
    }
    // A cluster is sent back whole, with a newer version than the described one. So fields that the service returned
    // are allowed although no schema has them, and so are nulls that it returned.
    let before = Some(operation).filter(|one| is_cluster(one)).and_then(|_| trail.last_body(entry));
    let came = |place: &Place| before.is_some_and(|before| at(before, place).is_some());
    let findings = document.findings(&body.schema, sent, Reading::Request);
    let named = |place: &Place| place.join(".");
    let mut faults: Vec<String> = findings.invalid.iter().map(|fault| format!("request {fault}")).collect();
    faults.extend(findings.read_only.iter().map(|place| format!("request {}: only the service sets this", named(place))));
    faults.extend(
        findings.unknown.iter().filter(|place| !came(place)).map(|place| format!("request {}: no schema names this", named(place))),
    );
    faults
}

fn response_faults(operation: &Operation, document: &Document, entry: &Entry) -> Vec<String> {
    let got = &entry.response_body;
    // There was no answer, or it came from a proxy in between.
    if entry.status == 0 || is_page(entry) {
        return Vec::new();
    }
    let answer = operation.responses.get(&entry.status.to_string());
    let answer = match (answer, entry.status) {
        (Some(answer), _) => answer,
        // ARM refuses before the request reaches the service; the description calls that `default`.
        (None, 400..) => match operation.responses.get("default") {
            Some(answer) => answer,
            None => return common_error_faults(got),
        },
        (None, status) => return vec![format!("the status {status} is not described")],
    };
    let Some(pointer) = &answer.schema else {
        let bare = got.is_null() || got == "";
        return match entry.status {
            400.. => common_error_faults(got),
            status if !bare => vec![format!("an answer {status} has no body")],
            _ => Vec::new(),
        };
    };
    if got.is_null() {
        return if entry.status == 401 { Vec::new() } else { vec![format!("the answer {} lacks its body", entry.status)] };
    }
    let mut got = got.clone();
    if operation.service == "resourcegraph" && entry.status == 200 {
        // Described as an object; sent as an array if rows are requested as objects.
        match &got["data"] {
            Value::Array(rows) if rows.iter().all(Value::is_object) => got["data"] = serde_json::json!({}),
            _ => return vec!["response data: no array of objects".into()],
        }
    }
    let findings = document.findings(pointer, &got, Reading::Lenient);
    let mut faults: Vec<String> = findings.invalid.iter().map(|fault| format!("response {} {fault}", entry.status)).collect();
    // Real services return more than is described. The stand-in has no reason to, except for newer fields of
    // clusters.
    if entry.status < 400 && !is_cluster(operation) {
        faults.extend(findings.unknown.iter().map(|place| format!("response {}: no schema names this", place.join("."))));
    }
    faults
}

/// The contract between ARM and providers for every error: an object with code and message, with or without a
/// wrapper.
fn common_error_faults(body: &Value) -> Vec<String> {
    if body.is_null() {
        return Vec::new();
    }
    let inner = if body["error"].is_object() { &body["error"] } else { body };
    if inner["code"].is_string() && inner["message"].is_string() { Vec::new() } else { vec!["the error has no code and message".into()] }
}

/// A poll: no description covers these URLs, but the contract of asynchronous operations does.
fn operation_faults(entry: &Entry) -> Vec<String> {
    let mut faults = Vec::new();
    if entry.method != "GET" {
        faults.push(format!("an operation is asked with GET, not {}", entry.method));
    }
    if !entry.request_body.is_null() {
        faults.push("an operation is asked without a body".into());
    }
    let done = matches!(entry.status, 0 | 202 | 204 | 400..) || is_page(entry);
    if !done && !entry.response_body["status"].is_string() {
        faults.push("an operation has a status".into());
    }
    faults
}

fn is_page(entry: &Entry) -> bool {
    let html = |(name, value): &(String, String)| name.eq_ignore_ascii_case("content-type") && value.starts_with("text/html");
    entry.response_headers.iter().any(html)
}

/// Whether the operation is on managed clusters themselves.
pub(super) fn is_cluster(operation: &Operation) -> bool {
    operation.path.to_ascii_lowercase().contains(&format!("/providers/{}", CLUSTERS.to_ascii_lowercase()))
}

fn at<'v>(value: &'v Value, place: &[String]) -> Option<&'v Value> {
    place.iter().try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}
