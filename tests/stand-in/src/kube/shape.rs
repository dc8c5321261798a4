//! From the sent to the stored form: removes zero values, adds defaults, copies deprecated fields.
//!
//! The real server does this by decoding into Go types with defaults. Only the behaviour seen in recordings is
//! implemented.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::resources::Resource;
use super::schema;
use super::store::metadata;

/// Removes what Go's `omitempty` would omit.
pub fn tidy(resource: &Resource, object: &mut Value) {
    if resource.custom {
        drop_nulls(object);
        return;
    }
    tidy_at(object, "");
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn tidy_at(value: &mut Value, name: &str) {
    match value {
        Value::Object(map) => {
            let free = !name.is_empty() && schema::is_map_field(name) || name == "matchLabels";
            for (key, inner) in map.iter_mut() {
                tidy_at(inner, key);
            }
            map.retain(|key, inner| if free { !inner.is_null() } else { !is_zero(name, key, inner) });
        }
        Value::Array(list) => list.iter_mut().for_each(|item| tidy_at(item, name)),
        _ => {}
    }
}

fn is_zero(parent: &str, key: &str, value: &Value) -> bool {
    match value {
        Value::Null => !matches!((parent, key), ("", "rules")),
        Value::Array(list) => list.is_empty() && key != "audiences",
        Value::Object(map) => map.is_empty() && (schema::is_map_field(key) || key == "matchLabels"),
        Value::String(text) if text.is_empty() => {
            matches!(key, "serviceAccountName" | "serviceAccount" | "generateName" | "subPath" | "nodeName" | "selfLink")
                || matches!((parent, key), ("env", "value") | ("metadata", "namespace" | "resourceVersion" | "uid"))
                || matches!((parent, key), ("secretKeyRef" | "configMapKeyRef", "name"))
        }
        Value::Bool(false) => {
            matches!(key, "hostNetwork" | "hostPID" | "hostIPC" | "paused" | "tty" | "stdin" | "stdinOnce")
                || matches!((parent, key), ("volumeMounts", "readOnly"))
        }
        Value::Number(n) => n.as_i64() == Some(0) && matches!(key, "minReadySeconds" | "generation"),
        _ => false,
    }
}

fn object_of<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let slot = map.entry(key).or_insert_with(|| json!({}));
    if !slot.is_object() {
        *slot = json!({});
    }
    match slot {
        Value::Object(inner) => inner,
        _ => unreachable!("made an object just above"),
    }
}

fn default(map: &mut Map<String, Value>, key: &str, value: Value) {
    let slot = map.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value;
    }
}

/// Conversion and defaults of one object.
pub fn complete(resource: &Resource, object: &mut Value) {
    tidy(resource, object);
    metadata(object);
    let Some(map) = object.as_object_mut() else { return };
    map.insert("apiVersion".into(), json!(resource.api_version()));
    map.insert("kind".into(), json!(resource.kind));
    if resource.custom {
        return;
    }
    match resource.kind.as_str() {
        "Secret" => {
            fold_string_data(map);
            default(map, "type", json!("Opaque"));
        }
        "Namespace" => {
            let name = map["metadata"]["name"].clone();
            let labels = object_of(object_of(map, "metadata"), "labels");
            if name.as_str().is_some_and(|n| !n.is_empty()) {
                labels.insert("kubernetes.io/metadata.name".into(), name);
            }
            object_of(map, "spec");
            default(object_of(map, "status"), "phase", json!("Active"));
        }
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "CronJob" => workload(resource, map),
        "Pod" => {
            let spec = object_of(map, "spec");
            pod_spec(spec);
            default(spec, "enableServiceLinks", json!(true));
            let status = object_of(map, "status");
            default(status, "phase", json!("Pending"));
            for container in list_mut(status, "containerStatuses").filter_map(Value::as_object_mut) {
                default(container, "lastState", json!({}));
            }
            for condition in list_mut(status, "conditions").filter_map(Value::as_object_mut) {
                // Serialised even without a value.
                for key in ["lastProbeTime", "lastTransitionTime"] {
                    condition.entry(key).or_insert(Value::Null);
                }
            }
        }
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => webhooks(map),
        "CSIDriver" => {
            let spec = object_of(map, "spec");
            for (key, value) in [
                ("attachRequired", json!(true)),
                ("podInfoOnMount", json!(false)),
                ("fsGroupPolicy", json!("ReadWriteOnceWithFSType")),
                ("storageCapacity", json!(false)),
                ("requiresRepublish", json!(false)),
                ("seLinuxMount", json!(false)),
                ("volumeLifecycleModes", json!(["Persistent"])),
            ] {
                default(spec, key, value);
            }
        }
        "CustomResourceDefinition" => definition(map),
        "RoleBinding" | "ClusterRoleBinding" => {
            for subject in list_mut(map, "subjects") {
                let group = if subject["kind"] == "ServiceAccount" { "" } else { "rbac.authorization.k8s.io" };
                if let Some(subject) = subject.as_object_mut()
                    && !group.is_empty()
                {
                    default(subject, "apiGroup", json!(group));
                }
            }
        }
        "Event" => {
            for key in ["source", "involvedObject"] {
                object_of(map, key);
            }
            for key in ["firstTimestamp", "lastTimestamp", "eventTime"] {
                map.entry(key).or_insert(Value::Null);
            }
            for key in ["reportingComponent", "reportingInstance"] {
                default(map, key, json!(""));
            }
        }
        "Lease" => {
            object_of(map, "spec");
        }
        "ResourceQuota" | "Node" => {
            object_of(map, "spec");
            object_of(map, "status");
        }
        _ => {}
    }
}

