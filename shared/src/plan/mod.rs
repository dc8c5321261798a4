//! Planning: what must be so, what differs, and in which order it can be made so. Pure: facts come in, a plan goes out.

pub mod build;
pub mod change;
pub mod graph;
pub mod record;
pub mod spec;

pub use change::{Action, Attribute, Change, Detail, Goal, Granted, Layer, Plan, Subject};
pub use record::{Ownership, Phase, Receipt, Record};
pub use spec::{StepId, StepSpec};
