//! The steps: one file per kind of object. Each step can examine its object and apply the change that the examination
//! found. Creating and deleting are the same step with different goals, so there is no separate list for undoing.

pub(crate) mod access;
pub mod context;
pub(crate) mod delivery;
pub(crate) mod examine;
pub(crate) mod marks;
pub mod outputs;
mod ownership;
pub mod step;
pub(crate) mod trust;

use self::step::Step;
use crate::plan::spec::StepSpec;
use crate::plan::spec::list::every_step;

pub use self::delivery::pod_template::patch as workload_patch;
pub(crate) use self::delivery::workload::Known as WorkloadKnown;
pub(crate) use self::trust::cluster_features::{addon_identity, is_busy as cluster_is_busy};

/// Makes [`behaviour`] from the list of kinds.
macro_rules! behaviours {
    ($($(#[$doc:meta])* $kind:ident: $family:ident, $word:tt, $title:literal;)*) => {
        /// The behaviour of a step.
        pub fn behaviour(spec: &StepSpec) -> &dyn Step {
            match spec { $(StepSpec::$kind(step) => step,)* }
        }
    };
}

every_step!(behaviours);
