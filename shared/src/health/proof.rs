//! The proof that a connection works: a token of the service account, its exchange at Entra, and one read on the data
//! plane. These are the workload's own steps with the workload's identity. No secret value is read.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use secrecy::ExposeSecret;

use super::check::{Check, Refusal};
use super::evidence::token::Mint;
use crate::azure::{Arm, Exchange, Probe, Token};
use crate::catalogue::{Service, keyvault};
use crate::clock::Wait;
use crate::kube::Cluster;
use crate::model::propagation::PROPAGATION;
use crate::model::target::Target;
use crate::model::variable::Part;
use crate::model::vault::{ObjectKind, VaultObject};
use crate::model::{Events, Kind, Problem, Result, words};
use crate::plan::change::Goal;
use crate::plan::record::Record;
use crate::plan::spec::delivery::VaultSecret;
use crate::plan::spec::{Family, StepSpec};
use crate::steps::context::Cx;
use crate::steps::context::Run;

/// Runs the proof. Failures of the chain are in the returned checks.
///
/// # Errors
/// If the cluster or Azure can't be reached, or the record is incomplete.
pub async fn verify(kube: &Cluster, arm: &Arm, events: &Events, chain: &Chain<'_>) -> Result<Vec<Check>> {
    verify_with(kube, arm, events, chain, &Mint::default()).await
}

/// [`verify`] with a token that is shared with other checks.
pub(crate) async fn verify_with(kube: &Cluster, arm: &Arm, events: &Events, chain: &Chain<'_>, mint: &Mint) -> Result<Vec<Check>> {
    let record = chain.record;
    let account = record.service_account();
    if !record.auth.has_identity() && record.class().is_none() {
        return delivered(kube, arm, events, chain).await;
    }
    if record.class().is_some() && account.is_none() {
        return by_nodes(kube, arm, events, chain).await;
    }
    let (Some(account), Some(client_id)) = (account, record.client_id.as_deref()) else {
        return Err(Problem::new(Kind::Failed, "KC6009", format!("connection `{}` is not complete", record.name))
            .fix("repeat the command that made it"));
    };
    let (scope, reads) = reads(arm, chain);
    let token_text = format!("a token for service account {}/{}", account.namespace, account.name);
    let exchange_text = format!("exchange it at Entra for identity {client_id}");
    let untried = || reads.iter().map(|(text, _)| skipped("KC5003", text.clone()));
    let assertion = match mint.token(kube, &account.namespace, &account.name).await {
        Ok(minted) => minted,
        Err(problem) => {
            let fix = problem.fixes().first().cloned();
            let first = [failed("KC5001", format!("get {token_text}"), problem.to_string(), fix), skipped("KC5002", exchange_text)];
            return Ok(first.into_iter().chain(untried()).collect());
        }
    };
    let first = succeeded("KC5001", format!("got {token_text}"), String::new())
        .details(vec![format!("issuer {}", assertion.issuer), format!("subject {}", assertion.subject)]);
    let attempt = Attempt { arm, events, chain, began: Instant::now() };
    let token = match exchange(attempt, client_id, assertion.token.expose_secret(), &scope).await? {
        Ok(token) => token,
        Err(no) => return Ok([first, refused("KC5002", exchange_text, no)].into_iter().chain(untried()).collect()),
    };
    let second = succeeded("KC5002", exchange_text, "Entra accepted it".into());
    // One read for each mounted object; the reads are independent.
    let read = try_join_all(reads.iter().map(|(text, probe)| {
        let (text, token) = (text.clone(), &token);
        async move {
            let Some(probe) = probe else { return grants(kube, arm, events, chain, text).await };
            Ok(match read(attempt, probe, token).await? {
                Ok(message) if probe.decisive => succeeded("KC5003", text, message),
                Ok(message) => {
                    let checked = grants(kube, arm, events, chain, text).await?;
                    Check { message: checked.message.map(|m| format!("{message}, grant {m}")), ..checked }
                }
                Err(no) => refused("KC5003", text, no),
            })
        }
    }))
    .await?;
    let mut checks = vec![first, second];
    checks.extend(read);
    checks.extend(kept(kube, arm, events, chain).await?);
    Ok(checks)
}

