//! An entry in the access policies of a vault that does not use roles. Entries have neither name nor tag, so the
//! receipt keeps the previous permissions, and undoing restores exactly those.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::azure::api_versions;
use crate::model::{Kind, Problem, Result};
use crate::plan::change::{Action, Change, Goal, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Spec;
use crate::plan::spec::access::VaultPolicy;
use crate::steps::context::Cx;
use crate::steps::marks::done;
use crate::steps::ownership;
use crate::steps::step::{Examined, Right, Step};

#[async_trait]
impl Step for VaultPolicy {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let vault = cx.arm.read(self.vault.as_str(), api_versions::KEY_VAULT, &[]).await?;
        let entry = match (&vault, cx.outputs.principal_of(&self.to)) {
            (Some(vault), Some(principal)) => entry_of(vault, &principal).cloned(),
            _ => None,
        };
        let held = entry.as_ref().map(permissions_of).unwrap_or_default();
        Ok(match goal {
            Goal::Present => self.examine_present(entry, &held, past),
            Goal::Absent => self.examine_absent(cx, &held, past),
        })
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        let principal = cx
            .outputs
            .principal_of(&self.to)
            .ok_or_else(|| Problem::new(Kind::Failed, "KC4604", format!("identity `{}` has no object id", self.to.name())))?;
        match (examined.goal, examined.change.action) {
            (_, Action::NoOp) => {}
            (Goal::Present, _) => self.write(cx, "add", &principal, shaped(&self.wanted())).await?,
            (Goal::Absent, Action::Update) => {
                let before = examined.intent.before.clone().unwrap_or_default();
                // `remove` takes away single permissions; `replace` would overwrite the policies of all principals.
                let keep = permissions_of(&before);
                let gone: Vec<Permission> = self.wanted().into_iter().filter(|p| !keep.contains(p)).collect();
                self.write(cx, "remove", &principal, shaped(&gone)).await?;
            }
            (Goal::Absent, _) => self.write(cx, "remove", &principal, shaped(&self.wanted())).await?,
        }
        Ok(done(&examined.intent))
    }

    fn rights_to_delete(&self) -> Vec<Right> {
        vec![self.right()]
    }
}

impl VaultPolicy {
    fn change(&self, action: Action) -> Change {
        Change::new(self.id(), Layer::Azure, "accessPolicy", self.vault.name(), action).resource(&self.vault)
    }

    fn right(&self) -> Right {
        Right::Arm { scope: self.vault.to_string(), action: "Microsoft.KeyVault/vaults/accessPolicies/write" }
    }

    /// All wanted permissions, by collection.
    fn wanted(&self) -> Vec<Permission> {
        let of = |collection: &'static str, list: &[String]| list.iter().map(move |p| (collection, p.clone())).collect::<Vec<_>>();
        [of("secrets", &self.secrets), of("keys", &self.keys), of("certificates", &self.certificates)].concat()
    }

    fn examine_present(&self, entry: Option<Value>, held: &[Permission], past: Option<&Receipt>) -> Examined {
        let wanted = self.wanted();
        let missing: Vec<Permission> = wanted.iter().filter(|p| !held.contains(p)).cloned().collect();
        let mut intent = match past {
            // Undoing restores the state before the first write, however often the step has run since.
            Some(past) => Receipt { done: false, ..past.clone() },
            None if missing.is_empty() => Receipt::intent(Ownership::Adopted, self.vault.as_str()),
            None => Receipt::intent(Ownership::Created, self.vault.as_str()),
        };
        if past.is_none() {
            intent.before = entry;
        }
        let (change, rights) = if missing.is_empty() {
            (self.change(Action::NoOp), vec![])
        } else {
            let change = self.change(if held.is_empty() { Action::Create } else { Action::Update });
            let told = COLLECTIONS.iter().fold(change, |change, collection| {
                if listed(&missing, collection).is_empty() {
                    return change;
                }
                change.list(collection, listed(held, collection), listed(&wanted, collection))
            });
            (told, vec![self.right()])
        };
        Examined { change, goal: Goal::Present, intent, rights }
    }

    fn examine_absent(&self, cx: &Cx, held: &[Permission], past: Option<&Receipt>) -> Examined {
        let intent = ownership::recorded(past, self.vault.as_str());
        let mut rights = vec![];
        let stays = ownership::stays(cx, &intent, !held.is_empty(), &self.thing());
        let change = match (stays, &intent.before) {
            (Some(why), _) => self.change(Action::NoOp).reason(why),
            (None, Some(_)) => self.change(Action::Update).reason("restores the former permissions"),
            (None, None) => self.change(Action::Delete),
        };
        if change.writes() {
            rights = self.rights_to_delete();
        }
        Examined { change, goal: Goal::Absent, intent, rights }
    }

    async fn write(&self, cx: &Cx, operation: &str, principal: &str, permissions: Value) -> Result<()> {
        let path = format!("{}/accessPolicies/{operation}", self.vault);
        let entry = json!({"tenantId": cx.tenant, "objectId": principal, "permissions": permissions});
        cx.arm.put(&path, api_versions::KEY_VAULT, &json!({"properties": {"accessPolicies": [entry]}}), None).await?;
        Ok(())
    }
}

fn entry_of<'a>(vault: &'a Value, principal: &str) -> Option<&'a Value> {
    let entries = vault["properties"]["accessPolicies"].as_array()?;
    entries.iter().find(|e| e["objectId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(principal)))
}

/// A collection, and a permission on it.
type Permission = (&'static str, String);

const COLLECTIONS: [&str; 3] = ["secrets", "keys", "certificates"];

/// Permissions of an entry in lower case: Key Vault returns them as they were once written.
fn permissions_of(entry: &Value) -> Vec<Permission> {
    let of = |collection: &'static str| {
        let listed = entry["permissions"][collection].as_array().into_iter().flatten();
        listed.filter_map(Value::as_str).map(move |p| (collection, p.to_ascii_lowercase()))
    };
    COLLECTIONS.into_iter().flat_map(of).collect()
}

/// Permissions in the format of an entry, without empty collections.
fn shaped(permissions: &[Permission]) -> Value {
    let mut shape = json!({});
    for collection in COLLECTIONS {
        let list: Vec<&str> = permissions.iter().filter(|(c, _)| *c == collection).map(|(_, p)| p.as_str()).collect();
        if !list.is_empty() {
            shape[collection] = json!(list);
        }
    }
    shape
}

fn listed(permissions: &[Permission], collection: &str) -> Vec<String> {
    permissions.iter().filter(|(c, _)| *c == collection).map(|(_, p)| p.clone()).collect()
}
