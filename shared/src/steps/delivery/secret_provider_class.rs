//! The SecretProviderClass: tells the secrets store CSI driver which vault objects to mount, and with which identity
//! to read them. Each connection has one, so an existing class of the name is either this connection's or a conflict.
//! The cluster's Key Vault add-on installs the resource definition; until then the API server does not know the kind,
//! and applying waits for it.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::kube::{Access, Applied, Apply, Failure, resources};
use crate::model::vault::{CsiIdentity, VaultObject};
use crate::model::{Kind, Problem, Result};
use crate::plan::change::{Action, Change, Goal, KNOWN_AFTER_APPLY, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Spec;
use crate::plan::spec::delivery::SecretProviderClass;
use crate::steps::context::Cx;
use crate::steps::marks::{done, labels, taking_back, told_labels, uid};
use crate::steps::ownership::is_this_connections;
use crate::steps::step::{Examined, Right, Step};

/// Label that the driver sets on every Secret that it creates (its `pkg/secrets-store`).
const MANAGED: &str = "secrets-store.csi.k8s.io/managed";

/// The state of the class in the cluster.
enum Live {
    /// The cluster does not know the kind.
    NoKind,
    Missing,
    There(Value),
}

#[async_trait]
impl Step for SecretProviderClass {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let live = match cx.kube.read(&resources::SECRET_PROVIDER_CLASS, Some(&self.namespace), &self.name).await {
            Ok(Some(found)) => Live::There(found),
            Ok(None) => Live::Missing,
            Err(Failure::NoSuchKind { .. }) => Live::NoKind,
            Err(failure) => return Err(failure.into()),
        };
        match goal {
            Goal::Present => self.examine_present(cx, live, past).await,
            Goal::Absent => Ok(self.examine_absent(cx, &live, past)),
        }
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        let mut receipt = done(&examined.intent);
        match examined.change.action {
            Action::Create | Action::Update => receipt.uid = uid(&self.write_when_known(cx, examined).await?),
            Action::Delete => {
                cx.delete_ours(&resources::SECRET_PROVIDER_CLASS, &self.namespace, &self.name, receipt.uid.clone()).await?;
            }
            Action::NoOp => {}
        }
        Ok(receipt)
    }

    async fn rehearse(&self, cx: &Cx, examined: &Examined) -> Result<()> {
        match self.write(cx, examined, Apply { dry_run: true, ..Apply::default() }).await {
            // The API server can't check the class before the add-on is installed.
            Ok(_) | Err(Failure::NoSuchKind { .. }) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    fn rights_to_delete(&self) -> Vec<Right> {
        vec![self.right("delete")]
    }
}

impl SecretProviderClass {
    async fn write(&self, cx: &Cx, examined: &Examined, how: Apply) -> Result<Value, Failure> {
        let mut body = json!({
            "apiVersion": resources::SECRET_PROVIDER_CLASS.api_version(), "kind": "SecretProviderClass",
            "metadata": {"name": self.name, "labels": labels(Some(&cx.connection))},
            "spec": self.spec(cx.client_id().as_deref().unwrap_or_default()),
        });
        let how = taking_back(examined, how, &mut body);
        let applied = Applied {
            kind: &resources::SECRET_PROVIDER_CLASS,
            namespace: &self.namespace,
            name: &self.name,
            manager: &cx.manager(),
            body: &body,
        };
        cx.kube.apply(&applied, how).await
    }

    /// Retries while the kind is unknown: the add-on's update ends before the API server serves its kinds.
    async fn write_when_known(&self, cx: &Cx, examined: &Examined) -> Result<Value> {
        let mut wait = cx.wait(&examined.change.id, "waiting for the add-on to install SecretProviderClass");
        let limit = cx.timeout.min(Duration::from_secs(300));
        let written = wait.until(limit, Duration::from_millis(500), || async {
            match self.write(cx, examined, Apply::default()).await {
                Err(Failure::NoSuchKind { .. }) => None,
                other => Some(other),
            }
        });
        match written.await {
            Some(written) => Ok(written?),
            None => Err(Problem::new(Kind::TimedOut, "KC4608", "the cluster does not know SecretProviderClass")
                .why("the Key Vault add-on is enabled, but has not installed this kind")
                .fix(
                    "check the add-on: kubectl get pods -n kube-system -l 'app in (secrets-store-csi-driver, \
                    secrets-store-provider-azure)'",
                )),
        }
    }

    /// The spec of the class. Every object name is quoted, since a name of digits would be a number in YAML.
    pub(crate) fn spec(&self, client_id: &str) -> Value {
        let mut parameters = json!({"keyvaultName": self.vault, "tenantID": self.tenant, "objects": objects(&self.objects)});
        match &self.identity {
            CsiIdentity::Workload => parameters["clientID"] = json!(client_id),
            CsiIdentity::Addon | CsiIdentity::Vm(_) => {
                parameters["useVMManagedIdentity"] = json!("true");
                // Despite its name, this parameter takes a client id.
                parameters["userAssignedIdentityID"] = json!(client_id);
            }
        }
        if let Some(cloud) = &self.cloud {
            parameters["cloudName"] = json!(cloud);
        }
        let mut spec = json!({"provider": "azure", "parameters": parameters});
        if let Some(secret) = self.synced() {
            let data: Vec<Value> =
                self.objects.iter().filter_map(|o| Some(json!({"key": o.variable.as_ref()?, "objectName": o.file()}))).collect();
            spec["secretObjects"] = json!([{"secretName": secret, "type": "Opaque", "data": data}]);
        }
        spec
    }

    fn change(&self, action: Action) -> Change {
        let name = format!("{}/{}", self.namespace, self.name);
        Change::new(self.id(), Layer::Cluster, "SecretProviderClass", name, action)
    }

    fn right(&self, verb: &'static str) -> Right {
        Right::Kube(Access::to(verb, &resources::SECRET_PROVIDER_CLASS, Some(&self.namespace)))
    }

    fn described(&self, action: Action, client_id: Option<&str>, connection: &str) -> Change {
        let told: Vec<String> = self.objects.iter().map(|o| format!("{} {}", o.kind.word(), o.name)).collect();
        let change = self.change(action).detail("vault", None, Some(&self.vault)).list("objects", vec![], told);
        let change = change.detail("clientID", None, Some(client_id.unwrap_or(KNOWN_AFTER_APPLY)));
        match self.synced() {
            Some(secret) => change.detail("syncedSecret", None, Some(&secret)),
            None => change,
        }
        .detail("tenantID", None, Some(&self.tenant))
        .list("labels", vec![], told_labels(&labels(Some(connection))))
    }

    async fn examine_present(&self, cx: &Cx, live: Live, past: Option<&Receipt>) -> Result<Examined> {
        self.synced_is_free(cx).await?;
        let client_id = cx.client_id();
        let id = format!("{}/{}", self.namespace, self.name);
        let intent = Receipt { uid: past.and_then(|p| p.uid.clone()), ..Receipt::intent(Ownership::Created, id) };
        let (change, intent, rights) = match &live {
            Live::NoKind | Live::Missing => {
                let change = self.described(Action::Create, client_id.as_deref(), &cx.connection);
                let change =
                    if matches!(live, Live::NoKind) { change.reason("possible once the add-on has installed its CRD") } else { change };
                (change, Receipt { uid: None, ..intent }, vec![self.right("create"), self.right("patch")])
            }
            Live::There(class) if !is_this_connections(cx, class) => {
                let what = format!("SecretProviderClass `{}` in namespace `{}` belongs to somebody else", self.name, self.namespace);
                return Err(Problem::new(Kind::Failed, "KC1316", what)
                    .why("a class of that name exists and does not belong to this connection")
                    .fix("choose another name for the connection: --name NAME"));
            }
            Live::There(class) => {
                let intent = Receipt { uid: uid(class), ..intent };
                let same = client_id.as_deref().is_some_and(|id| class["spec"] == self.spec(id));
                match same {
                    true => (self.change(Action::NoOp), intent, vec![]),
                    false => (self.described(Action::Update, client_id.as_deref(), &cx.connection), intent, vec![self.right("patch")]),
                }
            }
        };
        Ok(Examined { change, goal: Goal::Present, intent, rights })
    }

    /// Checks that the name of the synced Secret is free. The driver never overwrites a Secret of somebody else: pods
    /// would hang, or read other values.
    async fn synced_is_free(&self, cx: &Cx) -> Result<()> {
        let Some(name) = self.synced() else { return Ok(()) };
        match cx.kube_read(&resources::SECRET, Some(&self.namespace), &name).await? {
            Some(secret) if secret["metadata"]["labels"][MANAGED] != "true" => Err(Problem::new(
                Kind::Failed,
                "KC1305",
                format!("secret `{name}` in namespace `{}` belongs to somebody else", self.namespace),
            )
            .why("the driver stores the variables in a Secret of that name, and changes only Secrets that it created")
            .fix("choose another name for the connection: --name NAME")),
            _ => Ok(()),
        }
    }

    fn examine_absent(&self, cx: &Cx, live: &Live, past: Option<&Receipt>) -> Examined {
        let id = format!("{}/{}", self.namespace, self.name);
        let mut intent = past.cloned().unwrap_or_else(|| Receipt::intent(Ownership::Created, id));
        let (change, rights) = match live {
            Live::NoKind | Live::Missing => (self.change(Action::NoOp).reason("already deleted"), vec![]),
            Live::There(class) if is_this_connections(cx, class) => {
                intent.uid = uid(class);
                (self.change(Action::Delete), self.rights_to_delete())
            }
            Live::There(_) => (self.change(Action::NoOp).reason("belongs to somebody else now: kept"), vec![]),
        };
        Examined { change, goal: Goal::Absent, intent, rights }
    }
}

/// The parameter `objects`: a YAML list whose items are YAML texts.
fn objects(all: &[VaultObject]) -> String {
    let mut text = String::from("array:\n");
    for object in all {
        let lines = [
            ("objectName", Some(object.name.as_str())),
            ("objectType", Some(object.kind.word())),
            ("objectAlias", object.alias.as_deref()),
            ("objectVersion", object.version.as_deref()),
        ];
        text.push_str("  - |\n");
        for (key, value) in lines {
            if let Some(value) = value {
                text.push_str(&format!("    {key}: \"{value}\"\n"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::vault::ObjectKind;

    fn class(identity: CsiIdentity) -> SecretProviderClass {
        let objects = vec![VaultObject::parse(ObjectKind::Secret, "a:x=A").unwrap(), VaultObject::parse(ObjectKind::Cert, "123").unwrap()];
        let text = |t: &str| t.to_owned();
        let (namespace, name, vault, tenant) = (text("shop"), text("c"), text("v"), text("t"));
        SecretProviderClass { namespace, name, vault, tenant, cloud: None, identity, objects }
    }

    #[test]
    fn the_three_identities_differ_only_in_the_identity_parameters() {
        let spec = class(CsiIdentity::Workload).spec("id");
        assert_eq!((&spec["parameters"]["clientID"], spec["parameters"].get("useVMManagedIdentity")), (&json!("id"), None));
        let spec = class(CsiIdentity::Addon).spec("id");
        assert_eq!((&spec["parameters"]["userAssignedIdentityID"], spec["parameters"].get("clientID")), (&json!("id"), None));
        assert_eq!(spec["parameters"]["useVMManagedIdentity"], "true");
    }

    #[test]
    fn a_synced_secret_refers_to_files_and_all_values_are_text() {
        let spec = class(CsiIdentity::Workload).spec("id");
        let synced = json!([{"secretName": "c-vault", "type": "Opaque", "data": [{"key": "A", "objectName": "x"}]}]);
        assert_eq!(spec["secretObjects"], synced);
        let text = "array:\n  - |\n    objectName: \"a\"\n    objectType: \"secret\"\n    objectAlias: \"x\"\n  - |\n    objectName: \"123\"\n    objectType: \"cert\"\n";
        assert_eq!(spec["parameters"]["objects"], text);
    }
}
