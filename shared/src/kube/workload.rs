//! A workload as read from the cluster, and the placement of patches in its pod template. Pure.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use super::gitops::{self, ManagedBy};
use super::resources::{CRON_JOB, DAEMON_SET, DEPLOYMENT, JOB, Resource, STATEFUL_SET};
use crate::model::{Kind, Problem, Result, names};

/// Kinds of workloads: objects that run pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
    /// A Job. Its pod template can't be changed.
    Job,
    /// A CronJob.
    CronJob,
}

impl WorkloadKind {
    /// All kinds, in the order of the help text.
    pub const ALL: [WorkloadKind; 5] =
        [WorkloadKind::Deployment, WorkloadKind::StatefulSet, WorkloadKind::DaemonSet, WorkloadKind::Job, WorkloadKind::CronJob];

    /// The kind's API resource.
    pub fn resource(self) -> &'static Resource {
        match self {
            WorkloadKind::Deployment => &DEPLOYMENT,
            WorkloadKind::StatefulSet => &STATEFUL_SET,
            WorkloadKind::DaemonSet => &DAEMON_SET,
            WorkloadKind::Job => &JOB,
            WorkloadKind::CronJob => &CRON_JOB,
        }
    }

    /// The name used on the command line: `deployment`.
    pub fn as_str(self) -> &'static str {
        match self {
            WorkloadKind::Deployment => "deployment",
            WorkloadKind::StatefulSet => "statefulset",
            WorkloadKind::DaemonSet => "daemonset",
            WorkloadKind::Job => "job",
            WorkloadKind::CronJob => "cronjob",
        }
    }

    /// Parses any name that kubectl accepts: `deploy`, `deployments.apps`, `deployments.v1.apps`, `StatefulSet`,
    /// `cj`.
    pub fn parse(text: &str) -> Option<WorkloadKind> {
        let text = text.to_ascii_lowercase();
        let (name, group) = text.split_once('.').unwrap_or((&text, ""));
        let kind = match name {
            "deployment" | "deployments" | "deploy" => WorkloadKind::Deployment,
            "statefulset" | "statefulsets" | "sts" => WorkloadKind::StatefulSet,
            "daemonset" | "daemonsets" | "ds" => WorkloadKind::DaemonSet,
            "job" | "jobs" => WorkloadKind::Job,
            "cronjob" | "cronjobs" | "cj" => WorkloadKind::CronJob,
            _ => return None,
        };
        let own = kind.resource().group;
        (group.is_empty() || group == own || group == format!("v1.{own}")).then_some(kind)
    }

    /// Path of the pod template within the object.
    pub fn pod_template(self) -> &'static [&'static str] {
        match self {
            WorkloadKind::CronJob => &["spec", "jobTemplate", "spec", "template"],
            _ => &["spec", "template"],
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A workload as named by the user: `deployment/web`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadRef {
    /// Kind.
    pub kind: WorkloadKind,
    /// Name.
    pub name: String,
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl FromStr for WorkloadRef {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: String| Problem::new(Kind::Usage, "KC3401", format!("`{text}` does not name a workload")).why(why);
        let forms = "deployment/NAME, statefulset/NAME, daemonset/NAME, job/NAME or cronjob/NAME";
        let Some((kind, name)) = text.split_once('/') else {
            let name = if names::object_name_fault(text).is_none() { text } else { "NAME" };
            return Err(bad("its kind is missing".into()).fix(format!("--workload deployment/{name}   # or {forms}")));
        };
        let kind_of = WorkloadKind::parse(kind).ok_or_else(|| {
            let why = match kind.to_ascii_lowercase().as_str() {
                "pod" | "pods" | "po" => "a Pod can't be changed: name the workload that creates it".to_owned(),
                "replicaset" | "replicasets" | "rs" => "a ReplicaSet belongs to a Deployment: name the Deployment".to_owned(),
                _ => format!("`{kind}` is not a kind of workload"),
            };
            bad(why).fix(format!("write {forms}"))
        })?;
        if let Some(fault) = names::object_name_fault(name) {
            return Err(bad(format!("the name {fault}")).fix(format!("write {forms}")));
        }
        Ok(WorkloadRef { kind: kind_of, name: name.into() })
    }
}

/// A workload as read from the cluster.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Kind.
    pub kind: WorkloadKind,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The object as returned by the API server.
    pub object: Value,
}

/// Example: `deployment/web`.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Workload {
    /// Wraps an object of a kind; name and namespace are taken from it.
    pub fn new(kind: WorkloadKind, object: Value) -> Self {
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
        Workload { kind, namespace: text("namespace"), name: text("name"), object }
    }

    /// The pod template.
    pub fn template(&self) -> &Value {
        self.kind.pod_template().iter().fold(&self.object, |value, key| &value[*key])
    }

    /// The pod spec.
    pub fn pod_spec(&self) -> &Value {
        &self.template()["spec"]
    }

    /// The service account named in the pod spec; `None` if unset. It may be an explicit `default`.
    pub fn service_account(&self) -> Option<&str> {
        let spec = self.pod_spec();
        [&spec["serviceAccountName"], &spec["serviceAccount"]].into_iter().find_map(|v| v.as_str().filter(|name| !name.is_empty()))
    }

    /// Names of the containers in their live order. A patch must keep this order, or it re-orders the containers
    /// permanently.
    pub fn containers(&self) -> Vec<&str> {
        names_of(&self.pod_spec()["containers"])
    }

    /// Names of the init containers in their live order.
    pub fn init_containers(&self) -> Vec<&str> {
        names_of(&self.pod_spec()["initContainers"])
    }

    /// A container or init container by name.
    pub fn container(&self, name: &str) -> Option<&Value> {
        let spec = self.pod_spec();
        ["containers", "initContainers"].into_iter().find_map(|list| named(&spec[list], name))
    }

    /// The environment variables of a container: name, whether there is a non-empty literal value, and `valueFrom`.
    /// If a name appears twice, the pod uses the last entry.
    pub fn env_of(&self, container: &str) -> Vec<(&str, bool, Option<&Value>)> {
        let list = self.container(container).and_then(|c| c["env"].as_array()).map(Vec::as_slice).unwrap_or_default();
        list.iter()
            .filter_map(|entry| {
                let value_from = entry.get("valueFrom").filter(|v| !v.is_null());
                Some((entry["name"].as_str()?, entry["value"].as_str().is_some_and(|v| !v.is_empty()), value_from))
            })
            .collect()
    }

    /// Who sets a variable of a container, by the object's `managedFields`.
    pub fn setter_of(&self, container: &str, variable: &str) -> Option<&str> {
        let entries = self.object["metadata"]["managedFields"].as_array()?;
        let sets = |entry: &&Value| {
            let mut fields = &entry["fieldsV1"]["f:spec"];
            if self.kind == WorkloadKind::CronJob {
                fields = &fields["f:jobTemplate"]["f:spec"];
            }
            let containers = &fields["f:template"]["f:spec"]["f:containers"];
            containers[format!("k:{{\"name\":\"{container}\"}}")]["f:env"].get(format!("k:{{\"name\":\"{variable}\"}}")).is_some()
        };
        entries.iter().find(sets)?["manager"].as_str()
    }

    /// A volume of the pod template, by name.
    pub fn volume(&self, name: &str) -> Option<&Value> {
        named(&self.pod_spec()["volumes"], name)
    }

    /// The volume mounts of a container: volume name and path.
    pub fn mounts_of(&self, container: &str) -> Vec<(&str, &str)> {
        let list = self.container(container).and_then(|c| c["volumeMounts"].as_array()).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|mount| Some((mount["name"].as_str()?, mount["mountPath"].as_str()?))).collect()
    }

    /// A label of the object itself.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.object["metadata"]["labels"][key].as_str()
    }

    /// An annotation of the object itself.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.object["metadata"]["annotations"][key].as_str()
    }

    /// A label of the pods.
    pub fn pod_label(&self, key: &str) -> Option<&str> {
        self.template()["metadata"]["labels"][key].as_str()
    }

    /// The label selector of the workload's pods: `app=web`. `None` if there are no such labels (CronJob).
    pub fn selector(&self) -> Option<String> {
        let labels = self.object["spec"]["selector"]["matchLabels"].as_object()?;
        let pairs: Vec<String> = labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
        (!pairs.is_empty()).then(|| pairs.join(","))
    }

    /// The desired number of pods; `None` for kinds without that field.
    pub fn replicas(&self) -> Option<u64> {
        match self.kind {
            // The server sets the default 1; the field is absent only in objects that did not come from a server.
            WorkloadKind::Deployment | WorkloadKind::StatefulSet => Some(self.object["spec"]["replicas"].as_u64().unwrap_or(1)),
            _ => None,
        }
    }

    /// The object's uid.
    pub fn uid(&self) -> &str {
        self.object["metadata"]["uid"].as_str().unwrap_or_default()
    }

    /// The object's resourceVersion.
    pub fn resource_version(&self) -> &str {
        self.object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
    }

    /// The managers of a field. The path has the form that the API server uses in conflicts:
    /// `.spec.template.spec.containers[name="app"].env[name="A"].value`.
    pub fn managers_of(&self, field: &str) -> Vec<&str> {
        gitops::managers_of(&self.object, field)
    }

    /// The first manager of a field.
    pub fn manager_of(&self, field: &str) -> Option<&str> {
        self.managers_of(field).into_iter().next()
    }

    /// The GitOps tool that manages this object and would revert a patch.
    pub fn managed_by(&self) -> Option<ManagedBy> {
        gitops::managed_by(&self.object)
    }
}

fn names_of(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|item| item["name"].as_str()).collect()
}

fn named<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|item| item["name"] == name)
}

/// Puts a patch of the pod template (`{"metadata": …, "spec": …}`) at the kind's place for the template.
pub fn wrap_template(kind: WorkloadKind, template_patch: Value) -> Value {
    kind.pod_template().iter().rev().fold(template_patch, |inner, key| {
        let mut outer = json!({});
        outer[*key] = inner;
        outer
    })
}

#[cfg(test)]
mod tests;
