//! Waits until a workload's new pods have replaced the old ones.
//!
//! kube's own condition is true too early: right after a patch, the status still describes the old, healthy state. So
//! this file checks the observed generation first and then the counts.

use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::Value;

use super::connect::Cluster;
use super::error::{Failure, shorten};
use super::pods;
use super::workload::{Workload, WorkloadKind};
use crate::clock::Wait;
use crate::model::{Kind, Problem, Result, words};

/// Interval between reads if a watch is not possible.
const POLL: Duration = Duration::from_secs(2);
/// Code for an exceeded progress deadline of a Deployment.
const TOO_SLOW: &str = "KC3602";
/// Duration of one watch. After it the object is read once, in case the connection broke unnoticed.
const WATCH_SECONDS: u32 = 30;
const WATCH: Duration = Duration::from_secs(WATCH_SECONDS as u64);
/// How much later than requested the server may end a watch.
const GRACE: Duration = Duration::from_secs(5);
/// How long failures to create pods are tolerated: a webhook or service account that is just being created recovers
/// within seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// Without news for this long, the pods are examined for a reason.
const SILENCE: Duration = Duration::from_secs(10);

/// State of the object at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Rolled out, possibly with a remark.
    Done(Option<String>),
    /// In progress.
    Going(String),
    /// In progress, but pods can't be created; with the server's message.
    CannotCreate(String),
    /// Waiting longer can't help.
    Stuck(Stuck),
}

/// Why waiting longer can't help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// The Deployment is paused.
    Paused,
    /// The update strategy replaces pods only when somebody deletes them.
    OnDelete,
    /// The Deployment's progress deadline is exceeded; with its message.
    Deadline(String),
}

/// Waits until the change in `workload` (the answer to a patch) is rolled out.
///
/// # Errors
/// After `limit`, with the last known state; or at once if waiting can't help.
pub async fn wait(cluster: &Cluster, workload: &Workload, limit: Duration, waiting: &mut Wait<'_>) -> Result<()> {
    let mut waiter = Waiter { workload, told: String::new(), told_at: Instant::now(), failing_since: None, trouble: None, waiting };
    if waiter.look(&workload.object)? {
        return Ok(());
    }
    let ended = tokio::time::timeout(limit, waiter.until_done(cluster)).await;
    let problem = match ended {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(problem)) if problem.code() == TOO_SLOW => problem,
        Ok(Err(problem)) => return Err(problem),
        Err(_) => waiter.timed_out(limit),
    };
    // The pods show the reason; the workload's status does not.
    match pods::trouble(cluster, workload).await {
        Some(trouble) => {
            let seen = problem.reason().unwrap_or_default().to_owned();
            Err(problem.why(format!("{seen}; {trouble}")))
        }
        None => Err(problem),
    }
}

struct Waiter<'a, 'b> {
    workload: &'a Workload,
    told: String,
    told_at: Instant,
    failing_since: Option<Instant>,
    /// Why pods can't be created at the moment.
    trouble: Option<String>,
    waiting: &'a mut Wait<'b>,
}

impl Waiter<'_, '_> {
    async fn until_done(&mut self, cluster: &Cluster) -> Result<()> {
        let mut version = self.workload.resource_version().to_owned();
        loop {
            if !version.is_empty() && self.watch(cluster, &mut version).await? {
                return Ok(());
            }
            // The watch ended, is not possible, or was silent for a while: read the object.
            let w = self.workload;
            match cluster.get(w.kind.resource(), Some(&w.namespace), &w.name).await {
                Ok(Some(object)) => {
                    if self.look(&object)? {
                        return Ok(());
                    }
                    object["metadata"]["resourceVersion"].as_str().unwrap_or_default().clone_into(&mut version);
                }
                Ok(None) => return Err(self.gone()),
                // The API server may be restarting: continue until the time limit.
                Err(failure) if passes(&failure) => {}
                Err(failure) => return Err(Problem::from(failure).context(format!("waiting for {w}"))),
            }
            self.waiting.pause(POLL).await;
        }
    }

