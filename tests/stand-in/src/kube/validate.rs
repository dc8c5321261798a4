//! Validation of stored objects, with the server's messages and field paths.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::resources::Resource;
use super::status::Cause;

const LABEL_NAME: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const NAME_PART: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const ENV_NAME: &str = "a valid environment variable name must consist only of printable ASCII characters other than '='";

#[expect(clippy::expect_used, reason = "the patterns are constants")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

static LABEL_RE: LazyLock<Regex> = LazyLock::new(|| pattern("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"));
static SUBDOMAIN_RE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"));
static LABEL_VALUE_RE: LazyLock<Regex> = LazyLock::new(|| pattern("^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"));
static CONFIG_KEY_RE: LazyLock<Regex> = LazyLock::new(|| pattern("^[-._a-zA-Z0-9]+$"));

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Faults of an object by itself.
pub fn object(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    names(resource, object, &mut causes);
    match resource.kind.as_str() {
        "ConfigMap" | "Secret" => data(resource, object, &mut causes),
        "Lease" => lease(object, &mut causes),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => workload(resource, object, &mut causes),
        "Job" => template(&object["spec"]["template"], "spec.template", Some(JOB_POLICIES), &mut causes),
        "CronJob" => {
            if string(&object["spec"], "schedule").is_empty() {
                causes.push(Cause::required("spec.schedule"));
            }
            let inner = &object["spec"]["jobTemplate"]["spec"]["template"];
            template(inner, "spec.jobTemplate.spec.template", Some(JOB_POLICIES), &mut causes);
        }
        "Pod" => pod_spec(&object["spec"], "spec", &mut causes),
        _ => {}
    }
    causes
}

fn names(resource: &Resource, object: &Value, causes: &mut Vec<Cause>) {
    let meta = &object["metadata"];
    let name = string(meta, "name");
    if name.is_empty() {
        causes.push(Cause::required_because("metadata.name", "name or generateName is required"));
    } else if resource.kind == "Namespace" {
        if !LABEL_RE.is_match(name) {
            causes.push(Cause::invalid("metadata.name", &quoted(name), LABEL_NAME));
        }
    } else if resource.group != "rbac.authorization.k8s.io" && (!SUBDOMAIN_RE.is_match(name) || name.len() > 253) {
        causes.push(Cause::invalid("metadata.name", &quoted(name), SUBDOMAIN));
    }
    labels(&meta["labels"], "metadata.labels", causes);
    for (key, _) in meta["annotations"].as_object().into_iter().flatten() {
        let name = key.rsplit_once('/').map_or(key.as_str(), |(_, name)| name);
        if name.is_empty() || !LABEL_VALUE_RE.is_match(name) {
            causes.push(Cause::invalid("metadata.annotations", &quoted(key), NAME_PART));
        }
    }
}

fn labels(labels: &Value, path: &str, causes: &mut Vec<Cause>) {
    for (_, value) in labels.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !LABEL_VALUE_RE.is_match(value) || value.len() > 63 {
            causes.push(Cause::invalid(path, &quoted(value), LABEL_VALUE));
        }
    }
}

fn data(resource: &Resource, object: &Value, causes: &mut Vec<Cause>) {
    for (key, _) in object["data"].as_object().into_iter().flatten() {
        if !CONFIG_KEY_RE.is_match(key) {
            causes.push(Cause::invalid(format!("data[{key}]"), &quoted(key), CONFIG_KEY));
        }
    }
    if resource.kind == "Secret" && object["type"] == "kubernetes.io/tls" {
        for key in ["tls.crt", "tls.key"] {
            if object["data"].get(key).is_none() {
                causes.push(Cause::required(format!("data[{key}]")));
            }
        }
    }
}

fn lease(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    for (key, why) in [("leaseDurationSeconds", "must be greater than 0"), ("leaseTransitions", "must be greater than or equal to 0")] {
        let least = i64::from(key == "leaseDurationSeconds");
        if let Some(number) = spec[key].as_i64()
            && number < least
        {
            causes.push(Cause::invalid(format!("spec.{key}"), &number.to_string(), why));
        }
    }
}

fn workload(resource: &Resource, object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    let selector = &spec["selector"];
    // For a DaemonSet, a missing selector is reported only as a mismatch.
    if selector.is_null() && resource.kind != "DaemonSet" {
        causes.push(Cause::required("spec.selector"));
    }
    let found = &spec["template"]["metadata"]["labels"];
    let empty = selector["matchLabels"].as_object().is_none_or(serde_json::Map::is_empty)
        && selector["matchExpressions"].as_array().is_none_or(Vec::is_empty);
    if !selector.is_null() && empty {
        causes.push(Cause::invalid(
            "spec.selector",
            &selector.to_string(),
            &format!("empty selector is invalid for {}", resource.kind.to_lowercase()),
        ));
    }
    if empty || !super::select::label_selector_matches(selector, found) {
        let sorted: std::collections::BTreeMap<&String, &Value> = found.as_object().into_iter().flatten().collect();
        let shown = if found.is_null() { "null".into() } else { serde_json::json!(sorted).to_string() };
        causes.push(Cause::invalid("spec.template.metadata.labels", &shown, "`selector` does not match template `labels`"));
    }
    template(&spec["template"], "spec.template", None, causes);
}

