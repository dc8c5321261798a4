//! The service account: names the identity's client id for the webhook. An existing one is annotated and kept; one
//! that this tool created is deleted with the last connection that uses it.

use crate::kube::workload_identity::{CLIENT_ID, TENANT_ID};
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::kube::{Access, Applied, Apply, resources};
use crate::model::{Kind, Problem, Result};
use crate::plan::change::{Action, Change, Goal, KNOWN_AFTER_APPLY, Layer};
use crate::plan::record::{Ownership, Receipt, Record};
use crate::plan::spec::Spec;
use crate::plan::spec::trust::ServiceAccount;
use crate::steps::context::Cx;
use crate::steps::marks::{done, is_ours, labels, taking_back, told_labels, uid};
use crate::steps::ownership;
use crate::steps::step::{Examined, Right, Step};

#[async_trait]
impl Step for ServiceAccount {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let found = cx.kube_read(&resources::SERVICE_ACCOUNT, Some(&self.namespace), &self.name).await?;
        match goal {
            Goal::Present => self.examine_present(cx, found.as_ref(), past),
            Goal::Absent => Ok(self.examine_absent(cx, found.as_ref(), past)),
        }
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        let mut receipt = done(&examined.intent);
        match (examined.goal, examined.change.action) {
            (_, Action::NoOp) => {}
            (Goal::Present, _) => {
                receipt.uid = uid(&self.write(cx, examined, Apply::default()).await?);
            }
            (Goal::Absent, Action::Delete) => {
                cx.delete_ours(&resources::SERVICE_ACCOUNT, &self.namespace, &self.name, receipt.uid.clone()).await?;
            }
            (Goal::Absent, _) => {
                let mut body = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": self.name}});
                // With the uid, the empty apply can't create a service account that was deleted meanwhile.
                body["metadata"]["uid"] = json!(receipt.uid);
                let kind = &resources::SERVICE_ACCOUNT;
                cx.kube
                    .apply(
                        &Applied { kind, namespace: &self.namespace, name: &self.name, manager: &cx.manager(), body: &body },
                        Apply::default(),
                    )
                    .await?;
            }
        }
        Ok(receipt)
    }

    async fn rehearse(&self, cx: &Cx, examined: &Examined) -> Result<()> {
        self.write(cx, examined, Apply { dry_run: true, ..Apply::default() }).await.map(drop)
    }

    fn rights_to_delete(&self) -> Vec<Right> {
        vec![self.right("delete")]
    }
}

impl ServiceAccount {
    async fn write(&self, cx: &Cx, examined: &Examined, how: Apply) -> Result<Value> {
        let mut body = self.body(cx, &cx.client_id().unwrap_or_default(), examined.intent.is_ours());
        let live = cx.kube_read(&resources::SERVICE_ACCOUNT, Some(&self.namespace), &self.name).await?;
        // If another connection has set the annotation, don't use force: a service account acts as one identity for
        // all connections.
        let shared = live.as_ref().is_some_and(|account| is_held_by_another(account, &cx.manager()));
        let how = if shared { how } else { taking_back(examined, how, &mut body) };
        Ok(cx
            .kube
            .apply(
                &Applied {
                    kind: &resources::SERVICE_ACCOUNT,
                    namespace: &self.namespace,
                    name: &self.name,
                    manager: &cx.manager(),
                    body: &body,
                },
                how,
            )
            .await?)
    }

    fn change(&self, action: Action) -> Change {
        Change::new(self.id(), Layer::Cluster, "ServiceAccount", format!("{}/{}", self.namespace, self.name), action)
    }

    fn right(&self, verb: &'static str) -> Right {
        Right::Kube(Access::to(verb, &resources::SERVICE_ACCOUNT, Some(&self.namespace)))
    }

