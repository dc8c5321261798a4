//! Verification: the chain from pod to data, link by link. `connect` ends with the three links that prove it (`proof`);
//! `verify` and `doctor` look at every link, each in a file of its own that only judges what `evidence` gathered.

use std::time::Duration;

use serde::Serialize;

use super::evidence::gather::Evidence;
use super::links::{account, cluster, csi, from_pod, grant, pods, target, trust, webhook, workload};
use super::{findings, proof};
use crate::catalogue::{self, Service};
use crate::engine::Session;
use crate::kube::{Cluster, Minted};
use crate::model::target::Target;
use crate::model::{Problem, Result, TOKEN_EXCHANGE_AUDIENCE};
use crate::plan::record::Record;

pub use super::proof::verify;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Success,
    /// Not tried, because an earlier one failed or because you may not look.
    Skipped,
    /// Works, but is not as it should be.
    Warning,
    /// Not as it should be.
    Error,
}

/// Why a proof failed, for telling the cause.
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
    /// Stable code: of the finding, or of the link where all is well.
    pub code: &'static str,
    /// Which part of the chain.
    #[serde(skip)]
    pub group: &'static str,
    /// What was tried, or what is wrong.
    pub description: String,
    /// How it ended.
    pub result: Outcome,
    /// What was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Why it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Where it is explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// Lines that show the difference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Why a proof failed.
    #[serde(skip)]
    pub refusal: Option<Refusal>,
}

impl Check {
    fn new(code: &'static str, group: &'static str, description: String, result: Outcome) -> Check {
        let (message, expected, fix, docs) = (None, None, None, None);
        Check { code, group, description, result, message, expected, why: None, fix, docs, details: Vec::new(), refusal: None }
    }

    /// A link that holds.
    pub fn ok(code: &'static str, group: &'static str, description: impl Into<String>, seen: impl Into<String>) -> Check {
        let seen = Some(seen.into()).filter(|s| !s.is_empty());
        Check { message: seen, ..Check::new(code, group, description.into(), Outcome::Success) }
    }

    /// A link that does not hold.
    pub fn failed(code: &'static str, group: &'static str, description: String, seen: String, fix: Option<String>) -> Check {
        Check { message: Some(seen), fix, ..Check::new(code, group, description, Outcome::Error) }
    }

    /// A link that was not tried.
    pub fn skipped(code: &'static str, group: &'static str, description: impl Into<String>, why: impl Into<String>) -> Check {
        let why = Some(why.into()).filter(|s| !s.is_empty());
        Check { message: why, ..Check::new(code, group, description.into(), Outcome::Skipped) }
    }

    /// With lines that show the difference.
    #[must_use]
    pub fn details(mut self, details: Vec<String>) -> Check {
        self.details = details;
        self
    }
}

/// Everything that a proof needs to know.
pub struct Chain<'a> {
    /// The record.
    pub record: &'a Record,
    /// Catalogue entry.
    pub service: &'a Service,
    /// The target.
    pub target: &'a Target,
    /// How long a refusal may be a matter of propagation; zero: every refusal counts at once.
    pub patience: Duration,
}

/// How long a fresh trust or grant may take to have effect (product documentation: up to 10 minutes for role
/// assignments).
pub const PROPAGATION: Duration = Duration::from_secs(600);

/// The target of a record as it is now; `None` when it is gone.
///
/// # Errors
/// What Azure says other than that it is absent.
pub async fn target_of(session: &Session, service: &Service, record: &Record) -> Result<Option<Target>> {
    crate::lookup::azure::read_target(session, service, &record.target).await
}

/// How to go through a chain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Looking {
    /// How long a refusal may be a matter of propagation; zero: every refusal counts at once.
    pub patience: Duration,
    /// Whether a pod of the workload is asked what it resolves the target's name to.
    pub from_pod: bool,
}