/// The reads to make with the workload's identity, and the token's scope: every mounted object as the driver reads
/// it, or the service's probe. `None`: nothing can be read, so the grants are checked instead.
fn reads(arm: &Arm, chain: &Chain<'_>) -> (String, Vec<(String, Option<crate::catalogue::Probe>)>) {
    let (record, name) = (chain.record, chain.target.name());
    if let Some(class) = record.class() {
        let read = |o: &VaultObject| {
            let text = format!("with that identity, read {} {} of {}", o.kind.word(), o.name, class.vault);
            (text, keyvault::reading(&class.vault, arm.cloud(), o))
        };
        let all: Vec<_> = class.objects.iter().map(read).collect();
        let scope = all.first().map(|(_, probe)| probe.scope.clone()).unwrap_or_default();
        return (scope, all.into_iter().map(|(text, probe)| (text, Some(probe))).collect());
    }
    match (chain.service.probe)(chain.target, arm.cloud()) {
        // If the grant covers only a part of the target, the probe may be refused although the workload has access.
        Ok(probe) => {
            let text = format!("with that identity, {} at {name}", probe.what);
            let decisive = probe.decisive && !is_narrowed(record);
            (probe.scope.clone(), vec![(text, Some(crate::catalogue::Probe { decisive, ..probe }))])
        }
        // Without a probe, the trust is proven with a token for Azure Resource Manager.
        Err(why) => (arm.cloud().arm_scope(), vec![(format!("grant at {name} (the service itself is not contacted: {why})"), None)]),
    }
}

/// For keys stored in a vault: checks that they are the service's current keys. Values that the user gave can't be
/// compared.
async fn kept(kube: &Cluster, arm: &Arm, events: &Events, chain: &Chain<'_>) -> Result<Option<Check>> {
    let cx = context(kube, arm, events, chain.record);
    let given = |s: &VaultSecret| s.variable.parts().iter().any(|p| matches!(p, Part::Given { .. }));
    let mut seen = 0;
    let text = format!("its keys are the current keys of {}", chain.target.name());
    for step in chain.record.steps.iter().filter_map(VaultSecret::of) {
        if given(step) {
            continue;
        }
        seen += 1;
        if !step.is_current(&cx).await? {
            let (what, fix) =
                (format!("secret {} has another key: it was rotated", step.name), "repeat the command that made the connection");
            return Ok(Some(failed("KC5005", text, what, Some(fix.into()))));
        }
    }
    Ok((seen > 0).then(|| succeeded("KC5005", text, "compared with the service".into())))
}

/// For node identities: only nodes can get their tokens, so just the grant is checked.
async fn by_nodes(kube: &Cluster, arm: &Arm, events: &Events, chain: &Chain<'_>) -> Result<Vec<Check>> {
    let text = format!("grant at {} (the service itself is not contacted: only a node gets a token of that identity)", chain.target.name());
    Ok(vec![grants(kube, arm, events, chain, text).await?])
}

/// Whether access is limited to a part of the target.
fn is_narrowed(record: &Record) -> bool {
    record.steps.iter().any(|s| s.is_narrower_than(&record.target))
}

/// Checks the grants by examining their steps: they are in place if no change is needed.
async fn grants(kube: &Cluster, arm: &Arm, events: &Events, chain: &Chain<'_>, text: String) -> Result<Check> {
    let record = chain.record;
    // A grant names its identity by the object id, which the step of the identity tells.
    let wanted: Vec<StepSpec> = record.steps.iter().filter(|s| matches!(s.family(), Family::Identity | Family::Grant)).cloned().collect();
    if !wanted.iter().any(|s| s.family() == Family::Grant) {
        let (text, why) = match chain.service.secrets.contains(&"password") {
            true => (format!("database user aad_{}", record.name), format!("not checked (run the SQL of {})", chain.service.docs)),
            false => (format!("access to {}", chain.target.name()), format!("not checked ({})", chain.service.ungranted)),
        };
        return Ok(Check::skipped("KC5003", "proof", text, why));
    }
    let cx = context(kube, arm, events, record);
    let examined = crate::steps::examine::examine(&cx, &wanted, Goal::Present, &record.receipts).await?;
    let missing = examined.values().find(|e| e.change.writes());
    Ok(match missing {
        None => succeeded("KC5003", text, "found".into()),
        Some(e) => failed(
            "KC5003",
            text,
            format!("{} {} is missing", e.change.kind, e.change.name),
            Some("repeat the command that made the connection".into()),
        ),
    })
}

