//! What every kind of step can do: examine and apply, and what both hand over.

use async_trait::async_trait;
use serde_json::Value;

use super::context::Cx;
use crate::kube::Access;
use crate::model::Result;
use crate::plan::change::{Change, Goal};
use crate::plan::record::Receipt;

/// A right that a change needs, checked before the first write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// An ARM action at a scope.
    Arm {
        /// Scope of the action.
        scope: String,
        /// Like `Microsoft.Authorization/roleAssignments/write`.
        action: &'static str,
    },
    /// An ARM action that hands out keys.
    Keys {
        /// The resource.
        scope: String,
        /// Like `Microsoft.Storage/storageAccounts/listKeys/action`.
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

/// What a look at a step found.
pub struct Examined {
    /// What would be done.
    pub change: Change,
    /// What is brought about.
    pub goal: Goal,
    /// What is written down before it is done.
    pub intent: Receipt,
    /// Rights that doing it needs.
    pub rights: Vec<Right>,
}

/// One kind of step.
#[async_trait]
pub trait Step: Send + Sync {
    /// Looks (reads only) and says what would have to be done for `goal`. `past` is what the record says.
    async fn examine(&self, cx: &Cx, goal: Goal, past: Option<&Receipt>) -> Result<Examined>;

    /// Does it. Idempotent: doing it again after a kill ends in the same state.
    async fn apply(&self, cx: &Cx, examined: &Examined) -> Result<Receipt>;

    /// Rights that deleting takes, as far as the step names them before its object is looked at: asked for early, so that
    /// nobody waits for the answer later.
    fn rights_to_delete(&self) -> Vec<Right> {
        Vec::new()
    }

    /// The list of the target's own in which the step's grant stands, for grants that are no role assignments.
    fn own_list(&self) -> Option<OwnList<'_>> {
        None
    }

    /// Has the service check what would be applied, where it can without storing it. The workload is rehearsed at every
    /// look already.
    async fn rehearse(&self, _cx: &Cx, _examined: &Examined) -> Result<()> {
        Ok(())
    }

    /// What is being done, for progress: `creating identity id-web`.
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