/// Goes through the whole chain of a connection.
///
/// # Errors
/// The cluster or Azure can't be reached at all.
pub async fn everything(session: &Session, record: &Record, how: Looking) -> Result<Vec<Check>> {
    let mint = Mint::default();
    // Links and proof need nothing of each other. What is wrong with the links is told first.
    let proof = async { Ok(prove(session, record, how.patience, &mint).await) };
    let evidence = async {
        let mut evidence = Evidence::of_record(session, record, &mint).await?;
        if how.from_pod {
            evidence.inside = from_pod::look(session, &evidence).await;
        }
        Ok::<_, Problem>(evidence)
    };
    let (evidence, proof) = tokio::try_join!(evidence, proof)?;
    let mut checks = judge(&evidence);
    match proof {
        None => {}
        Some(Ok(proof)) => {
            let proof: Vec<Check> = proof.into_iter().map(|check| explain(check, &evidence, &checks)).collect();
            checks.extend(proof);
        }
        // An unfinished connection has nothing to prove yet; what it lacks stands above.
        Some(Err(problem)) if problem.code() == "KC6009" => {
            checks.push(Check::skipped("KC5001", "proof", "prove that it works", problem.what()))
        }
        Some(Err(problem)) => return Err(problem),
    }
    Ok(checks)
}

/// The proof, where there is a target to prove it at. Its token is asked for meanwhile.
async fn prove(session: &Session, record: &Record, patience: Duration, mint: &Mint) -> Option<Result<Vec<Check>>> {
    let service = catalogue::find(&record.service)?;
    let token = async {
        if let Some(account) = record.service_account() {
            let _ = mint.token(&session.kube, &account.namespace, &account.name).await;
        }
    };
    let (target, ()) = tokio::join!(target_of(session, service, record), token);
    let target = target.ok().flatten()?;
    let chain = Chain { record, service, target: &target, patience };
    let arm = session.arm.with_tenant(&record.tenant);
    Some(proof::verify_with(&session.kube, &arm, &session.events, &chain, mint).await)
}

/// A token of the service account, asked for once for all who look at it.
#[derive(Default)]
pub(crate) struct Mint(tokio::sync::OnceCell<Result<Minted>>);

impl Mint {
    /// The token.
    pub(crate) async fn token(&self, kube: &Cluster, namespace: &str, account: &str) -> &Result<Minted> {
        let ask = || async { Ok(kube.mint_token(namespace, account, TOKEN_EXCHANGE_AUDIENCE, 600).await?) };
        self.0.get_or_init(ask).await
    }
}

/// Judges everything but the proof.
pub(crate) fn judge(evidence: &Evidence) -> Vec<Check> {
    let links = [
        cluster::judge,
        webhook::judge,
        account::judge,
        trust::judge,
        grant::judge,
        workload::judge,
        pods::judge,
        target::judge,
        from_pod::judge,
        csi::judge,
    ];
    links.iter().flat_map(|link| link(evidence)).collect()
}

/// Turns a failed proof into its cause: the one that was found above, or the one that the refusal itself names.
fn explain(check: Check, evidence: &Evidence, above: &[Check]) -> Check {
    let failed = |groups: &[&str]| above.iter().find(|c| c.result == Outcome::Error && groups.contains(&c.group));
    let because = |cause: &Check, check: &Check| {
        let seen = check.message.clone().unwrap_or_default();
        Check::skipped(check.code, check.group, check.description.clone(), format!("refused for the reason above, {}: {seen}", cause.code))
    };
    let seen = check.message.clone().unwrap_or_default();
    match &check.refusal {
        Some(Refusal::Entra(numbers)) => match failed(&["cluster", "service account", "trust"]) {
            Some(cause) => because(cause, &check),
            None => match numbers.iter().find_map(|n| findings::of_aadsts(*n)) {
                Some(finding) => findings::found(finding.code, seen, "", &evidence.facts().pairs()).details(trust::comparison(evidence)),
                None => check,
            },
        },
        Some(Refusal::DataPlane(..) | Refusal::Silence) => match failed(&["grant", "target"]) {
            Some(cause) => because(cause, &check),
            None => target::refused(&check, evidence).unwrap_or_else(|| grant::refused(check, evidence)),
        },
        None => check,
    }
}
