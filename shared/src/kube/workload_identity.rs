//! Names used by the workload identity webhook and the secrets store CSI driver: labels, annotations, deployments.
//!
//! Sources: the webhook's documentation (azure.github.io/azure-workload-identity) and the driver's.

use serde_json::Value;

/// Labels and annotations of the webhook begin with this prefix.
pub const PREFIX: &str = "azure.workload.identity/";
/// Label of the pods that the webhook changes.
pub const USE: &str = "azure.workload.identity/use";
/// Annotation of a service account: client id of the identity for its pods.
pub const CLIENT_ID: &str = "azure.workload.identity/client-id";
/// Annotation of a service account: tenant of that identity.
pub const TENANT_ID: &str = "azure.workload.identity/tenant-id";

/// Name under which the webhook is registered; the managed add-on and the chart use the same one.
pub const WEBHOOK: &str = "azure-wi-webhook-mutating-webhook-configuration";
/// Deployment of the webhook.
pub const WEBHOOK_DEPLOYMENT: &str = "azure-wi-webhook-controller-manager";
/// Namespaces of the webhook's deployment: the add-on's and the chart's.
pub const WEBHOOK_NAMESPACES: [&str; 2] = ["kube-system", "azure-workload-identity-system"];

/// Name of the secrets store CSI driver.
pub const CSI_DRIVER: &str = "secrets-store.csi.k8s.io";

/// The client id in a service account's annotation; `None` where the annotation is absent or empty.
pub fn client_id(account: &Value) -> Option<&str> {
    account["metadata"]["annotations"][CLIENT_ID].as_str().filter(|id| !id.is_empty())
}
