//! The kinds of objects that this tool reads or writes. They are fixed, so no discovery request is needed.

/// A kind of Kubernetes object and its place in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Kind, as in manifests.
    pub kind: &'static str,
    /// Plural name, as in URLs and roles.
    pub plural: &'static str,
    /// Whether objects belong to a namespace.
    pub namespaced: bool,
}

const fn namespaced(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Resource {
    Resource { group, version, kind, plural, namespaced: true }
}

const fn cluster_wide(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Resource {
    Resource { group, version, kind, plural, namespaced: false }
}

/// Namespaces.
pub const NAMESPACE: Resource = cluster_wide("", "v1", "Namespace", "namespaces");
/// The API server's document about its issuer and signing keys. It is not an object; the name is for messages and
/// roles.
pub const ISSUER_DOCUMENT: Resource = cluster_wide("", "v1", "OpenIDConfiguration", "openid-configuration");
/// Service accounts.
pub const SERVICE_ACCOUNT: Resource = namespaced("", "v1", "ServiceAccount", "serviceaccounts");
/// Secrets.
pub const SECRET: Resource = namespaced("", "v1", "Secret", "secrets");
/// Config maps.
pub const CONFIG_MAP: Resource = namespaced("", "v1", "ConfigMap", "configmaps");
/// Pods.
pub const POD: Resource = namespaced("", "v1", "Pod", "pods");
/// Services.
pub const SERVICE: Resource = namespaced("", "v1", "Service", "services");
/// Events of the core group. Those of kubelet and controllers are found there whichever API they use.
pub const EVENT: Resource = namespaced("", "v1", "Event", "events");
/// Deployments.
pub const DEPLOYMENT: Resource = namespaced("apps", "v1", "Deployment", "deployments");
/// Stateful sets.
pub const STATEFUL_SET: Resource = namespaced("apps", "v1", "StatefulSet", "statefulsets");
/// Daemon sets.
pub const DAEMON_SET: Resource = namespaced("apps", "v1", "DaemonSet", "daemonsets");
/// Replica sets.
pub const REPLICA_SET: Resource = namespaced("apps", "v1", "ReplicaSet", "replicasets");
/// Jobs.
pub const JOB: Resource = namespaced("batch", "v1", "Job", "jobs");
/// Cron jobs.
pub const CRON_JOB: Resource = namespaced("batch", "v1", "CronJob", "cronjobs");
/// Leases, used as locks.
pub const LEASE: Resource = namespaced("coordination.k8s.io", "v1", "Lease", "leases");
/// Mutating webhook configurations; they show whether the workload identity webhook is installed.
pub const MUTATING_WEBHOOK: Resource =
    cluster_wide("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations");
/// CSI drivers; they show whether the secrets store driver is installed.
pub const CSI_DRIVER: Resource = cluster_wide("storage.k8s.io", "v1", "CSIDriver", "csidrivers");
/// SecretProviderClasses, which tell the secrets store CSI driver what to mount.
pub const SECRET_PROVIDER_CLASS: Resource = namespaced("secrets-store.csi.x-k8s.io", "v1", "SecretProviderClass", "secretproviderclasses");

impl Resource {
    /// `apiVersion` as in manifests: `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The name in roles and for `kubectl auth can-i`: `deployments.apps`, `secrets`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.into() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Path of one object, or of the collection if `name` is `None`.
    pub fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut path =
            if self.group.is_empty() { format!("/api/{}", self.version) } else { format!("/apis/{}/{}", self.group, self.version) };
        if let Some(namespace) = namespace.filter(|_| self.namespaced) {
            path.push_str("/namespaces/");
            path.push_str(&encode(namespace));
        }
        path.push('/');
        path.push_str(self.plural);
        if let Some(name) = name {
            path.push('/');
            path.push_str(&encode(name));
        }
        path
    }
}

/// Percent-encodes all but unreserved characters, for path segments and query values.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        assert_eq!(SECRET.path(Some("shop"), Some("a")), "/api/v1/namespaces/shop/secrets/a");
        assert_eq!(DEPLOYMENT.path(None, None), "/apis/apps/v1/deployments");
        assert_eq!(CSI_DRIVER.path(Some("ignored"), Some("x.csi")), "/apis/storage.k8s.io/v1/csidrivers/x.csi");
        assert_eq!(NAMESPACE.path(None, Some("a/../b")), "/api/v1/namespaces/a%2F..%2Fb");
    }
}