    /// Follows events. Returns true when the rollout is done, false when the watch is over.
    async fn watch(&mut self, cluster: &Cluster, version: &mut String) -> Result<bool> {
        let w = self.workload;
        let watching = Instant::now();
        let mut events = match cluster.watch(w.kind.resource(), Some(&w.namespace), &w.name, version, WATCH_SECONDS).await {
            Ok(events) => events,
            // No permission to watch, an outdated version, or no connection: continue by polling.
            Err(_) => return Ok(false),
        };
        loop {
            // While pods can't be created the object does not change, so no event arrives: the timeout checks the
            // elapsed time.
            match tokio::time::timeout(POLL, events.next()).await.ok() {
                None if watching.elapsed() > WATCH + GRACE => return Ok(false),
                None => {
                    self.check_patience()?;
                    self.break_silence(cluster).await;
                }
                Some(None) => return Ok(false),
                Some(Some(Err(_))) => {
                    version.clear();
                    return Ok(false);
                }
                Some(Some(Ok(event))) => {
                    let object = &event["object"];
                    if let Some(newer) = object["metadata"]["resourceVersion"].as_str() {
                        newer.clone_into(version);
                    }
                    match event["type"].as_str() {
                        Some("DELETED") => return Err(self.gone()),
                        Some("BOOKMARK") => {}
                        _ if self.look(object)? => return Ok(true),
                        _ => {}
                    }
                }
            }
        }
    }

    /// Evaluates the object and reports news. Returns true when the rollout is done.
    fn look(&mut self, object: &Value) -> Result<bool> {
        let uid = self.workload.uid();
        if !uid.is_empty() && object["metadata"]["uid"].as_str().is_some_and(|now| now != uid) {
            return Err(self.gone());
        }
        let seen = look(self.workload.kind, object);
        if !matches!(seen, Seen::CannotCreate(_)) {
            (self.failing_since, self.trouble) = (None, None);
        }
        match seen {
            Seen::Done(remark) => {
                if let Some(remark) = remark {
                    self.tell(remark);
                }
                Ok(true)
            }
            Seen::Going(text) => {
                self.tell(text);
                Ok(false)
            }
            Seen::CannotCreate(message) => {
                self.tell(format!("no pod can be created: {}", plain(&message)));
                self.trouble = Some(message);
                self.failing_since.get_or_insert_with(Instant::now);
                self.check_patience()?;
                Ok(false)
            }
            Seen::Stuck(why) => Err(self.stuck(&why)),
        }
    }

    fn tell(&mut self, text: String) {
        if text != self.told {
            self.waiting.say(text.clone());
            self.told = text;
            self.told_at = Instant::now();
        }
    }

    /// Repeats what is waited for, with the reason found in the pods. A volume that can't be mounted shows nowhere
    /// else, and the user should learn of it before the time limit.
    async fn break_silence(&mut self, cluster: &Cluster) {
        if self.told_at.elapsed() < SILENCE {
            return;
        }
        let why = pods::trouble(cluster, self.workload).await.map(|why| format!("; {why}")).unwrap_or_default();
        self.waiting.say(format!("{}{why}", self.told));
        self.told_at = Instant::now();
    }

    fn check_patience(&self) -> Result<()> {
        match (&self.trouble, self.failing_since) {
            (Some(message), Some(since)) if since.elapsed() >= PATIENCE => Err(cannot_create(self.workload, message)),
            _ => Ok(()),
        }
    }

