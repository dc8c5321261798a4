//! A workload as the cluster has it: pure reading, and putting a pod template's patch in the right place.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use super::gitops::{self, ManagedBy};
use super::resources::{CRON_JOB, DAEMON_SET, DEPLOYMENT, JOB, Resource, STATEFUL_SET};
use crate::model::{Kind, Problem, Result, names};

/// What runs pods for a while or for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
    /// A Job. Its pods can't be changed once it exists.
    Job,
    /// A CronJob.
    CronJob,
}

impl WorkloadKind {
    /// All kinds, in the order in which help names them.
    pub const ALL: [WorkloadKind; 5] =
        [WorkloadKind::Deployment, WorkloadKind::StatefulSet, WorkloadKind::DaemonSet, WorkloadKind::Job, WorkloadKind::CronJob];

    /// Where the API server keeps them.
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

    /// A kind by any name that kubectl takes: `deploy`, `deployments.apps`, `deployments.v1.apps`, `StatefulSet`, `cj`.
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

    /// Path of the pod template in the object.
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

/// A workload as a person names it: `deployment/web`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadRef {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
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
                "pod" | "pods" | "po" => "a Pod can't be changed once it exists: name what creates it".to_owned(),
                "replicaset" | "replicasets" | "rs" => "a ReplicaSet belongs to a Deployment: name that".to_owned(),
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

/// One workload as it was read.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The object as the API server gave it.
    pub object: Value,
}

/// `deployment/web`.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Workload {
    /// An object of a kind; name and namespace are read from it.
    pub fn new(kind: WorkloadKind, object: Value) -> Self {
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
        Workload { kind, namespace: text("namespace"), name: text("name"), object }
    }

    /// The pod template.
    pub fn template(&self) -> &Value {
        self.kind.pod_template().iter().fold(&self.object, |value, key| &value[*key])
    }

    /// The pod's spec.
    pub fn pod_spec(&self) -> &Value {
        &self.template()["spec"]
    }

    /// The service account that the pods name; `None` when unset. `default` may be written out.
    pub fn service_account(&self) -> Option<&str> {
        let spec = self.pod_spec();
        [&spec["serviceAccountName"], &spec["serviceAccount"]].into_iter().find_map(|v| v.as_str().filter(|name| !name.is_empty()))
    }

    /// Names of the containers in their live order: a patch must keep it, or it re-orders them for good.
    pub fn containers(&self) -> Vec<&str> {
        names_of(&self.pod_spec()["containers"])
    }

    /// Names of the init containers in their live order.
    pub fn init_containers(&self) -> Vec<&str> {
        names_of(&self.pod_spec()["initContainers"])
    }

    /// A container or init container.
    pub fn container(&self, name: &str) -> Option<&Value> {
        let spec = self.pod_spec();
        ["containers", "initContainers"].into_iter().find_map(|list| named(&spec[list], name))
    }

    /// The environment variables of a container: name, whether it has a literal value that is not empty, and where
    /// else it comes from. A name may appear twice; the last one counts in the pod.
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

    /// The pod template's volume of a name.
    pub fn volume(&self, name: &str) -> Option<&Value> {
        named(&self.pod_spec()["volumes"], name)
    }

    /// Where a container mounts things: volume name and path.
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

    /// The labels that select its pods, as a selector: `app=web`. `None` where it has no such labels (CronJob).
    pub fn selector(&self) -> Option<String> {
        let labels = self.object["spec"]["selector"]["matchLabels"].as_object()?;
        let pairs: Vec<String> = labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
        (!pairs.is_empty()).then(|| pairs.join(","))
    }

    /// How many pods it wants; `None` for kinds that have no such number.
    pub fn replicas(&self) -> Option<u64> {
        match self.kind {
            // The server fills in 1; it is absent only in objects that never went through it.
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

    /// Who manages a field, written as the API server writes it in conflicts:
    /// `.spec.template.spec.containers[name="app"].env[name="A"].value`.
    pub fn managers_of(&self, field: &str) -> Vec<&str> {
        gitops::managers_of(&self.object, field)
    }

    /// The first manager of a field.
    pub fn manager_of(&self, field: &str) -> Option<&str> {
        self.managers_of(field).into_iter().next()
    }

    /// The tool that keeps this object as its own source says and would undo a patch.
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

/// Puts a patch of the pod template (`{"metadata": …, "spec": …}`) where the kind keeps its template.
pub fn wrap_template(kind: WorkloadKind, template_patch: Value) -> Value {
    kind.pod_template().iter().rev().fold(template_patch, |inner, key| {
        let mut outer = json!({});
        outer[*key] = inner;
        outer
    })
}

#[cfg(test)]
mod tests;
