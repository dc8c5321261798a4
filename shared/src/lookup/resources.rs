//! Azure resources by id, name or type: read fresh where they are known, listed where they are not.

use futures::future::try_join_all;
use serde_json::Value;

use super::session::Session;
use crate::catalogue::Service;
use crate::model::request::ConnectRequest;
use crate::model::target::Target;
use crate::model::{Kind, Problem, ResourceId, Result};

pub(crate) const CLUSTERS: &str = "Microsoft.ContainerService/managedClusters";

pub(crate) const IDENTITIES: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

/// The current target; `None` if it no longer exists. Services whose resources can't be read always yield a target.
pub(crate) async fn read_target(session: &Session, service: &Service, id: &ResourceId) -> Result<Option<Target>> {
    if service.is_outside() {
        return Ok(Some(Target::from_arm(id.clone(), &Value::Null)));
    }
    if service.takes_any() {
        let query = format!("resources | where id =~ {} | project id, name, type, kind, location, properties", quoted(id.as_str()));
        let rows = session.arm.graph(&query, &[]).await?;
        return Ok(rows.first().map(|row| Target::from_arm(id.clone(), row)));
    }
    Ok(session.arm.read(id.as_str(), service.api_version, &[]).await?.map(|body| Target::from_arm(id.clone(), &body)))
}

pub(crate) fn subscription(session: &Session, request: &ConnectRequest) -> Result<Option<String>> {
    let Some(asked) = &request.subscription else { return Ok(None) };
    let found = session.profile.find_subscription(asked).map(|s| s.id.clone());
    found.map(Some).ok_or_else(|| {
        Problem::new(Kind::NotFound, "KC1307", format!("your az profile has no subscription `{asked}`")).fix("az account list -o table")
    })
}

/// A KQL string literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

pub(crate) fn ids_of(rows: &[Value], arm_type: &str) -> Vec<ResourceId> {
    let of_type = |row: &&Value| row["type"].as_str().is_some_and(|t| t.eq_ignore_ascii_case(arm_type));
    rows.iter().filter(of_type).filter_map(|row| row["id"].as_str()?.parse().ok()).collect()
}

/// Lists a type in every subscription of the active tenant. Subscriptions that can't be read are skipped.
pub(crate) async fn list_everywhere(session: &Session, arm_type: &str, api_version: &str) -> Result<Vec<Value>> {
    let tenant = session.profile.active().map(|s| s.tenant.clone());
    let subscriptions = session.profile.subscriptions.iter().filter(|s| Some(&s.tenant) == tenant.as_ref());
    let lists = subscriptions.map(|s| async move {
        match session.arm.list(&format!("/subscriptions/{}/providers/{arm_type}", s.id), api_version, &[]).await {
            Ok(listed) => Ok(listed),
            Err(failure) if matches!(failure.status(), Some(403 | 404)) => Ok(Vec::new()),
            Err(failure) => Err(Problem::from(failure)),
        }
    });
    Ok(try_join_all(lists).await?.into_iter().flatten().collect())
}

pub(crate) fn ids_of_all(resources: &[Value]) -> Vec<ResourceId> {
    resources.iter().filter_map(|r| r["id"].as_str()?.parse().ok()).collect()
}

/// The identity with this client id, for a service account that already names it.
pub(crate) async fn identity_with_client_id(session: &Session, client_id: &str, account: &str) -> Result<ResourceId> {
    let query = format!("resources | where type =~ '{IDENTITIES}' and properties.clientId =~ {} | project id, type", quoted(client_id));
    let rows = session.arm.graph(&query, &[]).await?;
    ids_of(&rows, IDENTITIES).into_iter().next().ok_or_else(|| {
        Problem::new(Kind::Failed, "KC1315", format!("service account `{account}` uses an identity that you can't see"))
            .why(format!("its annotation azure.workload.identity/client-id is {client_id}; no managed identity of this tenant has that client id"))
            .fix("if the identity is gone, remove the annotation; if it is an app registration, that is not supported: give the workload another service account")
    })
}

/// The role definition that the user named, by name or GUID.
pub(crate) async fn role(session: &Session, scope: &ResourceId, asked: &str) -> Result<crate::model::access::Role> {
    let path = format!("{scope}/providers/Microsoft.Authorization/roleDefinitions");
    let guid = crate::model::ids::role_guid(asked);
    let found = if uuid::Uuid::parse_str(&guid).is_ok() {
        session.arm.read(&format!("{path}/{guid}"), crate::azure::api_versions::AUTHORIZATION, &[]).await?
    } else {
        let filter = format!("roleName eq '{}'", asked.replace('\'', "''"));
        session.arm.list(&path, crate::azure::api_versions::AUTHORIZATION, &[("$filter", &filter)]).await?.into_iter().next()
    };
    let missing = || {
        // The first words, since the mistake is often in the last one.
        let part = asked.split_whitespace().take(2).collect::<Vec<_>>().join(" ").replace('\'', "");
        Problem::new(Kind::NotFound, "KC1310", format!("there is no role `{asked}`"))
            .fix(format!("az role definition list --query \"[?contains(roleName, '{part}')].roleName\" -o tsv"))
    };
    let found = found.ok_or_else(missing)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(crate::model::access::Role { name: text(&found["properties"]["roleName"]), id: crate::model::ids::role_guid(&text(&found["name"])) })
}
