//! The user-assigned managed identity. Created in the cluster's resource group and region, with this tool's tag.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::azure::api_versions;
use crate::model::{Kind, PREFIX, Problem, ResourceId, Result, words};
use crate::plan::change::{Action, Change, Goal, KNOWN_AFTER_APPLY, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::trust::Identity;
use crate::plan::spec::{Spec, tags};
use crate::steps::context::Cx;
use crate::steps::marks::done;
use crate::steps::outputs::Output;
use crate::steps::ownership;
use crate::steps::step::{Examined, Right, Step};

#[async_trait]
impl Step for Identity {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        if let Some(cluster) = &self.addon_of {
            return self.of_addon(cx, cluster, goal, past).await;
        }
        let found = cx.arm.read(self.id.as_str(), api_versions::MANAGED_IDENTITY, &[]).await?;
        if let Some(identity) = &found {
            self.learn(cx, identity);
        }
        match goal {
            Goal::Present => self.examine_present(found.as_ref(), past),
            Goal::Absent => self.examine_absent(cx, found.as_ref(), past).await,
        }
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        match examined.change.action {
            Action::Create => {
                let mut tags = tags(&self.owner);
                tags.extend(self.tags.clone());
                let body = json!({"location": self.location, "tags": tags});
                let written = cx.arm.put(self.id.as_str(), api_versions::MANAGED_IDENTITY, &body, None).await?;
                self.learn(cx, &written.body);
            }
            Action::Delete => {
                cx.arm.delete(self.id.as_str(), api_versions::MANAGED_IDENTITY).await?;
            }
            Action::Update | Action::NoOp => {}
        }
        Ok(done(&examined.intent))
    }

    fn rights_to_delete(&self) -> Vec<Right> {
        vec![Right::Arm { scope: self.id.to_string(), action: "Microsoft.ManagedIdentity/userAssignedIdentities/delete" }]
    }
}

impl Identity {
    fn change(&self, action: Action) -> Change {
        Change::new(Spec::id(self), Layer::Azure, "managedIdentity", self.id.name(), action).resource(&self.id)
    }

    /// Client id and object id; Azure returns both from the first answer on.
    fn learn(&self, cx: &Cx, identity: &Value) {
        for (output, key) in [(Output::ClientId, "clientId"), (Output::PrincipalId, "principalId")] {
            if let Some(id) = identity["properties"][key].as_str() {
                cx.outputs.learn(self.thing(), output, id);
            }
        }
    }

    /// The add-on's identity, as described by the cluster. It is not read directly: it is in AKS' own resource group,
    /// which not every user may read.
    async fn of_addon(&self, cx: &Cx, cluster: &ResourceId, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let body = cx.arm.read(cluster.as_str(), api_versions::MANAGED_CLUSTERS, &[]).await?.unwrap_or_default();
        let known = super::cluster_features::learn_addon(cx, &body);
        let why = if known || goal == Goal::Absent { "belongs to the Key Vault add-on" } else { "created by the Key Vault add-on" };
        let intent = ownership::recorded(past, self.id.as_str());
        Ok(Examined { change: self.change(Action::NoOp).reason(why), goal, intent, rights: vec![] })
    }

    fn examine_present(&self, found: Option<&Value>, past: Option<&Receipt>) -> Result<Examined> {
        let right = Right::Arm { scope: self.id.group_id().to_string(), action: "Microsoft.ManagedIdentity/userAssignedIdentities/write" };
        if let Some(other) =
            found.and_then(our_tag).filter(|owner| self.create && past.is_none() && !owner.eq_ignore_ascii_case(&self.owner))
        {
            return Err(Problem::new(
                Kind::Failed,
                "KC1322",
                format!("the identity `{}` belongs to another service account", self.id.name()),
            )
            .why(format!(
                "it was created for {other}; each service account has a separate identity, so that none gets another's \
                    permissions"
            ))
            .fix(
                "use a template with different names: --identity-name with {cluster}, {namespace} and {service-account}, or with \
                    {hash}",
            )
            .fix(format!("or share it on purpose: --identity {}", self.id)));
        }
        let (change, ownership, rights) = match found {
            Some(identity) if bears_our_tag(identity) && self.create => {
                (self.change(Action::NoOp), ownership::of_found(true, past), vec![])
            }
            Some(_) => (self.change(Action::NoOp).reason("exists, used unchanged"), Ownership::Adopted, vec![]),
            None if self.create => {
                let change = self.change(Action::Create).detail("resourceGroup", None, Some(self.id.resource_group())).detail(
                    "location",
                    None,
                    Some(&self.location),
                );
                let tags = tags(&self.owner).into_iter().chain(self.tags.clone()).map(|(key, value)| format!("{key}={value}")).collect();
                let change = change.list("tags", vec![], tags).detail("clientId", None, Some(KNOWN_AFTER_APPLY));
                (change, Ownership::Created, vec![right])
            }
            None => {
                return Err(Problem::new(Kind::NotFound, "KC1302", format!("there is no managed identity `{}`", self.id.name()))
                    .why(format!("searched for {}", self.id))
                    .fix("omit --identity to create one, or list the existing ones: az identity list -o table"));
            }
        };
        Ok(Examined { change, goal: Goal::Present, intent: Receipt::intent(ownership, self.id.as_str()), rights })
    }

    /// Deleted only if this tool created it, no other connection uses it, and it has no federated credentials of
    /// others.
    async fn examine_absent(&self, cx: &Cx, found: Option<&Value>, past: Option<&Receipt>) -> Result<Examined> {
        let intent = ownership::recorded(past, self.id.as_str());
        let mut rights = vec![];
        let keep = |why: String| self.change(Action::NoOp).reason(why);
        let change = match found {
            None => keep("already deleted".into()),
            Some(_) if !intent.is_ours() => keep("existed before: kept".into()),
            Some(identity) if !bears_our_tag(identity) => keep(format!("lost its tag {PREFIX}, so it belongs to somebody else: kept")),
            Some(_) => match ownership::shared(cx, &self.thing()) {
                Some(why) => keep(why),
                None => match self.foreign_credentials(cx).await? {
                    0 => {
                        rights = self.rights_to_delete();
                        self.change(Action::Delete)
                    }
                    n => keep(format!("kept: it has {} that this tool did not create", words::count(n, "federated credential"))),
                },
            },
        };
        Ok(Examined { change, goal: Goal::Absent, intent, rights })
    }

    async fn foreign_credentials(&self, cx: &Cx) -> Result<usize> {
        let listed = cx.arm.list(&format!("{}/federatedIdentityCredentials", self.id), api_versions::MANAGED_IDENTITY, &[]).await?;
        Ok(listed.iter().filter(|credential| !super::federated_credential::has_our_name(credential)).count())
    }
}

fn bears_our_tag(identity: &Value) -> bool {
    our_tag(identity).is_some()
}

/// The owner in this tool's tag, if this tool created the identity.
fn our_tag(identity: &Value) -> Option<&str> {
    identity["tags"][PREFIX].as_str()
}
