//! Connections that Service Connector stores in Azure, matched with its objects in the cluster.

use serde_json::Value;

use super::candidate::{Candidate, Identity, Shown};
use crate::kube::{Workload, resources};
use crate::lookup::given_ids;
use crate::lookup::service_connector;
use crate::lookup::session::Session;
use crate::model::variable::Client;
use crate::model::{Auth, ResourceId, Result};
use crate::plan::record::Origin;

/// api-version of `Microsoft.ServiceLinker/linkers`.
const LINKERS: &str = "2024-04-01";

/// Service Connector's connections for this namespace.
pub(crate) async fn linkers(session: &Session, cluster: &ResourceId, namespace: &str, passed_over: &mut Vec<String>) -> Result<Vec<Value>> {
    let path = format!("{cluster}/providers/Microsoft.ServiceLinker/linkers");
    match session.arm.list(&path, LINKERS, &[]).await {
        Ok(listed) => Ok(listed.into_iter().filter(|l| l["properties"]["scope"].as_str().unwrap_or("default") == namespace).collect()),
        Err(failure) if matches!(failure.status(), Some(403)) => {
            passed_over.push("you lack the permission to list Service Connector's connections for this cluster".into());
            Ok(Vec::new())
        }
        // The resource provider is not registered, so there are no connections.
        Err(failure) if matches!(failure.status(), Some(404 | 409)) => Ok(Vec::new()),
        Err(failure) => Err(failure.into()),
    }
}

/// Turns a connection of Service Connector into a candidate, or says why it can't be adopted.
pub(crate) async fn of_linker(
    session: &Session,
    linker: &Value,
    shown: &Shown,
    identities: &[Identity],
) -> Result<Result<Candidate, String>> {
    let properties = &linker["properties"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let state = properties["provisioningState"].as_str().unwrap_or("Succeeded");
    if state != "Succeeded" {
        return Ok(Err(format!("Service Connector has not finished it: {state}")));
    }
    if properties["targetService"]["resourceProperties"]["connectAsKubernetesCsiDriver"] == true {
        return Ok(Err("it mounts the vault with the add-on's identity, which the whole cluster shares".into()));
    }
    let secret = service_connector::secret_of(linker["name"].as_str().unwrap_or_default());
    if !shown.secrets.contains(&secret) {
        return Ok(Err(format!("its secret {secret} is not in this namespace")));
    }
    let Some(id) = properties["targetService"]["id"].as_str().and_then(|id| id.parse::<ResourceId>().ok()) else {
        return Ok(Err("its target is not an Azure resource".into()));
    };
    let signing_in = match SigningIn::of(&properties["authInfo"], identities) {
        Ok(signing_in) => signing_in,
        Err(why) => return Ok(Err(why)),
    };
    let variables = secret_keys(session, &secret).await?;
    let top = id.top();
    let Some(service) = service_connector::service_of(&top.arm_type(), &variables) else {
        return Ok(Err(format!("the type {} is not supported", id.arm_type())));
    };
    let Some(target) = crate::lookup::resources::read_target(session, service, &top).await? else {
        return Ok(Err(format!("its target {top} no longer exists")));
    };
    let SigningIn { auth, account, identity, principal } = signing_in;
    let uses = |w: &&Workload| account.as_deref().is_some_and(|a| w.service_account() == Some(a)) || reads(w, &secret);
    Ok(Ok(Candidate {
        name: service_connector::name_of(&secret).unwrap_or_default().to_owned(),
        origin: Origin::ServiceConnector,
        service,
        target,
        parameters: given_ids::children(service, &id),
        auth,
        client: properties["clientType"].as_str().and_then(Client::parse).unwrap_or(Client::None),
        user: text(&properties["authInfo"]["name"]),
        workloads: shown.workloads.iter().filter(uses).map(ToString::to_string).collect(),
        account,
        identity,
        principal,
        secret: Some(secret),
    }))
}

/// How a connection of Service Connector signs in.
struct SigningIn {
    auth: Auth,
    account: Option<String>,
    identity: Option<Identity>,
    principal: Option<(String, Option<String>)>,
}

impl SigningIn {
    /// Reads a linker's `authInfo`, or says why the connection can't be adopted.
    fn of(info: &Value, identities: &[Identity]) -> Result<SigningIn, String> {
        let client_id = info["clientId"].as_str().unwrap_or_default();
        let none = |auth| SigningIn { auth, account: None, identity: None, principal: None };
        match info["authType"].as_str().unwrap_or_default() {
            "userAssignedIdentity" => {
                let Some(identity) = identities.iter().find(|i| i.client_id.eq_ignore_ascii_case(client_id)) else {
                    return Err(format!("you can't see its identity {client_id}"));
                };
                let account = Some(service_connector::account_of(client_id));
                Ok(SigningIn { account, identity: Some(identity.clone()), ..none(Auth::WorkloadIdentity) })
            }
            "secret" => Ok(none(Auth::Secret)),
            "servicePrincipalSecret" => {
                let principal = Some((client_id.to_owned(), info["principalId"].as_str().map(str::to_owned)));
                Ok(SigningIn { principal, ..none(Auth::ServicePrincipal) })
            }
            other => Err(format!("its way of authentication is `{other}`, which is not supported")),
        }
    }
}

async fn secret_keys(session: &Session, secret: &str) -> Result<Vec<String>> {
    let found = session.kube.get(&resources::SECRET, Some(session.kube.namespace()), secret).await?;
    Ok(found.iter().filter_map(|s| s["data"].as_object()).flat_map(|data| data.keys().cloned()).collect())
}

/// Whether a workload reads variables from the Secret, all at once or one by one.
fn reads(workload: &Workload, secret: &str) -> bool {
    let one = |container: &Value| {
        let all = container["envFrom"].as_array().into_iter().flatten().any(|from| from["secretRef"]["name"] == secret);
        all || container["env"].as_array().into_iter().flatten().any(|env| env["valueFrom"]["secretKeyRef"]["name"] == secret)
    };
    workload.containers().into_iter().filter_map(|name| workload.container(name)).any(one)
}