fn context(kube: &Cluster, arm: &Arm, events: &Events, record: &Record) -> Cx {
    Cx::new(arm, kube.afresh(), events, Run::of(record, PROPAGATION))
}

/// For connections without an identity: checks that the Secret is as recorded and has the service's current keys.
/// Values given by the user can't be checked: only the service could do that, and not every service speaks HTTP.
async fn delivered(kube: &Cluster, arm: &Arm, events: &Events, chain: &Chain<'_>) -> Result<Vec<Check>> {
    let cx = context(kube, arm, events, chain.record);
    let Some(secret) = chain.record.secret() else {
        return Err(Problem::new(Kind::Failed, "KC6009", format!("connection `{}` is not complete", chain.record.name))
            .fix("repeat the command that made it"));
    };
    let seen = secret.delivered(&cx).await?;
    let again = || Some("repeat the command that made the connection".to_owned());
    let there = format!("secret {} has every variable", secret.name);
    let first = match &seen.missing {
        Some(name) => failed("KC5004", there, format!("{name} is missing"), again()),
        None => succeeded("KC5004", there, words::count(secret.variables.len(), "variable")),
    };
    let mut checks = vec![first];
    if seen.fetched > 0 {
        let text = format!("its keys are the current keys of {}", chain.target.name());
        checks.push(match seen.stale {
            Some(name) => {
                let fix = format!("kubectl connect refresh {} -n {}", chain.record.name, chain.record.namespace);
                failed("KC5005", text, format!("{name} has another key: it was rotated"), Some(fix))
            }
            None if seen.missing.is_some() => skipped("KC5005", text),
            None => succeeded("KC5005", text, "compared with the service".into()),
        });
    }
    Ok(checks)
}

/// A refusal of Entra or of the target.
struct Refused {
    message: String,
    fix: String,
    cause: Refusal,
}

/// Data that both requests of the proof need.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    arm: &'a Arm,
    events: &'a Events,
    chain: &'a Chain<'a>,
    /// Start of the proof: a refusal may be due to propagation for the chain's patience from here on.
    began: Instant,
}

/// Grows from half a second to ten: most propagation takes seconds, some takes minutes.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(500u64.saturating_mul(1 << attempt.min(5)).min(10_000))
}

/// How to see what the vault has, where an object was not found there.
fn listing(chain: &Chain<'_>, url: &str) -> String {
    let objects = chain.record.class().map(|class| class.objects.as_slice()).unwrap_or_default();
    let kind = objects.iter().map(|o| o.kind).find(|kind| url.contains(&format!("/{}/", kind.collection())));
    let word = match kind {
        Some(ObjectKind::Key) => "key",
        Some(ObjectKind::Cert) => "certificate",
        Some(ObjectKind::Secret) | None => "secret",
    };
    format!("create it in the vault, or check the name: az keyvault {word} list --vault-name {} -o table", chain.target.name())
}

