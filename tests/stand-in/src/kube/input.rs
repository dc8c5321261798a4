//! Query options and body of a write, decoded as in the server.

use serde_json::{Value, json};

use super::Call;
use super::decode::{self, Strictness};
use super::resources::Resource;
use super::status::{Cause, Failure, Outcome};

/// The query parameters of a write.
pub struct Options {
    pub manager: String,
    pub dry_run: bool,
    pub strictness: Strictness,
    pub force: bool,
}

pub fn options(call: &Call<'_>, kind: &str, content_type: &str) -> Outcome<Options> {
    let apply = content_type == APPLY;
    let mut causes = Vec::new();
    let manager = call.request.q("fieldManager").unwrap_or_default();
    if kind == "PatchOptions" {
        if apply && manager.is_empty() {
            causes.push(Cause::required_because("fieldManager", "is required for apply patch"));
        }
        if !apply && call.request.q("force").is_some_and(|f| f == "true") {
            causes.push(Cause::forbidden("force", "may not be specified for non-apply patch"));
        }
    }
    if manager.len() > 128 {
        causes.push(Cause::too_long("fieldManager", "may not be more than 128 bytes"));
    } else if let Some((at, c)) = manager.chars().enumerate().find(|(_, c)| c.is_control()) {
        let why = format!("invalid character U+{:04X} (at position {at})", u32::from(c));
        causes.push(Cause::invalid("fieldManager", &format!("{manager:?}"), &why));
    }
    let dry: Vec<&str> = call.request.query.iter().filter(|(k, _)| k == "dryRun").map(|(_, v)| v.as_str()).collect();
    if dry.iter().any(|d| *d != "All") {
        causes.push(Cause::unsupported("dryRun", &json!(dry).to_string(), &["All"]));
    }
    let validation = call.request.q("fieldValidation").unwrap_or_default();
    let strictness = match validation {
        "" | "Warn" => Strictness::Warn,
        "Ignore" => Strictness::Ignore,
        "Strict" => Strictness::Strict,
        other => {
            let known = ["", "Ignore", "Strict", "Warn"];
            causes.push(Cause::unsupported("fieldValidation", &format!("{other:?}"), &known));
            Strictness::Warn
        }
    };
    if !causes.is_empty() {
        return Err(Failure::invalid("meta.k8s.io", kind, "", &causes));
    }
    let manager = if manager.is_empty() {
        let agent = call.request.header("user-agent").unwrap_or("unknown");
        agent.split('/').next().unwrap_or("unknown").to_string()
    } else {
        manager.to_string()
    };
    Ok(Options { manager, dry_run: !dry.is_empty(), strictness, force: call.request.q("force") == Some("true") })
}

pub const APPLY: &str = "application/apply-patch+yaml";
pub const MERGE: &str = "application/merge-patch+json";
pub const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub const JSON_PATCH: &str = "application/json-patch+json";

pub fn content_type(call: &Call<'_>) -> String {
    let value = call.request.header("content-type").unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_string()
}

/// The body of a create or update, decoded as in the server.
pub fn body(call: &Call<'_>, resource: &Resource, strictness: Strictness) -> Outcome<(Value, Vec<String>)> {
    let sent = String::from_utf8_lossy(&call.request.body);
    let Some(mut object) = decode::parse(&call.request.body).filter(Value::is_object) else {
        let bad = sent.chars().find(|c| !c.is_whitespace() && *c != '{').unwrap_or(' ');
        return Err(Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: \
             invalid character '{bad}' looking for beginning of object key string ({sent})",
            resource.kind
        )));
    };
    let kind = object["kind"].as_str().unwrap_or_default().to_string();
    let version = object["apiVersion"].as_str().unwrap_or_default().to_string();
    if !kind.is_empty() && (kind != resource.kind || version != resource.api_version()) {
        let short = version.rsplit('/').next().unwrap_or_default();
        let group = |v: &str| v.split_once('/').map_or("core".to_string(), |(g, _)| g.split('.').next().unwrap_or_default().into());
        return Err(Failure::bad_request(format!(
            "{kind} in version {short:?} cannot be handled as a {}: converting ({}.{kind}) to ({}.{}): unknown conversion",
            resource.kind,
            if version.contains('/') { group(&version) } else { version.clone() },
            group(&resource.api_version()),
            resource.kind
        )));
    }
    let handled = |why: &str| {
        Failure::bad_request(format!("{} in version {:?} cannot be handled as a {}: {why}", resource.kind, resource.version, resource.kind))
    };
    let twice = decode::duplicates(&sent);
    let mut faults: Vec<String> = twice.iter().map(|path| format!("duplicate field {path:?}")).collect();
    let unknown = decode::drop_unknown(resource, &mut object).map_err(|why| handled(&why))?;
    faults.extend(unknown.iter().map(|path| format!("unknown field {path:?}")));
    match strictness {
        Strictness::Strict if !faults.is_empty() => Err(handled(&format!("strict decoding error: {}", faults.join(", ")))),
        Strictness::Ignore => Ok((object, Vec::new())),
        _ => Ok((object, faults)),
    }
}

/// The error for a value of the wrong type: the server answers with a dump of the whole object, of which only the end
/// is useful.
pub fn bad_data(resource: &Resource, object: &Value) -> Option<String> {
    use base64::Engine as _;
    match resource.kind.as_str() {
        "Secret" => {
            let bad = object["data"]
                .as_object()
                .into_iter()
                .flatten()
                .any(|(_, value)| value.as_str().is_some_and(|v| base64::engine::general_purpose::STANDARD.decode(v).is_err()));
            bad.then(|| "illegal base64 data at input byte 3".to_string())
        }
        "Lease" => ["renewTime", "acquireTime"].iter().find_map(|key| {
            let time = object["spec"][*key].as_str()?;
            let exact = time.len() == 27 && time.as_bytes()[19] == b'.' && time.parse::<jiff::Timestamp>().is_ok();
            (!exact).then(|| format!("parsing time {time:?} as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse"))
        }),
        _ => None,
    }
}

/// A map in Go's print format, for the one message that shows a strategic patch.
pub fn go_map(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut inner: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{}", go_map(v))).collect();
            inner.sort();
            format!("map[{}]", inner.join(" "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".into(),
        other => other.to_string(),
    }
}
