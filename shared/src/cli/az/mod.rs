//! The command line as `az connect` has it.

pub mod names;
pub mod schema;
pub mod wording;
