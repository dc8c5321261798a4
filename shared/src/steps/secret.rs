//! The Secret with the connection's variables. One per connection, so it is always ours or in the way.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Cx, Examined, Right, Step, done, is_ours, labels, uid};
use crate::kube::{Access, Apply, resources};
use crate::model::variable::{Source, Variable};
use crate::model::{Kind, PREFIX, Problem, Result};
use crate::plan::change::{Action, Change, Goal, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Secret;

#[async_trait]
impl Step for Secret {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let found = cx.kube_read(&resources::SECRET, Some(&self.namespace), &self.name).await?;
        match goal {
            Goal::Present => self.examine_present(cx, found.as_ref(), past),
            Goal::Absent => Ok(self.examine_absent(cx, found.as_ref(), past)),
        }
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        let mut receipt = done(&examined.intent);
        match examined.change.action {
            Action::Create | Action::Update => {
                receipt.uid = uid(&self.write(cx, Apply::default()).await?);
            }
            Action::Delete => {
                cx.delete_ours(&resources::SECRET, &self.namespace, &self.name, receipt.uid.clone()).await?;
            }
            Action::NoOp => {}
        }
        Ok(receipt)
    }

    async fn rehearse(&self, cx: &Cx, _: &Examined) -> Result<()> {
        self.write(cx, Apply { dry_run: true, ..Apply::default() }).await.map(drop)
    }
}

impl Secret {
    async fn write(&self, cx: &Cx, how: Apply) -> Result<Value> {
        let client_id = cx.outputs.known().client_id.unwrap_or_default();
        let body = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": self.name, "labels": labels(Some(&cx.connection))},
            // `data`, not `stringData`: keys left out of a later `stringData` apply would stay for ever.
            "data": data(&self.variables, &client_id),
        });
        Ok(cx.kube.apply(&resources::SECRET, Some(&self.namespace), &self.name, &cx.manager(), &body, how).await?)
    }

    fn change(&self, action: Action) -> Change {
        Change::new("secret".into(), Layer::Cluster, "Secret", format!("{}/{}", self.namespace, self.name), action)
    }

    fn right(&self, verb: &'static str) -> Right {
        Right::Kube(Access::to(verb, &resources::SECRET, Some(&self.namespace)))
    }

    fn is_mine(&self, cx: &Cx, found: &Value) -> bool {
        is_ours(found) && found["metadata"]["labels"][format!("{PREFIX}/connection")] == cx.connection.as_str()
    }

    fn examine_present(&self, cx: &Cx, found: Option<&Value>, past: Option<&Receipt>) -> Result<Examined> {
        let names = self.variables.iter().map(|v| v.name.as_str()).collect::<Vec<_>>().join(", ");
        let id = format!("{}/{}", self.namespace, self.name);
        let intent = Receipt { uid: past.and_then(|p| p.uid.clone()), ..Receipt::intent(Ownership::Created, id) };
        let (change, intent, rights) = match found {
            None => {
                let change = self.change(Action::Create).detail("keys", None, Some(&names));
                (change, Receipt { uid: None, ..intent }, vec![self.right("create"), self.right("patch")])
            }
            Some(secret) if !self.is_mine(cx, secret) => {
                return Err(Problem::new(
                    Kind::Failed,
                    "KC1305",
                    format!("secret `{}` in namespace `{}` is not ours", self.name, self.namespace),
                )
                .why("a Secret of that name exists and does not belong to this connection")
                .fix("name the connection otherwise: --name NAME"));
            }
            Some(secret) => {
                let client_id = cx.outputs.known().client_id;
                let wanted = client_id.as_deref().map(|c| data(&self.variables, c));
                let intent = Receipt { uid: uid(secret), ..intent };
                if wanted.is_some_and(|w| secret["data"].as_object() == Some(&w)) {
                    (self.change(Action::NoOp), intent, vec![])
                } else {
                    (self.change(Action::Update).detail("keys", None, Some(&names)), intent, vec![self.right("patch")])
                }
            }
        };
        Ok(Examined { change, goal: Goal::Present, intent, rights })
    }

    fn examine_absent(&self, cx: &Cx, found: Option<&Value>, past: Option<&Receipt>) -> Examined {
        let id = format!("{}/{}", self.namespace, self.name);
        let mut intent = past.cloned().unwrap_or_else(|| Receipt::intent(Ownership::Created, id));
        let (change, rights) = match found {
            None => (self.change(Action::NoOp).reason("is already gone"), vec![]),
            Some(secret) if self.is_mine(cx, secret) => {
                intent.uid = uid(secret);
                (self.change(Action::Delete), vec![self.right("delete")])
            }
            Some(_) => (self.change(Action::NoOp).reason("is not ours any more: stays"), vec![]),
        };
        Examined { change, goal: Goal::Absent, intent, rights }
    }
}

/// The Secret's `data`: values in base64, ordered by name as the server returns them.
pub(crate) fn data(variables: &[Variable], client_id: &str) -> Map<String, Value> {
    variables.iter().map(|v| (v.name.clone(), json!(STANDARD.encode(value(v, client_id))))).collect()
}

/// The value of a variable.
pub(super) fn value<'a>(variable: &'a Variable, client_id: &'a str) -> &'a str {
    match &variable.source {
        Source::Text(text) => text,
        Source::ClientId => client_id,
    }
}