async fn exchange(attempt: Attempt<'_>, client_id: &str, assertion: &str, scope: &str) -> Result<Result<Token, Refused>> {
    let Attempt { arm, events, chain, began } = attempt;
    let mut wait = Wait::new(events, "verify", "waiting for Entra to apply the new trust").since(began);
    for tries in 0.. {
        let ask = Exchange { tenant: &chain.record.tenant, client_id, assertion, scope };
        let refused = match arm.exchange(&ask).await? {
            Ok(token) => return Ok(Ok(token)),
            Err(refused) => refused,
        };
        if !refused.may_be_propagation() || began.elapsed() + pause(tries) > chain.patience {
            let fix = format!(
                "compare: az identity federated-credential list --identity-name {} --resource-group {} -o table",
                identity(chain),
                group(chain)
            );
            return Ok(Err(Refused { message: refused.message, fix, cause: Refusal::Entra(refused.codes) }));
        }
        wait.pause(pause(tries)).await;
    }
    Ok(Err(Refused { message: String::new(), fix: String::new(), cause: Refusal::Silence }))
}

async fn read(attempt: Attempt<'_>, probe: &crate::catalogue::Probe, token: &Token) -> Result<Result<String, Refused>> {
    let Attempt { arm, events, chain, began } = attempt;
    let why = format!("waiting for the grant to take effect in {}", chain.target.name());
    let mut wait = Wait::new(events, "verify", why).since(began);
    let headers = probe.headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let ask = Probe { url: probe.url.clone(), headers, cosmos: probe.cosmos };
    for tries in 0.. {
        let answer = match arm.probe(&ask, token).await {
            Ok(answer) => answer,
            Err(failure) => {
                let problem = Problem::from(failure);
                let fix = problem.fixes().first().cloned().unwrap_or_else(|| format!("see {}", chain.service.docs));
                return Ok(Err(Refused { message: problem.to_string(), fix, cause: Refusal::Silence }));
            }
        };
        if answer.status < 300 {
            return Ok(Ok("allowed".into()));
        }
        if !probe.decisive && matches!(answer.status, 401 | 403 | 404 | 405) {
            return Ok(Ok("reached; this read needs more permissions than the workload has".into()));
        }
        let inner = answer.inner_code.as_deref().or(answer.code.as_deref()).unwrap_or_default().to_owned();
        let network = ["ForbiddenByFirewall", "ForbiddenByConnection"].contains(&inner.as_str());
        let retry = matches!(answer.status, 401 | 403) && !network;
        if !retry || began.elapsed() + pause(tries) > chain.patience {
            let message = format!("HTTP {} {inner}: {}", answer.status, answer.message.unwrap_or_default());
            let fix = if network {
                format!("open the network access: the {} refuses calls from this machine", chain.service.noun)
            } else if retry {
                format!(
                    "az role assignment list --scope {} --assignee {} -o table",
                    chain.target.id,
                    chain.record.client_id.clone().unwrap_or_default()
                )
            } else if answer.status == 404 && chain.record.class().is_some() {
                listing(chain, &probe.url)
            } else {
                format!("see {}", chain.service.docs)
            };
            let message = message.trim().trim_end_matches(':').to_owned();
            return Ok(Err(Refused { message, fix, cause: Refusal::DataPlane(answer.status, inner) }));
        }
        wait.pause(pause(tries)).await;
    }
    Ok(Ok(String::new()))
}

fn identity<'a>(chain: &'a Chain<'_>) -> &'a str {
    chain.record.identity().map_or("", |i| i.name())
}

fn group<'a>(chain: &'a Chain<'_>) -> &'a str {
    chain.record.identity().map_or("", |i| i.resource_group())
}

fn succeeded(code: &'static str, description: String, message: String) -> Check {
    Check::ok(code, "proof", description, message)
}

fn failed(code: &'static str, description: String, message: String, fix: Option<String>) -> Check {
    Check::failed(code, "proof", description, message, fix)
}

fn refused(code: &'static str, description: String, refused: Refused) -> Check {
    Check { refusal: Some(refused.cause), ..failed(code, description, refused.message, Some(refused.fix)) }
}

fn skipped(code: &'static str, description: String) -> Check {
    Check::skipped(code, "proof", description, "")
}

/// Inputs of a proof.
pub struct Chain<'a> {
    /// The record.
    pub record: &'a Record,
    /// Catalogue entry.
    pub service: &'a Service,
    /// The target.
    pub target: &'a Target,
    /// For how long a refusal may be due to propagation; zero: every refusal counts at once.
    pub patience: Duration,
}
