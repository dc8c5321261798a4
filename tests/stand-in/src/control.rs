//! How a test controls the sandbox: recorded requests, latency, faults, and holding an answer back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::fault::Fault;
use crate::knobs::Knobs;

/// Which service a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Kind {
    /// Azure Resource Manager.
    Arm,
    /// Azure Resource Graph (its host is ARM's).
    Graph,
    /// The directory's token endpoint.
    Entra,
    /// Microsoft Graph: the directory's objects.
    People,
    /// Key Vault data plane.
    KeyVault,
    /// Blob data plane.
    Blob,
    /// Data plane of Azure OpenAI and the other AI services.
    OpenAi,
    /// Data plane of any other service.
    Data,
    /// A cluster's API server.
    Kube,
    /// The published keys of a cluster.
    Oidc,
    /// A run of `az`.
    Az,
    /// A host without a stand-in.
    Unknown,
}

/// One request with its answer.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Counts from 1; `clear_log` does not reset it.
    pub n: usize,
    /// Time of arrival, on the sandbox's clock.
    pub at: String,
    /// Host of the request.
    pub host: String,
    /// Method.
    pub method: String,
    /// Raw path.
    pub path: String,
    /// Decoded query.
    pub query: Vec<(String, String)>,
    /// Headers as received.
    pub request_headers: Vec<(String, String)>,
    /// JSON if possible, else text.
    pub request_body: Value,
    /// Status; 0 if there was no answer.
    pub status: u16,
    /// Headers of the answer.
    pub response_headers: Vec<(String, String)>,
    /// JSON if possible, else text; null for a stream.
    pub response_body: Value,
    /// Time from arrival to answer.
    pub micros: u64,
    /// Service.
    pub kind: Kind,
}

/// Handle of a running sandbox. Clones share the state.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

struct Inner {
    log: Mutex<Log>,
    knobs: Mutex<Knobs>,
    faults: Mutex<Vec<Fault>>,
    hold: Mutex<Hold>,
    holding: AtomicBool,
    ahead: Mutex<Duration>,
    state: Mutex<Option<Arc<dyn Fn() -> Value + Send + Sync>>>,
}

#[derive(Default)]
struct Log {
    count: usize,
    entries: Vec<Entry>,
}

#[derive(Default)]
struct Hold {
    left: usize,
    tell: Option<oneshot::Sender<()>>,
}

