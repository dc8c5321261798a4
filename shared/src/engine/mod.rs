//! The engine: looks up, plans, applies, verifies and records; resumes and undoes. Knows neither terminal nor command
//! line.

pub mod apply;
pub mod prepare;
pub mod record;
pub mod report;
mod stop;
pub mod undo;
pub mod upkeep;

pub use self::prepare::asked::refuse_store;
pub use self::prepare::delivery::MOUNT_PATH;
pub use self::stop::{Stop, Writing};
