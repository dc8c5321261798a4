//! The Secret with the connection's variables. Each connection has one, so an existing Secret of the name is either
//! this connection's or a conflict.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::values::{are_secret, rights};
use crate::kube::{Access, Applied, Apply, resources};
use crate::model::variable::{Part, Variable};
use crate::model::{Kind, PREFIX, Problem, Result};
use crate::plan::change::{Action, Change, Goal, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Spec;
use crate::plan::spec::delivery::Secret;
use crate::steps::context::Cx;
use crate::steps::marks::{done, labels, taking_back, told_labels, uid};
use crate::steps::outputs::Output;
use crate::steps::ownership::is_this_connections;
use crate::steps::step::{Examined, Right, Step};

/// Result of comparing the live Secret with the service's keys.
pub(crate) struct Delivered {
    /// A variable that the Secret lacks.
    pub(crate) missing: Option<String>,
    /// A variable with a key that is no longer valid.
    pub(crate) stale: Option<String>,
    /// Number of variables with fetched keys.
    pub(crate) fetched: usize,
}

#[async_trait]
impl Step for Secret {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let found = cx.kube_read(&resources::SECRET, Some(&self.namespace), &self.name).await?;
        match goal {
            Goal::Present => self.examine_present(cx, found.as_ref(), past).await,
            Goal::Absent => Ok(self.examine_absent(cx, found.as_ref(), past)),
        }
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        let mut receipt = done(&examined.intent);
        match examined.change.action {
            Action::Create | Action::Update => {
                let written = self.write(cx, examined, Apply::default()).await?;
                receipt.uid = uid(&written);
                self.learn(cx, &written);
            }
            Action::Delete => {
                cx.delete_ours(&resources::SECRET, &self.namespace, &self.name, receipt.uid.clone()).await?;
            }
            Action::NoOp => {}
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

/// Whether a Secret has the wanted values and no other keys of this connection. Keys added by others don't count.
fn holds(secret: &Value, wanted: &Map<String, Value>, manager: &str) -> bool {
    let live = secret["data"].as_object();
    let entries = secret["metadata"]["managedFields"].as_array();
    let of_us = |key: &str| {
        let mut ours = entries.into_iter().flatten().filter(|e| e["manager"] == manager && e["operation"] == "Apply");
        ours.any(|e| e["fieldsV1"]["f:data"].get(format!("f:{key}")).is_some())
    };
    wanted.iter().all(|(key, value)| live.and_then(|l| l.get(key)) == Some(value))
        && live.into_iter().flatten().all(|(key, _)| wanted.contains_key(key) || !of_us(key))
}

impl Secret {
    /// Names of variables that the live Secret lacks or has with another value.
    pub(crate) async fn differing(&self, cx: &Cx, live: &Value) -> Result<Vec<String>> {
        let Some(values) = cx.values(&self.variables).await? else { return Ok(Vec::new()) };
        let wanted = data(&self.variables, &values);
        Ok(wanted.iter().filter(|(name, value)| live["data"].get(name.as_str()) != Some(value)).map(|(name, _)| name.clone()).collect())
    }

    async fn write(&self, cx: &Cx, examined: &Examined, how: Apply) -> Result<Value> {
        // In a dry run, unknown values are left empty. When the Secret is written, all values are known.
        let values = match cx.values(&self.variables).await? {
            Some(values) => values,
            None => vec![String::new(); self.variables.len()],
        };
        let mut body = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": self.name, "labels": labels(Some(&cx.connection))},
            // `data`, not `stringData`: keys omitted from a later `stringData` apply would never be removed.
            "data": data(&self.variables, &values),
        });
        let how = taking_back(examined, how, &mut body);
        if are_secret(&self.variables) {
            let live = cx.kube_read(&resources::SECRET, Some(&self.namespace), &self.name).await?;
            let revision = live.as_ref().map_or(0, revision_of) + 1;
            body["metadata"]["annotations"] = json!({revision_key(): revision.to_string()});
        }
        Ok(cx
            .kube
            .apply(
                &Applied { kind: &resources::SECRET, namespace: &self.namespace, name: &self.name, manager: &cx.manager(), body: &body },
                how,
            )
            .await?)
    }

    /// Compares the live Secret with the current keys of the service. The result contains no value.
    pub(crate) async fn delivered(&self, cx: &Cx) -> Result<Delivered> {
        let live = cx.kube_read(&resources::SECRET, Some(&self.namespace), &self.name).await?.unwrap_or_default();
        let (mut missing, mut stale, mut fetched) = (None, None, 0);
        for variable in &self.variables {
            let held = live["data"][&variable.name].as_str();
            if held.is_none() {
                missing = missing.or(Some(variable.name.clone()));
            }
            let parts = variable.parts();
            let given = parts.iter().any(|p| matches!(p, Part::Given { .. }));
            if given || !parts.iter().any(|p| matches!(p, Part::Key { .. })) {
                continue;
            }
            fetched += 1;
            let fresh = cx.values(std::slice::from_ref(variable)).await?.map(|v| STANDARD.encode(v.concat()));
            if held.is_some() && fresh.as_deref() != held {
                stale = stale.or(Some(variable.name.clone()));
            }
        }
        Ok(Delivered { missing, stale, fetched })
    }

    /// Tells the workload step the Secret's version. A digest of the values would be visible in the pod template,
    /// where anybody could test guessed passwords against it.
    fn learn(&self, cx: &Cx, secret: &Value) {
        if let Some(version) = self.version(secret) {
            cx.outputs.learn(self.thing(), Output::SecretVersion, version);
        }
    }

    /// The version of the live Secret, if it holds secret values.
    pub(crate) fn version(&self, live: &Value) -> Option<String> {
        are_secret(&self.variables).then(|| format!("{}.{}", uid(live).unwrap_or_default(), revision_of(live)))
    }

    fn change(&self, action: Action) -> Change {
        Change::new(self.id(), Layer::Cluster, "Secret", format!("{}/{}", self.namespace, self.name), action)
    }

    fn described(&self, action: Action, keys: Vec<String>, connection: &str) -> Change {
        self.change(action).list("keys", vec![], keys).list("labels", vec![], told_labels(&labels(Some(connection))))
    }

    fn right(&self, verb: &'static str) -> Right {
        Right::Kube(Access::to(verb, &resources::SECRET, Some(&self.namespace)))
    }

    async fn examine_present(&self, cx: &Cx, found: Option<&Value>, past: Option<&Receipt>) -> Result<Examined> {
        let names: Vec<String> = self.variables.iter().map(|v| v.name.clone()).collect();
        let id = format!("{}/{}", self.namespace, self.name);
        let intent = Receipt { uid: past.and_then(|p| p.uid.clone()), ..Receipt::intent(Ownership::Created, id) };
        if self.foreign {
            return self.examine_foreign(cx, found);
        }
        let (change, intent, rights) = match found {
            None => {
                let change = self.described(Action::Create, names, &cx.connection);
                let kube = [self.right("create"), self.right("patch")];
                (change, Receipt { uid: None, ..intent }, kube.into_iter().chain(rights(&self.variables)).collect())
            }
            Some(secret) if !is_this_connections(cx, secret) => {
                return Err(Problem::new(
                    Kind::Failed,
                    "KC1305",
                    format!("secret `{}` in namespace `{}` belongs to somebody else", self.name, self.namespace),
                )
                .why("a Secret of that name exists and does not belong to this connection")
                .fix("choose another name for the connection: --name NAME"));
            }
            Some(secret) => {
                // Fetches the keys again and compares: a digest stored in the Secret would not show that a key was
                // rotated.
                let wanted = cx.values(&self.variables).await?.map(|values| data(&self.variables, &values));
                let intent = Receipt { uid: uid(secret), ..intent };
                if wanted.is_some_and(|wanted| holds(secret, &wanted, &cx.manager())) {
                    self.learn(cx, secret);
                    (self.change(Action::NoOp), intent, vec![])
                } else {
                    let rights = [self.right("patch")].into_iter().chain(rights(&self.variables)).collect();
                    (self.described(Action::Update, names, &cx.connection), intent, rights)
                }
            }
        };
        Ok(Examined { change, goal: Goal::Present, intent, rights })
    }

    /// Checks a Secret of somebody else. If it has changed since it was adopted, its owner must restore it.
    fn examine_foreign(&self, cx: &Cx, found: Option<&Value>) -> Result<Examined> {
        let lacks = |secret: &Value| self.variables.iter().find(|v| secret["data"].get(&v.name).is_none()).map(|v| v.name.clone());
        let fault = match found {
            None => Some(format!("secret `{}` is gone", self.name)),
            Some(secret) => lacks(secret).map(|name| format!("secret `{}` lacks {name}", self.name)),
        };
        if let Some(fault) = fault {
            return Err(Problem::new(Kind::NotFound, "KC6016", fault)
                .why("it was adopted: this tool did not create it and does not change it")
                .fix("update it with the tool that created it, for example: az aks connection update")
                .fix(format!(
                    "or delete the connection and connect again: kubectl connect delete {} -n {}",
                    cx.connection, self.namespace
                )));
        }
        let id = format!("{}/{}", self.namespace, self.name);
        let intent = Receipt { uid: found.and_then(uid), ..Receipt::intent(Ownership::Adopted, id) };
        Ok(Examined { change: self.change(Action::NoOp), goal: Goal::Present, intent, rights: vec![] })
    }

    fn examine_absent(&self, cx: &Cx, found: Option<&Value>, past: Option<&Receipt>) -> Examined {
        let id = format!("{}/{}", self.namespace, self.name);
        let mut intent = past.cloned().unwrap_or_else(|| Receipt::intent(Ownership::Created, id));
        let (change, rights) = match found {
            None => (self.change(Action::NoOp).reason("already deleted"), vec![]),
            Some(secret) if intent.is_ours() && is_this_connections(cx, secret) => {
                intent.uid = uid(secret);
                (self.change(Action::Delete), self.rights_to_delete())
            }
            Some(_) if !intent.is_ours() => (self.change(Action::NoOp).reason("existed before: kept"), vec![]),
            Some(_) => (self.change(Action::NoOp).reason("belongs to somebody else now: kept"), vec![]),
        };
        Examined { change, goal: Goal::Absent, intent, rights }
    }
}

/// The Secret's `data`: values in base64, ordered by name as the server returns them.
fn data(variables: &[Variable], values: &[String]) -> Map<String, Value> {
    variables.iter().zip(values).map(|(v, value)| (v.name.clone(), json!(STANDARD.encode(value)))).collect()
}

/// Annotation with a counter that changes whenever secret values change.
fn revision_key() -> String {
    format!("{PREFIX}/revision")
}

fn revision_of(secret: &Value) -> u64 {
    secret["metadata"]["annotations"][revision_key()].as_str().and_then(|r| r.parse().ok()).unwrap_or(0)
}