/// While this exists, no other request is processed. Dropped when the held client is gone, as a service drops work
/// for a client that disconnects.
pub(crate) struct Held(Control);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.inner.holding.store(false, Ordering::SeqCst);
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Control {
    pub(crate) fn new(knobs: Knobs) -> Self {
        Self {
            inner: Arc::new(Inner {
                log: Mutex::default(),
                knobs: Mutex::new(knobs),
                faults: Mutex::default(),
                hold: Mutex::default(),
                holding: AtomicBool::new(false),
                ahead: Mutex::default(),
                state: Mutex::new(None),
            }),
        }
    }

    /// All requests so far, in the order of their answers.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        lock(&self.inner.log).entries.clone()
    }

    /// Clears the log.
    pub fn clear_log(&self) {
        lock(&self.inner.log).entries.clear();
    }

    /// The log entries of one service.
    #[must_use]
    pub fn log_of(&self, kind: Kind) -> Vec<Entry> {
        self.log().into_iter().filter(|entry| entry.kind == kind).collect()
    }

    /// The log entries of writes, see [`is_write`].
    #[must_use]
    pub fn writes(&self) -> Vec<Entry> {
        self.log().into_iter().filter(is_write).collect()
    }

    /// Sets the time that every answer takes.
    pub fn set_latency(&self, latency: Duration) {
        self.knobs(|knobs| knobs.latency = latency);
    }

    /// Reads or changes the knobs.
    pub fn knobs<T>(&self, turn: impl FnOnce(&mut Knobs) -> T) -> T {
        turn(&mut lock(&self.inner.knobs))
    }

    /// Adds a fault for future requests. The first unused fault that matches applies.
    pub fn fail(&self, fault: Fault) {
        lock(&self.inner.faults).push(fault);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        lock(&self.inner.faults).clear();
    }

    /// Holds back the answer to the `nth` successful write from now (1 = the next). No later request is processed
    /// until its client is gone. The receiver fires when the write is done; the test kills the client then.
    #[must_use]
    pub fn hold_after_write(&self, nth: usize) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        *lock(&self.inner.hold) = Hold { left: nth, tell: Some(tell) };
        told
    }

    /// Cancels a pending hold and ends an active one.
    pub fn release(&self) {
        *lock(&self.inner.hold) = Hold::default();
        self.inner.holding.store(false, Ordering::SeqCst);
    }

    /// The sandbox's clock: the machine's, plus what [`Control::advance`] added.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        SystemTime::now() + *lock(&self.inner.ahead)
    }

    /// Seconds since 1970 on the sandbox's clock.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs())
    }

    /// Advances the clock: tokens expire, roles become effective, operations end.
    pub fn advance(&self, by: Duration) {
        *lock(&self.inner.ahead) += by;
    }

    /// All ARM objects and role assignments without values that change by themselves, for comparisons.
    #[must_use]
    pub fn state(&self) -> Value {
        let read = lock(&self.inner.state).clone();
        read.map_or(Value::Null, |read| read())
    }

    pub(crate) fn set_state_reader(&self, read: impl Fn() -> Value + Send + Sync + 'static) {
        *lock(&self.inner.state) = Some(Arc::new(read));
    }

    pub(crate) fn record(&self, mut entry: Entry) {
        let mut log = lock(&self.inner.log);
        log.count += 1;
        entry.n = log.count;
        log.entries.push(entry);
    }

    pub(crate) fn fault_for(&self, method: &str, host: &str, path: &str) -> Option<Fault> {
        let mut faults = lock(&self.inner.faults);
        let fault = faults.iter_mut().find(|fault| fault.matches(method, host, path))?;
        fault.take()
    }

    pub(crate) fn is_holding(&self) -> bool {
        self.inner.holding.load(Ordering::SeqCst)
    }

    /// Counts a successful write. Returns a guard if its answer must be held back.
    pub(crate) fn count_write(&self) -> Option<Held> {
        let mut hold = lock(&self.inner.hold);
        if hold.left == 0 {
            return None;
        }
        hold.left -= 1;
        if hold.left > 0 {
            return None;
        }
        self.inner.holding.store(true, Ordering::SeqCst);
        if let Some(tell) = hold.tell.take() {
            // The receiver may be dropped; then the client hangs until it is killed.
            let _ = tell.send(());
        }
        Some(Held(self.clone()))
    }

    /// Number of requests by method and path, for failure messages.
    #[must_use]
    pub fn summary(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.log() {
            *counts.entry(format!("{} {}{}", entry.method, entry.host, entry.path)).or_insert(0) += 1;
        }
        counts
    }
}

/// Whether a logged request is a write.
#[must_use]
pub fn is_write(entry: &Entry) -> bool {
    writes(entry.kind, &entry.method, &entry.path, &entry.query, &entry.request_body)
}

pub(crate) fn writes(kind: Kind, method: &str, path: &str, query: &[(String, String)], body: &Value) -> bool {
    let changing = matches!(method, "PUT" | "PATCH" | "DELETE");
    let path = path.to_ascii_lowercase();
    match kind {
        Kind::Arm => {
            let reading = [
                "/listkeys",
                "/listadminkeys",
                "/listquerykeys",
                "/listconnectionstrings",
                "/readonlykeys",
                "/listclusterusercredential",
                "/listclusteradmincredential",
                "/checkaccess",
                "/listassociatedresources",
                "/checknameavailability",
            ];
            changing || (method == "POST" && !reading.iter().any(|end| path.ends_with(end)))
        }
        Kind::Kube => {
            let dry = query.iter().any(|(key, value)| key == "dryRun" && value == "All")
                || body.get("dryRun").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == "All"));
            let asking =
                path.contains("/apis/authorization.k8s.io/") || path.contains("/apis/authentication.k8s.io/") || path.ends_with("/token");
            (changing || method == "POST") && !dry && !asking
        }
        Kind::KeyVault | Kind::Blob | Kind::OpenAi | Kind::Data => changing || method == "POST",
        Kind::Graph | Kind::Entra | Kind::People | Kind::Oidc | Kind::Az | Kind::Unknown => false,
    }
}
