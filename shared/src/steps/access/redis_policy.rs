//! An access policy assignment of a Redis cache; Redis uses it in place of an Azure role.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::azure::api_versions;
use crate::model::{Kind, Problem, Result, names};
use crate::plan::change::{Action, Change, Goal, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Spec;
use crate::plan::spec::access::RedisPolicy;
use crate::steps::context::Cx;
use crate::steps::marks::done;
use crate::steps::ownership;
use crate::steps::step::{Examined, OwnList, Right, Step};

#[async_trait]
impl Step for RedisPolicy {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let principal = cx.outputs.principal_of(&self.to);
        // If the identity is deleted, its assignments remain. The one that this connection created is then found by
        // the id in the receipt.
        let left = past.filter(|p| goal == Goal::Absent && p.is_ours() && p.id.contains("/accessPolicyAssignments/")).map(|p| p.id.clone());
        let held = match (&principal, &left) {
            (Some(principal), _) => self.held(cx, principal).await?,
            (None, Some(id)) => cx.arm.read(id, api_versions::REDIS, &[]).await?,
            (None, None) => None,
        };
        let own = principal.as_deref().map(|p| self.id_for(p)).or(left);
        Ok(match goal {
            Goal::Present => self.examine_present(held.as_ref(), own, past),
            Goal::Absent => self.examine_absent(cx, held.as_ref(), own.as_deref(), past),
        })
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        let mut receipt = done(&examined.intent);
        match examined.change.action {
            Action::Create => {
                let principal = cx
                    .outputs
                    .principal_of(&self.to)
                    .ok_or_else(|| Problem::new(Kind::Failed, "KC4609", format!("identity `{}` has no object id", self.to.name())))?;
                receipt.id = self.id_for(&principal);
                let properties = json!({"accessPolicyName": self.policy, "objectId": principal, "objectIdAlias": self.to.name()});
                cx.arm.put(&receipt.id, api_versions::REDIS, &json!({"properties": properties}), None).await?;
            }
            Action::Delete => {
                cx.arm.delete(&receipt.id, api_versions::REDIS).await?;
            }
            Action::Update | Action::NoOp => {}
        }
        Ok(receipt)
    }

    fn rights_to_delete(&self) -> Vec<Right> {
        vec![Right::Arm { scope: self.cache.to_string(), action: "Microsoft.Cache/redis/accessPolicyAssignments/delete" }]
    }

    fn own_list(&self) -> Option<OwnList<'_>> {
        let path = format!("{}/accessPolicyAssignments", self.cache);
        let fits = |entry: &Value| entry["accessPolicyName"] == self.policy.as_str();
        let (grant, scope) = (self.policy.as_str(), self.cache.to_string());
        Some(OwnList { path, api_version: api_versions::REDIS, grant, scope, fits: Box::new(fits) })
    }
}

impl RedisPolicy {
    fn change(&self, action: Action) -> Change {
        Change::new(self.id(), Layer::Azure, "redisAccessPolicy", format!("{} → {}", self.policy, self.cache.name()), action)
            .granted(&self.policy, &self.cache)
    }

    /// The id of the assignment. Names consist of letters, digits and hyphens and are unique within a cache.
    fn id_for(&self, principal: &str) -> String {
        let hash = names::short_hash(&[principal, &self.policy]);
        format!("{}/accessPolicyAssignments/kubectl-connect-{hash}", self.cache)
    }

    async fn held(&self, cx: &Cx, principal: &str) -> Result<Option<Value>> {
        let listed = cx.arm.list(&format!("{}/accessPolicyAssignments", self.cache), api_versions::REDIS, &[]).await?;
        Ok(listed.into_iter().find(|a| {
            let text = |key: &str| a["properties"][key].as_str().unwrap_or_default();
            text("objectId").eq_ignore_ascii_case(principal) && text("accessPolicyName") == self.policy
        }))
    }

    fn examine_present(&self, held: Option<&Value>, own: Option<String>, past: Option<&Receipt>) -> Examined {
        let (change, intent, rights) = match held {
            Some(found) => {
                let id = found["id"].as_str().unwrap_or_default().to_owned();
                let ours = own.is_some_and(|o| o.eq_ignore_ascii_case(&id));
                (self.change(Action::NoOp), Receipt::intent(ownership::of_found(ours, past), id), vec![])
            }
            None => {
                let right = Right::Arm { scope: self.cache.to_string(), action: "Microsoft.Cache/redis/accessPolicyAssignments/write" };
                let change = self.change(Action::Create).detail("principal", None, Some(self.to.name()));
                (change, Receipt::intent(Ownership::Created, own.unwrap_or_default()), vec![right])
            }
        };
        Examined { change, goal: Goal::Present, intent, rights }
    }

    fn examine_absent(&self, cx: &Cx, held: Option<&Value>, own: Option<&str>, past: Option<&Receipt>) -> Examined {
        let mut intent = ownership::recorded(past, self.cache.as_str());
        let id = held.and_then(|h| h["id"].as_str()).filter(|id| own.is_some_and(|o| o.eq_ignore_ascii_case(id)));
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
