//! Who else manages an object: field managers, and tools that would revert a change.

use std::fmt;

use serde_json::Value;

/// A tool that keeps objects as described in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GitOps {
    /// Argo CD.
    ArgoCd,
    /// Flux, with its kustomize-controller or helm-controller.
    Flux,
    /// Helm, run by people or pipelines.
    Helm,
}

impl fmt::Display for GitOps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GitOps::ArgoCd => "Argo CD",
            GitOps::Flux => "Flux",
            GitOps::Helm => "Helm",
        })
    }
}

/// The tool that manages an object, with the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedBy {
    /// The tool.
    pub tool: GitOps,
    /// What the object belongs to within the tool: an application, a Kustomization, a release. Empty if unknown.
    pub owner: String,
    /// Evidence: `annotation argocd.argoproj.io/tracking-id`, `field manager helm`.
    pub evidence: String,
}

/// Example: `Argo CD (application shop)`.
impl fmt::Display for ManagedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.owner.is_empty() { write!(f, "{}", self.tool) } else { write!(f, "{} ({})", self.tool, self.owner) }
    }
}

/// Labels and annotations of the tools, the most reliable first. Helm comes last, since Argo CD and Flux install Helm
/// charts as well.
const MARKS: [(GitOps, &str, &str); 9] = [
    (GitOps::ArgoCd, "annotations", "argocd.argoproj.io/tracking-id"),
    (GitOps::ArgoCd, "labels", "argocd.argoproj.io/instance"),
    (GitOps::Flux, "labels", "kustomize.toolkit.fluxcd.io/name"),
    (GitOps::Flux, "annotations", "kustomize.toolkit.fluxcd.io/name"),
    (GitOps::Flux, "labels", "helm.toolkit.fluxcd.io/name"),
    (GitOps::Flux, "annotations", "helm.toolkit.fluxcd.io/name"),
    (GitOps::Helm, "annotations", "meta.helm.sh/release-name"),
    (GitOps::Helm, "labels", "helm.sh/chart"),
    (GitOps::Helm, "labels", "app.kubernetes.io/managed-by"),
];

/// Field managers of the tools, for objects without such labels and annotations.
const MANAGERS: [(GitOps, &str); 5] = [
    (GitOps::ArgoCd, "argocd-controller"),
    (GitOps::ArgoCd, "argocd-application-controller"),
    (GitOps::Flux, "kustomize-controller"),
    (GitOps::Flux, "helm-controller"),
    (GitOps::Helm, "helm"),
];

pub(crate) fn managed_by(object: &Value) -> Option<ManagedBy> {
    let metadata = &object["metadata"];
    for tool in [GitOps::ArgoCd, GitOps::Flux, GitOps::Helm] {
        for (_, place, key) in MARKS.iter().filter(|mark| mark.0 == tool) {
            let Some(value) = metadata[*place][*key].as_str() else { continue };
            // Every tool may set this label, but only Helm writes the value `Helm`; chart templates may copy
            // `helm.sh/chart` to other objects.
            if *key == "app.kubernetes.io/managed-by" && value != "Helm" {
                continue;
            }
            if *key == "helm.sh/chart" && metadata["labels"]["app.kubernetes.io/managed-by"].as_str().is_some_and(|by| by != "Helm") {
                continue;
            }
            let kind = if *place == "annotations" { "annotation" } else { "label" };
            return Some(ManagedBy { tool, owner: owner(tool, key, value), evidence: format!("{kind} {key}") });
        }
        let managers = metadata["managedFields"].as_array().into_iter().flatten().filter_map(|entry| entry["manager"].as_str());
        for manager in managers {
            if MANAGERS.iter().any(|(whose, name)| *whose == tool && *name == manager) {
                return Some(ManagedBy { tool, owner: String::new(), evidence: format!("field manager {manager}") });
            }
        }
    }
    None
}

fn owner(tool: GitOps, key: &str, value: &str) -> String {
    match (tool, key) {
        // Format: `application:group/kind:namespace/name`.
        (GitOps::ArgoCd, _) => format!("application {}", value.split(':').next().unwrap_or(value)),
        (GitOps::Flux, key) if key.starts_with("helm.") => format!("HelmRelease {value}"),
        (GitOps::Flux, _) => format!("Kustomization {value}"),
        (GitOps::Helm, "meta.helm.sh/release-name") => format!("release {value}"),
        (GitOps::Helm, _) => String::new(),
    }
}

/// One level of `fieldsV1`.
enum Step {
    /// Example: `f:spec`.
    Field(String),
    /// Example: `k:{"name":"app"}`, a list item identified by its keys.
    Item(Vec<(String, Value)>),
}

pub(crate) fn managers_of<'a>(object: &'a Value, field: &str) -> Vec<&'a str> {
    let Some(path) = parse_path(field) else { return Vec::new() };
    let entries = object["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut managers: Vec<&str> = Vec::new();
    for entry in entries {
        let found = path.iter().try_fold(&entry["fieldsV1"], |fields, step| descend(fields, step));
        if let (Some(_), Some(manager)) = (found, entry["manager"].as_str())
            && !managers.contains(&manager)
        {
            managers.push(manager);
        }
    }
    managers
}

fn descend<'a>(fields: &'a Value, step: &Step) -> Option<&'a Value> {
    match step {
        Step::Field(name) => fields.get(format!("f:{name}")),
        Step::Item(keys) => fields.as_object()?.iter().find_map(|(key, inner)| {
            let have: Value = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
            keys.iter().all(|(name, value)| have[name] == *value).then_some(inner)
        }),
    }
}

/// Parses a path as the API server writes it: `.spec.containers[name="app"].env`. This tool writes a field name that
/// contains dots (the key of a label) in brackets and quotes, `.metadata.labels["a.b/c"]`; the API server writes it
/// without.
fn parse_path(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after)?;
            let inside = &after[..end];
            steps.push(match serde_json::from_str::<Value>(inside) {
                Ok(Value::String(name)) => Step::Field(name),
                _ => Step::Item(
                    inside
                        .split(',')
                        .map(|pair| {
                            let (key, value) = pair.split_once('=')?;
                            Some((key.to_owned(), serde_json::from_str(value).ok()?))
                        })
                        .collect::<Option<_>>()?,
                ),
            });
            rest = &after[end + 1..];
            continue;
        }
        let after = rest.strip_prefix('.').unwrap_or(rest);
        // Keys of label and annotation maps contain dots, so the rest of the path is the key.
        let is_map = matches!(steps.last(), Some(Step::Field(name)) if matches!(name.as_str(), "labels" | "annotations" | "matchLabels" | "nodeSelector"));
        let end = if is_map { after.len() } else { after.find(['.', '[']).unwrap_or(after.len()) };
        if end == 0 {
            return None;
        }
        steps.push(Step::Field(after[..end].to_owned()));
        rest = &after[end..];
    }
    (!steps.is_empty()).then_some(steps)
}

/// Position of the bracket that closes the one before `text`; brackets in quotes don't count.
fn closing(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ']' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}
