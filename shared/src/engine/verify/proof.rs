//! Proof that a connection works: a token of the service account, its exchange at Entra, one read on the data plane.
//! Exactly what the workload does, with the workload's own identity. No secret value is read.

use std::time::{Duration, Instant};

use super::{Chain, Check, PROPAGATION, Refusal};
use crate::azure::{Arm, Exchange, Probe, Token};
use crate::engine::prepare;
use crate::kube::Cluster;
use crate::model::{Event, Events, Kind, Problem, Result, TOKEN_EXCHANGE_AUDIENCE};
use crate::plan::change::Goal;
use crate::plan::record::Record;
use crate::plan::spec::StepSpec;
use crate::steps::{Cx, KubeReads};
use secrecy::ExposeSecret;

/// Goes through the chain. Fails only where it can't even try; what it finds is in the checks.
///
/// # Errors
/// The cluster or Azure can't be reached, or the record is incomplete.
pub async fn verify(kube: &Cluster, arm: &Arm, events: &Events, chain: &Chain<'_>) -> Result<Vec<Check>> {
    let record = chain.record;
    let account = record.service_account();
    if !record.auth.has_identity() {
        return delivered(kube, arm, events, chain).await;
    }
    let (Some(account), Some(client_id)) = (account, record.client_id.as_deref()) else {
        return Err(Problem::new(Kind::Failed, "KC6009", format!("connection `{}` is not complete", record.name))
            .fix("run the command that made it again"));
    };
    // A grant on a part of the target lets nobody read the whole of it: then a refusal is no verdict.
    let probe = (chain.service.probe)(chain.target, arm.cloud())
        .map(|probe| crate::catalogue::Probe { decisive: probe.decisive && !is_narrowed(record), ..probe });
    // Without a read of its own the trust is proven with a token for Azure itself.
    let (scope, what) = match &probe {
        Ok(probe) => (probe.scope.clone(), format!("with that identity, {} at {}", probe.what, chain.target.name())),
        Err(why) => (arm.cloud().arm_scope(), format!("the grant is in place ({} is not read: {why})", chain.target.name())),
    };
    let began = Instant::now();
    let (token_text, exchange_text, data_text) =
        (format!("mint a token of service account {}", account.name), format!("exchange it at Entra for identity {client_id}"), what);
    let assertion = match kube.mint_token(&account.namespace, &account.name, TOKEN_EXCHANGE_AUDIENCE, 600).await {
        Ok(minted) => minted,
        Err(failure) => {
            let problem = Problem::from(failure);
            let fix = problem.fixes().first().cloned();
            return Ok(vec![
                failed("KC5001", token_text, problem.to_string(), fix),
                skipped("KC5002", exchange_text),
                skipped("KC5003", data_text),
            ]);
        }
    };
    let first = succeeded("KC5001", token_text, format!("{} for {}", assertion.issuer, assertion.subject));
    let token = match exchange(arm, events, chain, client_id, assertion.token.expose_secret(), &scope, began).await? {
        Ok(token) => token,
        Err(no) => return Ok(vec![first, refused("KC5002", exchange_text, no), skipped("KC5003", data_text)]),
    };
    let second = succeeded("KC5002", exchange_text, "Entra accepted it".into());
    let third = match &probe {
        Ok(probe) => match read(arm, events, chain, probe, &token, began).await? {
            Ok(message) if probe.decisive => succeeded("KC5003", data_text, message),
            Ok(message) => {
                let checked = grants(kube, arm, events, chain, data_text).await?;
                Check { message: checked.message.map(|m| format!("{message}; {m}")), ..checked }
            }
            Err(no) => refused("KC5003", data_text, no),
        },
        Err(_) => grants(kube, arm, events, chain, data_text).await?,
    };
    Ok(vec![first, second, third])
}

/// Whether access was given to a part of the target only.
fn is_narrowed(record: &Record) -> bool {
    record.steps.iter().any(|s| match s {
        StepSpec::RoleAssignment(s) => s.scope != record.target,
        StepSpec::CosmosRole(s) => !s.path.is_empty(),
        _ => false,
    })
}

/// Looks at the grants as the plan would: they are in place when nothing would have to be done.
async fn grants(kube: &Cluster, arm: &Arm, events: &Events, chain: &Chain<'_>, text: String) -> Result<Check> {
    let record = chain.record;
    let wanted: Vec<StepSpec> = record
        .steps
        .iter()
        .filter(|s| {
            use StepSpec::{CosmosRole, Identity, RedisPolicy, RoleAssignment, VaultPolicy};
            matches!(s, Identity(_) | RoleAssignment(_) | VaultPolicy(_) | CosmosRole(_) | RedisPolicy(_))
        })
        .cloned()
        .collect();
    if wanted.iter().all(|s| matches!(s, StepSpec::Identity(_))) {
        return Ok(succeeded("KC5003", text, format!("nothing to look at: {}", chain.service.ungranted)));
    }
    let cx = context(kube, arm, events, record);
    let examined = prepare::examine(&cx, &wanted, Goal::Present, &record.receipts).await?;
    let missing = examined.values().find(|e| e.change.writes());
    Ok(match missing {
        None => succeeded("KC5003", text, "in place".into()),
        Some(e) => failed(
            "KC5003",
            text,
            format!("{} {} is missing", e.change.kind, e.change.name),
            Some("run the command that made the connection again".into()),
        ),
    })
}

fn context(kube: &Cluster, arm: &Arm, events: &Events, record: &Record) -> Cx {
    let (connection, namespace, tenant) = (record.name.clone(), record.namespace.clone(), record.tenant.clone());
    Cx::new(arm.clone(), kube.clone(), events.clone(), connection, namespace, tenant, vec![], PROPAGATION, KubeReads::default())
}

