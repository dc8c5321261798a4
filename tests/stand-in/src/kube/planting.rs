//! Actions of a test on a cluster, without a client: planting and deleting objects, changing settings, and inspecting
//! the state.

use serde_json::{Value, json};

use super::KubeCluster;
use super::auth::{Denial, UserInfo};
use super::request::Call;
use super::store::{Key, metadata, text};
use crate::http::Request;

impl KubeCluster {
    /// Installs the workload identity webhook for a tenant, as the add-on does; from then on pods with its label are
    /// mutated.
    pub fn install_webhook(&self, tenant: &str) {
        if self.inner.real.is_some() {
            return self.real_webhook(false);
        }
        self.state().webhook = Some(tenant.into());
        let labels = json!({"azure-workload-identity.io/system": "true", "app": "workload-identity-webhook"});
        self.apply_object(
            "aks-addon-manager",
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": "azure-wi-webhook-mutating-webhook-configuration", "labels": labels},
                "webhooks": [{
                    "name": "mutation.azure-workload-identity.io", "admissionReviewVersions": ["v1", "v1beta1"],
                    "clientConfig": {"service": {
                        "name": "azure-wi-webhook-webhook-service", "namespace": "kube-system", "path": "/mutate-v1-pod",
                    }},
                    "failurePolicy": "Fail", "matchPolicy": "Equivalent", "reinvocationPolicy": "IfNeeded",
                    "objectSelector": {"matchLabels": {"azure.workload.identity/use": "true"}},
                    "rules": [{
                        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
                    }],
                    "sideEffects": "None",
                }],
            }),
        );
        let template = json!({
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "manager", "image": "mcr.microsoft.com/oss/azure/workload-identity/webhook:v1.5.1"}]},
        });
        self.apply_object(
            "aks-addon-manager",
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "azure-wi-webhook-controller-manager", "namespace": "kube-system", "labels": labels},
                "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
            }),
        );
        let mut state = self.state();
        let found = state.store.known("apps", "deployments");
        if let Some(resource) = found
            && let Some(mut object) = state.store.get(&resource, "kube-system", "azure-wi-webhook-controller-manager").cloned()
        {
            object["status"] = json!({
                "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
            });
            let key = Key::of(&resource, "kube-system", "azure-wi-webhook-controller-manager");
            state.store.put(key, object);
        }
    }

    /// The webhook stays registered but does not answer, so labelled pods can't be created.
    pub fn webhook_down(&self, down: bool) {
        if self.inner.real.is_some() {
            return self.real_webhook(down);
        }
        self.state().webhook_down = down;
        self.inner.work.notify_one();
    }

    /// Removes a permission, whatever the roles say; `*` means any.
    pub fn deny(&self, user: &str, verb: &str, group: &str, resource: &str, namespace: Option<&str>) {
        let denial = Denial {
            user: user.into(),
            verb: verb.into(),
            group: group.into(),
            resource: resource.into(),
            namespace: namespace.map(str::to_string),
        };
        self.state().denials.push(denial);
    }

    /// Restores all permissions removed by [`deny`](Self::deny).
    pub fn allow_all(&self) {
        self.state().denials.clear();
    }

    /// Drops the history of writes: a watch from an older version gets a 410.
    pub fn forget_history(&self) {
        let mut state = self.state();
        state.store.compacted = state.store.version;
        state.store.history.clear();
    }

    /// Plants an object as a user's client-side apply would: creates it, or replaces an existing one.
    ///
    /// An empty manager means kubectl's own. The object must be valid; an object that the server would refuse is not
    /// planted.
    pub fn apply_object(&self, manager: &str, mut object: Value) {
        if let Some(real) = &self.inner.real {
            return Self::plant_real(real, manager, &object);
        }
        let manager = if manager.is_empty() { "kubectl-client-side-apply" } else { manager };
        let mut state = self.state();
        let version = object["apiVersion"].as_str().unwrap_or_default();
        let kind = object["kind"].as_str().unwrap_or_default();
        let Some(resource) = state.store.resource_of_kind(version, kind) else { return };
        if resource.namespaced && text(&object, "namespace").is_empty() {
            metadata(&mut object).insert("namespace".into(), json!("default"));
        }
        if manager == "kubectl-client-side-apply" {
            let mut copy = object.clone();
            metadata(&mut copy).entry("annotations").or_insert_with(|| json!({}));
            let annotations = metadata(&mut object).entry("annotations").or_insert_with(|| json!({}));
            annotations["kubectl.kubernetes.io/last-applied-configuration"] = json!(format!("{copy}\n"));
        }
        let request = Request {
            method: "POST".into(),
            query: vec![("fieldManager".into(), manager.into())],
            headers: vec![("content-type".into(), "application/json".into())],
            body: object.to_string().into_bytes(),
            ..Request::default()
        };
        let mut call = Call {
            request: &request,
            user: UserInfo::new("sandbox", &["system:masters"]),
            verb: "create",
            group: resource.group.clone(),
            plural: resource.plural.clone(),
            namespace: text(&object, "namespace").to_string(),
            name: String::new(),
            subresource: String::new(),
            scope: (String::new(), text(&object, "namespace").to_string()),
            resource: Some(resource.clone()),
        };
        if state.store.get(&resource, &call.namespace, text(&object, "name")).is_some() {
            call.name = text(&object, "name").to_string();
            let _ = state.update(&call);
        } else {
            let _ = state.create(&call);
        }
        if !self.inner.started.load(std::sync::atomic::Ordering::SeqCst) {
            // Objects planted before the first request count as old.
            state.settle();
        }
        drop(state);
        self.inner.work.notify_one();
    }

    /// Deletes an object, as if a user did; the namespace is empty for cluster-wide objects.
    pub fn remove_object(&self, kind: &str, namespace: &str, name: &str) {
        let mut state = self.state();
        let found =
            state.store.objects.iter().find(|(key, object)| object["kind"] == kind && key.namespace == namespace && key.name == name);
        let Some(key) = found.map(|(key, _)| key.clone()) else { return };
        state.store.remove(&key);
        drop(state);
        self.inner.work.notify_one();
    }

    /// Adds a ready node, so that DaemonSets have a place to run.
    pub(super) fn plant_node(&self) {
        let name = "aks-nodepool1-12345678-vmss000000";
        self.apply_object(
            "kubelet",
            json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
            }),
        );
        let mut state = self.state();
        let Some(resource) = state.store.known("", "nodes") else { return };
        if let Some(mut node) = state.store.get(&resource, "", name).cloned() {
            node["spec"] = json!({});
            node["status"]["conditions"] = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady"}]);
            state.store.put(Key::of(&resource, "", name), node);
        }
    }

    /// All objects in full, ordered by resource, namespace and name.
    #[must_use]
    pub fn objects(&self) -> Vec<Value> {
        match &self.inner.real {
            Some(real) => Self::real_objects(real),
            None => self.state().store.objects.values().cloned().collect(),
        }
    }

    /// The objects created by clients, without values that change by themselves, for comparisons.
    ///
    /// Omitted are objects of controllers (pods, ReplicaSets, events) and the server's counters and times.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let mut out = Vec::new();
        for mut object in self.objects() {
            let kind = object["kind"].as_str();
            let made = matches!(kind, Some("Pod" | "ReplicaSet" | "Event" | "ControllerRevision" | "SecretProviderClassPodStatus"));
            let synced = object["metadata"]["labels"]["secrets-store.csi.k8s.io/managed"] == "true";
            if made || synced || object["metadata"]["name"] == "kube-root-ca.crt" {
                continue;
            }
            if let Some(map) = object.as_object_mut() {
                map.shift_remove("status");
            }
            let meta = metadata(&mut object);
            for gone in ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"] {
                meta.shift_remove(gone);
            }
            if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.retain(|k, _| k != "deployment.kubernetes.io/revision" && k != "deprecated.daemonset.template.generation");
                if annotations.is_empty() {
                    meta.shift_remove("annotations");
                }
            }
            out.push(object);
        }
        Value::Array(out)
    }
}