    fn body(&self, cx: &Cx, client_id: &str, ours: bool) -> Value {
        let mut body = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": self.name, "annotations": {CLIENT_ID: client_id, TENANT_ID: cx.tenant}},
        });
        if ours {
            body["metadata"]["labels"] = labels(None);
            if !self.image_pull_secrets.is_empty() {
                body["imagePullSecrets"] = self.image_pull_secrets.iter().map(|name| json!({"name": name})).collect();
            }
        }
        body
    }

    fn examine_present(&self, cx: &Cx, found: Option<&Value>, past: Option<&Receipt>) -> Result<Examined> {
        let client_id = cx.client_id();
        let shown = client_id.as_deref().unwrap_or(KNOWN_AFTER_APPLY);
        let id = format!("{}/{}", self.namespace, self.name);
        let Some(account) = found else {
            if !self.create {
                return Err(Problem::new(
                    Kind::NotFound,
                    "KC1204",
                    format!("there is no service account `{}` in namespace `{}`", self.name, self.namespace),
                )
                .fix(format!("kubectl create serviceaccount {} -n {}", self.name, self.namespace)));
            }
            let change = self.change(Action::Create).detail(CLIENT_ID, None, Some(shown)).detail(TENANT_ID, None, Some(&cx.tenant));
            let change =
                change.list("labels", vec![], told_labels(&labels(None))).list("imagePullSecrets", vec![], self.image_pull_secrets.clone());
            let rights = vec![self.right("create"), self.right("patch")];
            return Ok(Examined { change, goal: Goal::Present, intent: Receipt::intent(Ownership::Created, id), rights });
        };
        let ownership = ownership::of_found(is_ours(account), past);
        let current = account["metadata"]["annotations"][CLIENT_ID].as_str();
        if self.foreign {
            return self.examine_foreign(account, current, client_id.as_deref());
        }
        let held = holds_field(account, &cx.manager(), CLIENT_ID);
        let (change, rights) = match (current, &client_id) {
            (Some(current), Some(client_id)) if current == client_id && held => (self.change(Action::NoOp), vec![]),
            // Equal values are co-owned: when this connection gives up the field, the other owner's value remains.
            (Some(current), Some(client_id)) if current == client_id => {
                let setter = setter_of(account, &cx.manager()).map_or_else(String::new, |by| format!(" by {by}"));
                (self.change(Action::Update).reason(format!("annotation already set{setter}")), vec![self.right("patch")])
            }
            (Some(current), _) if !held && ownership == Ownership::Adopted => return Err(self.taken(current)),
            (current, _) => {
                let tenant = account["metadata"]["annotations"][TENANT_ID].as_str();
                let change = self.change(Action::Update).detail(CLIENT_ID, current, Some(shown));
                let change = if tenant == Some(&cx.tenant) { change } else { change.detail(TENANT_ID, tenant, Some(&cx.tenant)) };
                (change, vec![self.right("patch")])
            }
        };
        let intent = Receipt { uid: uid(account), ..Receipt::intent(ownership, id) };
        Ok(Examined { change, goal: Goal::Present, intent, rights })
    }

    /// Checks a service account of somebody else. If it has changed since it was adopted, its owner must restore it.
    fn examine_foreign(&self, account: &Value, current: Option<&str>, client_id: Option<&str>) -> Result<Examined> {
        match (current, client_id) {
            (Some(current), Some(client_id)) if current.eq_ignore_ascii_case(client_id) => {
                let id = format!("{}/{}", self.namespace, self.name);
                let intent = Receipt { uid: uid(account), ..Receipt::intent(Ownership::Adopted, id) };
                Ok(Examined { change: self.change(Action::NoOp), goal: Goal::Present, intent, rights: vec![] })
            }
            (Some(current), _) => Err(self.taken(current)),
            (None, client_id) => {
                Err(Problem::new(Kind::Failed, "KC6017", format!("service account `{}` no longer names an identity", self.name))
                    .why("it was adopted: this tool did not create it and does not change it")
                    .fix(format!(
                        "kubectl annotate serviceaccount {} -n {} {CLIENT_ID}={}",
                        self.name,
                        self.namespace,
                        client_id.unwrap_or("CLIENT-ID")
                    )))
            }
        }
    }

    fn taken(&self, current: &str) -> Problem {
        Problem::new(Kind::Failed, "KC1304", format!("service account `{}` already uses another identity", self.name))
            .why(format!("its annotation {CLIENT_ID} is {current}, and a service account can use only one identity"))
            .fix(format!("connect with that identity: --identity {current}"))
            .fix("or give the workload a separate service account")
    }

    fn examine_absent(&self, cx: &Cx, found: Option<&Value>, past: Option<&Receipt>) -> Examined {
        let id = format!("{}/{}", self.namespace, self.name);
        let mut intent = ownership::recorded(past, id);
        let mut rights = vec![];
        let change = match found {
            None => self.change(Action::NoOp).reason("already deleted"),
            Some(account) => {
                let needed = ownership::shared(cx, &self.thing());
                let same = intent.uid.is_none() || intent.uid == uid(account);
                if intent.is_ours() && is_ours(account) && same && needed.is_none() {
                    intent.uid = uid(account);
                    rights = self.rights_to_delete();
                    self.change(Action::Delete)
                } else if holds_field(account, &cx.manager(), CLIENT_ID) {
                    intent.uid = uid(account);
                    rights.push(self.right("patch"));
                    self.change(Action::Update).reason(needed.unwrap_or_else(|| "remove our annotations".into()))
                } else {
                    self.change(Action::NoOp).reason("existed before: kept")
                }
            }
        };
        Examined { change, goal: Goal::Absent, intent, rights }
    }
}

/// Whether another connection of this tool has set the annotation.
fn is_held_by_another(object: &Value, manager: &str) -> bool {
    let entries = object["metadata"]["managedFields"].as_array();
    let others = entries.into_iter().flatten().filter_map(|e| e["manager"].as_str()).filter(|m| *m != manager);
    others.filter(|m| m.starts_with(&Record::field_manager(""))).any(|m| holds_field(object, m, CLIENT_ID))
}

/// Who else sets the client id: the name of a connection, or of another field manager.
fn setter_of<'a>(account: &'a Value, manager: &str) -> Option<&'a str> {
    let entries = account["metadata"]["managedFields"].as_array()?;
    let others = entries.iter().filter(|e| e["manager"] != manager);
    let sets = |e: &&Value| e["fieldsV1"]["f:metadata"]["f:annotations"].get(format!("f:{CLIENT_ID}")).is_some();
    let setter = others.filter(sets).find_map(|e| e["manager"].as_str())?;
    Some(setter.strip_prefix(&Record::field_manager("")).unwrap_or(setter))
}

/// Whether `manager` owns the annotation, according to `managedFields`.
fn holds_field(object: &Value, manager: &str, annotation: &str) -> bool {
    let entries = object["metadata"]["managedFields"].as_array();
    entries
        .into_iter()
        .flatten()
        .filter(|e| e["manager"] == manager && e["operation"] == "Apply")
        .any(|e| e["fieldsV1"]["f:metadata"]["f:annotations"].get(format!("f:{annotation}")).is_some())
}
