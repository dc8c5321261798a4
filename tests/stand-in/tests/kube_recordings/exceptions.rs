//! Recorded steps that the stand-in does not reproduce, with reasons. A test checks that the list is exact.

const TABLE: &str = "tables have the columns that people look at, without the server's long descriptions";
const POLICY: &str = "admission policies, quotas and pod security are not simulated";
const TRIMMED: &str = "the recording was trimmed, and the stand-in serves fewer kinds than the real server";

/// Case, step, reason.
pub const EXCEPTIONS: &[(&str, usize, &str)] = &[
    ("accept-tables", 2, TABLE),
    ("accept-tables", 3, TABLE),
    ("accept-tables", 7, TABLE),
    ("admission-policy", 2, POLICY),
    ("admission-policy", 3, POLICY),
    ("admission-policy", 4, POLICY),
    ("admission-policy", 5, POLICY),
    ("admission-policy", 6, POLICY),
    ("admission-policy", 7, POLICY),
    ("admission-policy", 10, POLICY),
    ("admission-policy", 12, POLICY),
    ("discovery", 2, TRIMMED),
    ("discovery", 3, TRIMMED),
    ("discovery", 11, TRIMMED),
    ("discovery", 12, TRIMMED),
];
