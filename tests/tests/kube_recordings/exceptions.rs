//! Recorded steps that the stand-in does not reproduce, each with its reason. The list is checked to be exact.

/// Case, step, reason.
pub const EXCEPTIONS: &[(&str, usize, &str)] = &[];
