//! What every kind of step says about itself: the thing that the step is about, what the step waits for, and its lock.
//! Order, undoing and explaining follow from these answers, so no other room needs a list of kinds.

use std::fmt;

use crate::model::ResourceId;

/// Id of a step within its connection: `identity`, `role:<GUID>`.
pub type StepId = String;

/// A group of kinds that play the same part in a connection. The order of the families is the order in which a reader
/// meets them: first the identity that is trusted, then what lets it in, then what the workload gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Features of the cluster itself.
    Cluster,
    /// The identity as which the workload acts.
    Identity,
    /// What makes Entra take the service account for that identity.
    Trust,
    /// What lets the identity in at the target.
    Grant,
    /// What brings values to the cluster or to a vault.
    Delivery,
    /// The workload's own object.
    Workload,
}

/// Key of the object that a step is about. Two connections that share an object have the same key for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thing(String);

impl Thing {
    /// The key of an Azure resource in a certain role: `identity /subscriptions/…`. Services answer ids in any case.
    pub(crate) fn azure(what: &str, id: &ResourceId) -> Thing {
        Thing(format!("{what} {}", id.as_str().to_ascii_lowercase()))
    }

    /// The key of anything else: `secret shop/keyvault-v`.
    pub(crate) fn named(what: &str, name: impl fmt::Display) -> Thing {
        Thing(format!("{what} {name}"))
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What must be finished before a step begins. A need that no step of the connection meets holds nothing up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Every step of the family.
    Family(Family),
    /// The step about this very thing.
    Thing(Thing),
}

/// What a kind of step says about itself.
pub trait Spec {
    /// The step's id within the connection. Records hold the id, so it must not change between versions.
    fn id(&self) -> StepId;

    /// The object that the step is about.
    fn thing(&self) -> Thing;

    /// What the step waits for.
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    /// Lock of the step; steps with the same lock run one at a time.
    fn lock(&self) -> Option<String> {
        None
    }

    /// The role or policy that the step grants, and the name of what it is granted at.
    fn grants(&self) -> Option<(&str, &str)> {
        None
    }

    /// Whether the step gives access to a part of `target` only.
    fn is_narrower_than(&self, _target: &ResourceId) -> bool {
        false
    }

    /// Makes the step one about an object that somebody else set up: the object is read and never written.
    fn take_over(&mut self) {}
}
