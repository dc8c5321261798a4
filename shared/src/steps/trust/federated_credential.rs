//! The federated credential: Entra's trust in tokens of one service account. Issuer and subject are compared byte for
//! byte, here and in Entra, so they are copied and never built from parts.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::azure::api_versions;
use crate::model::{Kind, Problem, Result, TOKEN_EXCHANGE_AUDIENCE, names};
use crate::plan::change::{Action, Change, Goal, KNOWN_AFTER_APPLY, Layer};
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Spec;
use crate::plan::spec::trust::FederatedCredential;
use crate::steps::context::Cx;
use crate::steps::marks::done;
use crate::steps::ownership;
use crate::steps::step::{Examined, Right, Step};

/// Maximum number of credentials per identity (product documentation, workload identity federation considerations).
const MOST: usize = 20;

#[async_trait]
impl Step for FederatedCredential {
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined> {
        let listed = if cx.outputs.client_id(&self.identity).is_some() {
            cx.arm.list(&format!("{}/federatedIdentityCredentials", self.identity), api_versions::MANAGED_IDENTITY, &[]).await?
        } else {
            Vec::new()
        };
        match goal {
            Goal::Present => self.examine_present(self.issuer_of(cx).as_deref(), &listed, past),
            Goal::Absent => Ok(self.examine_absent(cx, &listed, past)),
        }
    }

    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt> {
        let mut receipt = done(&examined.intent);
        match examined.change.action {
            Action::Create | Action::Update => {
                let issuer = self.issuer_of(cx).ok_or_else(|| Problem::new(Kind::Failed, "KC4601", "the cluster has no OIDC issuer"))?;
                let id = self.identity.child("federatedIdentityCredentials", &self.own_name(&issuer));
                let body = json!({"properties": {"issuer": issuer, "subject": self.subject(), "audiences": [TOKEN_EXCHANGE_AUDIENCE]}});
                cx.arm.put(id.as_str(), api_versions::MANAGED_IDENTITY, &body, None).await?;
                receipt.id = id.to_string();
            }
            Action::Delete => {
                cx.arm.delete(&receipt.id, api_versions::MANAGED_IDENTITY).await?;
            }
            Action::NoOp => {}
        }
        Ok(receipt)
    }

    fn rights_to_delete(&self) -> Vec<Right> {
        vec![Right::Arm {
            scope: self.identity.to_string(),
            action: "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete",
        }]
    }
}

impl FederatedCredential {
    /// The issuer: the recorded one of a cluster outside AKS, else that of the connection's cluster, once known.
    fn issuer_of(&self, cx: &Cx) -> Option<String> {
        self.issuer.clone().or_else(|| cx.outputs.issuer(&cx.cluster))
    }