    fn stuck(&self, why: &Stuck) -> Problem {
        let w = self.workload;
        let problem = |code, what: String| Problem::new(Kind::Failed, code, what);
        match why {
            Stuck::Paused => problem("KC3603", format!("{w} is paused: its pods stay as they are"))
                .why("the change is saved and rolls out when the rollout is resumed")
                .fix(format!("kubectl rollout resume {w} -n {}", w.namespace)),
            Stuck::OnDelete => problem("KC3604", format!("{w} replaces pods only when they are deleted"))
                .why("its update strategy is OnDelete; the change is saved and applies to new pods")
                .fix(match w.selector() {
                    Some(selector) => format!("kubectl delete pods -l {selector} -n {}   # one at a time, when convenient", w.namespace),
                    None => format!("kubectl delete pod POD -n {}", w.namespace),
                }),
            Stuck::Deadline(message) => problem(TOO_SLOW, format!("the new pods of {w} do not start"))
                .why(format!("{message}{}", after(&self.told)))
                .fix(look_at_pods(w)),
        }
    }

    fn gone(&self) -> Problem {
        let w = self.workload;
        Problem::new(Kind::NotFound, "KC3606", format!("{w} was deleted during its rollout"))
            .fix(format!("kubectl get {w} -n {}", w.namespace))
    }

    fn timed_out(&self, limit: Duration) -> Problem {
        let w = self.workload;
        if let Some(message) = &self.trouble {
            return cannot_create(w, message);
        }
        let seen = if self.told.is_empty() { "there was no sign of progress".to_owned() } else { self.told.clone() };
        Problem::new(Kind::TimedOut, "KC3601", format!("{w} was not rolled out within {}", span(limit)))
            .why(seen)
            .fix(look_at_pods(w))
            .fix(format!("kubectl rollout status {w} -n {}   # continues to wait", w.namespace))
    }
}

fn look_at_pods(w: &Workload) -> String {
    match w.selector() {
        Some(selector) => format!("kubectl describe pods -l {selector} -n {}   # the events at the end show the reason", w.namespace),
        None => format!("kubectl describe {w} -n {}", w.namespace),
    }
}

fn after(told: &str) -> String {
    if told.is_empty() { String::new() } else { format!(" ({told})") }
}

fn span(limit: Duration) -> String {
    let seconds = limit.as_secs();
    if seconds >= 120 && seconds.is_multiple_of(60) { format!("{} min", seconds / 60) } else { format!("{seconds} s") }
}

fn passes(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { .. } => true,
        Failure::Status(status) => status.code == 429 || status.code >= 500,
        _ => false,
    }
}

fn cannot_create(w: &Workload, message: &str) -> Problem {
    let problem = Problem::new(Kind::Failed, "KC3605", format!("no new pod of {w} can be created")).why(plain(message));
    if let Some(webhook) = between(message, "failed calling webhook \"", "\"") {
        return problem
            .fix(format!("see why {webhook} does not answer: kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations"))
            .fix("the old pods keep running; the rollout continues when the webhook answers");
    }
    if let Some(account) = between(message, "serviceaccount \"", "\" not found") {
        return problem.fix(format!("kubectl create serviceaccount {account} -n {}", w.namespace));
    }
    if message.contains("exceeded quota") {
        return problem.fix(format!("kubectl describe resourcequota -n {}", w.namespace));
    }
    problem.fix(format!("kubectl describe replicasets -n {}   # the events at the end show the reason", w.namespace))
}

/// A plain version of the controller's message; the message itself if it is unknown.
fn plain(message: &str) -> String {
    if let Some(webhook) = between(message, "failed calling webhook \"", "\"") {
        let why = message.split_once("failed to call webhook: ").map_or("", |(_, why)| why);
        let why = why.rsplit("\": ").next().unwrap_or(why);
        return format!("the admission webhook {webhook} does not answer ({})", shorten(why));
    }
    if let Some(account) = between(message, "serviceaccount \"", "\" not found") {
        return format!("service account {account} does not exist");
    }
    if let Some((_, quota)) = message.split_once("exceeded quota: ") {
        return format!("the namespace's quota is used up: {}", shorten(quota));
    }
    shorten(message.split_once("is forbidden: ").map_or(message, |(_, why)| why))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    rest.split_once(end).map(|(inside, _)| inside)
}

