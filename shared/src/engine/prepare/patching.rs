//! Decides whether the workload is patched, and builds the patch to print if not.

use serde_json::Value;

use crate::kube::WorkloadKind;
use crate::lookup::cluster::Survey;
use crate::model::Result;
use crate::model::request::{ConnectRequest, Patch};
use crate::plan::build::WorkloadFacts;
use crate::plan::spec::{self, StepSpec};

/// A patch that the user must apply.
#[derive(Clone, Debug)]
pub struct Printed {
    /// Why this tool does not apply it.
    pub why: String,
    /// The patch, as a partial object.
    pub patch: Value,
}

/// The facts for patching the workload; or the reason why it is not patched.
#[expect(clippy::type_complexity, reason = "two halves of one decision, taken apart by the only caller")]
pub(crate) fn workload_facts(
    request: &ConnectRequest,
    survey: &Survey,
    account: Option<&spec::ServiceAccount>,
) -> Result<(Option<WorkloadFacts>, Option<(String, WorkloadFacts)>)> {
    let Some(workload) = &survey.workload else { return Ok((None, None)) };
    let facts = WorkloadFacts {
        kind: workload.kind.as_str().into(),
        name: workload.name.clone(),
        containers: survey.containers.clone(),
        on_default_account: workload
            .service_account()
            .is_none_or(|a| a == "default" || account.is_some_and(|account| account.create && a == account.name)),
    };
    let not = if workload.kind == WorkloadKind::Job {
        Some("a Job's pod template can't be changed once it exists: put the patch into its manifest and create it anew".to_owned())
    } else if request.patch == Patch::Never {
        Some("--patch=never was given".to_owned())
    } else {
        workload
            .managed_by()
            .filter(|_| request.patch == Patch::Auto)
            .map(|by| format!("{workload} is managed by {by}: put the patch into its source, or patch it all the same with --patch=always"))
    };
    Ok(match not {
        None => (Some(facts), None),
        Some(why) => (None, Some((why, facts))),
    })
}

pub(crate) fn print_patch(why: String, facts: &WorkloadFacts, specs: &[StepSpec], connection: &str, mount: Option<spec::Mount>) -> Printed {
    let secret = specs.iter().find_map(spec::Secret::of);
    let account = specs.iter().find_map(spec::ServiceAccount::of).map(|account| account.name.clone());
    let workload = spec::Workload {
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
    };
    let kind = WorkloadKind::parse(&facts.kind).unwrap_or(WorkloadKind::Deployment);
    let mut template = crate::steps::workload_patch(&workload, connection, None);
    // The deprecated twin is for our own applies, which let go of it again; a manifest never needs it.
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
        "metadata": {"name": facts.name, "namespace": workload.namespace},
        "spec": wrapped["spec"],
    });
    Printed { why, patch }
}
