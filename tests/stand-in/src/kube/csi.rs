//! The secrets store CSI driver: what the add-on installs, and what the driver does for pods that mount a class: the
//! status of the mount, and the synced Secrets, which exist as long as a pod mounts the class.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::store::{Key, new_uid, text};
use super::{KubeCluster, State};

/// The driver.
pub const DRIVER: &str = "secrets-store.csi.k8s.io";
const GROUP: &str = "secrets-store.csi.x-k8s.io";
const MANAGED: &str = "secrets-store.csi.k8s.io/managed";

/// A request to the provider.
#[derive(Clone, Debug)]
pub struct Mounting {
    /// The class.
    pub class: Value,
    /// Namespace of the pod.
    pub namespace: String,
    /// Service account of the pod.
    pub account: String,
    /// Issuer of the cluster's tokens.
    pub issuer: String,
}

/// Why a mount failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmounted {
    /// Retry later.
    Busy,
    /// Refused, with the provider's message.
    Refused(String),
}

/// Azure's provider: returns files with their contents.
pub type Provider = Arc<dyn Fn(&Mounting) -> Result<Vec<(String, String)>, Unmounted> + Send + Sync>;

fn definition(kind: &str, properties: Value) -> Value {
    let plural = format!("{}es", kind.to_lowercase());
    let text = json!({"type": "string"});
    let mut all = json!({"apiVersion": text, "kind": text, "metadata": {"type": "object"}});
    if let (Some(all), Value::Object(own)) = (all.as_object_mut(), properties) {
        all.extend(own);
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": all}}}],
        },
    })
}

/// The two kinds that the driver defines. No field is required, and none is an enumeration.
fn definitions() -> [Value; 2] {
    let text = || json!({"type": "string"});
    let texts = || json!({"type": "object", "additionalProperties": {"type": "string"}});
    let data = json!({"type": "array", "items": {"type": "object", "properties": {"key": text(), "objectName": text()}}});
    let synced = json!({"type": "array", "items": {"type": "object", "properties": {
        "annotations": texts(), "labels": texts(), "data": data, "secretName": text(), "type": text(),
    }}});
    let class = json!({
        "spec": {"type": "object", "properties": {"parameters": texts(), "provider": text(), "secretObjects": synced}},
        "status": {"type": "object"},
    });
    let object = json!({"type": "object", "properties": {"id": text(), "version": text()}});
    let status = json!({"status": {"type": "object", "properties": {
        "mounted": {"type": "boolean"}, "objects": {"type": "array", "items": object},
        "podName": text(), "secretProviderClassName": text(), "targetPath": text(),
    }}});
    [definition("SecretProviderClass", class), definition("SecretProviderClassPodStatus", status)]
}

/// The objects that the add-on installs.
pub(super) fn addon() -> Vec<Value> {
    let mut all = definitions().to_vec();
    all.push(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": DRIVER},
        "spec": {
            "attachRequired": false, "podInfoOnMount": true, "volumeLifecycleModes": ["Ephemeral"],
            "tokenRequests": [{"audience": "api://AzureADTokenExchange"}, {"audience": "api://AKSIdentityBinding"}],
        },
    }));
    let images = [
        ("aks-secrets-store-csi-driver", "secrets-store-csi-driver", "mcr.microsoft.com/oss/v2/kubernetes-csi/secrets-store/driver:v1.4.8"),
        (
            "aks-secrets-store-provider-azure",
            "secrets-store-provider-azure",
            "mcr.microsoft.com/oss/v2/azure/secrets-store/provider-azure:v1.6.2",
        ),
    ];
    for (name, app, image) in images {
        let labels = json!({"app": app});
        all.push(json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name, "namespace": "kube-system", "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels}, "spec": {"containers": [{"name": app, "image": image}]},
            }},
        }));
    }
    all
}

impl KubeCluster {
    /// Installs the driver, as the Key Vault add-on does.
    pub fn install_secrets_store(&self) {
        addon().into_iter().for_each(|object| self.apply_object("aks-addon-manager", object));
    }

    /// Removes the driver, as disabling the add-on does. Its kinds and their objects remain.
    pub fn uninstall_secrets_store(&self) {
        for object in addon() {
            let kind = object["kind"].as_str().unwrap_or_default();
            if kind != "CustomResourceDefinition" {
                self.remove_object(kind, text(&object, "namespace"), text(&object, "name"));
            }
        }
    }

    /// Sets the provider. Without one, every mount succeeds with empty files.
    pub fn reach_vaults(&self, provider: Provider) {
        self.state().provider = Some(provider);
    }
}

impl State {
    fn class(&self, namespace: &str, name: &str) -> Option<Value> {
        let resource = self.store.known(GROUP, "secretproviderclasses")?;
        self.store.get(&resource, namespace, name).cloned()
    }

    /// Mounts the vaults of a pod. Returns whether the pod can start.
    pub(super) fn mount_vaults(&mut self, pod: &Value) -> bool {
        let volumes: Vec<Value> =
            pod["spec"]["volumes"].as_array().into_iter().flatten().filter(|v| v["csi"]["driver"] == DRIVER).cloned().collect();
        for volume in volumes {
            match self.mount_vault(pod, &volume) {
                Ok(()) => {}
                Err(Unmounted::Busy) => return false,
                Err(Unmounted::Refused(why)) => {
                    let message =
                        format!("MountVolume.SetUp failed for volume \"{}\" : {why}", volume["name"].as_str().unwrap_or_default());
                    self.event(pod, "kubelet", "Warning", "FailedMount", &message);
                    return false;
                }
            }
        }
        true
    }

