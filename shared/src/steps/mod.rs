//! The steps: one file per kind of object. Each step can examine its object and apply the change that the examination
//! found. Creating and deleting are the same step with different goals, so there is no separate list for undoing.

pub(crate) mod access;
pub mod context;
pub(crate) mod delivery;
pub(crate) mod examine;
pub(crate) mod marks;
mod ownership;
pub mod step;
pub(crate) mod trust;

use self::step::Step;
use crate::plan::spec::StepSpec;

pub use self::delivery::pod_template::patch as workload_patch;
pub(crate) use self::trust::cluster_features::{addon_identity, is_busy as cluster_is_busy};

/// The behaviour of a step.
pub fn behaviour(spec: &StepSpec) -> &dyn Step {
    match spec {
        StepSpec::ClusterFeatures(s) => s,
        StepSpec::Identity(s) => s,
        StepSpec::RoleAssignment(s) => s,
        StepSpec::VaultPolicy(s) => s,
        StepSpec::CosmosRole(s) => s,
        StepSpec::RedisPolicy(s) => s,
        StepSpec::FederatedCredential(s) => s,
        StepSpec::ServiceAccount(s) => s,
        StepSpec::Secret(s) => s,
        StepSpec::SecretProviderClass(s) => s,
        StepSpec::VaultSecret(s) => s,
        StepSpec::Workload(s) => s,
    }
}
