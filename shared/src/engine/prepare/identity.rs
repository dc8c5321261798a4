//! How a workload authenticates: its service account and the managed identity for it.

use futures::future::join;

use super::observed::Observed;
use crate::kube::{Workload, resources, workload_identity};
use crate::lookup::cluster::Survey;
use crate::lookup::records::Stored;
use crate::lookup::session::Session;
use crate::model::naming::For;
use crate::model::request::ConnectRequest;
use crate::model::{Kind, Problem, ResourceId, Result, names};
use crate::plan::record::Record;
use crate::plan::spec::{self, Spec};

/// The values for the name of a created identity.
#[derive(Clone, Copy)]
pub(crate) struct Choice<'a> {
    /// The request.
    pub request: &'a ConnectRequest,
    /// Name of the connection.
    pub connection: &'a str,
}

/// The service account: the one that the workload names, or a new one with the workload's name if the workload runs
/// as `default`.
pub(crate) async fn service_account(
    session: &Session,
    request: &ConnectRequest,
    survey: &Survey,
    former: Option<&Stored>,
) -> Result<spec::ServiceAccount> {
    let recorded = former.and_then(|f| f.record.service_account().cloned());
    let own = survey.workload.as_ref().and_then(Workload::service_account).filter(|a| *a != "default");
    if let (Some(asked), Some(own)) = (&request.service_account, own)
        && asked != own
        && recorded.as_ref().is_none_or(|r| &r.name != asked)
    {
        let workload = survey.workload.as_ref().map(ToString::to_string).unwrap_or_default();
        return Err(Problem::new(Kind::Usage, "KC1312", format!("{workload} runs as service account `{own}`, not `{asked}`"))
            .why("a workload that already names a service account keeps it")
            .fix("omit --service-account"));
    }
    if let Some(recorded) =
        recorded.filter(|r| own.is_none_or(|o| o == r.name) && request.service_account.as_ref().is_none_or(|a| *a == r.name))
    {
        // An adopted connection is connected again: from now on this connection sets the account.
        return Ok(spec::ServiceAccount { foreign: false, ..recorded });
    }
    let namespace = survey.namespace.clone();
    if let Some(own) = own {
        // A service account that another connection created is set by this one as well, so that deleting the first
        // connection does not remove it from the second.
        let mut made = survey.records.iter().flat_map(|s| &s.record.steps).filter_map(spec::ServiceAccount::of);
        if let Some(made) = made.find(|s| s.create && s.name == own && s.namespace == namespace) {
            return Ok(made.clone());
        }
        let name = own.to_owned();
        return Ok(spec::ServiceAccount { namespace, name, create: false, foreign: false, image_pull_secrets: vec![] });
    }
    let name = request.service_account.clone().or_else(|| survey.workload.as_ref().map(|w| w.name.clone())).unwrap_or_default();
    let read = |name: String| {
        let (kube, namespace) = (&session.kube, &namespace);
        async move { kube.read(&resources::SERVICE_ACCOUNT, Some(namespace.as_str()), &name).await }
    };
    let (found, default) = join(read(name.clone()), read("default".into())).await;
    if let (Some(found), None) = (found?, &request.service_account)
        && !crate::steps::marks::is_ours(&found)
    {
        return Err(Problem::new(
            Kind::Failed,
            "KC1313",
            format!("service account `{name}` already exists, but the workload does not use it"),
        )
        .why("the workload runs as `default` and would get that account, with all permissions that it has")
        .fix(format!("to use it: --service-account {name}"))
        .fix("or to use another one: --service-account NAME"));
    }
    let pull = default?.map(|d| d["imagePullSecrets"].clone()).unwrap_or_default();
    let image_pull_secrets = pull.as_array().into_iter().flatten().filter_map(|s| s["name"].as_str()).map(str::to_owned).collect();
    Ok(spec::ServiceAccount { namespace, name, create: true, foreign: false, image_pull_secrets })
}

/// The identity: the requested one, the recorded one, the one that the service account already uses, or a new one.
pub(crate) async fn identity(
    session: &Session,
    choice: Choice<'_>,
    observed: &Observed,
    account: &spec::ServiceAccount,
    former: Option<&Stored>,
) -> Result<ResourceId> {
    let Observed { cluster: survey, azure: found } = observed;
    if let Some(id) = &found.identity {
        return Ok(id.clone());
    }
    // Other connections of the service account determine the identity, since an account can use only one.
    let thing = account.thing();
    let shared = survey.records.iter().map(|s| &s.record).find(|r| r.uses(&thing));
    if let Some(id) = former.map(|f| &f.record).and_then(Record::identity).or_else(|| shared.and_then(Record::identity)) {
        return Ok(id.clone());
    }
    let object = session.kube.read(&resources::SERVICE_ACCOUNT, Some(&account.namespace), &account.name).await?;
    match object.as_ref().and_then(workload_identity::client_id).filter(|_| choice.request.identity.is_none()) {
        Some(client_id) => crate::lookup::resources::identity_with_client_id(session, client_id, &account.name).await,
        None => own_identity(choice, &found.cluster, account),
    }
}

/// The owner tag of a recorded, created identity. The identity may be in another place than this request would
/// choose, and may belong to another service account that shares it.
pub(crate) fn made_for<'a>(survey: &'a Survey, id: &ResourceId) -> Option<&'a str> {
    let mut identities = survey.records.iter().flat_map(|s| &s.record.steps).filter_map(spec::Identity::of);
    identities.find(|i| i.create && i.id == *id).map(|i| i.owner.as_str())
}

/// The identity to create for a service account: in the cluster's resource group or the requested one, with the
/// built-in name or one from the company's template.
pub(crate) fn own_identity(choice: Choice<'_>, cluster: &ResourceId, account: &spec::ServiceAccount) -> Result<ResourceId> {
    let Choice { request, connection } = choice;
    let (cluster_name, namespace, account) = (cluster.name(), account.namespace.as_str(), account.name.as_str());
    let name = match &request.identity_name {
        None => names::identity(cluster_name, namespace, account),
        Some(template) => {
            let whom = For { cluster: cluster_name, namespace, account, connection, service: &request.service };
            template.fill(whom).map_err(|why| {
                Problem::new(Kind::Usage, "KC1323", "the identity's name can't be used")
                    .why(why)
                    .fix("shorten --identity-name, for example with {hash} in place of long parts")
            })?
        }
    };
    let group = request.identity_group.as_deref().unwrap_or(cluster.resource_group());
    Ok(ResourceId::resource(cluster.subscription(), group, crate::lookup::resources::IDENTITIES, &name))
}
