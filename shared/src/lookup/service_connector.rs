//! Service Connector's objects in a cluster: a Secret `sc-<connection>-secret` and, with workload identity, a service
//! account `sc-account-<client id>` (its documentation, and the computation of the names in az). They are recognised
//! by metadata only, so no value of a Secret is requested.

use futures::future::join;
use serde_json::{Value, json};

use crate::catalogue::{self, SERVICES, Service};
use crate::kube::{Cluster, Failure, resources};
use crate::model::PREFIX;

const ACCOUNT: &str = "sc-account-";

/// A connection of Service Connector as found in the cluster.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Name of the connection in this tool: the Secret's name without its suffix.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The Secret.
    pub secret: String,
    /// The service account, if the namespace has only one of Service Connector.
    pub account: Option<String>,
    /// Name of the service to which the variables belong.
    pub service: Option<&'static str>,
    /// Names of its variables.
    pub variables: Vec<String>,
    /// Creation time, RFC 3339.
    pub created: String,
}

impl Seen {
    /// The connection as JSON, in the format of this tool's connections.
    pub fn to_json(&self) -> Value {
        json!({
            "apiVersion": format!("{PREFIX}/v1alpha1"),
            "kind": "Connection",
            "metadata": {"name": self.name, "namespace": self.namespace, "creationTimestamp": self.created},
            "spec": {"service": self.service, "target": null, "workload": null},
            "status": {
                "phase": STATUS,
                "madeBy": "service-connector",
                "secret": self.secret,
                "serviceAccount": self.account,
                "variables": self.variables,
            },
        })
    }
}

/// Status of a connection by Service Connector that has not been adopted.
pub const STATUS: &str = "ServiceConnector";

/// Name of the Secret of a Service Connector connection, as az's `get_aks_resource_secret_name` computes it;
/// Kubernetes names have no capitals.
pub fn secret_of(connection: &str) -> String {
    let plain: String = connection.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("sc-{}-secret", plain.to_ascii_lowercase())
}

/// This tool's name for the connection of a Secret.
pub fn name_of(secret: &str) -> Option<&str> {
    secret.strip_suffix("-secret").filter(|name| name.strip_prefix("sc-").is_some_and(|rest| !rest.is_empty()))
}

/// Name of the service account for an identity.
pub fn account_of(client_id: &str) -> String {
    format!("{ACCOUNT}{client_id}")
}

/// Connections of Service Connector in a namespace (`None`: in all). Empty if the user may not list Secrets.
///
/// # Errors
/// Errors of the API server, except a missing permission.
pub async fn seen(kube: &Cluster, namespace: Option<&str>, labels: Option<&str>) -> Result<Vec<Seen>, Failure> {
    let listed = |kind| async move {
        match kube.list_metadata(kind, namespace, labels).await {
            Err(failure) if failure.is_forbidden() => {
                tracing::info!(target: "connect", "{failure}: Service Connector's connections are not shown");
                Ok(Vec::new())
            }
            other => other,
        }
    };
    let (secrets, accounts) = join(listed(&resources::SECRET), listed(&resources::SERVICE_ACCOUNT)).await;
    let accounts = accounts?;
    let text = |object: &Value, key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
    let account_in = |namespace: &str| {
        let mut own =
            accounts.iter().filter(|a| text(a, "namespace") == namespace).map(|a| text(a, "name")).filter(|n| n.starts_with(ACCOUNT));
        own.next().filter(|_| own.next().is_none())
    };
    let of = |secret: Value| {
        let (name, namespace) = (text(&secret, "name"), text(&secret, "namespace"));
        let variables = variables(&secret);
        Some(Seen {
            name: name_of(&name)?.to_owned(),
            account: account_in(&namespace),
            service: service(&variables).map(|s| s.name),
            created: text(&secret, "creationTimestamp"),
            secret: name,
            namespace,
            variables,
        })
    };
    Ok(secrets?.into_iter().filter_map(of).collect())
}

/// The keys of a Secret, read from `managedFields`.
fn variables(secret: &Value) -> Vec<String> {
    let entries = secret["metadata"]["managedFields"].as_array();
    let data = entries.into_iter().flatten().filter_map(|entry| entry["fieldsV1"]["f:data"].as_object());
    let mut names: Vec<String> = data.flat_map(|fields| fields.keys()).filter_map(|key| Some(key.strip_prefix("f:")?.to_owned())).collect();
    names.sort();
    names.dedup();
    names
}

/// The one service with variables of these names; `None` if several services match.
fn service(variables: &[String]) -> Option<&'static Service> {
    let mine = |service: &&&'static Service| {
        let prefixed = |name: &String| service.prefixes.iter().any(|p| name.strip_prefix(p).is_some_and(|rest| rest.starts_with('_')));
        variables.iter().any(prefixed)
    };
    let mut found = SERVICES.iter().filter(mine);
    found.next().copied().filter(|_| found.next().is_none())
}

/// The service of a Service Connector target: by its ARM type, and for types shared by several services (blobs and
/// queues of a storage account) by its variables.
pub fn service_of(arm_type: &str, variables: &[String]) -> Option<&'static Service> {
    let of_type: Vec<&'static Service> = catalogue::of_type(arm_type).collect();
    match (of_type.as_slice(), service(variables)) {
        (_, Some(named)) if of_type.iter().any(|s| s.name == named.name) => Some(named),
        ([only], _) => Some(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_equal_those_of_az() {
        assert_eq!(secret_of("keyvault_ab.12"), "sc-keyvaultab12-secret");
        assert_eq!(name_of("sc-keyvaultab12-secret"), Some("sc-keyvaultab12"));
        for other in ["sc--secret", "sc-a", "my-secret", "-secret"] {
            assert_eq!(name_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_service_is_recognised_by_its_variables() {
        let named = |names: &[&str]| service(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).map(|s| s.name);
        assert_eq!(named(&["AZURE_KEYVAULT_SCOPE"]), Some("keyvault"));
        assert_eq!(named(&["AZURE_STORAGEBLOB_RESOURCEENDPOINT", "AZURE_STORAGEBLOB_CLIENTID"]), Some("storage-blob"));
        assert_eq!(named(&["AZURE_COSMOS_RESOURCEENDPOINT"]), None, "five services share these names");
        assert_eq!(named(&["PASSWORD"]), None);
    }

    #[test]
    fn keys_are_read_from_managed_fields() {
        let secret = json!({"metadata": {"managedFields": [{"fieldsV1": {"f:data": {".": {}, "f:B": {}, "f:A": {}}}}, {"fieldsV1": {"f:type": {}}}]}});
        assert_eq!(variables(&secret), ["A", "B"]);
    }
}
