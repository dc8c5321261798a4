//! The stages of a preparation as literal values: a deployment `web` in namespace `shop` of the cluster `aks`, without any
//! connection yet. A test changes the part that it is about.

use serde_json::{Value, json};

use super::asked::Asked;
use super::decision::{Decision, Stages};
use super::identity::{Choice, own_identity};
use super::observed::Observed;
use super::reading::Reading;
use super::subject::Subject;
use super::variables::Naming;
use crate::kube::{Workload, WorkloadKind, wrap_template};
use crate::lookup::azure::{Found, Located};
use crate::lookup::cluster::{Survey, Webhook};
use crate::model::access::Role;
use crate::model::request::ConnectRequest;
use crate::model::target::Target;
use crate::model::variable::{Client, Variable};
use crate::model::{Cloud, ConnectionKey, Mode, Result};
use crate::plan::testing::{TENANT, account, cluster};

/// A request for `deployment/web`.
pub(super) fn request(service: &str, target: &str) -> ConnectRequest {
    ConnectRequest { workload: Some("deployment/web".into()), ..ConnectRequest::new(service, target) }
}

/// Code of the problem that stands in the way.
pub(super) fn refused<T>(result: Result<T>) -> &'static str {
    result.err().map_or("nothing was refused", |problem| problem.code())
}

pub(super) fn names(variables: &[Variable]) -> Vec<&str> {
    variables.iter().map(|v| v.name.as_str()).collect()
}

/// A workload with one container, `app`.
pub(super) fn workload(kind: WorkloadKind, name: &str, metadata: &Value) -> Workload {
    let mut object = wrap_template(kind, json!({"spec": {"containers": [{"name": "app", "image": "shop/app:1"}]}}));
    object["metadata"] = json!({"namespace": "shop", "name": name});
    for (key, value) in metadata.as_object().into_iter().flatten() {
        object["metadata"][key] = value.clone();
    }
    Workload::new(kind, object)
}

pub(super) fn survey(workload: Option<Workload>) -> Survey {
    let containers = workload.iter().flat_map(|w| w.containers()).map(str::to_owned).collect();
    Survey { namespace: "shop".into(), workload, containers, records: vec![], webhook: Webhook::Ready }
}

/// The first four stages.
pub(super) struct Scene {
    pub asked: Asked,
    pub observed: Observed,
    pub subject: Subject,
    pub reading: Reading,
}

impl Scene {
    /// What a request for `target` leads to where nothing was connected before.
    pub(super) fn of(request: ConnectRequest, target: Target) -> Scene {
        let asked = Asked::check(&request).unwrap();
        let named = asked.request.workload.is_some();
        let survey = survey(named.then(|| workload(WorkloadKind::Deployment, "web", &json!({}))));
        let connection = ConnectionKey::new("shop", request.name.clone().unwrap_or_else(|| asked.service.connection_name(target.name())));
        let account = asked.needs_account().then(|| account("web"));
        let choice = Choice { request: &asked.request, connection: &connection.name };
        let identity = account.as_ref().map(|account| own_identity(choice, &cluster(), account).unwrap());
        let azure = Found {
            cluster: cluster(),
            target: target.id.clone(),
            identity: None,
            cluster_seen: Value::Null,
            target_seen: Value::Null,
            anywhere: None,
        };
        let access = asked.request.access.unwrap_or(asked.service.default_access);
        let mode = Mode { auth: asked.auth, client: Client::None, access };
        let subject = Subject { connection, mode, former: None, others: vec![], store: None, account, identity };
        let cluster_body = json!({"location": "westeurope", "properties": {"nodeResourceGroup": "MC_shop-rg_aks"}});
        let located = Located { cluster: cluster(), cluster_body, issuer: None, tenant: TENANT.into(), target };
        let reading = Reading { located, nodes_were_seen: false };
        Scene { asked, observed: Observed { cluster: survey, azure }, subject, reading }
    }

    pub(super) fn stages(&self) -> Stages<'_> {
        Stages { asked: &self.asked, observed: &self.observed, subject: &self.subject, reading: &self.reading }
    }

    pub(super) fn decide(&self, role: Option<Role>) -> Result<Decision> {
        Decision::make(self.stages(), role, &Cloud::public())
    }

    /// The variables, and the note about their names.
    pub(super) fn variables(&self) -> Result<(Vec<Variable>, Option<String>)> {
        let (asked, survey, subject, located) = (&self.asked, &self.observed.cluster, &self.subject, &self.reading.located);
        let naming = Naming { asked, survey, subject, target: &located.target, cloud: &Cloud::public(), tenant: &located.tenant };
        naming.variables().map(|named| (named.variables, named.note))
    }
}
