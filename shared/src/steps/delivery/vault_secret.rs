//! A key or connection string of a service, stored as a secret of a vault with the user's permissions on that vault.
//! The value is fetched, compared and sent, but never shown. There is one per variable and connection, with this
//! tool's tag.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::values::rights;
use crate::azure::Failure;
use crate::model::{Kind, PREFIX, Problem, Result};
use crate::plan::change::{Action, Change, Goal, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Spec;
use crate::plan::spec::delivery::VaultSecret;
use crate::steps::context::Cx;
use crate::steps::marks::done;
use crate::steps::outputs::Output;
use crate::steps::ownership;
use crate::steps::step::{Examined, Step};

#[async_trait]
impl Step for VaultSecret {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let found = cx.arm.vault_secret(&self.uri, &self.name).await.map_err(|f| self.refused(f, "read"))?;
        match goal {
            Goal::Present => self.examine_present(cx, found.as_ref(), past).await,
            Goal::Absent => Ok(self.examine_absent(found.as_ref(), past)),
        }
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        match examined.change.action {
            Action::Create | Action::Update => {
                let value = cx.values(std::slice::from_ref(&self.variable)).await?.unwrap_or_default().concat();
                let written = cx.arm.set_vault_secret(&self.uri, &self.name, &value, &json!({PREFIX: self.owner})).await;
                self.learn(cx, &written.map_err(|f| self.refused(f, "write"))?);
            }
            Action::Delete => {
                cx.arm.delete_vault_secret(&self.uri, &self.name).await.map_err(|f| self.refused(f, "delete"))?;
            }
            Action::NoOp => {}
        }
        Ok(done(&examined.intent))
    }
}

impl VaultSecret {
    /// Whether the vault has the current value of the service.
    pub(crate) async fn is_current(&self, cx: &Cx) -> Result<bool> {
        let found = cx.arm.vault_secret(&self.uri, &self.name).await.map_err(|f| self.refused(f, "read"))?;
        let value = cx.values(std::slice::from_ref(&self.variable)).await?.map(|v| v.concat());
        Ok(found.is_some_and(|f| value.is_some_and(|v| f["value"] == v.as_str())))
    }

    fn change(&self, action: Action) -> Change {
        let name = format!("{}/{}", self.vault.name(), self.name);
        Change::new(self.id(), Layer::Azure, "vaultSecret", name, action)
    }

    fn is_ours(&self, found: &Value) -> bool {
        found["tags"][PREFIX] == self.owner.as_str()
    }

    /// Tells the workload step the version of the secret. Pods must restart when it changes, as the driver reads the
    /// secret only when it mounts.
    fn learn(&self, cx: &Cx, secret: &Value) {
        let version = secret["id"].as_str().and_then(|id| id.rsplit('/').next()).unwrap_or_default().to_owned();
        cx.outputs.learn(self.thing(), Output::VaultVersion, version);
    }

    async fn examine_present(&self, cx: &Cx, found: Option<&Value>, past: Option<&Receipt>) -> Result<Examined> {
        let intent = past.map_or_else(
            || Receipt::intent(Ownership::Created, format!("{}/secrets/{}", self.uri, self.name)),
            |p| Receipt { done: false, ..p.clone() },
        );
        let action = match found {
            None => Action::Create,
            Some(found) if !self.is_ours(found) => {
                return Err(Problem::new(
                    Kind::Failed,
                    "KC1319",
                    format!("secret `{}` of vault `{}` belongs to somebody else", self.name, self.vault.name()),
                )
                .why(format!("its tag {PREFIX} does not name this connection"))
                .fix("choose another name for the connection: --name NAME"));
            }
            Some(found) => {
                let value = cx.values(std::slice::from_ref(&self.variable)).await?.map(|v| v.concat());
                if value.is_some_and(|v| found["value"] == v.as_str()) {
                    self.learn(cx, found);
                    Action::NoOp
                } else {
                    Action::Update
                }
            }
        };
        let rights = if action == Action::NoOp { vec![] } else { rights(std::slice::from_ref(&self.variable)) };
        let change = self.change(action);
        let change = if action == Action::NoOp {
            change
        } else {
            change.detail("holds", None, Some(&self.variable.name)).list("tags", vec![], vec![format!("{PREFIX}={}", self.owner)])
        };
        Ok(Examined { change, goal: Goal::Present, intent, rights })
    }

    fn examine_absent(&self, found: Option<&Value>, past: Option<&Receipt>) -> Examined {
        let id = format!("{}/secrets/{}", self.uri, self.name);
        let intent = ownership::recorded(past, id);
        let change = match found {
            None => self.change(Action::NoOp).reason("already deleted"),
            Some(found) if intent.is_ours() && self.is_ours(found) => {
                self.change(Action::Delete).reason("soft delete keeps it recoverable")
            }
            Some(_) => self.change(Action::NoOp).reason("belongs to somebody else: kept"),
        };
        Examined { change, goal: Goal::Absent, intent, rights: vec![] }
    }

    /// Explains a refusal: the owner of a vault has no permission on its contents by default.
    fn refused(&self, failure: Failure, verb: &str) -> Problem {
        let denied = matches!(failure.status(), Some(401 | 403));
        let problem = Problem::from(failure).context(format!("to {verb} secret {} of vault {}", self.name, self.vault.name()));
        if denied {
            let whom = crate::azure::assignee(problem.reason().unwrap_or_default()).to_owned();
            problem.fix(format!(
                "you need this role yourself: az role assignment create --assignee {whom} --role 'Key Vault Secrets Officer' --scope {}",
                self.vault
            ))
        } else {
            problem
        }
    }
}
