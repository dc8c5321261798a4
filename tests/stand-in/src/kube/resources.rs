//! The served kinds as a table; definitions of custom resources add to it at run time.

use std::sync::Arc;

use serde_json::{Map, Value, json};

/// One served resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub group: String,
    pub version: String,
    pub plural: String,
    pub kind: String,
    pub singular: String,
    pub short: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    /// In alphabetical order, as discovery lists them.
    pub subresources: Vec<&'static str>,
    /// Whether the resource has a `metadata.generation`.
    pub generation: bool,
    /// Defined by a CustomResourceDefinition: no types, no strategic patches, no defaults.
    pub custom: bool,
}

impl Resource {
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The name in messages: `deployments.apps`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    pub fn details(&self, name: &str) -> Value {
        self.details_of(name, &self.plural)
    }

    pub fn kind_details(&self, name: &str) -> Value {
        self.details_of(name, &self.kind)
    }

    fn details_of(&self, name: &str, kind: &str) -> Value {
        let mut out = Map::new();
        for (key, value) in [("name", name), ("group", &self.group), ("kind", kind)] {
            if !value.is_empty() {
                out.insert(key.into(), json!(value));
            }
        }
        Value::Object(out)
    }

    /// The storage key of the objects: both event APIs show the same events.
    pub fn storage(&self) -> (String, String) {
        let group = if self.plural == "events" { String::new() } else { self.group.clone() };
        (group, self.plural.clone())
    }

    pub fn has_status(&self) -> bool {
        self.subresources.contains(&"status")
    }

    /// Reviews are answered, not stored.
    pub fn is_review(&self) -> bool {
        self.plural.ends_with("reviews")
    }

    /// The path of the pod template: `spec.template` and similar.
    pub fn template_path(&self) -> Option<&'static [&'static str]> {
        match (self.group.as_str(), self.plural.as_str()) {
            ("apps", "deployments" | "statefulsets" | "daemonsets" | "replicasets") | ("batch", "jobs") => Some(&["spec", "template"]),
            ("batch", "cronjobs") => Some(&["spec", "jobTemplate", "spec", "template"]),
            ("", "pods") => Some(&[]),
            _ => None,
        }
    }

    pub fn verbs(&self) -> Vec<&'static str> {
        if self.is_review() {
            return vec!["create"];
        }
        if self.custom {
            return vec!["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
        }
        let mut verbs = vec!["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
        if self.group.is_empty() && self.plural == "namespaces" {
            verbs.retain(|v| *v != "deletecollection");
        }
        verbs
    }
}

/// Columns: group, version, plural, kind, short names, namespaced, subresources, generation.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, bool, &'static str, bool);

const TABLE: &[Row] = &[
    ("", "v1", "configmaps", "ConfigMap", "cm", true, "", false),
    ("", "v1", "events", "Event", "ev", true, "", false),
    ("", "v1", "namespaces", "Namespace", "ns", false, "finalize status", false),
    ("", "v1", "nodes", "Node", "no", false, "status", false),
    ("", "v1", "pods", "Pod", "po", true, "exec log status", true),
    ("", "v1", "resourcequotas", "ResourceQuota", "quota", true, "status", false),
    ("", "v1", "secrets", "Secret", "", true, "", false),
    ("", "v1", "serviceaccounts", "ServiceAccount", "sa", true, "token", false),
    ("", "v1", "services", "Service", "svc", true, "status", false),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", "crd crds", false, "status", true),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", "", true, "", false),
    ("apps", "v1", "daemonsets", "DaemonSet", "ds", true, "status", true),
    ("apps", "v1", "deployments", "Deployment", "deploy", true, "scale status", true),
    ("apps", "v1", "replicasets", "ReplicaSet", "rs", true, "scale status", true),
    ("apps", "v1", "statefulsets", "StatefulSet", "sts", true, "scale status", true),
    ("events.k8s.io", "v1", "events", "Event", "ev", true, "", false),
    ("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", "", false, "", false),
    ("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", "", false, "", false),
    ("authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", "", true, "", false),
    ("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", "", false, "", false),
    ("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", "", false, "", false),
    ("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", "", false, "", false),
    ("batch", "v1", "cronjobs", "CronJob", "cj", true, "status", true),
    ("batch", "v1", "jobs", "Job", "", true, "status", true),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", "", false, "", false),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "", false, "", false),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "", true, "", false),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", "", true, "", false),
    ("storage.k8s.io", "v1", "csidrivers", "CSIDriver", "", false, "", false),
    ("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", "", false, "", true),
    ("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", "", false, "", true),
    ("coordination.k8s.io", "v1", "leases", "Lease", "", true, "", false),
];

pub fn builtin() -> Vec<Arc<Resource>> {
    TABLE
        .iter()
        .map(|(group, version, plural, kind, short, namespaced, subresources, generation)| {
            let all = matches!(*kind, "Pod" | "Service" | "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet")
                || matches!(*kind, "CronJob" | "Job");
            Arc::new(Resource {
                group: (*group).into(),
                version: (*version).into(),
                plural: (*plural).into(),
                kind: (*kind).into(),
                singular: kind.to_lowercase(),
                short: short.split_whitespace().map(str::to_string).collect(),
                categories: if all { vec!["all".into()] } else { Vec::new() },
                namespaced: *namespaced,
                subresources: subresources.split_whitespace().collect(),
                generation: *generation,
                custom: false,
            })
        })
        .collect()
}

/// The resources of a definition, one for each served version.
pub fn from_definition(definition: &Value) -> Vec<Arc<Resource>> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let texts = |value: &Value| -> Vec<String> { value.as_array().map(|list| list.iter().map(text).collect()).unwrap_or_default() };
    let names = &spec["names"];
    let kind = text(&names["kind"]);
    let versions = spec["versions"].as_array().cloned().unwrap_or_default();
    versions
        .iter()
        .filter(|version| version["served"] == true)
        .map(|version| {
            let singular = text(&names["singular"]);
            Arc::new(Resource {
                group: text(&spec["group"]),
                version: text(&version["name"]),
                plural: text(&names["plural"]),
                singular: if singular.is_empty() { kind.to_lowercase() } else { singular },
                kind: kind.clone(),
                short: texts(&names["shortNames"]),
                categories: texts(&names["categories"]),
                namespaced: spec["scope"] == "Namespaced",
                subresources: if version["subresources"]["status"].is_object() { vec!["status"] } else { vec![] },
                generation: true,
                custom: true,
            })
        })
        .collect()
}