    fn mount_vault(&mut self, pod: &Value, volume: &Value) -> Result<(), Unmounted> {
        let refused = |why: String| Unmounted::Refused(why);
        if !self.store.list("storage.k8s.io", "csidrivers", "").any(|d| text(d, "name") == DRIVER) {
            return Err(refused(format!(
                "kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name {DRIVER} not found in the list of registered CSI drivers"
            )));
        }
        let namespace = text(pod, "namespace").to_owned();
        let name = volume["csi"]["volumeAttributes"]["secretProviderClass"].as_str().unwrap_or_default().to_owned();
        let failed = |why: String| refused(format!("rpc error: code = Unknown desc = {why}"));
        let Some(class) = self.class(&namespace, &name) else {
            return Err(failed(format!(
                "failed to get secretproviderclass {namespace}/{name}, error: SecretProviderClass.{GROUP} \"{name}\" not found"
            )));
        };
        let account = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default").to_owned();
        let ask = Mounting { class: class.clone(), namespace: namespace.clone(), account, issuer: self.issuer.clone() };
        let files = match self.provider.clone() {
            Some(provider) => provider(&ask).map_err(|why| match why {
                Unmounted::Busy => Unmounted::Busy,
                Unmounted::Refused(why) => {
                    let pod = format!("{namespace}/{}", text(pod, "name"));
                    failed(format!("failed to mount secrets store objects for pod {pod}, err: rpc error: code = Unknown desc = failed to mount objects, error: {why}"))
                }
            })?,
            None => Vec::new(),
        };
        self.mounted(pod, &class, &files);
        Ok(())
    }

    fn mounted(&mut self, pod: &Value, class: &Value, files: &[(String, String)]) {
        let (namespace, name) = (text(pod, "namespace").to_owned(), text(class, "name").to_owned());
        let (Some(statuses), Some(secrets)) = (self.store.known(GROUP, "secretproviderclasspodstatuses"), self.store.known("", "secrets"))
        else {
            return;
        };
        let objects: Vec<Value> =
            files.iter().map(|(file, _)| json!({"id": format!("secret/{file}"), "version": "4387e9f3d6e14c459867679a90fd0f79"})).collect();
        let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": text(pod, "name"), "uid": text(pod, "uid")}]);
        let status = json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "SecretProviderClassPodStatus",
            "metadata": {"name": format!("{}-{namespace}-{name}", text(pod, "name")), "namespace": namespace, "ownerReferences": owner},
            "status": {"mounted": true, "podName": text(pod, "name"), "secretProviderClassName": name, "objects": objects},
        });
        self.write_as(&statuses, "secrets-store-csi-driver", "", status);
        for synced in class["spec"]["secretObjects"].as_array().into_iter().flatten() {
            let secret = synced["secretName"].as_str().unwrap_or_default();
            let there = self.store.get(&secrets, &namespace, secret);
            // A Secret of somebody else is not overwritten.
            if secret.is_empty() || there.is_some_and(|s| s["metadata"]["labels"][MANAGED] != "true") {
                continue;
            }
            let data: serde_json::Map<String, Value> = synced["data"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|item| {
                    let (_, value) = files.iter().find(|(file, _)| item["objectName"] == file.as_str())?;
                    Some((item["key"].as_str()?.to_owned(), json!(STANDARD.encode(value))))
                })
                .collect();
            let uid = there.map_or_else(new_uid, |s| text(s, "uid").to_owned());
            let object = json!({
                "apiVersion": "v1", "kind": "Secret", "type": synced["type"],
                "metadata": {"name": secret, "namespace": namespace, "uid": uid, "labels": {MANAGED: "true"}}, "data": data,
            });
            self.write_as(&secrets, "secrets-store-csi-driver", "", object);
        }
    }

    /// Deletes the statuses of deleted pods, and with a class's last status its synced Secrets.
    pub(super) fn unmount_vaults(&mut self) {
        let Some(statuses) = self.store.known(GROUP, "secretproviderclasspodstatuses") else { return };
        let Some(secrets) = self.store.known("", "secrets") else { return };
        let pods: BTreeSet<(String, String)> =
            self.store.list("", "pods", "").map(|p| (text(p, "namespace").to_owned(), text(p, "name").to_owned())).collect();
        let mut kept: BTreeSet<(String, String)> = BTreeSet::new();
        for status in self.all(GROUP, "secretproviderclasspodstatuses") {
            let namespace = text(&status, "namespace").to_owned();
            let pod = status["status"]["podName"].as_str().unwrap_or_default().to_owned();
            if !pods.contains(&(namespace.clone(), pod)) {
                self.store.remove(&Key::of(&statuses, &namespace, text(&status, "name")));
                continue;
            }
            let class =
                self.class(&namespace, status["status"]["secretProviderClassName"].as_str().unwrap_or_default()).unwrap_or_default();
            let synced = class["spec"]["secretObjects"].as_array().cloned().unwrap_or_default();
            kept.extend(synced.iter().filter_map(|s| Some((namespace.clone(), s["secretName"].as_str()?.to_owned()))));
        }
        let managed = self.store.list("", "secrets", "").filter(|s| s["metadata"]["labels"][MANAGED] == "true");
        let places: Vec<(String, String)> = managed.map(|s| (text(s, "namespace").to_owned(), text(s, "name").to_owned())).collect();
        for place in places.iter().filter(|place| !kept.contains(*place)) {
            self.store.remove(&Key::of(&secrets, &place.0, &place.1));
        }
    }
}
