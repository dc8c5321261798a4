//! The interface of all steps: examine and apply, with their results.

use async_trait::async_trait;
use serde_json::Value;

use super::context::Cx;
use crate::kube::Access;
use crate::model::Result;
use crate::plan::change::{Change, Goal};
use crate::plan::record::Receipt;

/// A permission that a change needs; checked before the first write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// An ARM action at a scope.
    Arm {
        /// Scope of the action.
        scope: String,
        /// For example `Microsoft.Authorization/roleAssignments/write`.
        action: &'static str,
    },
    /// An ARM action that returns keys.
    Keys {
        /// The resource.
        scope: String,
        /// For example `Microsoft.Storage/storageAccounts/listKeys/action`.
        action: String,
    },
    /// A verb on a Kubernetes resource.
    Kube(Access),
}

/// A list of grants that a data plane keeps itself, beside the role assignments of Azure.
pub struct OwnList<'a> {
    /// ARM path of the list.
    pub path: String,
    /// Its api-version.
    pub api_version: &'static str,
    /// Name of what is granted, for users.
    pub grant: &'a str,
    /// The resource, or the part of it, to which access is given.
    pub scope: String,
    /// Whether the properties of an entry are those of this grant, whoever gets it.
    pub fits: Box<dyn Fn(&Value) -> bool + Send + Sync + 'a>,
}

/// Result of examining a step.
pub struct Examined {
    /// The change that applying would make.
    pub change: Change,
    /// The goal of the change.
    pub goal: Goal,
    /// The receipt to record before the change.
    pub intent: Receipt,
    /// Permissions that the change needs.
    pub rights: Vec<Right>,
}

/// The behaviour of one kind of step.
#[async_trait]
pub trait Step: Send + Sync {
    /// Reads the object and returns the change needed for `goal`. `past` is the receipt from the record.
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined>;

    /// Makes the change. Idempotent: repeating it after an interruption ends in the same state.
    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt>;

    /// Permissions that deleting the object takes. Undoing asks for them before it has examined the step, so that the answers
    /// are there when they are needed.
    fn rights_to_delete(&self) -> Vec<Right> {
        Vec::new()
    }

    /// The list that holds the step's grant, for grants that the target keeps itself and that are not Azure role assignments.
    fn own_list(&self) -> Option<OwnList<'_>> {
        None
    }

    /// Has the service validate the change without storing it, if the service supports that. The workload step does
    /// this in every examination.
    async fn rehearse(&self, _cx: &Cx, _examined: &Examined) -> Result<()> {
        Ok(())
    }

    /// The current action, for progress: `creating identity id-web`.
    fn doing(&self, examined: &Examined) -> String {
        let verb = match examined.change.action {
            crate::plan::Action::Create => "creating",
            crate::plan::Action::Update => "updating",
            crate::plan::Action::Delete => "deleting",
            crate::plan::Action::NoOp => "checking",
        };
        format!("{verb} {} {}", examined.change.kind, examined.change.name)
    }
}
