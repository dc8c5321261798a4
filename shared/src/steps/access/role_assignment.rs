//! The role assignment. It is matched by content (scope, principal, role), and its name is derived from the content,
//! so that repeating the step creates no second assignment.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::azure::api_versions;
use crate::model::ids::role_guid;
use crate::model::{Kind, Problem, ResourceId, Result, names};
use crate::plan::change::{Action, Change, Goal, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Spec;
use crate::plan::spec::access::RoleAssignment;
use crate::steps::context::Cx;
use crate::steps::marks::done;
use crate::steps::ownership;
use crate::steps::step::{Examined, Right, Step};

#[async_trait]
impl Step for RoleAssignment {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        // An identity that does not exist yet holds no role, so there is nothing to read.
        let held = match self.principal(cx) {
            Some(principal) => self.held(cx, &principal).await?,
            // If the identity is deleted, its assignments remain, under a principal that no longer exists.
            None => match past.filter(|p| goal == Goal::Absent && p.id.contains("/roleAssignments/")) {
                Some(past) => cx.arm.read(&past.id, api_versions::AUTHORIZATION, &[]).await?.into_iter().collect(),
                None => Vec::new(),
            },
        };
        Ok(match goal {
            Goal::Present => self.examine_present(cx, &held, past),
            Goal::Absent => self.examine_absent(cx, &held, past),
        })
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        let mut receipt = done(&examined.intent);
        match examined.change.action {
            Action::Create => {
                let principal = self
                    .principal(cx)
                    .ok_or_else(|| Problem::new(Kind::Failed, "KC4603", format!("identity `{}` has no object id", self.to.name())))?;
                receipt.id = self.assign(cx, &principal).await?;
            }
            Action::Delete => {
                cx.arm.delete(&receipt.id, api_versions::AUTHORIZATION).await?;
            }
            Action::Update | Action::NoOp => {}
        }
        Ok(receipt)
    }

    fn rights_to_delete(&self) -> Vec<Right> {
        vec![Right::Arm { scope: self.scope.to_string(), action: "Microsoft.Authorization/roleAssignments/delete" }]
    }
}

impl RoleAssignment {
    fn principal(&self, cx: &Cx) -> Option<String> {
        cx.outputs.principal_of(&self.to)
    }

    fn change(&self, action: Action) -> Change {
        Change::new(self.id(), Layer::Azure, "roleAssignment", format!("{} → {}", self.role.name, self.scope.name()), action)
            .granted(&self.role.name, &self.scope)
    }

    fn id_for(&self, principal: &str) -> String {
        let name = names::role_assignment(self.scope.as_str(), principal, &self.role.id);
        format!("{}/providers/Microsoft.Authorization/roleAssignments/{name}", self.scope)
    }

    /// Assignments of the role to the principal, at the scope or above it.
    async fn held(&self, cx: &Cx, principal: &str) -> Result<Vec<Value>> {
        let (path, filter) = crate::azure::role_assignments_of(&self.scope, principal);
        let listed = cx.arm.list(&path, api_versions::AUTHORIZATION, &[("$filter", &filter)]).await?;
        Ok(listed
            .into_iter()
            .filter(|a| {
                let text = |key: &str| a["properties"][key].as_str().unwrap_or_default();
                role_guid(text("roleDefinitionId")) == self.role.id
                    && text("principalId").eq_ignore_ascii_case(principal)
                    && self.scope.is_within(text("scope"))
            })
            .collect())
    }

    fn examine_present(&self, cx: &Cx, held: &[Value], past: Option<&Receipt>) -> Examined {
        let id = self.principal(cx).map(|p| self.id_for(&p)).unwrap_or_default();
        let at_scope =
            |a: &&Value| a["properties"]["scope"].as_str().is_some_and(|s| s.parse::<ResourceId>().is_ok_and(|s| s == self.scope));
        // Prefer an assignment at the scope itself: an inherited one may be removed by others.
        let found = held.iter().find(at_scope).or_else(|| held.first());
        let (change, intent, rights) = match found {
            Some(found) => {
                let found_id = found["id"].as_str().unwrap_or_default().to_owned();
                let ownership = ownership::of_found(found_id.eq_ignore_ascii_case(&id), past);
                let inherited = !at_scope(&found);
                let change = if inherited {
                    let scope = found["properties"]["scope"].as_str().unwrap_or_default();
                    self.change(Action::NoOp).reason(format!("already assigned, inherited from {scope}"))
                } else {
                    self.change(Action::NoOp)
                };
                (change, Receipt::intent(ownership, found_id), vec![])
            }
            None => {
                let right = Right::Arm { scope: self.scope.to_string(), action: "Microsoft.Authorization/roleAssignments/write" };
                let change = self.change(Action::Create).detail("principal", None, Some(self.to.name()));
                (change, Receipt::intent(Ownership::Created, id), vec![right])
            }
        };
        Examined { change, goal: Goal::Present, intent, rights }
    }

    fn examine_absent(&self, cx: &Cx, held: &[Value], past: Option<&Receipt>) -> Examined {
        let mut intent = ownership::recorded(past, self.scope.as_str());
        // The name is derived from the content, so an assignment with this name is one of this tool.
        let ours = self.principal(cx).map(|p| self.id_for(&p)).or_else(|| past.map(|p| p.id.clone()));
        let is_ours = |a: &&Value| ours.as_deref().is_some_and(|o| a["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(o)));
        let found = held.iter().find(is_ours).map(|a| a["id"].as_str().unwrap_or_default());
        let mut rights = vec![];
        let change = match ownership::stays(cx, &intent, found.is_some(), &self.thing()) {
            Some(why) => self.change(Action::NoOp).reason(why),
            None => {
                intent.id = found.unwrap_or_default().to_owned();
                rights = self.rights_to_delete();
                self.change(Action::Delete)
            }
        };
        Examined { change, goal: Goal::Absent, intent, rights }
    }

    /// The body includes `principalType`, so that Azure accepts a principal that has not replicated yet. A 409 alone
    /// is not a success: the conflicting assignment is read and compared.
    async fn assign(&self, cx: &Cx, principal: &str) -> Result<String> {
        let id = self.id_for(principal);
        let body = json!({"properties": {
            "roleDefinitionId": self.role.definition_id(self.scope.subscription()),
            "principalId": principal,
            "principalType": "ServicePrincipal",
        }});
        let not_replicated = |failure: &crate::azure::Failure| failure.is("PrincipalNotFound");
        let why = format!("waiting for the role assignment of {} to be accepted", self.to.name());
        let wait = cx.wait(self.id(), why);
        let schedule = [1, 2, 4, 8, 15, 15, 15].map(std::time::Duration::from_secs);
        match crate::azure::retry_while(wait, not_replicated, schedule, || cx.arm.put(&id, api_versions::AUTHORIZATION, &body, None)).await
        {
            Ok(_) => Ok(id),
            Err(failure) if failure.is("RoleAssignmentExists") => match self.held(cx, principal).await?.first() {
                Some(found) => Ok(found["id"].as_str().unwrap_or(&id).to_owned()),
                None => Err(failure.into()),
            },
            Err(failure) => Err(failure.into()),
        }
    }
}