/// Evaluates one state of a workload.
pub(crate) fn look(kind: WorkloadKind, object: &Value) -> Seen {
    let (spec, status) = (&object["spec"], &object["status"]);
    match kind {
        WorkloadKind::CronJob => return Seen::Done(Some("takes effect at the next scheduled run".into())),
        WorkloadKind::Job => return Seen::Done(None),
        _ => {}
    }
    if kind == WorkloadKind::Deployment && spec["paused"] == true {
        return Seen::Stuck(Stuck::Paused);
    }
    if kind != WorkloadKind::Deployment && spec["updateStrategy"]["type"] == "OnDelete" {
        return Seen::Stuck(Stuck::OnDelete);
    }
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    if number(&status["observedGeneration"]) < number(&object["metadata"]["generation"]) {
        return Seen::Going("waiting for the rollout to start".into());
    }
    match kind {
        WorkloadKind::Deployment => deployment(spec, status),
        WorkloadKind::StatefulSet => stateful_set(spec, status),
        _ => daemon_set(status),
    }
}

fn deployment(spec: &Value, status: &Value) -> Seen {
    let number = |key: &str| status[key].as_u64().unwrap_or(0);
    let wanted = spec["replicas"].as_u64().unwrap_or(1);
    let (updated, all, available) = (number("updatedReplicas"), number("replicas"), number("availableReplicas"));
    if updated == wanted && all == updated && available == updated {
        return Seen::Done(None);
    }
    let condition = |kind: &str| status["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == kind);
    let message = |c: &Value| c["message"].as_str().unwrap_or_default().to_owned();
    if let Some(failing) = condition("ReplicaFailure").filter(|c| c["status"] == "True") {
        return Seen::CannotCreate(message(failing));
    }
    if let Some(late) = condition("Progressing").filter(|c| c["reason"] == "ProgressDeadlineExceeded") {
        return Seen::Stuck(Stuck::Deadline(message(late)));
    }
    if updated < wanted {
        return Seen::Going(format!("{updated} of {wanted} pods updated"));
    }
    if all > updated {
        return Seen::Going(format!("{} still to be deleted", words::count(all - updated, "old pod")));
    }
    Seen::Going(format!("{available} of {updated} updated pods available"))
}

fn stateful_set(spec: &Value, status: &Value) -> Seen {
    let number = |key: &str| status[key].as_u64().unwrap_or(0);
    let wanted = spec["replicas"].as_u64().unwrap_or(1);
    let partition = spec["updateStrategy"]["rollingUpdate"]["partition"].as_u64().unwrap_or(0).min(wanted);
    let (updated, available) = (number("updatedReplicas"), number("availableReplicas"));
    let same = status["currentRevision"].as_str().is_some() && status["currentRevision"] == status["updateRevision"];
    // When all pods have the same revision, the counts of current and updated pods are equal.
    if same && available == wanted && number("replicas") == wanted {
        return Seen::Done(None);
    }
    if partition > 0 && updated >= wanted - partition && available == wanted {
        return Seen::Done(Some(format!(
            "{updated} of {wanted} pods updated; the update strategy's partition {partition} leaves the others unchanged"
        )));
    }
    if !same && updated < wanted - partition {
        return Seen::Going(format!("{updated} of {} pods updated", wanted - partition));
    }
    Seen::Going(format!("{available} of {wanted} pods available"))
}

fn daemon_set(status: &Value) -> Seen {
    let number = |key: &str| status[key].as_u64().unwrap_or(0);
    let wanted = number("desiredNumberScheduled");
    let (updated, available) = (number("updatedNumberScheduled"), number("numberAvailable"));
    if updated < wanted {
        return Seen::Going(format!("{updated} of {wanted} pods updated"));
    }
    if available < wanted {
        return Seen::Going(format!("{available} of {wanted} updated pods available"));
    }
    Seen::Done(None)
}

#[cfg(test)]
mod tests;
