//! The order of steps: a directed graph of their needs. A walk runs each step as soon as its needs are met, so
//! independent steps run concurrently. Examining, applying and undoing (backwards) use the same walk.

use std::collections::{HashMap, HashSet};
use std::future::Future;

use futures::stream::{FuturesUnordered, StreamExt};

use super::spec::{StepId, StepSpec};

/// Direction of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A step runs after the steps that it needs.
    Forward,
    /// A step runs after the steps that need it: for undoing.
    Backward,
}

/// For each step (by position): the positions of the steps that must finish before it.
pub fn prerequisites(specs: &[StepSpec], direction: Direction) -> Vec<Vec<usize>> {
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); specs.len()];
    for (at, spec) in specs.iter().enumerate() {
        for need in spec.needs() {
            let met_by = specs.iter().enumerate().filter(|(other, candidate)| *other != at && candidate.meets(&need));
            for (other, _) in met_by {
                match direction {
                    Direction::Forward => before[at].push(other),
                    Direction::Backward => before[other].push(at),
                }
            }
        }
    }
    before
}

/// Result of a walk.
pub struct Walked<T, E> {
    /// Results of the finished steps, by step.
    pub done: HashMap<StepId, T>,
    /// Errors. After the first one no further step starts; running steps are finished.
    pub failed: Vec<(StepId, E)>,
    /// Steps that did not start.
    pub left: Vec<StepId>,
}

/// Runs `work` for every step as soon as its prerequisites are finished and its lock is free. `stop` is asked before
/// each start; once it returns true, no further step starts.
pub async fn walk<'a, T, E, F, Fut>(specs: &'a [StepSpec], direction: Direction, stop: impl Fn() -> bool, work: F) -> Walked<T, E>
where
    F: Fn(&'a StepSpec) -> Fut,
    Fut: Future<Output = Result<T, E>> + 'a,
    T: 'a,
    E: 'a,
{
    let before = prerequisites(specs, direction);
    let mut begun: HashSet<usize> = HashSet::new();
    let mut finished: HashSet<usize> = HashSet::new();
    let mut locks: HashSet<String> = HashSet::new();
    let mut running = FuturesUnordered::new();
    let mut walked = Walked { done: HashMap::new(), failed: Vec::new(), left: Vec::new() };
    loop {
        if walked.failed.is_empty() && !stop() {
            for (at, spec) in specs.iter().enumerate() {
                let ready = !begun.contains(&at) && before[at].iter().all(|b| finished.contains(b));
                if ready && spec.lock().is_none_or(|lock| locks.insert(lock)) {
                    begun.insert(at);
                    let future = work(spec);
                    running.push(async move { (at, future.await) });
                }
            }
        }
        let Some((at, result)) = running.next().await else { break };
        if let Some(lock) = specs[at].lock() {
            locks.remove(&lock);
        }
        match result {
            Ok(value) => {
                finished.insert(at);
                walked.done.insert(specs[at].id(), value);
            }
            Err(error) => walked.failed.push((specs[at].id(), error)),
        }
    }
    walked.left = specs.iter().enumerate().filter(|(at, _)| !begun.contains(at)).map(|(_, s)| s.id()).collect();
    walked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResourceId;
    use crate::plan::spec;
    use std::sync::Mutex;

    fn specs() -> Vec<StepSpec> {
        let identity = ResourceId::resource("s", "g", "Microsoft.ManagedIdentity/userAssignedIdentities", "id");
        vec![
            StepSpec::Secret(spec::Secret { namespace: "n".into(), name: "s".into(), variables: vec![], foreign: false }),
            StepSpec::FederatedCredential(spec::FederatedCredential {
                identity: identity.clone(),
                namespace: "n".into(),
                service_account: "a".into(),
                issuer: None,
            }),
            StepSpec::Identity(spec::Identity {
                id: identity,
                location: "l".into(),
                create: true,
                owner: "o".into(),
                tags: Default::default(),
                addon_of: None,
            }),
            StepSpec::ClusterFeatures(spec::ClusterFeatures {
                cluster: ResourceId::resource("s", "g", "Microsoft.ContainerService/managedClusters", "c"),
                federation: true,
                secrets_provider: false,
            }),
        ]
    }

    fn order(direction: Direction, fail: Option<&str>) -> (Vec<String>, Walked<(), ()>) {
        let specs = specs();
        let seen = Mutex::new(Vec::new());
        let walked = futures::executor::block_on(walk(
            &specs,
            direction,
            || false,
            |spec| {
                seen.lock().unwrap().push(spec.id());
                let result = if Some(spec.id().as_str()) == fail { Err(()) } else { Ok(()) };
                async move { result }
            },
        ));
        (seen.into_inner().unwrap(), walked)
    }

    #[test]
    fn needed_steps_run_first_and_are_undone_last() {
        let place = |order: &[String], id: &str| order.iter().position(|s| s == id).unwrap();
        let (forward, _) = order(Direction::Forward, None);
        assert!(place(&forward, "identity") < place(&forward, "secret"));
        assert!(place(&forward, "cluster") < place(&forward, "federated-credential"));
        let (backward, _) = order(Direction::Backward, None);
        assert!(place(&backward, "federated-credential") < place(&backward, "identity"));
        assert_eq!(backward.len(), 4);
    }

    #[test]
    fn no_step_starts_after_a_failure() {
        let (seen, walked) = order(Direction::Forward, Some("identity"));
        assert_eq!(walked.failed.len(), 1);
        assert!(!seen.contains(&"secret".to_owned()));
        assert_eq!(walked.left.len(), 2);
    }
}
