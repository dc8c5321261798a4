//! Decides whether the workload is patched, and builds the patch to print if not.

use serde_json::Value;

use crate::kube::WorkloadKind;
use crate::lookup::cluster::Survey;
use crate::model::request::{ConnectRequest, Patch};
use crate::plan::build::WorkloadFacts;
use crate::plan::spec::{self, StepSpec};

/// What happens to the workload.
pub(crate) enum Patching {
    /// The workload is patched.
    Patch(WorkloadFacts),
    /// The user applies the patch.
    Print {
        /// Why the workload is not patched.
        why: String,
        /// The step from which the patch is built.
        facts: WorkloadFacts,
    },
    /// No workload was named.
    Leave,
}

/// A patch that the user must apply.
#[derive(Clone, Debug)]
pub struct Printed {
    /// Why the workload is not patched.
    pub why: String,
    /// The patch, as a partial object.
    pub patch: Value,
}

impl Patching {
    /// Decides from the request and from who manages the workload.
    pub(crate) fn decide(request: &ConnectRequest, survey: &Survey, account: Option<&spec::ServiceAccount>) -> Patching {
        let Some(workload) = &survey.workload else { return Patching::Leave };
        let facts = WorkloadFacts {
            kind: workload.kind.as_str().into(),
            name: workload.name.clone(),
            containers: survey.containers.clone(),
            on_default_account: workload
                .service_account()
                .is_none_or(|a| a == "default" || account.is_some_and(|account| account.create && a == account.name)),
        };
        let not = if workload.kind == WorkloadKind::Job {
            Some("a Job's pod template can't be changed: put the patch into its manifest and create the Job again".to_owned())
        } else if request.patch == Patch::Never {
            Some("--patch=never was given".to_owned())
        } else {
            workload
                .managed_by()
                .filter(|_| request.patch == Patch::Auto)
                .map(|by| format!("{workload} is managed by {by}: put the patch into its source, or use --patch=always"))
        };
        match not {
            None => Patching::Patch(facts),
            Some(why) => Patching::Print { why, facts },
        }
    }
}

/// The patch with the changes of the steps, for a workload of `kind`.
pub(crate) fn print_patch(why: String, kind: WorkloadKind, workload: &spec::Workload, connection: &str) -> Printed {
    let mut template = crate::steps::workload_patch(workload, connection, None);
    // `serviceAccount`, the deprecated form of `serviceAccountName`, is only for this tool's own applies; a manifest
    // never needs it.
    if let Some(spec) = template["spec"].as_object_mut() {
        spec.shift_remove("serviceAccount");
    }
    let mut ordered = serde_json::Map::new();
    for key in ["metadata", "spec"] {
        ordered.extend(template.get(key).map(|part| (key.to_owned(), part.clone())));
    }
    let wrapped = crate::kube::wrap_template(kind, Value::Object(ordered));
    let patch = serde_json::json!({
        "apiVersion": kind.resource().api_version(),
        "kind": kind.resource().kind,
        "metadata": {"name": workload.name, "namespace": workload.namespace},
        "spec": wrapped["spec"],
    });
    Printed { why, patch }
}

/// The workload step of a connection whose workload the user patches, from the steps that are carried out.
pub(crate) fn workload_of(facts: &WorkloadFacts, specs: &[StepSpec], mount: Option<spec::Mount>) -> spec::Workload {
    let secret = specs.iter().find_map(spec::Secret::of);
    let account = specs.iter().find_map(spec::ServiceAccount::of).map(|account| account.name.clone());
    spec::Workload {
        kind: facts.kind.clone(),
        namespace: secret.map(|s| &s.namespace).or(mount.as_ref().map(|m| &m.class.namespace)).cloned().unwrap_or_default(),
        name: facts.name.clone(),
        containers: facts.containers.clone(),
        foreign: false,
        identity: account.is_some(),
        service_account: account.filter(|_| facts.on_default_account),
        secret: secret.map(|s| s.name.clone()).unwrap_or_default(),
        variables: secret.map(|s| s.variables.clone()).unwrap_or_default(),
        mount,
    }
}

#[cfg(test)]
mod tests;
