//! The Kubernetes half of the look-up: workload, service account, records and the state of the webhook, read
//! concurrently.

use crate::kube::workload_identity::{WEBHOOK, WEBHOOK_DEPLOYMENT, WEBHOOK_NAMESPACES};
use futures::future::{join, join_all, join3};
use serde_json::Value;

use super::records::{self, Stored, Writing};
use crate::catalogue::Service;
use crate::kube::{Access, Cluster, Resource, Workload, WorkloadKind, WorkloadRef, resources};
use crate::model::request::ConnectRequest;
use crate::model::{Kind, Problem, Result, words};
use crate::plan::record::Record;

/// What was read from the cluster.
pub(crate) struct Survey {
    /// The namespace of the look-up.
    pub namespace: String,
    /// The workload, if the request names one.
    pub workload: Option<Workload>,
    /// Containers that get the variables, in the order of the live object.
    pub containers: Vec<String>,
    /// Records of all visible connections.
    pub records: Vec<Stored>,
    /// State of the webhook.
    pub webhook: Webhook,
}

impl Survey {
    /// The records of this namespace.
    pub(crate) fn own_records(&self) -> Vec<Record> {
        self.records.iter().map(|s| &s.record).filter(|r| r.namespace == self.namespace).cloned().collect()
    }
}

/// State of the workload identity webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Webhook {
    /// Registered, and some of its pods are ready.
    Ready,
    /// Registered, but none of its pods is ready: pods with the webhook's label can't start.
    NotReady,
    /// Not registered.
    Absent,
    /// Unknown: the user may not read it.
    Unknown,
}

/// Reads the cluster.
pub(crate) async fn survey(kube: &Cluster, service: &Service, request: &ConnectRequest) -> Result<Survey> {
    let namespace = kube.namespace().to_owned();
    if let Some(fault) = crate::model::names::namespace_fault(&namespace) {
        return Err(Problem::new(Kind::Usage, "KC1002", format!("`{namespace}` is not a valid namespace: it {fault}"))
            .fix("kubectl get namespaces   # lists the existing ones"));
    }
    let named = request.workload.as_deref().map(str::parse::<WorkloadRef>).transpose()?;
    let rights = async {
        // The answers are cached for preflight. A question that fails here is asked again there.
        join_all(wanted_rights(named.as_ref().map(|n| n.kind), &namespace).iter().map(|access| kube.may_once(access))).await;
    };
    let early = ask_early(kube, service, request, &namespace, named.as_ref());
    let looked = join3(find_workload(kube, &namespace, named.as_ref()), records::list(kube, &namespace), webhook(kube));
    let ((workload, records, webhook), ((), ())) = join(looked, join(rights, early)).await;
    let workload = workload?;
    let containers = match &workload {
        Some(workload) => containers(workload, &request.containers)?,
        None => Vec::new(),
    };
    Ok(Survey { namespace, workload, containers, records: records?, webhook })
}

/// Reads the objects that planning will need, under their most likely names. Errors are ignored here; the step
/// reports them.
async fn ask_early(kube: &Cluster, service: &Service, request: &ConnectRequest, namespace: &str, named: Option<&WorkloadRef>) {
    let target = request.target.rsplit('/').next().unwrap_or_default();
    let secret = request.name.clone().unwrap_or_else(|| service.connection_name(target));
    let account = request.service_account.clone().or_else(|| named.map(|n| n.name.clone())).unwrap_or_default();
    let read = |kind: &'static Resource, name: String| async move {
        let _ = kube.read(kind, Some(namespace), &name).await;
    };
    let wanted = [(&resources::SECRET, secret), (&resources::SERVICE_ACCOUNT, account), (&resources::SERVICE_ACCOUNT, "default".into())];
    join_all(wanted.into_iter().filter(|(_, name)| !name.is_empty()).map(|(kind, name)| read(kind, name))).await;
}

