//! The workload's pod template: the webhook's label, the service account and the variables, as one server-side apply
//! under the connection's own field manager. Undoing is letting go of these fields; nobody else's are touched.

use crate::kube::workload_identity::{CSI_DRIVER, USE};
use async_trait::async_trait;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::values::are_secret;
use crate::kube::{self, Access, Apply, WorkloadKind, wrap_template};
use crate::model::{Kind, PREFIX, Problem, Result};
use crate::plan::change::{Action, Change, Goal, Layer};
use crate::plan::record::{Ownership, Receipt, Record};
use crate::plan::spec::Spec;
use crate::plan::spec::delivery::{Mount, SecretProviderClass, Workload};
use crate::steps::context::{Cx, Known};
use crate::steps::marks::{done, uid};
use crate::steps::ownership;
use crate::steps::step::{Examined, Right, Step};

/// Stands for the digest in a dry run whose outcome does not depend on it.
const UNDECIDED: &str = "pending";

#[async_trait]
impl Step for Workload {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let kind = self.kind()?;
        let live = cx.kube_read(kind.resource(), Some(&self.namespace), &self.name).await?;
        match goal {
            Goal::Present => self.examine_present(cx, kind, live, past).await,
            Goal::Absent => Ok(self.examine_absent(cx, kind, live.as_ref(), past)),
        }
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        let mut receipt = done(&examined.intent);
        if examined.change.action == Action::NoOp {
            return Ok(receipt);
        }
        let kind = self.kind()?;
        let body = match examined.goal {
            Goal::Present => self.body(&cx.connection, kind, receipt.uid.as_deref(), &self.digest(&cx.outputs.known())),
            Goal::Absent => self.empty(kind, receipt.uid.as_deref()),
        };
        let applied = cx
            .kube
            .apply(kind.resource(), Some(&self.namespace), &self.name, &cx.manager(), &body, Apply::default())
            .await
            .map_err(|f| self.refused(f))?;
        receipt.uid = uid(&applied);
        let workload = kube::Workload::new(kind, applied);
        let id = examined.change.id.clone();
        kube::rollout::wait(&cx.kube, &workload, cx.timeout, &|seen: String| cx.waiting(&id, seen)).await?;
        Ok(receipt)
    }

    /// Deleting is letting go of the fields, which is a patch.
    fn rights_to_delete(&self) -> Vec<Right> {
        self.kind().map(|kind| self.right(kind)).into_iter().collect()
    }
}

impl Workload {
    fn kind(&self) -> Result<WorkloadKind> {
        WorkloadKind::parse(&self.kind)
            .ok_or_else(|| Problem::new(Kind::Failed, "KC6005", format!("the record names the unknown workload kind `{}`", self.kind)))
    }

    fn right(&self, kind: WorkloadKind) -> Right {
        Right::Kube(Access::to("patch", kind.resource(), Some(&self.namespace)))
    }

    fn change(&self, kind: WorkloadKind, action: Action) -> Change {
        Change::new(self.id(), Layer::Cluster, kind.resource().kind, format!("{}/{}", self.namespace, self.name), action)
    }

    fn empty(&self, kind: WorkloadKind, uid: Option<&str>) -> Value {
        let resource = kind.resource();
        let mut body = json!({"apiVersion": resource.api_version(), "kind": resource.kind, "metadata": {"name": self.name}});
        if let Some(uid) = uid {
            // A workload that was deleted and made anew is not the one we looked at.
            body["metadata"]["uid"] = json!(uid);
        }
        body
    }

    /// The apply patch. Containers go in their live order: another order would re-order them for good.
    fn body(&self, connection: &str, kind: WorkloadKind, uid: Option<&str>, digest: &str) -> Value {
        let mut body = self.empty(kind, uid);
        let template = patch(self, connection, Some(digest));
        if let (Some(body), Value::Object(wrapped)) = (body.as_object_mut(), wrap_template(kind, template)) {
            body.extend(wrapped);
        }
        body
    }

