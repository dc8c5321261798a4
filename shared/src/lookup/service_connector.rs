//! What Service Connector leaves in a cluster: a Secret `sc-<connection>-secret` and, with workload identity, a service
//! account `sc-account-<client id>` (its documentation and az's own computation of the names). Seen from the metadata
//! alone, so that no value of a Secret is ever asked for where a name is enough.

use futures::future::join;
use serde_json::{Value, json};

use crate::catalogue::{self, SERVICES, Service};
use crate::kube::{Cluster, Failure, resources};
use crate::model::PREFIX;

const ACCOUNT: &str = "sc-account-";

/// A connection of Service Connector as the cluster shows it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it is called here: the Secret's name without its ending.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The Secret.
    pub secret: String,
    /// Its service account, where the namespace has only one of Service Connector's.
    pub account: Option<String>,
    /// Word of the service that its variables are of.
    pub service: Option<&'static str>,
    /// Names of its variables.
    pub variables: Vec<String>,
    /// When it was made, RFC 3339.
    pub created: String,
}

impl Seen {
    /// The connection for programs, in the shape of our own.
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

/// Status word of a connection that Service Connector made and nobody took over.
pub const STATUS: &str = "ServiceConnector";

/// Name of the Secret of a connection of Service Connector (az's `get_aks_resource_secret_name`; Kubernetes takes no
/// capitals).
pub fn secret_of(connection: &str) -> String {
    let plain: String = connection.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("sc-{}-secret", plain.to_ascii_lowercase())
}

/// What a connection is called here, by its Secret.
pub fn name_of(secret: &str) -> Option<&str> {
    secret.strip_suffix("-secret").filter(|name| name.strip_prefix("sc-").is_some_and(|rest| !rest.is_empty()))
}

/// Name of the service account for an identity.
pub fn account_of(client_id: &str) -> String {
    format!("{ACCOUNT}{client_id}")
}

/// Connections of Service Connector in a namespace, or in all with `None`. Who may not list Secrets sees none.
///
/// # Errors
/// What the API server says other than that it is forbidden.
pub async fn seen(kube: &Cluster, namespace: Option<&str>, labels: Option<&str>) -> Result<Vec<Seen>, Failure> {
    let listed = |kind| async move {
        match kube.list_metadata(kind, namespace, labels).await {
            Err(failure) if failure.is_forbidden() => {
                tracing::info!(target: "connect", "{failure}: what Service Connector made is not shown");
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

/// Names of a Secret's keys, as its managers' fields tell them.
fn variables(secret: &Value) -> Vec<String> {
    let entries = secret["metadata"]["managedFields"].as_array();
    let data = entries.into_iter().flatten().filter_map(|entry| entry["fieldsV1"]["f:data"].as_object());
    let mut names: Vec<String> = data.flat_map(|fields| fields.keys()).filter_map(|key| Some(key.strip_prefix("f:")?.to_owned())).collect();
    names.sort();
    names.dedup();
    names
}

/// The one service whose variables have these names; `None` where several have.
fn service(variables: &[String]) -> Option<&'static Service> {
    let mine = |service: &&&'static Service| {
        let prefixed = |name: &String| service.prefixes.iter().any(|p| name.strip_prefix(p).is_some_and(|rest| rest.starts_with('_')));
        variables.iter().any(prefixed)
    };
    let mut found = SERVICES.iter().filter(mine);
    found.next().copied().filter(|_| found.next().is_none())
}

/// The service that a target of Service Connector is of: by its type, and where several share that (a storage account's
/// blobs and queues), by its variables.
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
    fn names_are_those_that_az_computes() {
        assert_eq!(secret_of("keyvault_ab.12"), "sc-keyvaultab12-secret");
        assert_eq!(name_of("sc-keyvaultab12-secret"), Some("sc-keyvaultab12"));
        for other in ["sc--secret", "sc-a", "my-secret", "-secret"] {
            assert_eq!(name_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_service_is_known_by_its_variables() {
        let named = |names: &[&str]| service(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).map(|s| s.name);
        assert_eq!(named(&["AZURE_KEYVAULT_SCOPE"]), Some("keyvault"));
        assert_eq!(named(&["AZURE_STORAGEBLOB_RESOURCEENDPOINT", "AZURE_STORAGEBLOB_CLIENTID"]), Some("storage-blob"));
        assert_eq!(named(&["AZURE_COSMOS_RESOURCEENDPOINT"]), None, "five services share these names");
        assert_eq!(named(&["PASSWORD"]), None);
    }

    #[test]
    fn keys_are_read_from_the_managers() {
        let secret = json!({"metadata": {"managedFields": [{"fieldsV1": {"f:data": {".": {}, "f:B": {}, "f:A": {}}}}, {"fieldsV1": {"f:type": {}}}]}});
        assert_eq!(variables(&secret), ["A", "B"]);
    }
}
