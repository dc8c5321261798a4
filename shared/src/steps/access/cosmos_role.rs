//! A role assignment on a Cosmos DB account's own data plane. The alternative would be an Azure role that allows
//! reading the keys.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::azure::Failure;
use crate::azure::api_versions;
use crate::model::{Kind, Problem, Result, names};
use crate::plan::change::{Action, Change, Goal, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Spec;
use crate::plan::spec::access::CosmosRole;
use crate::steps::context::Cx;
use crate::steps::marks::done;
use crate::steps::ownership;
use crate::steps::step::{Examined, OwnList, Right, Step};

#[async_trait]
impl Step for CosmosRole {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let principal = cx.outputs.principal_of(&self.to);
        // If the identity is deleted, its assignments remain. The one that this connection created is then found by
        // the id in the receipt.
        let left = past.filter(|p| goal == Goal::Absent && p.is_ours() && p.id.contains("/sqlRoleAssignments/")).map(|p| p.id.clone());
        let held = match (&principal, &left) {
            (Some(principal), _) => self.held(cx, principal).await?,
            (None, Some(id)) => cx.arm.read(id, api_versions::COSMOS, &[]).await?.into_iter().collect(),
            (None, None) => Vec::new(),
        };
        let own = principal.as_deref().map(|p| self.id_for(p)).or(left);
        Ok(match goal {
            Goal::Present => self.examine_present(&held, own, past),
            Goal::Absent => self.examine_absent(cx, &held, own.as_deref(), past),
        })
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        let mut receipt = done(&examined.intent);
        match examined.change.action {
            Action::Create => {
                let principal = cx
                    .outputs
                    .principal_of(&self.to)
                    .ok_or_else(|| Problem::new(Kind::Failed, "KC4610", format!("identity `{}` has no object id", self.to.name())))?;
                receipt.id = self.id_for(&principal);
                let properties = json!({"roleDefinitionId": self.definition(), "scope": self.scope(), "principalId": principal});
                let body = json!({"properties": properties});
                let why = format!("waiting for {} to know {}", self.account.name(), self.to.name());
                let wait = cx.wait(&examined.change.id, why);
                let schedule = [1, 2, 4, 8, 15, 15, 15].map(std::time::Duration::from_secs);
                crate::azure::retry_while(wait, is_unknown, schedule, || cx.arm.put(&receipt.id, api_versions::COSMOS, &body, None))
                    .await?;
            }
            Action::Delete => {
                cx.arm.delete(&receipt.id, api_versions::COSMOS).await?;
            }
            Action::Update | Action::NoOp => {}
        }
        Ok(receipt)
    }

    fn rights_to_delete(&self) -> Vec<Right> {
        vec![Right::Arm { scope: self.account.to_string(), action: "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments/delete" }]
    }

    fn own_list(&self) -> Option<OwnList<'_>> {
        let (scope, path) = (self.scope(), format!("{}/sqlRoleAssignments", self.account));
        Some(OwnList { path, api_version: api_versions::COSMOS, grant: &self.role.name, scope, fits: Box::new(|entry| self.fits(entry)) })
    }
}

/// Whether the account does not know the principal yet: a new identity takes a while to reach the account. The
/// service has no code for this, only a `BadRequest` with these words.
fn is_unknown(failure: &Failure) -> bool {
    matches!(failure, Failure::Service(error) if error.status == 400 && error.message.contains("was not found in the AAD tenant"))
}

/// Whether an assignment at `outer` reaches `scope`. The service answers ids in any case.
fn is_covered(scope: &str, outer: &str) -> bool {
    let (scope, outer) = (scope.to_ascii_lowercase(), outer.to_ascii_lowercase());
    !outer.is_empty() && (scope == outer || scope.strip_prefix(&outer).is_some_and(|rest| rest.starts_with('/')))
}

impl CosmosRole {
    fn change(&self, action: Action) -> Change {
        let place = if self.path.is_empty() { self.account.name().to_owned() } else { format!("{}/{}", self.account.name(), self.path) };
        Change::new(self.id(), Layer::Azure, "cosmosRoleAssignment", format!("{} → {place}", self.role.name), action)
            .granted(&self.role.name, self.scope())
    }

    fn definition(&self) -> String {
        format!("{}/sqlRoleDefinitions/{}", self.account, self.role.id)
    }

    /// ARM id of the account, or of a part of it.
    fn scope(&self) -> String {
        if self.path.is_empty() { self.account.to_string() } else { format!("{}/{}", self.account, self.path) }
    }

    /// The id of the assignment. Names are GUIDs and are derived like those of Azure role assignments.
    fn id_for(&self, principal: &str) -> String {
        let name = names::role_assignment(&self.scope(), principal, &self.role.id);
        format!("{}/sqlRoleAssignments/{name}", self.account)
    }

    /// Whether the properties of an assignment give the role at the scope, or at a part of the account around it.
    fn fits(&self, entry: &Value) -> bool {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_ascii_lowercase();
        text("roleDefinitionId").ends_with(&self.role.id) && is_covered(&self.scope(), &text("scope"))
    }

    /// Assignments of the role that cover the scope. Ids are compared without case, as services return them in any
    /// case.
    async fn held(&self, cx: &Cx, principal: &str) -> Result<Vec<Value>> {
        let listed = cx.arm.list(&format!("{}/sqlRoleAssignments", self.account), api_versions::COSMOS, &[]).await?;
        Ok(listed
            .into_iter()
            .filter(|a| {
                let entry = &a["properties"];
                entry["principalId"].as_str().unwrap_or_default().eq_ignore_ascii_case(principal) && self.fits(entry)
            })
            .collect())
    }

    fn examine_present(&self, held: &[Value], own: Option<String>, past: Option<&Receipt>) -> Examined {
        let is_own = |a: &&Value| own.as_deref().is_some_and(|o| a["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(o)));
        let (change, intent, rights) = match held.iter().find(is_own).or_else(|| held.first()) {
            Some(found) => {
                let id = found["id"].as_str().unwrap_or_default();
                (self.change(Action::NoOp), Receipt::intent(ownership::of_found(is_own(&found), past), id), vec![])
            }
            None => {
                let action = "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments/write";
                let change = self.change(Action::Create).detail("principal", None, Some(self.to.name()));
                let right = Right::Arm { scope: self.account.to_string(), action };
                (change, Receipt::intent(Ownership::Created, own.unwrap_or_default()), vec![right])
            }
        };
        Examined { change, goal: Goal::Present, intent, rights }
    }

    fn examine_absent(&self, cx: &Cx, held: &[Value], own: Option<&str>, past: Option<&Receipt>) -> Examined {
        let mut intent = ownership::recorded(past, self.account.as_str());
        let id = held.iter().filter_map(|h| h["id"].as_str()).find(|id| own.is_some_and(|o| o.eq_ignore_ascii_case(id)));
        let mut rights = vec![];
        let change = match ownership::stays(cx, &intent, id.is_some(), &self.thing()) {
            Some(why) => self.change(Action::NoOp).reason(why),
            None => {
                intent.id = id.unwrap_or_default().to_owned();
                rights = self.rights_to_delete();
                self.change(Action::Delete)
            }
        };
        Examined { change, goal: Goal::Absent, intent, rights }
    }
}
