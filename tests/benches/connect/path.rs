//! The minimum time of a run: the longest chain of requests each of which needs the answer to the one before.
//!
//! Every request in the log is assigned to a class by its purpose. A class needs other classes: these are the plan's
//! data needs, written again and independently of the product (see [`Class::needs`]). Requests of one class don't
//! need each other and count as one round trip, whatever the product does. The critical path is the longest chain of
//! the classes that occur. Its time is its number of round trips × latency, plus the cluster's time for a rollout,
//! which no client can shorten.
//!
//! The result is compared with the actual run: the longest chain of requests in the log each of which began after the
//! one before had ended. If that is longer than the critical path, something waits unnecessarily.

use std::collections::BTreeMap;
use std::time::Duration;

use stand_in::{Entry, Kind};

/// Purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// `az` provides a token.
    Token,
    /// Reads of objects, permissions and records in the cluster.
    Survey,
    /// Finding cluster and target.
    Locate,
    /// Reads in ARM.
    Look,
    /// Dry run of the workload's change; needs the workload.
    Rehearse,
    /// Taking the lease.
    Lock,
    /// Recording the intent.
    Intent,
    /// Creating the identity.
    Identity,
    /// Granting access to the identity.
    Grant,
    /// Creating the federated credential.
    Trust,
    /// Service account and Secret.
    Deliver,
    /// Changing the workload.
    Patch,
    /// Waiting for the rollout.
    Rollout,
    /// Requesting a token of the service account.
    Mint,
    /// Exchanging the token.
    Exchange,
    /// Reading on the data plane.
    Probe,
    /// Removing the fields from the workload.
    Release,
    /// Deleting objects in the cluster.
    Withdraw,
    /// Deleting grants and federated credentials.
    Revoke,
    /// Deleting the identity.
    Remove,
    /// Closing or deleting the record.
    Close,
    /// Releasing the lease.
    Unlock,
}

impl Class {
    /// Classes whose answers are needed before this class can start. Classes that don't occur in a run are ignored.
    fn needs(self) -> &'static [Class] {
        use Class::*;
        match self {
            // The kubeconfig has the cluster's token and address, so nothing needs to be read for them.
            Token | Survey => &[],
            Locate => &[Token],
            // Ids come from Resource Graph; the identity's name and the recorded ids from the cluster.
            Look => &[Token, Locate, Survey],
            // Label, service account and names of variables are known once the workload is read. The digest of the
            // values restarts pods but causes no conflict.
            Rehearse => &[Survey],
            // All reads come before the first write. Lease and record are each protected by their versions.
            Lock | Intent => &[Look, Rehearse, Survey, Locate],
            Identity => &[Lock, Intent],
            // All of these contain the identity's client id or object id.
            Grant | Trust | Deliver => &[Identity, Lock, Intent],
            // Pods that start before the trust exists fail for minutes.
            Patch => &[Grant, Trust, Deliver, Lock, Intent],
            Rollout => &[Patch, Release],
            Mint => &[Deliver, Survey],
            Exchange => &[Mint, Trust, Token],
            Probe => &[Exchange, Grant, Look],
            // Undoing runs backwards: what pods use is deleted after they have stopped using it.
            Release => &[Lock, Intent],
            Withdraw | Revoke => &[Release, Rollout, Lock, Intent],
            Remove => &[Revoke, Lock, Intent],
            Close => &[Rollout, Patch, Probe, Remove, Revoke, Withdraw, Grant, Trust, Deliver],
            // In the opposite order when undoing; the length is the same.
            Unlock => &[Close],
        }
    }
}

/// Classifies the requests of a run. The meaning of a PATCH or PUT depends on the requests before it.
pub fn classes(log: &[Entry]) -> Vec<(Class, &Entry)> {
    let mut order: Vec<&Entry> = log.iter().collect();
    order.sort_by(|a, b| a.at.cmp(&b.at));
    let mut sorted = Vec::new();
    let (mut locked, mut opened, mut patched) = (false, false, false);
    let undoing = order.iter().any(|entry| entry.kind == Kind::Arm && entry.method == "DELETE");
    for entry in order {
        let class = match entry.kind {
            Kind::Az => Class::Token,
            Kind::Graph => Class::Locate,
            Kind::Entra => Class::Exchange,
            Kind::KeyVault | Kind::Blob | Kind::OpenAi | Kind::Data => Class::Probe,
            Kind::Oidc | Kind::People | Kind::Unknown => continue,
            Kind::Arm => arm(entry),
            Kind::Kube => {
                let class = kube(entry, (locked, opened, patched), undoing);
                locked |= class == Class::Lock;
                opened |= class == Class::Intent;
                patched |= matches!(class, Class::Patch | Class::Release);
                class
            }
        };
        sorted.push((class, entry));
    }
    sorted
}

fn arm(entry: &Entry) -> Class {
    let identity = !entry.path.contains("/federatedIdentityCredentials/") && entry.path.contains("/userAssignedIdentities/");
    match (entry.method.as_str(), identity) {
        ("PUT" | "PATCH", true) => Class::Identity,
        ("DELETE", true) => Class::Remove,
        ("DELETE", _) => Class::Revoke,
        ("PUT" | "PATCH", _) if entry.path.contains("/federatedIdentityCredentials/") => Class::Trust,
        ("PUT" | "PATCH", _) => Class::Grant,
        _ => Class::Look,
    }
}

