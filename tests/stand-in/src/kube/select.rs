//! Label and field selectors.

use std::collections::BTreeMap;

use serde_json::Value;

use super::resources::Resource;
use super::status::{Failure, Outcome};

#[derive(Clone, Debug, PartialEq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

/// The objects of a list, watch or deletecollection.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub namespace: String,
    labels: Vec<(String, Test)>,
    fields: Vec<(String, bool, String)>,
}

impl Selection {
    pub fn parse(resource: &Resource, namespace: &str, labels: &str, fields: &str) -> Outcome<Self> {
        let fields = parse_fields(fields)?;
        for (field, _, _) in &fields {
            check_field(resource, field)?;
        }
        Ok(Self { namespace: namespace.into(), labels: parse_labels(labels)?, fields })
    }

    pub fn matches(&self, object: &Value) -> bool {
        let meta = &object["metadata"];
        if !self.namespace.is_empty() && meta["namespace"] != self.namespace.as_str() {
            return false;
        }
        let labels_fit = self.labels.iter().all(|(key, test)| {
            let value = meta["labels"].get(key).and_then(Value::as_str);
            match test {
                Test::In(values) => value.is_some_and(|v| values.iter().any(|w| w == v)),
                Test::NotIn(values) => !value.is_some_and(|v| values.iter().any(|w| w == v)),
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
            }
        });
        labels_fit && self.fields.iter().all(|(field, equal, wanted)| (read_field(object, field) == *wanted) == *equal)
    }
}

/// The single name that a field selector allows; authorization uses it as the request's name.
pub fn single_name(fields: &str) -> Option<String> {
    let parsed = parse_fields(fields).ok()?;
    parsed.into_iter().find(|(field, equal, _)| field == "metadata.name" && *equal).map(|(_, _, name)| name)
}

/// Whether a workload's `LabelSelector` matches these labels.
pub fn label_selector_matches(selector: &Value, labels: &Value) -> bool {
    let wanted: BTreeMap<&String, &Value> = selector["matchLabels"].as_object().into_iter().flatten().collect();
    if !wanted.iter().all(|(key, value)| labels.get(key.as_str()) == Some(value)) {
        return false;
    }
    selector["matchExpressions"].as_array().into_iter().flatten().all(|expression| {
        let value = expression["key"].as_str().and_then(|key| labels.get(key));
        let listed = value.is_some_and(|v| expression["values"].as_array().is_some_and(|list| list.contains(v)));
        match expression["operator"].as_str().unwrap_or_default() {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => value.is_some(),
            _ => value.is_none(),
        }
    })
}

fn parse_labels(text: &str) -> Outcome<Vec<(String, Test)>> {
    let mut out = Vec::new();
    for part in split_outside(text)? {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let words: Vec<&str> = part.splitn(3, char::is_whitespace).collect();
        if let [key, op @ ("in" | "notin"), list] = words.as_slice() {
            let inner = list.trim().strip_prefix('(').and_then(|l| l.strip_suffix(')'));
            let values: Vec<String> = inner.unwrap_or_default().split(',').map(|v| v.trim().to_string()).collect();
            let test = if *op == "in" { Test::In(values) } else { Test::NotIn(values) };
            out.push(((*key).to_string(), test));
        } else if let Some(rest) = part.split_once('=').map(|(_, value)| value.trim_start_matches('=')).filter(|value| value.contains('='))
        {
            let after = rest.split_once('=').map_or("", |(_, after)| after);
            let found = if after.starts_with('=') { "==" } else { "=" };
            return Err(Failure::bad_request(format!("found '{found}', expected: ',' or 'end of string'")));
        } else if let Some((key, value)) = part.split_once("!=") {
            out.push((key.trim().into(), Test::NotIn(vec![value.trim().into()])));
        } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            out.push((key.trim().into(), Test::In(vec![value.trim().into()])));
        } else if let Some(key) = part.strip_prefix('!') {
            out.push((key.trim().into(), Test::Absent));
        } else {
            out.push((part.into(), Test::Exists));
        }
    }
    Ok(out)
}

fn split_outside(text: &str) -> Outcome<Vec<String>> {
    let mut out = vec![String::new()];
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                out.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = out.last_mut() {
            last.push(c);
        }
    }
    if depth > 0 {
        return Err(Failure::bad_request("unable to parse requirement: found '', expected: ',' or ')'"));
    }
    Ok(out)
}

fn parse_fields(text: &str) -> Outcome<Vec<(String, bool, String)>> {
    let mut out = Vec::new();
    for part in text.split(',').filter(|p| !p.is_empty()) {
        if let Some((field, value)) = part.split_once("!=") {
            out.push((field.to_string(), false, value.to_string()));
        } else if let Some((field, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            out.push((field.to_string(), true, value.to_string()));
        } else {
            return Err(Failure::bad_request(format!("invalid selector: '{text}'; can't understand '{part}'")));
        }
    }
    Ok(out)
}

fn check_field(resource: &Resource, field: &str) -> Outcome<()> {
    if matches!(field, "metadata.name" | "metadata.namespace") {
        return Ok(());
    }
    let known: &[&str] = match resource.plural.as_str() {
        "events" if resource.group.is_empty() => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "events" => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "secrets" => &["type"],
        "namespaces" => &["status.phase", "name"],
        "jobs" => &["status.successful"],
        _ => &[],
    };
    if known.contains(&field) {
        return Ok(());
    }
    let message = match resource.plural.as_str() {
        "events" | "pods" | "secrets" | "jobs" => format!("field label not supported: {field}"),
        _ => format!("\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""),
    };
    Err(Failure::bad_request(message))
}

fn read_field(object: &Value, field: &str) -> String {
    let field = match field.strip_prefix("regarding.") {
        Some(rest) => format!("involvedObject.{rest}"),
        None if field == "reportingController" => "reportingComponent".into(),
        None => field.to_string(),
    };
    let mut value = object;
    for part in field.split('.') {
        value = &value[part];
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