fn fold_string_data(map: &mut Map<String, Value>) {
    let Some(Value::Object(plain)) = map.shift_remove("stringData") else { return };
    let data = object_of(map, "data");
    for (key, value) in plain {
        data.insert(key, json!(STANDARD.encode(value.as_str().unwrap_or_default())));
    }
    if data.is_empty() {
        map.shift_remove("data");
    }
}

fn list_mut<'a>(map: &'a mut Map<String, Value>, key: &str) -> impl Iterator<Item = &'a mut Value> {
    map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

fn workload(resource: &Resource, map: &mut Map<String, Value>) {
    let kind = resource.kind.clone();
    {
        let spec = object_of(map, "spec");
        match kind.as_str() {
            "Deployment" => {
                default(spec, "replicas", json!(1));
                default(spec, "revisionHistoryLimit", json!(10));
                default(spec, "progressDeadlineSeconds", json!(600));
                let strategy = object_of(spec, "strategy");
                default(strategy, "type", json!("RollingUpdate"));
                if strategy["type"] == "RollingUpdate" {
                    let rolling = object_of(strategy, "rollingUpdate");
                    default(rolling, "maxUnavailable", json!("25%"));
                    default(rolling, "maxSurge", json!("25%"));
                }
            }
            "StatefulSet" => {
                default(spec, "replicas", json!(1));
                default(spec, "revisionHistoryLimit", json!(10));
                default(spec, "podManagementPolicy", json!("OrderedReady"));
                default(spec, "serviceName", json!(""));
                let strategy = object_of(spec, "updateStrategy");
                default(strategy, "type", json!("RollingUpdate"));
                if strategy["type"] == "RollingUpdate" {
                    default(object_of(strategy, "rollingUpdate"), "partition", json!(0));
                }
                let retention = object_of(spec, "persistentVolumeClaimRetentionPolicy");
                default(retention, "whenDeleted", json!("Retain"));
                default(retention, "whenScaled", json!("Retain"));
            }
            "DaemonSet" => {
                default(spec, "revisionHistoryLimit", json!(10));
                let strategy = object_of(spec, "updateStrategy");
                default(strategy, "type", json!("RollingUpdate"));
                if strategy["type"] == "RollingUpdate" {
                    let rolling = object_of(strategy, "rollingUpdate");
                    default(rolling, "maxUnavailable", json!(1));
                    default(rolling, "maxSurge", json!(0));
                }
            }
            "ReplicaSet" => default(spec, "replicas", json!(1)),
            "Job" => job_spec(spec, true),
            "CronJob" => {
                default(spec, "concurrencyPolicy", json!("Allow"));
                default(spec, "suspend", json!(false));
                default(spec, "successfulJobsHistoryLimit", json!(3));
                default(spec, "failedJobsHistoryLimit", json!(1));
                let template = object_of(spec, "jobTemplate");
                object_of(template, "metadata");
                job_spec(object_of(template, "spec"), false);
            }
            _ => {}
        }
        if !matches!(kind.as_str(), "Job" | "CronJob") {
            pod_template(object_of(spec, "template"));
        }
    }
    if kind == "DaemonSet" {
        // The template generation continues as an annotation that the server maintains.
        let annotations = object_of(object_of(map, "metadata"), "annotations");
        default(annotations, "deprecated.daemonset.template.generation", json!("1"));
    }
    let status = object_of(map, "status");
    let zeros: &[&str] = match kind.as_str() {
        "StatefulSet" => &["replicas", "availableReplicas"],
        "DaemonSet" => &["currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"],
        "ReplicaSet" => &["replicas"],
        _ => &[],
    };
    for key in zeros {
        default(status, key, json!(0));
    }
}

