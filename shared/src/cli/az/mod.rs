//! The command line as `az connect` presents it.

pub mod names;
pub mod schema;
pub mod wording;