    /// The `sub` claim of the service account's tokens.
    fn subject(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.service_account)
    }

    fn own_name(&self, issuer: &str) -> String {
        names::federated_credential(issuer, &self.namespace, &self.service_account)
    }

    fn change(&self, name: &str, action: Action) -> Change {
        let change = Change::new(self.id(), Layer::Azure, "federatedCredential", name, action);
        if name == KNOWN_AFTER_APPLY { change } else { change.resource(&self.identity.child("federatedIdentityCredentials", name)) }
    }

    fn examine_present(&self, issuer: Option<&str>, listed: &[Value], past: Option<&Receipt>) -> Result<Examined> {
        let subject = self.subject();
        let same = |c: &&Value| c["properties"]["issuer"].as_str() == issuer && c["properties"]["subject"] == subject.as_str();
        let name = issuer.map_or_else(|| KNOWN_AFTER_APPLY.to_owned(), |i| self.own_name(i));
        let id = |name: &str| self.identity.child("federatedIdentityCredentials", name).to_string();
        let (change, ownership, id, rights) = match listed.iter().find(same) {
            Some(found) => {
                let found_name = found["name"].as_str().unwrap_or_default();
                let ownership = ownership::of_found(found_name == name, past);
                let trusts = found["properties"]["audiences"].as_array().is_some_and(|a| a.iter().any(|x| x == TOKEN_EXCHANGE_AUDIENCE));
                let change = if trusts {
                    self.change(found_name, Action::NoOp)
                } else if ownership == Ownership::Adopted {
                    return Err(Problem::new(
                        Kind::Failed,
                        "KC4602",
                        format!("federated credential `{found_name}` trusts {subject} for another audience"),
                    )
                    .why(format!("Entra accepts only {TOKEN_EXCHANGE_AUDIENCE}, and a second credential for the same subject is refused"))
                    .fix(format!(
                        "az identity federated-credential update --name {found_name} --identity-name {} --resource-group {} --audiences {TOKEN_EXCHANGE_AUDIENCE}",
                        self.identity.name(),
                        self.identity.resource_group()
                    )));
                } else {
                    self.change(found_name, Action::Update).list("audiences", vec![], vec![TOKEN_EXCHANGE_AUDIENCE.to_owned()])
                };
                (change, ownership, id(found_name), vec![])
            }
            None if listed.len() >= MOST => return Err(self.full(listed.len())),
            None => {
                let mut change = self.change(&name, Action::Create).detail("subject", None, Some(&subject)).detail(
                    "issuer",
                    None,
                    Some(issuer.unwrap_or(KNOWN_AFTER_APPLY)),
                );
                change = change.list("audiences", vec![], vec![TOKEN_EXCHANGE_AUDIENCE.to_owned()]);
                if listed.len() >= MOST - 2 {
                    change = change.reason(format!("{} of {MOST} credentials of this identity will be used", listed.len() + 1));
                }
                // The permission is checked at the identity's resource group, since the identity may not exist yet.
                let right = Right::Arm {
                    scope: self.identity.group_id().to_string(),
                    action: "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
                };
                (change, Ownership::Created, id(&name), vec![right])
            }
        };
        Ok(Examined { change, goal: Goal::Present, intent: Receipt::intent(ownership, id), rights })
    }

    fn full(&self, used: usize) -> Problem {
        Problem::new(Kind::Failed, "KC1303", format!("identity `{}` has {used} of {MOST} federated credentials", self.identity.name()))
            .why("an identity can trust at most 20 service accounts")
            .fix("omit --identity to create a separate identity, or name another one with --identity")
            .fix(format!(
                "look for credentials of deleted clusters: az identity federated-credential list --identity-name {} --resource-group {} \
                 -o table",
                self.identity.name(),
                self.identity.resource_group()
            ))
    }

    /// Finds the credential named in the receipt. It is deleted only if it still has the name that only this tool
    /// derives.
    fn examine_absent(&self, cx: &Cx, listed: &[Value], past: Option<&Receipt>) -> Examined {
        let subject = self.subject();
        let ours = |c: &&Value| has_our_name(c) && c["properties"]["subject"] == subject.as_str();
        let recorded = past.map(|p| p.id.rsplit('/').next().unwrap_or_default().to_owned());
        let found = listed.iter().filter(ours).find(|c| {
            // A run killed between intent and answer leaves `(known after apply)` in the intent; then the subject
            // decides.
            let name = c["name"].as_str().unwrap_or_default();
            recorded.as_deref().is_none_or(|r| r == name || r == KNOWN_AFTER_APPLY)
        });
        let mut intent = ownership::recorded(past, self.identity.as_str());
        let name = found.and_then(|c| c["name"].as_str()).or(recorded.as_deref()).unwrap_or(&subject).to_owned();
        let mut rights = vec![];
        let change = match ownership::stays(cx, &intent, found.is_some(), &self.thing()) {
            Some(why) => self.change(&name, Action::NoOp).reason(why),
            None => {
                intent.id = self.identity.child("federatedIdentityCredentials", &name).to_string();
                rights = self.rights_to_delete();
                self.change(&name, Action::Delete)
            }
        };
        Examined { change, goal: Goal::Absent, intent, rights }
    }
}

/// Whether a credential has the name that this tool derives from its content.
pub(crate) fn has_our_name(credential: &Value) -> bool {
    let text = |key: &str| credential["properties"][key].as_str().unwrap_or_default();
    let Some((namespace, account)) = text("subject").strip_prefix("system:serviceaccount:").and_then(|s| s.split_once(':')) else {
        return false;
    };
    credential["name"] == names::federated_credential(text("issuer"), namespace, account).as_str()
}
