//! Information from earlier answers to which later requests refer: URLs of operations and pages, and bodies to send
//! back.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use stand_in::Entry;
use stand_in::http::percent_decode;

/// The state of a series of exchanges.
#[derive(Default)]
pub(super) struct Trail {
    /// Whether it has all exchanges since the start.
    whole: bool,
    operations: HashSet<String>,
    pages: HashSet<(String, String)>,
    bodies: HashMap<String, Value>,
}

/// Path segments that only operation URLs have.
const OPERATION_WORDS: [&str; 4] = ["operations", "operationstatuses", "operationsstatus", "operationresults"];

impl Trail {
    pub(super) fn starting_with(first: Option<&Entry>) -> Self {
        Self { whole: first.is_some_and(|entry| entry.n == 1), ..Self::default() }
    }

    /// Adds an exchange.
    pub(super) fn learn(&mut self, entry: &Entry) {
        if !(200..300).contains(&entry.status) {
            return;
        }
        for (name, value) in &entry.response_headers {
            let name = name.to_ascii_lowercase();
            // With 200 or 201, Location names the resource itself.
            let operation =
                matches!(name.as_str(), "azure-asyncoperation" | "operation-location") || (name == "location" && entry.status == 202);
            if operation {
                self.operations.insert(address(value).0);
            }
        }
        if let Some(next) = entry.response_body["nextLink"].as_str() {
            self.pages.insert(address(next));
        }
        if entry.response_body["id"].is_string() {
            self.bodies.insert(key(&entry.path), entry.response_body.clone());
        }
    }

    /// Whether the request polls an operation.
    pub(super) fn names_operation(&self, entry: &Entry) -> bool {
        let mut words = entry.path.rsplit('/').map(str::to_ascii_lowercase);
        let shape = words.nth(1).is_some_and(|word| OPERATION_WORDS.contains(&word.as_str()));
        self.operations.contains(&key(&entry.path)) || (!self.whole && shape)
    }

    /// Whether the request continues a list at a URL from an answer; its query was then chosen by the service.
    pub(super) fn names_page(&self, entry: &Entry) -> bool {
        self.pages.iter().any(|(path, query)| {
            *path == key(&entry.path) && entry.query.iter().all(|(name, _)| query.contains(&format!("{}=", name.to_ascii_lowercase())))
        })
    }

    /// The resource at the request's path as it was last read or written.
    pub(super) fn last_body(&self, entry: &Entry) -> Option<&Value> {
        self.bodies.get(&key(&entry.path))
    }
}

fn key(path: &str) -> String {
    percent_decode(path).trim_end_matches('/').to_ascii_lowercase()
}

/// Path and decoded query of an absolute or relative URL.
fn address(url: &str) -> (String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    (key(path), percent_decode(query).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_are_compared_by_path_and_query() {
        let whole = address("https://management.azure.com/subscriptions/S/x/operations/1?api-version=1&%24skipToken=a");
        assert_eq!(whole, ("/subscriptions/s/x/operations/1".into(), "api-version=1&$skiptoken=a".into()));
        assert_eq!(address("/subscriptions/S").0, "/subscriptions/s");
    }
}
