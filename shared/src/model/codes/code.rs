//! What is known about a code.

use crate::model::problem::Kind;

/// What one code means.
pub struct Code {
    /// The code itself: `KC` and four digits.
    pub code: &'static str,
    /// The kind of failure, which decides the exit code.
    pub kind: Kind,
    /// What happened, without a final stop.
    pub meaning: &'static str,
    /// What helps, without a final stop; words in capitals are to be filled in.
    pub advice: &'static str,
}

pub(super) const fn code(code: &'static str, kind: Kind, meaning: &'static str, advice: &'static str) -> Code {
    Code { code, kind, meaning, advice }
}
