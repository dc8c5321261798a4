//! Real API servers in place of the stand-in's, if a run provides them.
//!
//! `CONNECT_REAL_KUBE` is a list of pairs `{"aks-shop": {"server", "ca", "token"}, "aks-ready": {…}}`. A case empties
//! its pair and plants its objects, so each case needs a pair for itself; with as many test threads as pairs no case
//! waits.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use stand_in::kube::real::RealOptions;
use tokio::sync::{Semaphore, SemaphorePermit};

type Clusters = BTreeMap<String, RealOptions>;

struct Pool {
    free: Mutex<Vec<Clusters>>,
    places: Semaphore,
}

static POOL: LazyLock<Option<Pool>> = LazyLock::new(|| {
    let told = std::env::var("CONNECT_REAL_KUBE").ok()?;
    let pairs: Vec<Clusters> = serde_json::from_str(&told).expect("CONNECT_REAL_KUBE is understood");
    assert!(!pairs.is_empty(), "CONNECT_REAL_KUBE names no API servers");
    Some(Pool { places: Semaphore::new(pairs.len()), free: Mutex::new(pairs) })
});

thread_local! {
    /// Whether the test on this thread has a pair: waiting for a second one could be a deadlock.
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// A pair that one case uses until this is dropped.
pub struct Pair {
    /// Connection data of each cluster's API server.
    pub clusters: Clusters,
    _place: SemaphorePermit<'static>,
}

impl Drop for Pair {
    fn drop(&mut self) {
        HELD.set(false);
        if let Some(pool) = POOL.as_ref() {
            pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.clusters));
        }
    }
}

/// Whether this run uses real API servers.
pub fn is_on() -> bool {
    POOL.is_some()
}

/// A free pair, as soon as there is one; `None` if this run uses the stand-in.
pub async fn pair() -> Option<Pair> {
    let pool = POOL.as_ref()?;
    assert!(!HELD.replace(true), "a test has one case at a time: the former must be dropped first");
    let place = pool.places.acquire().await.expect("the places are never closed");
    let clusters = pool.free.lock().unwrap_or_else(PoisonError::into_inner).pop().expect("a place means that a pair is free");
    Some(Pair { clusters, _place: place })
}
