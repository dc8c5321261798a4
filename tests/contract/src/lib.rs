//! Holds every exchange with Azure against the official REST descriptions: what the product asks, and what the sandbox
//! answers.
//!
//! The descriptions are reference material that does not ship with the code: `CONNECT_REFERENCE_DATA` names the folder that
//! holds `azure-specs`. Without it there is no contract, and [`check`] says so, loudly, once per process.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};

use anyhow::Context as _;
use serde_json::Value;

use stand_in::Sandbox;
use stand_in::{Entry, Kind};

mod entry;
pub mod operations;
pub mod schema;
mod trail;

use operations::{Operation, Operations};
use schema::Document;
use trail::Trail;

/// Environment variable with the folder of the reference data.
pub const REFERENCE_DATA: &str = "CONNECT_REFERENCE_DATA";
/// The one type for which the product uses a newer version than the described one: an older version hides fields, and
/// the whole-object PUT would lose them.
const CLUSTERS: &str = "Microsoft.ContainerService/managedClusters";

/// The official descriptions.
pub struct Contract {
    /// The operations.
    pub operations: Operations,
    folder: PathBuf,
    newest_cluster_version: String,
    documents: Mutex<HashMap<String, Arc<Document>>>,
}

impl Contract {
    /// The descriptions of this machine, read once; none where the reference data is not there.
    ///
    /// # Panics
    /// When the variable is set and what it names cannot be read: that must not look like a machine without it.
    pub fn of_this_machine() -> Option<&'static Self> {
        static CONTRACT: OnceLock<Option<Contract>> = OnceLock::new();
        let load = || {
            let folder = PathBuf::from(std::env::var_os(REFERENCE_DATA).filter(|value| !value.is_empty())?).join("azure-specs");
            match Self::load(&folder) {
                Ok(contract) => Some(contract),
                Err(error) => panic!("{REFERENCE_DATA} is set, but {error:#}"),
            }
        };
        CONTRACT.get_or_init(load).as_ref()
    }

    /// Reads a folder of descriptions.
    ///
    /// # Errors
    /// When it is not there or not understood.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let versions = read(&folder.join("api-versions.json"))?;
        let newest = versions["newest"][CLUSTERS]["newest_stable"].as_str().context("api-versions.json knows no managed clusters")?;
        Ok(Self {
            operations: Operations::load(folder)?,
            newest_cluster_version: newest.to_owned(),
            folder: folder.to_owned(),
            documents: Mutex::default(),
        })
    }

    /// One description.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn document(&self, file: &str) -> anyhow::Result<Arc<Document>> {
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = documents.get(file) {
            return Ok(Arc::clone(document));
        }
        let document = Arc::new(Document::new(self.json(file)?));
        documents.insert(file.to_owned(), Arc::clone(&document));
        Ok(document)
    }

    /// A JSON file of the folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn json(&self, file: &str) -> anyhow::Result<Value> {
        read(&self.folder.join(file))
    }

    /// What is wrong with the exchanges, in their order; each with the request that it is about. Only ARM, Resource Graph
    /// and Key Vault have descriptions.
    #[must_use]
    pub fn violations(&self, log: &[Entry]) -> Vec<String> {
        let mut trail = Trail::starting_with(log.first());
        let mut violations = Vec::new();
        for one in log.iter().filter(|one| matches!(one.kind, Kind::Arm | Kind::Graph | Kind::KeyVault)) {
            let told = entry::faults(self, &trail, one);
            violations.extend(
                told.into_iter().map(|fault| format!("#{} {} {}{} ({}): {fault}", one.n, one.method, one.host, one.path, one.status)),
            );
            trail.learn(one);
        }
        violations
    }

    fn is_newer_and_meant(&self, operation: &Operation, version: &str) -> bool {
        entry::is_cluster(operation) && version == self.newest_cluster_version
    }
}

/// Asserts that everything asked of and answered by a sandbox so far keeps to the contract. Where there are no
/// descriptions it says so and lets everything pass.
///
/// # Panics
/// When something violates the contract, with all of it.
pub fn check(sandbox: &Sandbox) {
    let Some(contract) = Contract::of_this_machine() else { return skipped() };
    let violations = contract.violations(&sandbox.control().log());
    assert!(violations.is_empty(), "{} violation(s) of the official descriptions:\n{}", violations.len(), violations.join("\n"));
}

/// Says, once per process, that nothing is held against the descriptions.
pub fn skipped() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let text = format!("SKIPPED: {REFERENCE_DATA} is not set, so nothing was held against the official descriptions");
        // The captured output of a test would hide it.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    });
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not understood", file.display()))
}
