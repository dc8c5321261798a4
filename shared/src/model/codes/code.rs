//! The explanation of a code.

use crate::model::problem::Kind;

/// The explanation of one code.
pub struct Code {
    /// The code itself: `KC` and four digits.
    pub code: &'static str,
    /// The kind of failure, which decides the exit code.
    pub kind: Kind,
    /// The meaning, without a final stop.
    pub meaning: &'static str,
    /// How to solve it, without a final stop. Words in capitals are placeholders.
    pub advice: &'static str,
}

pub(super) const fn code(code: &'static str, kind: Kind, meaning: &'static str, advice: &'static str) -> Code {
    Code { code, kind, meaning, advice }
}
