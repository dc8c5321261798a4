//! Proof that a connection works: a token of the service account, its exchange at Entra, one read on the data plane.
//! Exactly what the workload does, with the workload's own identity. No secret value is read.

use std::time::{Duration, Instant};

use super::{Chain, Check, Refusal};
use crate::azure::{Arm, Exchange, Probe, Token};
use crate::kube::Cluster;
use crate::model::{Event, Events, Kind, Problem, Result, TOKEN_EXCHANGE_AUDIENCE};
use crate::plan::spec::StepSpec;
use secrecy::ExposeSecret;

/// Goes through the chain. Fails only where it can't even try; what it finds is in the checks.
///
/// # Errors
/// The cluster or Azure can't be reached, or the record is incomplete.
pub async fn verify(kube: &Cluster, arm: &Arm, events: &Events, chain: &Chain<'_>) -> Result<Vec<Check>> {
    let record = chain.record;
    let account = record.steps.iter().find_map(|s| match s {
        StepSpec::ServiceAccount(s) => Some(s),
        _ => None,
    });
    let (Some(account), Some(client_id)) = (account, record.client_id.as_deref()) else {
        return Err(Problem::new(Kind::Failed, "KC6009", format!("connection `{}` is not complete", record.name))
            .fix("run the command that made it again"));
    };
    let probe = (chain.service.probe)(chain.target, arm.cloud());
    let began = Instant::now();
    let (token_text, exchange_text, data_text) = (
        format!("mint a token of service account {}", account.name),
        format!("exchange it at Entra for identity {client_id}"),
        format!("with that identity, {} at {}", probe.what, chain.target.name()),
    );
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
    let token = match exchange(arm, events, chain, client_id, assertion.token.expose_secret(), &probe.scope, began).await? {
        Ok(token) => token,
        Err(no) => return Ok(vec![first, refused("KC5002", exchange_text, no), skipped("KC5003", data_text)]),
    };
    let second = succeeded("KC5002", exchange_text, "Entra accepted it".into());
    let third = match read(arm, events, chain, &probe, &token, began).await? {
        Ok(message) => succeeded("KC5003", data_text, message),
        Err(no) => refused("KC5003", data_text, no),
    };
    Ok(vec![first, second, third])
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
    let ask = Probe { url: probe.url.clone(), headers };
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
