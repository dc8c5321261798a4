//! The workload's pod template: the webhook's label, the service account and the variables, as one server-side apply
//! with the connection's field manager. Undoing gives up these fields; fields of others are not touched.

use crate::kube::workload_identity::USE;
use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::pod_template::{digest_key, holds_template, patch};
use super::values::are_secret;
use crate::kube::{self, Access, Applied, Apply, WorkloadKind, wrap_template};
use crate::model::{Kind, Problem, ResourceId, Result};
use crate::plan::change::{Action, Change, Goal, KNOWN_AFTER_APPLY, Layer};
use crate::plan::record::{Ownership, Receipt, Record};
use crate::plan::spec::Spec;
use crate::plan::spec::delivery::{Secret, SecretProviderClass, VaultSecret, Workload};
use crate::steps::context::Cx;
use crate::steps::marks::{done, uid};
use crate::steps::outputs::{Output, Outputs};
use crate::steps::ownership;
use crate::steps::step::{Examined, Right, Step};

/// Placeholder for the digest in a dry run whose result does not depend on it.
const UNDECIDED: &str = "pending";

/// What a digest is made from and other steps make known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Client id of the connection's identity.
    pub(crate) client_id: Option<String>,
    /// Version of the connection's Secret, if the Secret holds secret values.
    pub(crate) secret_version: Option<String>,
    /// Versions of the mounted vault secrets that a connection stores, by name.
    pub(crate) vault_versions: BTreeMap<String, String>,
}

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
            Goal::Present => {
                self.body(&cx.connection, kind, receipt.uid.as_deref(), &self.digest(&self.known(&cx.outputs, cx.identity.as_ref())))
            }
            Goal::Absent => self.empty(kind, receipt.uid.as_deref()),
        };
        let applied = cx
            .kube
            .apply(
                &Applied { kind: kind.resource(), namespace: &self.namespace, name: &self.name, manager: &cx.manager(), body: &body },
                Apply::default(),
            )
            .await
            .map_err(|f| self.refused(f))?;
        receipt.uid = uid(&applied);
        let workload = kube::Workload::new(kind, applied);
        let mut wait = cx.wait(&examined.change.id, "waiting for the new pods");
        kube::rollout::wait(&cx.kube, &workload, cx.timeout, &mut wait).await?;
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
            // With the uid, the apply fails if the workload was deleted and created again meanwhile.
            body["metadata"]["uid"] = json!(uid);
        }
        body
    }

    /// The apply patch. Containers keep their live order, since another order would re-order them permanently.
    fn body(&self, connection: &str, kind: WorkloadKind, uid: Option<&str>, digest: &str) -> Value {
        let mut body = self.empty(kind, uid);
        let template = patch(self, connection, Some(digest));
        if let (Some(body), Value::Object(wrapped)) = (body.as_object_mut(), wrap_template(kind, template)) {
            body.extend(wrapped);
        }
        body
    }

    /// A digest in the pod template that restarts pods when a value changes, as pods read variables only at their
    /// start. Secret values are represented by the version of the Secret that holds them.
    fn digest(&self, known: &Known) -> String {
        let mut hash = Sha256::new();
        let client_id = known.client_id.as_deref().unwrap_or("pending");
        for variable in &self.variables {
            hash.update(format!("{}={}\n", variable.name, variable.masked().replace("<client-id>", client_id)));
        }
        if are_secret(&self.variables) {
            hash.update(known.secret_version.as_deref().unwrap_or("pending"));
        }
        if let Some(mount) = &self.mount {
            // The driver reads the class only when it mounts.
            hash.update(mount.class.spec(client_id).to_string());
            known.vault_versions.values().for_each(|version| hash.update(version));
        }
        hash.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect()
    }

    /// What of the digest's inputs is known. `identity` is the identity of the connection.
    pub(crate) fn known(&self, outputs: &Outputs, identity: Option<&ResourceId>) -> Known {
        let secret_version = outputs.get(&Secret::key(&self.namespace, &self.secret), Output::SecretVersion);
        let mounted = self.mount.iter().flat_map(|mount| mount.class.objects.iter().map(|object| (&mount.class.vault, &object.name)));
        let version = |(vault, name): (&String, &String)| {
            let version = outputs.get(&VaultSecret::key(vault, name), Output::VaultVersion)?;
            Some((name.clone(), version))
        };
        Known {
            client_id: identity.and_then(|id| outputs.client_id(id)),
            secret_version,
            vault_versions: mounted.filter_map(version).collect(),
        }
    }

    /// Whether all inputs of the digest are known.
    fn is_settled(&self, known: &Known) -> bool {
        let names_identity = self.identity || self.mount.is_some();
        (!names_identity || known.client_id.is_some()) && (!are_secret(&self.variables) || known.secret_version.is_some())
    }

    /// Whether the live workload may already be as specified. Only then the digest is compared.
    fn may_be_same(&self, known: &Known, live: &Value, manager: &str) -> bool {
        self.is_settled(known) && holds_template(live, manager)
    }

    /// Dry run of the patch: it finds conflicts, admission denials and invalid fields before anything is written. The
    /// same patch is tried once per run, so a caller that can predict the patch may try it while Azure is still being
    /// read.
    ///
    /// # Errors
    /// Errors of the API server.
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
        let trial = Applied { kind: kind.resource(), namespace: &self.namespace, name: &self.name, manager: &manager, body: &body };
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
        let known = self.known(&cx.outputs, cx.identity.as_ref());
        let would_be = self.try_out(&cx.kube, &cx.connection, &live, &known).await.map_err(|f| self.refused(f))?;
        let same = self.may_be_same(&known, &live, &cx.manager()) && would_be["spec"] == live["spec"];
        let intent = Receipt {
            uid: uid(&live),
            ..past.map_or_else(
                || Receipt::intent(Ownership::Adopted, format!("{}/{}", self.namespace, self.name)),
                |p| Receipt { done: false, ..p.clone() },
            )
        };
        // A run that was interrupted in the middle of the rollout has patched the workload, but its pods may still be the old
        // ones: applying again changes nothing and waits for the rollout.
        let unfinished = past.is_some_and(|p| !p.done);
        let change = match (same, unfinished) {
            (true, false) => self.change(kind, Action::NoOp),
            (true, true) => self.change(kind, Action::Update).reason("its rollout was not seen to end"),
            (false, _) => self.describe(cx, kind, &workload),
        };
        let rights = if change.writes() { vec![self.right(kind)] } else { vec![] };
        Ok(Examined { change, goal: Goal::Present, intent, rights })
    }

    /// Checks a workload that somebody else set up. If it has changed since it was adopted, its owner must restore
    /// it.
    fn examine_foreign(&self, kind: WorkloadKind, workload: &kube::Workload) -> Result<Examined> {
        let account = workload.service_account().unwrap_or("default");
        let runs_as = self.service_account.as_deref().is_none_or(|a| a == account);
        if !(runs_as && (!self.identity || workload.pod_label(USE) == Some("true"))) {
            let mut patch = json!({"metadata": {"labels": {USE: "true"}}});
            if let Some(account) = &self.service_account {
                patch["spec"]["serviceAccountName"] = json!(account);
            }
            return Err(Problem::new(Kind::Failed, "KC6018", format!("{workload} has changed since it was adopted"))
                .why("its label or its service account was changed, and this tool does not change adopted objects")
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

    fn describe(&self, cx: &Cx, kind: WorkloadKind, workload: &kube::Workload) -> Change {
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
        let names = self.env().iter().map(|(name, _)| (*name).to_owned()).collect();
        if let Some(mount) = &self.mount {
            change = change.detail("volume", None, Some(&format!("{} at {}", mount.class.vault, mount.path)));
        }
        change = change.list("env", vec![], names).list("containers", vec![], self.containers.clone());
        let key = digest_key(&cx.connection);
        let now = workload.template()["metadata"]["annotations"][&key].as_str();
        let known = self.known(&cx.outputs, cx.identity.as_ref());
        // A mount's digest holds versions that the vault gives.
        let decided = self.mount.is_none() && self.is_settled(&known);
        let digest = if decided { self.digest(&known) } else { KNOWN_AFTER_APPLY.to_owned() };
        if now != Some(&digest) {
            change = change.detail(&key, now, Some(&digest));
        }
        if kind == WorkloadKind::CronJob { change.reason("from its next job on") } else { change.reason("1 rollout") }
    }

    /// Checks that no variable has a literal value already: the API server answers 422 to a reference for such a
    /// name, even with force.
    fn variables_are_free(&self, cx: &Cx, workload: &kube::Workload) -> Result<()> {
        for container in &self.containers {
            for (name, _, from) in workload.env_of(container) {
                let wanted = self.env().into_iter().find(|(wanted, _)| *wanted == name);
                let secret = from.and_then(|from| from["secretKeyRef"]["name"].as_str()).unwrap_or_default();
                // A variable may move between this connection's two Secrets.
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
                    .why(match workload.setter_of(container, name) {
                        Some(manager) => format!("the manifest of {workload} (manager {manager}) sets it already"),
                        None => format!("the manifest of {workload} sets it already"),
                    })
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

    /// The other connection to which a Secret belongs.
    fn another_of<'a>(&self, cx: &'a Cx, secret: &str) -> Option<&'a Record> {
        let keeps = |r: &Record| {
            r.secret().is_some_and(|s| s.name == secret)
                || r.class().and_then(SecretProviderClass::synced).is_some_and(|name| name == secret)
        };
        cx.others.iter().find(|r| r.namespace == self.namespace && keeps(r))
    }

    /// The error if two connections need the same variable. Names with a service prefix can be told apart; names
    /// fixed by a framework, such as Spring's properties, can't.
    fn shared(&self, variable: &str, other: &Record, container: &str) -> Problem {
        Problem::new(
            Kind::Usage,
            "KC1320",
            format!("connection `{}` sets {variable} in container `{container}` of {}", other.name, self.name),
        )
        .why("a variable can have only one source")
        .fix(format!("rename it here: --map {variable}=NEWNAME, or rename all variables: --env-prefix TEXT"))
        .fix("or give them to another container: --container NAME")
        .fix(format!("or delete that connection first: kubectl connect delete {} -n {}", other.name, other.namespace))
    }

    /// Checks mount path and volume: the API server refuses two mounts at one path, and a volume with two sources.
    fn place_is_free(&self, workload: &kube::Workload) -> Result<()> {
        let Some(mount) = &self.mount else { return Ok(()) };
        let volume = mount.class.name.as_str();
        let taken = |what: String, why: &str, fix: &str| Err(Problem::new(Kind::Failed, "KC1317", what).why(why.to_owned()).fix(fix));
        if let Some(found) = workload.volume(volume)
            && found["csi"]["volumeAttributes"]["secretProviderClass"] != volume
        {
            return taken(
                format!("{workload} has another volume named `{volume}`"),
                "the vault's volume has the connection's name",
                "choose another name for the connection: --name NAME",
            );
        }
        for container in &self.containers {
            let mut mounts = workload.mounts_of(container).into_iter();
            if let Some((other, _)) = mounts.find(|(name, path)| path.trim_end_matches('/') == mount.path && *name != volume) {
                return taken(
                    format!("container `{container}` of {workload} already mounts `{other}` at {}", mount.path),
                    "only one volume can be mounted at a path",
                    "choose another path: --mount-path PATH",
                );
            }
        }
        Ok(())
    }

    fn refused(&self, failure: kube::Failure) -> Problem {
        let conflict = failure.is_conflict_of_managers().is_some();
        let problem = Problem::from(failure);
        if conflict { problem.fix("or put the output of --patch=never into it") } else { problem }
    }

    fn examine_absent(&self, cx: &Cx, kind: WorkloadKind, live: Option<&Value>, past: Option<&Receipt>) -> Examined {
        let id = format!("{}/{}", self.namespace, self.name);
        let mut intent = ownership::recorded(past, id);
        let mut rights = vec![];
        let change = match live {
            None => self.change(kind, Action::NoOp).reason("already deleted"),
            Some(live) if holds_template(live, &cx.manager()) => {
                intent.uid = uid(live);
                rights.push(self.right(kind));
                let what = "remove our label, service account and variables";
                let rollout = if kind == WorkloadKind::CronJob { "" } else { " (1 rollout)" };
                self.change(kind, Action::Update).reason(format!("{what}{rollout}"))
            }
            Some(_) => self.change(kind, Action::NoOp).reason("has nothing of this connection"),
        };
        Examined { change, goal: Goal::Absent, intent, rights }
    }
}

#[cfg(test)]
mod tests;
