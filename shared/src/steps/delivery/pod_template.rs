//! What a workload's pod template gets from a connection, as a patch, and whether a connection still owns something of it.

use serde_json::{Value, json};

use crate::kube::workload_identity::{CSI_DRIVER, USE};
use crate::model::PREFIX;
use crate::plan::spec::delivery::{Mount, SecretProviderClass, Workload};

impl Workload {
    /// The variables, each with the Secret from which it is read.
    pub(super) fn env(&self) -> Vec<(&str, String)> {
        let own = self.variables.iter().map(|v| (v.name.as_str(), self.secret.clone()));
        let class = self.mount.as_ref().map(|m| &m.class);
        let synced = class.and_then(SecretProviderClass::synced).unwrap_or_default();
        own.chain(class.into_iter().flat_map(|c| c.variables().map(|name| (name, synced.clone())))).collect()
    }
}

/// The patch of the pod template with everything that a workload needs for the connection. `digest` is omitted when
/// the patch is printed for users.
pub fn patch(workload: &Workload, connection: &str, digest: Option<&str>) -> Value {
    let env: Vec<Value> = workload
        .env()
        .iter()
        .map(|(name, secret)| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}}))
        .collect();
    let mut containers: Vec<Value> = workload.containers.iter().map(|name| json!({"name": name, "env": env})).collect();
    let mut volumes = Vec::new();
    if let Some(Mount { path, class }) = &workload.mount {
        let mount = json!([{"name": class.name, "mountPath": path, "readOnly": true}]);
        containers.iter_mut().for_each(|container| container["volumeMounts"] = mount.clone());
        let attributes = json!({"secretProviderClass": class.name});
        volumes.push(json!({"name": class.name, "csi": {"driver": CSI_DRIVER, "readOnly": true, "volumeAttributes": attributes}}));
    }
    let mut template = json!({"spec": {"containers": containers}});
    if !volumes.is_empty() {
        template["spec"]["volumes"] = json!(volumes);
    }
    if workload.identity {
        template["metadata"]["labels"] = json!({USE: "true"});
    }
    if let Some(digest) = digest {
        template["metadata"]["annotations"] = json!({digest_key(connection): digest});
    }
    if let Some(account) = &workload.service_account {
        // Sets the deprecated field as well: if only the new one were applied, it could never be unset again.
        template["spec"]["serviceAccountName"] = json!(account);
        template["spec"]["serviceAccount"] = json!(account);
    }
    template
}

/// Annotation of the pod template that changes when a value does, so that pods start anew.
pub(super) fn digest_key(connection: &str) -> String {
    format!("{PREFIX}/digest.{connection}")
}

/// Whether `manager` owns more than list keys in the object's spec. After a PUT by somebody else only the keys
/// remain.
pub(super) fn holds_template(object: &Value, manager: &str) -> bool {
    let entries = object["metadata"]["managedFields"].as_array();
    entries
        .into_iter()
        .flatten()
        .filter(|e| e["manager"] == manager && e["operation"] == "Apply")
        .any(|e| holds_value(&e["fieldsV1"]["f:spec"]))
}

fn holds_value(fields: &Value) -> bool {
    fields.as_object().is_some_and(|fields| {
        fields.iter().any(|(key, inner)| match key.as_str() {
            "." | "f:name" => false,
            _ if inner.as_object().is_some_and(serde_json::Map::is_empty) => key.starts_with("f:"),
            _ => holds_value(inner),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::variable::Variable;

    fn workload(service_account: Option<&str>) -> Workload {
        Workload {
            kind: "deployment".into(),
            namespace: "shop".into(),
            name: "web".into(),
            containers: vec!["app".into(), "sidecar".into()],
            foreign: false,
            identity: true,
            service_account: service_account.map(Into::into),
            secret: "keyvault-v".into(),
            variables: vec![Variable::client_id("A"), Variable::text("B", "b")],
            mount: None,
        }
    }

    #[test]
    fn the_patch_sets_both_account_fields_or_neither() {
        let with = patch(&workload(Some("web")), "c", None);
        assert_eq!((&with["spec"]["serviceAccountName"], &with["spec"]["serviceAccount"]), (&json!("web"), &json!("web")));
        let without = patch(&workload(None), "c", None);
        assert!(without["spec"].get("serviceAccountName").is_none() && without["spec"].get("serviceAccount").is_none());
        assert_eq!(without["spec"]["containers"][1]["env"][0]["valueFrom"]["secretKeyRef"], json!({"name": "keyvault-v", "key": "A"}));
    }

    #[test]
    fn a_manager_entry_with_only_list_keys_owns_nothing() {
        let entry = |fields: Value| json!({"metadata": {"managedFields": [{"manager": "m", "operation": "Apply", "fieldsV1": {"f:spec": fields}}]}});
        let keys = json!({"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:name": {}}}}}});
        assert!(!holds_template(&entry(keys), "m"));
        let real = json!({"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:name": {}, "f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:valueFrom": {"f:secretKeyRef": {}}}}}}}}});
        assert!(holds_template(&entry(real.clone()), "m") && !holds_template(&entry(real), "other"));
    }
}