fn kube(entry: &Entry, (locked, opened, patched): (bool, bool, bool), undoing: bool) -> Class {
    let on = |part: &str| entry.path.contains(part);
    let rehearsed = entry.query.iter().any(|(name, _)| name == "dryRun");
    match entry.method.as_str() {
        "POST" if on("/token") => Class::Mint,
        "POST" | "PUT" if on("/leases") => Class::Lock,
        "DELETE" if on("/leases") => Class::Unlock,
        "POST" | "PUT" if on("/configmaps") && locked && !opened => Class::Intent,
        "PUT" | "DELETE" if on("/configmaps") => Class::Close,
        _ if rehearsed => Class::Rehearse,
        "PATCH" if undoing => Class::Release,
        "DELETE" => Class::Withdraw,
        "PATCH" if on("/deployments/") => Class::Patch,
        "PATCH" | "POST" if opened => Class::Deliver,
        "GET" if patched && !on("/configmaps") => Class::Rollout,
        _ => Class::Survey,
    }
}

/// The critical path.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// Its classes.
    pub classes: Vec<Class>,
    /// Its time.
    pub time: Duration,
}

/// The longest chain by data needs, where each round trip takes `latency` and the rollout takes `cluster` in
/// addition.
pub fn needed(sorted: &[(Class, &Entry)], latency: Duration, cluster: Duration) -> Chain {
    let mut present: Vec<Class> = sorted.iter().map(|(class, _)| *class).collect();
    present.sort_unstable();
    present.dedup();
    let mut chains: BTreeMap<Class, Chain> = BTreeMap::new();
    let all: Vec<Chain> = present.iter().map(|class| chain(*class, &present, latency, cluster, &mut chains)).collect();
    longest(all)
}

fn chain(class: Class, present: &[Class], latency: Duration, cluster: Duration, known: &mut BTreeMap<Class, Chain>) -> Chain {
    if let Some(chain) = known.get(&class) {
        return chain.clone();
    }
    let before = class.needs().iter().filter(|need| present.contains(need));
    let before: Vec<Chain> = before.map(|need| chain(*need, present, latency, cluster, known)).collect();
    let mut chain = longest(before);
    chain.classes.push(class);
    chain.time += latency + if class == Class::Rollout { cluster } else { Duration::ZERO };
    known.insert(class, chain.clone());
    chain
}

fn longest(chains: Vec<Chain>) -> Chain {
    chains.into_iter().max_by_key(|chain| (chain.time, chain.classes.len())).unwrap_or_default()
}

/// Start and end of a request, relative to the run's first request.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub start: Duration,
    pub end: Duration,
}

/// The requests with their times.
pub fn spans<'a>(sorted: &[(Class, &'a Entry)]) -> Vec<(Class, &'a Entry, Span)> {
    let at = |entry: &Entry| entry.at.parse::<jiff::Timestamp>().map_or(0, |at| at.as_microsecond());
    let first = sorted.iter().map(|(_, entry)| at(entry)).min().unwrap_or_default();
    sorted
        .iter()
        .map(|(class, entry)| {
            let start = Duration::from_micros(u64::try_from(at(entry) - first).unwrap_or_default());
            (*class, *entry, Span { start, end: start + Duration::from_micros(entry.micros) })
        })
        .collect()
}

/// The longest chain of requests each of which began after the one before had ended.
pub fn taken<'a>(spans: &[(Class, &'a Entry, Span)]) -> Vec<(Class, &'a Entry)> {
    let mut order: Vec<&(Class, &Entry, Span)> = spans.iter().collect();
    order.sort_by_key(|(_, _, span)| span.end);
    let mut best: Vec<Vec<(Class, &Entry)>> = Vec::new();
    for (at, (class, entry, span)) in order.iter().enumerate() {
        let before = (0..at).filter(|other| order[*other].2.end <= span.start).max_by_key(|other| best[*other].len());
        let mut chain = before.map(|other| best[other].clone()).unwrap_or_default();
        chain.push((*class, *entry));
        best.push(chain);
    }
    best.into_iter().max_by_key(Vec::len).unwrap_or_default()
}

/// The cluster's time for the rollout without the round trip of reading: from the answer to the patch to the next
/// request of the run.
pub fn rollout(spans: &[(Class, &Entry, Span)], latency: Duration) -> Duration {
    let ends = |wanted: &[Class]| spans.iter().filter(|(class, ..)| wanted.contains(class)).map(|(.., span)| span.end).max();
    let (Some(patched), Some(watched)) = (ends(&[Class::Patch, Class::Release]), ends(&[Class::Rollout])) else {
        return Duration::ZERO;
    };
    let next = spans.iter().map(|(.., span)| span.start).filter(|start| *start >= watched).min();
    next.unwrap_or(watched).saturating_sub(patched).saturating_sub(latency)
}
