//! Checks every exchange with Azure against the official REST descriptions: the product's requests and the sandbox's
//! answers.
//!
//! The descriptions are reference data that is not part of the repository: `CONNECT_REFERENCE_DATA` names the folder
//! that contains `azure-specs`. Without it nothing is checked, and [`check`] prints a message once per process.

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
/// The only type for which the product uses a newer version than the described one: an older version hides fields,
/// and the PUT of the whole object would remove them.
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
    /// The descriptions on this machine, read once; `None` without reference data.
    ///
    /// # Panics
    /// If the variable is set and its folder can't be read: that must not look like a machine without reference data.
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
    /// If it does not exist or can't be parsed.
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
    /// If its file can't be read.
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
    /// If it can't be read.
    pub fn json(&self, file: &str) -> anyhow::Result<Value> {
        read(&self.folder.join(file))
    }

    /// The violations of the exchanges in order, each with its request. Only ARM, Resource Graph and Key Vault have
    /// descriptions.
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

/// Asserts that all requests and answers of a sandbox so far follow the contract. Without descriptions it prints a
/// message and passes.
///
/// # Panics
/// If there are violations; lists all of them.
pub fn check(sandbox: &Sandbox) {
    let Some(contract) = Contract::of_this_machine() else { return skipped() };
    let violations = contract.violations(&sandbox.control().log());
    assert!(violations.is_empty(), "{} violation(s) of the official descriptions:\n{}", violations.len(), violations.join("\n"));
}

/// Prints, once per process, that nothing is checked.
pub fn skipped() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let text = format!("SKIPPED: {REFERENCE_DATA} is not set, so nothing was held against the official descriptions");
        // Captured output of a test would hide it.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    });
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not understood", file.display()))
}
