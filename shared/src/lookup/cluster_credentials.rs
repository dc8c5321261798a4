//! Credentials for a cluster named by its Azure name. The user's kubeconfig comes from ARM and stays in memory,
//! tokens come from az's sign-in; neither a kubeconfig file nor kubelogin is needed.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::azure_session::AzureSession;
use crate::azure::api_versions;
use crate::kube::Source;
use crate::model::request::ClusterChoice;
use crate::model::{Events, Kind, Problem, ResourceId, Result};

/// Credentials from Azure. Nothing is requested before it is needed.
pub struct FromAzure {
    choice: ClusterChoice,
    azure: AzureSession,
    kubeconfig: OnceCell<Option<SecretString>>,
}

impl fmt::Debug for FromAzure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FromAzure({:?})", self.choice)
    }
}

impl FromAzure {
    /// Credentials for the cluster that `choice` names, if any; tokens in any case.
    #[allow(clippy::new_ret_no_self, reason = "always shared")]
    pub fn new(choice: ClusterChoice, azure: AzureSession) -> Arc<dyn Source> {
        Arc::new(FromAzure { choice, azure, kubeconfig: OnceCell::new() })
    }

    async fn fetch(&self, events: &Events) -> Result<Option<SecretString>> {
        let ClusterChoice { id, name, resource_group } = &self.choice;
        if id.is_none() && name.is_none() {
            return Ok(None);
        }
        let (profile, arm) = self.azure.open(events)?;
        let cluster = match (id, name, resource_group) {
            (Some(id), _, _) => {
                id.parse::<ResourceId>().map_err(|fault| Problem::new(Kind::Usage, "KC1001", format!("the cluster's id: {fault}")))?
            }
            (None, Some(name), Some(group)) => {
                let subscription = profile.active().map(|s| s.id.as_str()).ok_or_else(no_subscription)?;
                ResourceId::resource(subscription, group, super::resources::CLUSTERS, name)
            }
            _ => {
                return Err(Problem::new(Kind::Usage, "KC1090", "a cluster is named by its name and its resource group together")
                    .fix("give both, or the cluster's resource id"));
            }
        };
        let arm = profile.tenant_of(cluster.subscription()).map_or_else(|| arm.clone(), |tenant| arm.with_tenant(tenant));
        let path = format!("{cluster}/listClusterUserCredential");
        let answer = match arm.action(&path, api_versions::MANAGED_CLUSTERS, &[("format", "exec")]).await {
            Ok(answer) => answer,
            Err(failure) if failure.status() == Some(404) => {
                return Err(
                    Problem::new(Kind::NotFound, "KC1102", format!("there is no AKS cluster {cluster}")).fix("az aks list -o table")
                );
            }
            Err(failure) => return Err(Problem::from(failure).context(format!("fetching the credentials of {}", cluster.name()))),
        };
        decoded(&answer).map(Some).ok_or_else(|| {
            Problem::new(Kind::Failed, "KC1190", format!("Azure returned no credentials for the cluster {}", cluster.name())).fix(format!(
                "az aks get-credentials --resource-group {} --name {}",
                cluster.resource_group(),
                cluster.name()
            ))
        })
    }
}

/// The first kubeconfig of the answer; az uses the same one.
fn decoded(answer: &Value) -> Option<SecretString> {
    let value = answer.pointer("/kubeconfigs/0/value")?.as_str()?;
    let text = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value).ok()?).ok()?;
    Some(text.into())
}

fn no_subscription() -> Problem {
    Problem::new(Kind::NotSignedIn, "KC2008", "no subscription is active").fix("az login").fix("az account set --subscription NAME")
}

#[async_trait::async_trait]
impl Source for FromAzure {
    async fn kubeconfig(&self, events: &Events) -> Result<Option<SecretString>> {
        self.kubeconfig.get_or_try_init(|| self.fetch(events)).await.cloned()
    }

    async fn token(&self, tenant: Option<&str>, audience: &str, events: &Events) -> Result<SecretString> {
        let (_, arm) = self.azure.open(events)?;
        let token = arm.token_of(tenant.or(arm.tenant()), &format!("{audience}/.default")).await?;
        Ok(token.secret().to_owned().into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn nothing_is_requested_without_a_cluster_name() {
        assert!(FromAzure::new(ClusterChoice::default(), AzureSession::default()).kubeconfig(&Events::silent()).await.unwrap().is_none());
    }

    #[test]
    fn the_first_kubeconfig_is_used_and_malformed_answers_give_none() {
        use secrecy::ExposeSecret;
        let given = decoded(&json!({"kubeconfigs": [{"name": "clusterUser", "value": "YXBpVmVyc2lvbjogdjE="}, {"value": "eA=="}]}));
        assert_eq!(given.unwrap().expose_secret(), "apiVersion: v1");
        for answer in [json!({}), json!({"kubeconfigs": []}), json!({"kubeconfigs": [{"value": "%"}]})] {
            assert!(decoded(&answer).is_none());
        }
    }
}
