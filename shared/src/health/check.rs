//! One check of the chain, with its result.

use serde::Serialize;

use crate::health::findings::{Facts, find};

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As expected.
    Success,
    /// Not checked, because an earlier check failed or a permission is missing.
    Skipped,
    /// Works, but should be changed.
    Warning,
    /// Does not work.
    Error,
}

/// How a proof was refused; used to find the cause.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// Entra's error numbers.
    Entra(Vec<u32>),
    /// The data plane's status and innermost code.
    DataPlane(u16, String),
    /// There was no answer.
    Silence,
}

/// One link of the chain.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Stable code of the finding; of the link if the check succeeded.
    pub code: &'static str,
    /// The part of the chain.
    #[serde(skip)]
    pub group: &'static str,
    /// What was checked, or what is wrong.
    pub description: String,
    /// Result.
    pub result: Outcome,
    /// What was observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Why it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
    /// How to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Documentation of the finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// Lines that show the difference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// How a proof was refused.
    #[serde(skip)]
    pub refusal: Option<Refusal>,
}

impl Check {
    fn new(code: &'static str, group: &'static str, description: String, result: Outcome) -> Check {
        let (message, expected, fix, docs) = (None, None, None, None);
        Check { code, group, description, result, message, expected, why: None, fix, docs, details: Vec::new(), refusal: None }
    }

    /// A successful check.
    pub fn ok(code: &'static str, group: &'static str, description: impl Into<String>, seen: impl Into<String>) -> Check {
        let seen = Some(seen.into()).filter(|s| !s.is_empty());
        Check { message: seen, ..Check::new(code, group, description.into(), Outcome::Success) }
    }

    /// A failed check.
    pub fn failed(code: &'static str, group: &'static str, description: String, seen: String, fix: Option<String>) -> Check {
        Check { message: Some(seen), fix, ..Check::new(code, group, description, Outcome::Error) }
    }

    /// A check that was skipped.
    pub fn skipped(code: &'static str, group: &'static str, description: impl Into<String>, why: impl Into<String>) -> Check {
        let why = Some(why.into()).filter(|s| !s.is_empty());
        Check { message: why, ..Check::new(code, group, description.into(), Outcome::Skipped) }
    }

    /// Adds lines that show the difference.
    #[must_use]
    pub fn details(mut self, details: Vec<String>) -> Check {
        self.details = details;
        self
    }
}

/// A failed check with a finding: `seen` instead of `expected`.
pub fn found(code: &'static str, seen: impl Into<String>, expected: impl Into<String>, facts: Facts<'_>) -> Check {
    let expected = Some(expected.into()).filter(|e| !e.is_empty());
    match find(code) {
        Some(finding) => Check {
            code,
            group: finding.group,
            description: finding.title.to_owned(),
            result: if finding.warning { Outcome::Warning } else { Outcome::Error },
            message: Some(seen.into()),
            expected,
            why: Some(finding.why),
            fix: Some(finding.remedy(facts)),
            docs: Some(finding.anchor()),
            refusal: None,
            details: Vec::new(),
        },
        // Only for codes that are missing from the table; a test finds those.
        None => Check { code, expected, ..Check::failed(code, "other", String::new(), seen.into(), None) },
    }
}

/// Whether no check failed.
pub fn is_success(checks: &[Check]) -> bool {
    checks.iter().all(|c| c.result != Outcome::Error)
}
