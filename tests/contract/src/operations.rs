//! The official operations from the reference data, and the search for a request's operation.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context as _;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

/// One operation of a service. Other fields of the lists are not needed here.
#[derive(Debug, Deserialize)]
pub struct Operation {
    /// Folder of the description.
    pub service: String,
    /// Official name.
    pub operation_id: String,
    /// Method.
    pub method: String,
    /// Path with placeholders.
    pub path: String,
    /// The described version.
    pub api_version: String,
    /// File of the description.
    pub file: String,
    /// Constraints on placeholders.
    pub path_params: Vec<Value>,
    /// Query parameters.
    pub query: Vec<Value>,
    /// Headers of the operation.
    pub headers: Vec<Value>,
    /// The request body, if any.
    pub body: Option<Body>,
    /// The answers, by status and `default`.
    pub responses: BTreeMap<String, Answer>,
    /// Files with examples.
    pub examples: Vec<String>,
    path_regex: String,
    specificity: i64,
    catch_all: bool,
    #[serde(skip)]
    regex: OnceLock<Option<Regex>>,
}

/// The body of an operation.
#[derive(Debug, Deserialize)]
pub struct Body {
    /// Name of the parameter, as used in examples.
    pub name: String,
    /// Whether the body may be omitted.
    #[serde(default)]
    pub required: bool,
    /// Pointer to its schema.
    pub schema: String,
}

/// A documented answer.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// Pointer to the schema of its body; `None` without a body.
    pub schema: Option<String>,
}

/// An operation with the values of its placeholders.
pub type Found<'a> = (&'a Operation, BTreeMap<String, String>);

/// All operations, the most specific first.
pub struct Operations(Vec<Operation>);

impl Operations {
    /// Reads the list.
    ///
    /// # Errors
    /// If it does not exist or can't be parsed.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct List {
            operations: Vec<Operation>,
        }
        let file = folder.join("operations.json");
        let text = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let List { mut operations } = serde_json::from_slice(&text).with_context(|| format!("{} is not understood", file.display()))?;
        operations.sort_by_key(|one| -one.specificity);
        Ok(Self(operations))
    }

    /// All operations.
    pub fn iter(&self) -> impl Iterator<Item = &Operation> {
        self.0.iter()
    }

    /// The operation of a decoded path. `data_plane` distinguishes Key Vault's hosts from ARM's.
    #[must_use]
    pub fn find(&self, data_plane: bool, method: &str, path: &str) -> Option<Found<'_>> {
        let lower = path.to_ascii_lowercase();
        self.0
            .iter()
            .filter(|one| one.method == method && !one.catch_all && (one.service == "keyvault-dataplane") == data_plane)
            .find_map(|one| one.matches(path, &lower).map(|names| (one, names)))
    }

    /// Methods with which the path is known, for a better message.
    #[must_use]
    pub fn methods_of(&self, data_plane: bool, path: &str) -> Vec<&str> {
        let lower = path.to_ascii_lowercase();
        let here = |one: &&Operation| !one.catch_all && (one.service == "keyvault-dataplane") == data_plane;
        let mut methods: Vec<&str> =
            self.0.iter().filter(here).filter(|one| one.matches(path, &lower).is_some()).map(|one| one.method.as_str()).collect();
        methods.dedup();
        methods
    }
}

impl Operation {
    fn matches(&self, path: &str, lower: &str) -> Option<BTreeMap<String, String>> {
        // The fixed words are compared first, since compiling hundreds of expressions is slow.
        let fixed = self.path.split('/').filter(|word| !word.is_empty() && !word.contains('{'));
        if !fixed.into_iter().all(|word| lower.contains(&word.to_ascii_lowercase())) {
            return None;
        }
        let regex = self.regex.get_or_init(|| Regex::new(&with_latest_version(&with_empty_parent(&self.path_regex))).ok()).as_ref()?;
        let found = regex.captures(path)?;
        let name = |name: &str| found.name(name).map(|value| (name.to_owned(), value.as_str().to_owned()));
        Some(regex.capture_names().flatten().filter_map(name).collect())
    }
}

/// The version of a vault's object is optional in its URL (REST reference of `GetSecret`, `GetKey` and
/// `GetCertificate`) and defaults to the latest. The description marks it as required, as it must for a path
/// parameter.
fn with_latest_version(pattern: &str) -> String {
    ["secret", "key", "certificate"].iter().fold(pattern.to_owned(), |pattern, kind| {
        pattern.replace(&format!("/(?P<{kind}_version>[^/]+)"), &format!("(?:/(?P<{kind}_version>[^/]+))?"))
    })
}

/// A top-level resource has an empty `parentResourcePath`, with one slash for it in the URLs that ARM itself uses.
/// The pattern requires at least one character.
fn with_empty_parent(pattern: &str) -> String {
    pattern.replace("(?P<parentResourcePath>.+?)/", "(?:(?P<parentResourcePath>.+?)/)?")
}
