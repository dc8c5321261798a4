//! The steps of a connection as data: the desired state, object by object. The record stores them, so that a later
//! run (on another machine, or of another version) can continue or undo the same steps.

pub mod access;
pub(crate) mod defaults;
pub mod delivery;
pub mod family;
pub(crate) mod list;
pub mod trust;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::list::every_step;
use crate::model::ResourceId;

pub use self::access::*;
pub use self::delivery::*;
pub use self::family::{Family, Need, Spec, StepId, Thing};
pub use self::trust::*;

/// Makes the types of steps from the list of kinds.
macro_rules! types {
    ($($(#[$doc:meta])* $kind:ident: $family:ident, $word:tt, $title:literal;)*) => {
        /// The desired state of one object.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "step")]
        pub enum StepSpec {
            $($(#[$doc])* #[serde(rename = $word)] $kind($kind),)*
        }

        /// The kinds of steps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum StepKind {
            $($(#[$doc])* $kind,)*
        }

        impl StepKind {
            /// All kinds, in the order of the list.
            pub const ALL: &[StepKind] = &[$(StepKind::$kind,)*];

            /// The word for the kind in records: `roleAssignment`.
            pub fn as_str(self) -> &'static str {
                match self { $(StepKind::$kind => $word,)* }
            }

            /// The kind as shown to users.
            pub fn title(self) -> &'static str {
                match self { $(StepKind::$kind => $title,)* }
            }

            /// The family of the kind.
            pub fn family(self) -> Family {
                match self { $(StepKind::$kind => Family::$family,)* }
            }
        }

        impl StepSpec {
            /// The kind of the step.
            pub fn kind(&self) -> StepKind {
                match self { $(StepSpec::$kind(_) => StepKind::$kind,)* }
            }

            fn spec(&self) -> &dyn Spec {
                match self { $(StepSpec::$kind(spec) => spec,)* }
            }

            fn spec_mut(&mut self) -> &mut dyn Spec {
                match self { $(StepSpec::$kind(spec) => spec,)* }
            }
        }

        $(
            impl $kind {
                /// The content of `step`, if the step is of this kind.
                pub fn of(step: &StepSpec) -> Option<&Self> {
                    match step {
                        StepSpec::$kind(spec) => Some(spec),
                        _ => None,
                    }
                }
            }

            impl From<$kind> for StepSpec {
                fn from(spec: $kind) -> StepSpec {
                    StepSpec::$kind(spec)
                }
            }
        )*
    };
}

every_step!(types);

impl StepSpec {
    /// The step's id within the connection. Records hold the id, so it must not change between versions.
    pub fn id(&self) -> StepId {
        self.spec().id()
    }

    /// The family of the step's kind.
    pub fn family(&self) -> Family {
        self.kind().family()
    }

    /// What the step waits for.
    pub fn needs(&self) -> Vec<Need> {
        self.spec().needs()
    }

    /// Whether the step is one of those that `need` names.
    pub fn meets(&self, need: &Need) -> bool {
        match need {
            Need::Family(family) => self.family() == *family,
            Need::Thing(thing) => self.thing() == *thing,
        }
    }

    /// Lock of the step; steps with the same lock run one at a time.
    pub fn lock(&self) -> Option<String> {
        self.spec().lock()
    }

    /// The object that the step is about. Two connections that share the object have the same key for it.
    pub fn thing(&self) -> Thing {
        self.spec().thing()
    }

    /// The role or policy that the step grants, and the name of what it is granted at.
    pub fn grants(&self) -> Option<(&str, &str)> {
        self.spec().grants()
    }

    /// Whether the step gives access to a part of `target` only.
    pub fn is_narrower_than(&self, target: &ResourceId) -> bool {
        self.spec().is_narrower_than(target)
    }

    /// The step about the same object, if somebody else has set that object up: it is read and never written.
    #[must_use]
    pub fn taken_over(mut self) -> StepSpec {
        self.spec_mut().take_over();
        self
    }
}

/// This tool's tag for Azure resources. Tag names can't contain a slash, so the tag is the bare prefix.
pub fn tags(owner: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(crate::model::PREFIX.to_owned(), owner.to_owned())])
}

#[cfg(test)]
mod tests;
