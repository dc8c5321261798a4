//! What a person at a terminal gets: completion while typing, questions for what a command line lacks, and consent.

pub mod complete;
pub mod consent;
pub mod guided;