    /// Pods read variables at their start only: a digest in the template restarts them when a value changes. Secret
    /// values go in as the version of the Secret that holds them.
    fn digest(&self, known: &Known) -> String {
        let mut hash = Sha256::new();
        let client_id = known.client_id.as_deref().unwrap_or("pending");
        for variable in &self.variables {
            hash.update(format!("{}={}\n", variable.name, variable.told().replace("<client-id>", client_id)));
        }
        if are_secret(&self.variables) {
            hash.update(known.secret_version.as_deref().unwrap_or("pending"));
        }
        if let Some(mount) = &self.mount {
            // The driver reads the class when it mounts, and never again.
            hash.update(mount.class.spec(client_id).to_string());
            known.vault_versions.values().for_each(|version| hash.update(version));
        }
        hash.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Whether everything that the digest is made from is known.
    fn is_settled(&self, known: &Known) -> bool {
        let names_identity = self.identity || self.mount.is_some();
        (!names_identity || known.client_id.is_some()) && (!are_secret(&self.variables) || known.secret_version.is_some())
    }

    /// Whether the live workload can be what it should be: it is compared only then, and else the digest means nothing.
    fn may_be_same(&self, known: &Known, live: &Value, manager: &str) -> bool {
        self.is_settled(known) && holds_template(live, manager)
    }

    /// What the API server would make of the patch. A dry run reaches conflicts, admission and validation before anything
    /// is written. The same patch is tried once a run: whoever can guess it may do so while Azure is still being asked.
    ///
    /// # Errors
    /// What the API server says.
    pub(crate) async fn try_out(
        &self,
        kube: &kube::Cluster,
        connection: &str,
        live: &Value,
        known: &Known,
    ) -> Result<Value, kube::Failure> {
        let Ok(kind) = self.kind() else { return Ok(Value::Null) };
        let manager = Record::field_manager(connection);
        let digest = if self.may_be_same(known, live, &manager) { self.digest(known) } else { UNDECIDED.to_owned() };
        let body = self.body(connection, kind, uid(live).as_deref(), &digest);
        let trial = kube::Trial { kind: kind.resource(), namespace: &self.namespace, name: &self.name, manager: &manager, body: &body };
        kube.try_out(&trial).await
    }

    async fn examine_present(&self, cx: &Cx, kind: WorkloadKind, live: Option<Value>, past: Option<&Receipt>) -> Result<Examined> {
        let Some(live) = live else {
            return Err(Problem::new(
                Kind::NotFound,
                "KC1202",
                format!("there is no {} `{}` in namespace `{}`", kind.as_str(), self.name, self.namespace),
            )
            .fix(format!("kubectl get {} -n {}", kind.resource().plural, self.namespace)));
        };
        let workload = kube::Workload::new(kind, live.clone());
        if self.foreign {
            return self.examine_foreign(kind, &workload);
        }
        self.variables_are_free(cx, &workload)?;
        self.place_is_free(&workload)?;
        let known = cx.outputs.known();
        let would_be = self.try_out(&cx.kube, &cx.connection, &live, &known).await.map_err(|f| self.refused(f))?;
        let same = self.may_be_same(&known, &live, &cx.manager()) && would_be["spec"] == live["spec"];
        let intent = Receipt {
            uid: uid(&live),
            ..past.map_or_else(
                || Receipt::intent(Ownership::Adopted, format!("{}/{}", self.namespace, self.name)),
                |p| Receipt { done: false, ..p.clone() },
            )
        };
        let change = if same { self.change(kind, Action::NoOp) } else { self.describe(kind, &workload) };
        let rights = if same { vec![] } else { vec![self.right(kind)] };
        Ok(Examined { change, goal: Goal::Present, intent, rights })
    }

    /// What somebody else set up is as it was taken over, or its owner has to put it back.
    fn examine_foreign(&self, kind: WorkloadKind, workload: &kube::Workload) -> Result<Examined> {
        let account = workload.service_account().unwrap_or("default");
        let runs_as = self.service_account.as_deref().is_none_or(|a| a == account);
        if !(runs_as && (!self.identity || workload.pod_label(USE) == Some("true"))) {
            let mut patch = json!({"metadata": {"labels": {USE: "true"}}});
            if let Some(account) = &self.service_account {
                patch["spec"]["serviceAccountName"] = json!(account);
            }
            return Err(Problem::new(Kind::Failed, "KC6018", format!("{workload} is not set up any more as it was taken over"))
                .why("its label or its service account was changed, and this tool does not change what it did not set up")
                .fix(format!(
                    "kubectl patch {} {} -n {} --patch '{}'",
                    kind.as_str(),
                    self.name,
                    self.namespace,
                    wrap_template(kind, patch)
                )));
        }
        let intent =
            Receipt { uid: uid(&workload.object), ..Receipt::intent(Ownership::Adopted, format!("{}/{}", self.namespace, self.name)) };
        Ok(Examined { change: self.change(kind, Action::NoOp), goal: Goal::Present, intent, rights: vec![] })
    }

    fn describe(&self, kind: WorkloadKind, workload: &kube::Workload) -> Change {
        let label = workload.template()["metadata"]["labels"][USE].as_str().map(str::to_owned);
        let mut change = self.change(kind, Action::Update);
        if self.identity && label.as_deref() != Some("true") {
            change = change.detail(USE, label.as_deref(), Some("true"));
        }
        if let Some(account) = &self.service_account {
            let now = workload.service_account().unwrap_or("default");
            if now != account {
                change = change.detail("serviceAccountName", Some(now), Some(account));
            }
        }
        let names = self.env().iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        if let Some(mount) = &self.mount {
            change = change.detail("volume", None, Some(&format!("{} at {}", mount.class.vault, mount.path)));
        }
        change = change.detail("env", None, Some(&names)).detail("containers", None, Some(&self.containers.join(", ")));
        if kind == WorkloadKind::CronJob { change.reason("from its next job on") } else { change.reason("1 rollout") }
    }

    /// The API server answers 422 to a reference under a name that the user set to a value, force or not.
    fn variables_are_free(&self, cx: &Cx, workload: &kube::Workload) -> Result<()> {
        for container in &self.containers {
            for (name, _, from) in workload.env_of(container) {
                let wanted = self.env().into_iter().find(|(wanted, _)| *wanted == name);
                let secret = from.and_then(|from| from["secretKeyRef"]["name"].as_str()).unwrap_or_default();
                // A variable may move between our two Secrets.
                let synced = self.mount.as_ref().and_then(|m| m.class.synced()).unwrap_or_else(|| format!("{}-vault", self.secret));
                let from_us = secret == self.secret || secret == synced;
                if let (Some((variable, _)), false, Some(other)) = (&wanted, from_us, self.another_of(cx, secret)) {
                    return Err(self.shared(variable, other, container));
                }
                if wanted.is_some() && !from_us {
                    return Err(Problem::new(
                        Kind::Failed,
                        "KC1306",
                        format!("container `{container}` of {} already sets {name}", self.name),
                    )
                    .why("a variable can have one source only, and this one is yours")
                    .fix(format!(
                        "remove {name} from the manifest of {}/{}, or leave the container out with --container",
                        self.kind, self.name
                    ))
                    .context(format!("connection {}", cx.connection)));
                }
            }
        }
        Ok(())
    }

    /// The connection whose Secret this is.
    fn another_of<'a>(&self, cx: &'a Cx, secret: &str) -> Option<&'a Record> {
        let keeps = |r: &Record| {
            r.secret().is_some_and(|s| s.name == secret)
                || r.class().and_then(SecretProviderClass::synced).is_some_and(|name| name == secret)
        };
        cx.others.iter().find(|r| r.namespace == self.namespace && keeps(r))
    }

    /// Two connections want one variable. Names with the beginning of a service are told apart by themselves; those that a
    /// framework fixes, as Spring's properties, can't be.
    fn shared(&self, variable: &str, other: &Record, container: &str) -> Problem {
        Problem::new(
            Kind::Usage,
            "KC1320",
            format!("connection `{}` sets {variable} in container `{container}` of {}", other.name, self.name),
        )
        .why("a variable can have one source only")
        .fix(format!("call it otherwise here: --map {variable}=NEWNAME, or all variables: --env-prefix TEXT"))
        .fix("or give them to another container: --container NAME")
        .fix(format!("or delete that one first: kubectl connect delete {} -n {}", other.name, other.namespace))
    }

    /// Variables with the Secret that each comes from.
    fn env(&self) -> Vec<(&str, String)> {
        let own = self.variables.iter().map(|v| (v.name.as_str(), self.secret.clone()));
        let class = self.mount.as_ref().map(|m| &m.class);
        let synced = class.and_then(SecretProviderClass::synced).unwrap_or_default();
        own.chain(class.into_iter().flat_map(|c| c.variables().map(|name| (name, synced.clone())))).collect()
    }

    /// The API server refuses two mounts at one path, and a volume of two kinds.
    fn place_is_free(&self, workload: &kube::Workload) -> Result<()> {
        let Some(mount) = &self.mount else { return Ok(()) };
        let volume = mount.class.name.as_str();
        let taken = |what: String, why: &str, fix: &str| Err(Problem::new(Kind::Failed, "KC1317", what).why(why.to_owned()).fix(fix));
        if let Some(found) = workload.volume(volume)
            && found["csi"]["volumeAttributes"]["secretProviderClass"] != volume
        {
            return taken(
                format!("{workload} has another volume called `{volume}`"),
                "the vault's volume is called like the connection",
                "name the connection otherwise: --name NAME",
            );
        }
        for container in &self.containers {
            let mut mounts = workload.mounts_of(container).into_iter();
            if let Some((other, _)) = mounts.find(|(name, path)| path.trim_end_matches('/') == mount.path && *name != volume) {
                return taken(
                    format!("container `{container}` of {workload} mounts `{other}` at {} already", mount.path),
                    "a path can show one volume only",
                    "choose another place: --mount-path PATH",
                );
            }
        }
        Ok(())
    }

    fn refused(&self, failure: kube::Failure) -> Problem {
        let conflict = failure.is_conflict_of_managers().is_some();
        let problem = Problem::from(failure);
        if conflict {
            problem.fix("or connect with --patch=never and put the printed patch into the manifest that it applies")
        } else {
            problem
        }
    }

    fn examine_absent(&self, cx: &Cx, kind: WorkloadKind, live: Option<&Value>, past: Option<&Receipt>) -> Examined {
        let id = format!("{}/{}", self.namespace, self.name);
        let mut intent = ownership::recorded(past, id);
        let mut rights = vec![];
        let change = match live {
            None => self.change(kind, Action::NoOp).reason("is already gone"),
            Some(live) if holds_template(live, &cx.manager()) => {
                intent.uid = uid(live);
                rights.push(self.right(kind));
                let change = self.change(kind, Action::Update).reason("our label, service account and variables are taken off, 1 rollout");
                if kind == WorkloadKind::CronJob { change.reason("our label, service account and variables are taken off") } else { change }
            }
            Some(_) => self.change(kind, Action::NoOp).reason("holds nothing of ours"),
        };
        Examined { change, goal: Goal::Absent, intent, rights }
    }
}