const JOB_POLICIES: &str = "valid values: \"OnFailure\", \"Never\"";

fn template(template: &Value, path: &str, policies: Option<&str>, causes: &mut Vec<Cause>) {
    labels(&template["metadata"]["labels"], &format!("{path}.metadata.labels"), causes);
    pod_spec(&template["spec"], &format!("{path}.spec"), causes);
    let policy = string(&template["spec"], "restartPolicy");
    match policies {
        Some(valid) if policy == "Always" => {
            causes.push(Cause::required_because(format!("{path}.spec.restartPolicy"), valid));
        }
        None if policy != "Always" => causes.push(Cause::unsupported(format!("{path}.spec.restartPolicy"), &quoted(policy), &["Always"])),
        _ => {}
    }
}

fn pod_spec(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    let volumes = list(spec, "volumes");
    let mut good = Vec::new();
    for (at, volume) in volumes.iter().enumerate() {
        let here = format!("{path}.volumes[{at}]");
        let faults = causes.len();
        let sources: Vec<&String> = volume.as_object().into_iter().flatten().map(|(k, _)| k).filter(|k| *k != "name").collect();
        let name = string(volume, "name");
        if name.is_empty() {
            causes.push(Cause::required(format!("{here}.name")));
        } else if !LABEL_RE.is_match(name) {
            causes.push(Cause::invalid(format!("{here}.name"), &quoted(name), LABEL_NAME));
        } else if volumes[..at].iter().any(|v| v["name"] == name) {
            causes.push(Cause::duplicate(format!("{here}.name"), &quoted(name)));
        }
        match sources.as_slice() {
            [] => causes.push(Cause::required_because(&here, "must specify a volume type")),
            [_] => {}
            more => {
                // Reported for the source that the server checks last.
                let order = ["emptyDir", "hostPath", "secret", "configMap", "projected", "csi"];
                let last = order.iter().rev().find(|o| more.iter().any(|m| m == *o)).copied().unwrap_or("csi");
                causes.push(Cause::forbidden(format!("{here}.{last}"), "may not specify more than 1 volume type"));
            }
        }
        // An invalid volume counts as missing.
        if causes.len() == faults {
            good.push(volume.clone());
        }
    }
    let volumes = &good[..];
    let empty = list(spec, "containers").is_empty();
    if empty {
        causes.push(Cause::required(format!("{path}.containers")));
    }
    for key in ["containers", "initContainers"] {
        for (at, container) in list(spec, key).iter().enumerate() {
            self::container(container, &format!("{path}.{key}[{at}]"), list(spec, key), at, volumes, causes);
        }
    }
    let account = string(spec, "serviceAccountName");
    if !account.is_empty() && !SUBDOMAIN_RE.is_match(account) {
        causes.push(Cause::invalid(format!("{path}.serviceAccountName"), &quoted(account), SUBDOMAIN));
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn container(item: &Value, path: &str, all: &[Value], at: usize, volumes: &[Value], causes: &mut Vec<Cause>) {
    let name = string(item, "name");
    if name.is_empty() {
        causes.push(Cause::required(format!("{path}.name")));
    } else if !LABEL_RE.is_match(name) {
        causes.push(Cause::invalid(format!("{path}.name"), &quoted(name), LABEL_NAME));
    } else if all[..at].iter().any(|c| c["name"] == name) {
        causes.push(Cause::duplicate(format!("{path}.name"), &quoted(name)));
    }
    if string(item, "image").is_empty() {
        causes.push(Cause::required(format!("{path}.image")));
    }
    for (at, env) in list(item, "env").iter().enumerate() {
        variable(env, &format!("{path}.env[{at}]"), causes);
    }
    let mounts = list(item, "volumeMounts");
    for (at, mount) in mounts.iter().enumerate() {
        let here = format!("{path}.volumeMounts[{at}]");
        let name = string(mount, "name");
        if name.is_empty() {
            causes.push(Cause::required(format!("{here}.name")));
        }
        if !volumes.iter().any(|v| v["name"] == name) {
            causes.push(Cause::not_found(format!("{here}.name"), &quoted(name)));
        }
        let target = string(mount, "mountPath");
        if target.is_empty() {
            causes.push(Cause::required(format!("{here}.mountPath")));
        } else if mounts[..at].iter().any(|m| m["mountPath"] == target) {
            causes.push(Cause::invalid(format!("{here}.mountPath"), &quoted(target), "must be unique"));
        }
    }
}

fn variable(env: &Value, path: &str, causes: &mut Vec<Cause>) {
    let name = string(env, "name");
    if name.is_empty() {
        causes.push(Cause::required(format!("{path}.name")));
    } else if name.contains('=') || !name.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        causes.push(Cause::invalid(format!("{path}.name"), &quoted(name), ENV_NAME));
    }
    let Some(from) = env.get("valueFrom") else { return };
    let here = format!("{path}.valueFrom");
    let sources = from.as_object().map_or(0, serde_json::Map::len);
    for source in ["secretKeyRef", "configMapKeyRef"] {
        let Some(reference) = from.get(source) else { continue };
        let key = string(reference, "key");
        if key.is_empty() {
            causes.push(Cause::required(format!("{here}.{source}.key")));
        } else if !CONFIG_KEY_RE.is_match(key) {
            causes.push(Cause::invalid(format!("{here}.{source}.key"), &quoted(key), CONFIG_KEY));
        }
        let name = string(reference, "name");
        if !name.is_empty() && !SUBDOMAIN_RE.is_match(name) {
            causes.push(Cause::invalid(format!("{here}.{source}.name"), &quoted(name), SUBDOMAIN));
        }
    }
    if !string(env, "value").is_empty() {
        if sources > 0 {
            causes.push(Cause::invalid(&here, "\"\"", "may not be specified when `value` is not empty"));
        }
    } else if sources == 0 {
        causes.push(Cause::invalid(
            &here,
            "\"\"",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ));
    } else if sources > 1 {
        causes.push(Cause::invalid(&here, "\"\"", "may not have more than one field specified at a time"));
    }
}

/// Faults of a change.
pub fn update(resource: &Resource, old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let frozen = old["immutable"] == true;
    match resource.kind.as_str() {
        "Secret" | "ConfigMap" => {
            if resource.kind == "Secret" && old["type"] != new["type"] {
                causes.push(Cause::invalid("type", &new["type"].to_string(), "field is immutable"));
            }
            let why = "field is immutable when `immutable` is set";
            if frozen && new["immutable"] != true {
                causes.push(Cause::forbidden("immutable", why));
            }
            if frozen && old.get("data") != new.get("data") {
                causes.push(Cause::forbidden("data", why));
            }
        }
        "Deployment" | "DaemonSet" | "ReplicaSet" if old["spec"]["selector"] != new["spec"]["selector"] => {
            causes.push(Cause::invalid("spec.selector", &new["spec"]["selector"].to_string(), "field is immutable"));
        }
        "StatefulSet" => stateful(old, new, &mut causes),
        "Job" => job(old, new, &mut causes),
        "Pod" => pod(old, new, &mut causes),
        "RoleBinding" | "ClusterRoleBinding" if old["roleRef"] != new["roleRef"] => {
            causes.push(Cause::invalid("roleRef", &new["roleRef"].to_string(), "cannot change roleRef"));
        }
        _ => {}
    }
    causes
}

fn without(value: &Value, keys: &[&str]) -> Value {
    let mut out = value.clone();
    if let Some(map) = out.as_object_mut() {
        map.retain(|key, _| !keys.contains(&key.as_str()));
    }
    out
}

fn stateful(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let free = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    if without(&old["spec"], &free) != without(&new["spec"], &free) {
        causes.push(Cause::forbidden("spec", "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
    }
}

fn job(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let (before, after) = (&old["spec"]["template"], &new["spec"]["template"]);
    // While a Job is suspended and has never run, scheduling hints and labels may still change.
    if old["spec"]["suspend"] == true && old["status"]["startTime"].is_null() {
        let free = ["nodeSelector", "affinity", "tolerations", "schedulingGates"];
        if without(&before["spec"], &free) != without(&after["spec"], &free) {
            causes.push(Cause::invalid("spec.template.spec", &after["spec"].to_string(), "field is immutable"));
        }
    } else if before != after {
        causes.push(Cause::invalid("spec.template", &after.to_string(), "field is immutable"));
    }
    for key in ["completions", "selector", "completionMode"] {
        if old["spec"][key] != new["spec"][key] {
            causes.push(Cause::invalid(format!("spec.{key}"), &new["spec"][key].to_string(), "field is immutable"));
        }
    }
}

fn pod(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let strip = |pod: &Value| -> Value {
        let mut spec = without(&pod["spec"], &["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"]);
        for key in ["containers", "initContainers"] {
            for container in spec.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(map) = container.as_object_mut() {
                    map.shift_remove("image");
                }
            }
        }
        spec
    };
    if strip(old) != strip(new) {
        causes.push(Cause::forbidden("spec", "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"));
    }
}
