//! Verification: the chain from pod to data, link by link. `connect` ends with the three links that prove it (`proof`);
//! `verify` and `doctor` look at every link, each in a file of its own that only judges what `evidence` gathered.

use std::time::Duration;

use super::check::{Check, Outcome, Refusal};
use super::evidence::seen::Evidence;
use super::evidence::token::Mint;
use super::findings;
use super::links::{account, cluster, csi, from_pod, grant, pods, target, trust, webhook, workload};
use super::proof::{self, Chain};
use crate::catalogue::{self, Service};
use crate::lookup::session::Session;
use crate::model::target::Target;
use crate::model::{Problem, Result};
use crate::plan::record::Record;

pub use super::proof::verify;

/// The target of a record as it is now; `None` when it is gone.
///
/// # Errors
/// What Azure says other than that it is absent.
pub async fn target_of(session: &Session, service: &Service, record: &Record) -> Result<Option<Target>> {
    crate::lookup::resources::read_target(session, service, &record.target).await
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
            evidence.inside = crate::health::evidence::from_pod::look(session, &evidence).await;
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
                Some(finding) => {
                    crate::health::check::found(finding.code, seen, "", &evidence.facts().pairs()).details(trust::comparison(evidence))
                }
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