/// The pod template patch: what a workload needs to use the connection. `digest` is left out where the patch is printed
/// for people.
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
        template["metadata"]["annotations"] = json!({format!("{PREFIX}/digest.{connection}"): digest});
    }
    if let Some(account) = &workload.service_account {
        // The deprecated twin goes with it: applied alone, the name could never be unset again.
        template["spec"]["serviceAccountName"] = json!(account);
        template["spec"]["serviceAccount"] = json!(account);
    }
    template
}

/// Whether `manager` owns anything but list keys in the object's spec: after somebody's PUT only the keys remain.
fn holds_template(object: &Value, manager: &str) -> bool {
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
    fn the_patch_sets_the_account_with_its_twin_or_not_at_all() {
        let with = patch(&workload(Some("web")), "c", None);
        assert_eq!((&with["spec"]["serviceAccountName"], &with["spec"]["serviceAccount"]), (&json!("web"), &json!("web")));
        let without = patch(&workload(None), "c", None);
        assert!(without["spec"].get("serviceAccountName").is_none() && without["spec"].get("serviceAccount").is_none());
        assert_eq!(without["spec"]["containers"][1]["env"][0]["valueFrom"]["secretKeyRef"], json!({"name": "keyvault-v", "key": "A"}));
    }

    #[test]
    fn the_digest_follows_the_values() {
        let workload = workload(None);
        let known = |id: &str| Known { client_id: Some(id.into()), ..Known::default() };
        assert_ne!(workload.digest(&known("one")), workload.digest(&known("two")));
        assert_eq!(workload.digest(&known("one")), workload.digest(&known("one")));
    }

    #[test]
    fn a_manager_entry_with_keys_alone_holds_nothing() {
        let entry = |fields: Value| json!({"metadata": {"managedFields": [{"manager": "m", "operation": "Apply", "fieldsV1": {"f:spec": fields}}]}});
        let keys = json!({"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:name": {}}}}}});
        assert!(!holds_template(&entry(keys), "m"));
        let real = json!({"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:name": {}, "f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:valueFrom": {"f:secretKeyRef": {}}}}}}}}});
        assert!(holds_template(&entry(real.clone()), "m") && !holds_template(&entry(real), "other"));
    }
}