async fn find_workload(kube: &Cluster, namespace: &str, named: Option<&WorkloadRef>) -> Result<Option<Workload>> {
    let Some(WorkloadRef { kind, name }) = named else { return Ok(None) };
    match kube.read(kind.resource(), Some(namespace), name).await? {
        Some(object) => Ok(Some(Workload::new(*kind, object))),
        None => Err(no_such_workload(kube, *kind, namespace, name).await),
    }
}

async fn no_such_workload(kube: &Cluster, kind: WorkloadKind, namespace: &str, name: &str) -> Problem {
    let word = kind.as_str();
    let problem = Problem::new(Kind::NotFound, "KC1202", format!("there is no {word} `{name}` in namespace `{namespace}`"));
    if kube.get(&resources::NAMESPACE, None, namespace).await.is_ok_and(|found| found.is_none()) {
        return problem.why(format!("there is no namespace `{namespace}`")).fix("kubectl get namespaces, then -n NAME");
    }
    let listed = kube.list(kind.resource(), Some(namespace), None).await.unwrap_or_default();
    let mut names: Vec<&str> = listed.iter().filter_map(|o| o["metadata"]["name"].as_str()).collect();
    names.sort_by_key(|n| strsim::damerau_levenshtein(n, name));
    match names.is_empty() {
        true => problem.why(format!("the namespace has no {word}")).fix("select another namespace: -n NAME"),
        false => {
            let shown = words::nearest(&names.iter().map(|n| format!("{word}/{n}")).collect::<Vec<_>>());
            problem.fix(format!("the namespace has {shown}"))
        }
    }
}

fn containers(workload: &Workload, asked: &[String]) -> Result<Vec<String>> {
    let live: Vec<String> = workload.containers().into_iter().map(str::to_owned).collect();
    let unknown = asked.iter().find(|a| !live.contains(a));
    match unknown {
        Some(unknown) => Err(Problem::new(Kind::NotFound, "KC1203", format!("{} has no container `{unknown}`", workload))
            .fix(format!("its containers are {}", live.join(", ")))),
        None => Ok(live.into_iter().filter(|c| asked.is_empty() || asked.contains(c)).collect()),
    }
}

/// The state of the webhook. The AKS add-on and the self-managed chart register the same webhook in different
/// namespaces.
pub(crate) async fn webhook(kube: &Cluster) -> Webhook {
    let deployment = |namespace: &'static str| kube.get(&resources::DEPLOYMENT, Some(namespace), WEBHOOK_DEPLOYMENT);
    let registered = kube.get(&resources::MUTATING_WEBHOOK, None, WEBHOOK);
    let (registered, managed, own) = join3(registered, deployment(WEBHOOK_NAMESPACES[0]), deployment(WEBHOOK_NAMESPACES[1])).await;
    match registered {
        Err(_) => return Webhook::Unknown,
        Ok(None) => return Webhook::Absent,
        Ok(Some(_)) => {}
    }
    let ready = |found: &Value| found["status"]["readyReplicas"].as_u64().unwrap_or(0) > 0;
    match [managed, own] {
        [Ok(Some(found)), _] | [_, Ok(Some(found))] => {
            if ready(&found) {
                Webhook::Ready
            } else {
                Webhook::NotReady
            }
        }
        // Its pods are in another namespace or not visible; the rollout will show whether it works.
        _ => Webhook::Ready,
    }
}

/// Permissions that a new connection needs, requested early.
fn wanted_rights(kind: Option<WorkloadKind>, namespace: &str) -> Vec<Access> {
    let mut wanted = records::record_rights(namespace, Writing::New);
    wanted.extend([
        Access::to("create", &resources::SERVICE_ACCOUNT, Some(namespace)),
        Access::to("patch", &resources::SERVICE_ACCOUNT, Some(namespace)),
        Access::to("create", &resources::SECRET, Some(namespace)),
        Access::to("patch", &resources::SECRET, Some(namespace)),
    ]);
    if let Some(kind) = kind {
        wanted.push(Access::to("patch", kind.resource(), Some(namespace)));
    }
    wanted
}
