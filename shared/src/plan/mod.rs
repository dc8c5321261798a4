//! Planning: the desired steps, the changes that they need, and the order of the steps. Pure: facts in, plan out.

pub mod build;
pub mod change;
pub mod graph;
pub mod record;
pub mod spec;
#[cfg(test)]
pub(crate) mod testing;

pub use change::{Action, Attribute, Change, Detail, Goal, Granted, Layer, Plan, Subject};
pub use record::{Ownership, Phase, Receipt, Record};
pub use spec::{StepId, StepSpec};
