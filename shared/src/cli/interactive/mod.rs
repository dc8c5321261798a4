//! Interaction with a user at a terminal: completion, questions for missing arguments, and consent.

pub mod complete;
pub mod consent;
pub mod guided;
