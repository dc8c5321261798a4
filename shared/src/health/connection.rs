//! Verification of the chain from pod to data, link by link. `connect` ends with the three links that prove it
//! (`proof`). `verify` and `doctor` check all links; each link has a file that only evaluates the gathered evidence.

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

/// The current target of a record; `None` if it no longer exists.
///
/// # Errors
/// Errors of Azure, except an absent target.
pub async fn target_of(session: &Session, service: &Service, record: &Record) -> Result<Option<Target>> {
    crate::lookup::resources::read_target(session, service, &record.target).await
}

/// Options of a verification.
#[derive(Clone, Copy, Debug, Default)]
pub struct Looking {
    /// For how long a refusal may be due to propagation; zero: every refusal counts at once.
    pub patience: Duration,
    /// Whether a pod of the workload resolves the target's host name.
    pub from_pod: bool,
}

/// Verifies the whole chain of a connection.
///
/// # Errors
/// If the cluster or Azure can't be reached at all.
pub async fn everything(session: &Session, record: &Record, how: Looking) -> Result<Vec<Check>> {
    let mint = Mint::default();
    // Links and proof are independent, so both run concurrently. Problems of the links are reported first.
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
        // An unfinished connection can't be proven; the checks above show what is missing.
        Some(Err(problem)) if problem.code() == "KC6009" => {
            checks.push(Check::skipped("KC5001", "proof", "prove that it works", problem.what()))
        }
        Some(Err(problem)) => return Err(problem),
    }
    Ok(checks)
}

/// The proof, if the target exists. The token is requested while the target is read.
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

/// Evaluates all links except the proof.
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

/// Replaces a failed proof by its cause: a failed link found above, or the one named by the refusal.
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