/// For connections without an identity: the Secret is as recorded, and its keys are those that the service has now. What
/// the user gave is not tried: only the service itself could tell, and not every service can be asked over HTTP.
async fn delivered(kube: &Cluster, arm: &Arm, events: &Events, chain: &Chain<'_>) -> Result<Vec<Check>> {
    let cx = context(kube, arm, events, chain.record);
    let Some(secret) = chain.record.secret() else {
        return Err(Problem::new(Kind::Failed, "KC6009", format!("connection `{}` is not complete", chain.record.name))
            .fix("run the command that made it again"));
    };
    let seen = secret.delivered(&cx).await?;
    let again = || Some("run the command that made the connection again".to_owned());
    let there = format!("secret {} holds every variable", secret.name);
    let first = match &seen.missing {
        Some(name) => failed("KC5004", there, format!("{name} is not there"), again()),
        None => succeeded("KC5004", there, format!("{} variable(s)", secret.variables.len())),
    };
    let mut checks = vec![first];
    if seen.fetched > 0 {
        let text = format!("its keys are those that {} has now", chain.target.name());
        checks.push(match seen.stale {
            Some(name) => {
                let fix = format!("kubectl connect refresh {} -n {}", chain.record.name, chain.record.namespace);
                failed("KC5005", text, format!("{name} holds another key: it was rotated"), Some(fix))
            }
            None if seen.missing.is_some() => skipped("KC5005", text),
            None => succeeded("KC5005", text, "compared with a fresh answer".into()),
        });
    }
    Ok(checks)
}

/// What was said, what to do about it, and what it was.
type Refused = (String, String, Refusal);

/// Grows from half a second to ten: most propagation takes seconds, some takes minutes.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(500u64.saturating_mul(1 << attempt.min(5)).min(10_000))
}

async fn exchange(
    arm: &Arm,
    events: &Events,
    chain: &Chain<'_>,
    client_id: &str,
    assertion: &str,
    scope: &str,
    began: Instant,
) -> Result<Result<Token, Refused>> {
    for attempt in 0.. {
        let ask = Exchange { tenant: &chain.record.tenant, client_id, assertion, scope };
        let refused = match arm.exchange(&ask).await? {
            Ok(token) => return Ok(Ok(token)),
            Err(refused) => refused,
        };
        if !refused.may_be_propagation() || began.elapsed() + pause(attempt) > chain.patience {
            let fix = format!(
                "compare: az identity federated-credential list --identity-name {} --resource-group {} -o table",
                identity(chain),
                group(chain)
            );
            return Ok(Err((refused.message, fix, Refusal::Entra(refused.codes))));
        }
        wait(events, attempt, format!("waiting for Entra to know the new trust ({} s so far)", began.elapsed().as_secs())).await;
    }
    Ok(Err((String::new(), String::new(), Refusal::Silence)))
}

async fn read(
    arm: &Arm,
    events: &Events,
    chain: &Chain<'_>,
    probe: &crate::catalogue::Probe,
    token: &Token,
    began: Instant,
) -> Result<Result<String, Refused>> {
    let headers = probe.headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let ask = Probe { url: probe.url.clone(), headers, cosmos: probe.cosmos };
    for attempt in 0.. {
        let answer = match arm.probe(&ask, token).await {
            Ok(answer) => answer,
            Err(failure) => {
                let problem = Problem::from(failure);
                let fix = problem.fixes().first().cloned().unwrap_or_else(|| format!("see {}", chain.service.docs));
                return Ok(Err((problem.to_string(), fix, Refusal::Silence)));
            }
        };
        if answer.status < 300 {
            return Ok(Ok("allowed".into()));
        }
        if !probe.decisive && matches!(answer.status, 401 | 403 | 404 | 405) {
            return Ok(Ok("reached; this read takes more rights than the workload needs".into()));
        }
        let inner = answer.inner_code.as_deref().or(answer.code.as_deref()).unwrap_or_default().to_owned();
        let network = ["ForbiddenByFirewall", "ForbiddenByConnection"].contains(&inner.as_str());
        let retry = matches!(answer.status, 401 | 403) && !network;
        if !retry || began.elapsed() + pause(attempt) > chain.patience {
            let message = format!("HTTP {} {inner}: {}", answer.status, answer.message.unwrap_or_default());
            let fix = if network {
                format!("open the network way: the {} does not take calls from here", chain.service.noun)
            } else if retry {
                format!(
                    "az role assignment list --scope {} --assignee {} -o table",
                    chain.target.id,
                    chain.record.client_id.clone().unwrap_or_default()
                )
            } else {
                format!("see {}", chain.service.docs)
            };
            return Ok(Err((message.trim().trim_end_matches(':').to_owned(), fix, Refusal::DataPlane(answer.status, inner))));
        }
        wait(
            events,
            attempt,
            format!("waiting for the grant to take effect in {} ({} s so far)", chain.target.name(), began.elapsed().as_secs()),
        )
        .await;
    }
    Ok(Ok(String::new()))
}

async fn wait(events: &Events, attempt: u32, why: String) {
    events.say(Event::Waiting { id: "verify".into(), why });
    tokio::time::sleep(pause(attempt)).await;
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

fn refused(code: &'static str, description: String, (message, fix, refusal): Refused) -> Check {
    Check { refusal: Some(refusal), ..failed(code, description, message, Some(fix)) }
}

fn skipped(code: &'static str, description: String) -> Check {
    Check::skipped(code, "proof", description, "")
}