fn job_spec(spec: &mut Map<String, Value>, real: bool) {
    if real {
        // A CronJob's template leaves these unset; the Job created from it gets them.
        if spec.get("completions").is_none() && spec.get("parallelism").is_none() {
            default(spec, "completions", json!(1));
        }
        default(spec, "parallelism", json!(1));
        default(spec, "backoffLimit", json!(6));
        default(spec, "completionMode", json!("NonIndexed"));
        default(spec, "suspend", json!(false));
        default(spec, "manualSelector", json!(false));
        default(spec, "podReplacementPolicy", json!("TerminatingOrFailed"));
    }
    pod_template(object_of(spec, "template"));
}

fn pod_template(template: &mut Map<String, Value>) {
    object_of(template, "metadata");
    pod_spec(object_of(template, "spec"));
}

fn pod_spec(spec: &mut Map<String, Value>) {
    // The new field takes precedence; the deprecated one is always a copy.
    let name = spec.get("serviceAccountName").or(spec.get("serviceAccount")).cloned();
    if let Some(name) = name {
        spec.insert("serviceAccountName".into(), name.clone());
        spec.insert("serviceAccount".into(), name);
    }
    for (key, value) in [
        ("restartPolicy", json!("Always")),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("securityContext", json!({})),
    ] {
        default(spec, key, value);
    }
    for key in ["initContainers", "containers"] {
        for container in list_mut(spec, key).filter_map(Value::as_object_mut) {
            default(container, "resources", json!({}));
            default(container, "terminationMessagePath", json!("/dev/termination-log"));
            default(container, "terminationMessagePolicy", json!("File"));
            let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
            let tag = image.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag.to_string());
            let latest = !image.contains('@') && tag.is_none_or(|t| t == "latest");
            default(container, "imagePullPolicy", json!(if latest { "Always" } else { "IfNotPresent" }));
            for port in list_mut(container, "ports").filter_map(Value::as_object_mut) {
                default(port, "protocol", json!("TCP"));
            }
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                let Some(Value::Object(probe)) = container.get_mut(probe) else { continue };
                for (key, value) in [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)] {
                    default(probe, key, json!(value));
                }
                if let Some(Value::Object(http)) = probe.get_mut("httpGet") {
                    default(http, "scheme", json!("HTTP"));
                    default(http, "path", json!("/"));
                }
            }
            for env in list_mut(container, "env").filter_map(Value::as_object_mut) {
                if let Some(Value::Object(field)) = env.get_mut("valueFrom").and_then(|v| v.get_mut("fieldRef")) {
                    default(field, "apiVersion", json!("v1"));
                }
            }
        }
    }
    for volume in list_mut(spec, "volumes").filter_map(Value::as_object_mut) {
        for source in ["secret", "configMap", "projected", "downwardAPI"] {
            if let Some(Value::Object(source)) = volume.get_mut(source) {
                default(source, "defaultMode", json!(420));
            }
        }
        for source in volume.get_mut("projected").and_then(|p| p.get_mut("sources")).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(Value::Object(token)) = source.get_mut("serviceAccountToken") {
                default(token, "expirationSeconds", json!(3600));
            }
        }
    }
}

fn webhooks(map: &mut Map<String, Value>) {
    for hook in list_mut(map, "webhooks").filter_map(Value::as_object_mut) {
        for (key, value) in [
            ("failurePolicy", json!("Fail")),
            ("matchPolicy", json!("Equivalent")),
            ("namespaceSelector", json!({})),
            ("objectSelector", json!({})),
            ("reinvocationPolicy", json!("Never")),
            ("timeoutSeconds", json!(10)),
        ] {
            default(hook, key, value);
        }
        if let Some(Value::Object(service)) = hook.get_mut("clientConfig").and_then(|c| c.get_mut("service")) {
            default(service, "port", json!(443));
        }
        for rule in list_mut(hook, "rules").filter_map(Value::as_object_mut) {
            default(rule, "scope", json!("*"));
        }
    }
}

fn definition(map: &mut Map<String, Value>) {
    let spec = object_of(map, "spec");
    default(spec, "conversion", json!({"strategy": "None"}));
    let names = object_of(spec, "names");
    let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_string();
    default(names, "singular", json!(kind.to_lowercase()));
    default(names, "listKind", json!(format!("{kind}List")));
}
