//! A validator that accepts everything proves nothing: valid exchanges, each broken in one way, must be reported.

use contract::Contract;
use serde_json::{Value, json};
use stand_in::{Entry, Kind};

use crate::job::{run, started};

/// A run with all kinds of exchanges: a cluster update with polls, an identity, a role, a data plane.
async fn exchanges(contract: &Contract) -> Vec<Entry> {
    let sandbox = started("aks-shop").await;
    run(&sandbox, "keyvault my-vault -w deployment/web -n shop --yes").await;
    let log = sandbox.control().log();
    assert_eq!(contract.violations(&log), Vec::<String>::new());
    log
}

/// The violations when the first exchange with this method and path ending is broken.
struct Probe<'a> {
    contract: &'a Contract,
    log: &'a [Entry],
}

impl Probe<'_> {
    fn position(&self, method: &str, part: &str) -> usize {
        let described = [Kind::Arm, Kind::Graph, Kind::KeyVault];
        let part = part.to_lowercase();
        // A part that ends in a slash is followed by a name.
        let fits = |path: &str| if part.ends_with('/') { path.contains(&part) } else { path.ends_with(&part) };
        let wanted = |entry: &Entry| described.contains(&entry.kind) && entry.method == method && fits(&entry.path.to_lowercase());
        self.log.iter().position(wanted).unwrap_or_else(|| panic!("no {method} of {part}"))
    }

    fn after(&self, method: &str, part: &str, breakage: impl FnOnce(&mut Entry)) -> Vec<String> {
        let mut log = self.log.to_vec();
        breakage(&mut log[self.position(method, part)]);
        self.contract.violations(&log)
    }

    #[track_caller]
    /// Expects the violation, and no other.
    fn caught(&self, method: &str, part: &str, words: &str, breakage: impl FnOnce(&mut Entry)) {
        let found = self.after(method, part, breakage);
        assert!(found.len() == 1 && found[0].contains(words), "{method} {part} should fail with '{words}': {found:#?}");
    }

    #[track_caller]
    fn allowed(&self, method: &str, part: &str, change: impl FnOnce(&mut Entry)) {
        assert_eq!(self.after(method, part, change), Vec::<String>::new());
    }
}

fn set(pairs: &mut Vec<(String, String)>, name: &str, value: &str) {
    pairs.retain(|(key, _)| key != name);
    pairs.push((name.into(), value.into()));
}

const IDENTITY: &str = "/userAssignedIdentities/";
const CREDENTIAL: &str = "/federatedIdentityCredentials/";
const ROLE: &str = "/roleAssignments/";
const CLUSTER: &str = "/managedClusters/aks-shop";
const VAULT: &str = "/vaults/my-vault";
const GRAPH: &str = "/providers/Microsoft.ResourceGraph/resources";
const POLL: &str = "/locations/westeurope/operations/";

#[tokio::test(flavor = "multi_thread")]
async fn each_sort_of_broken_exchange_is_caught() {
    let Some(contract) = Contract::of_this_machine() else { return contract::skipped() };
    let log = exchanges(contract).await;
    let probe = Probe { contract, log: &log };
    addresses(&probe);
    requests(&probe);
    clusters(&probe);
    responses(&probe);
    operations(&probe);
}

fn addresses(probe: &Probe<'_>) {
    probe.caught("GET", "/secrets", "no official operation", |entry| entry.path = "/passwords".into());
    probe.caught("PUT", ROLE, "the path takes", |entry| entry.method = "PATCH".into());
    probe.caught("PUT", CREDENTIAL, "path", |entry| {
        let cut = entry.path.rfind('/').unwrap();
        entry.path.replace_range(cut.., "/-");
    });
    probe.caught("PUT", ROLE, "api-version 2020-01-01", |entry| set(&mut entry.query, "api-version", "2020-01-01"));
    probe.caught("PUT", ROLE, "is missing", |entry| entry.query.clear());
    probe.caught("GET", VAULT, "api-version 2026-02-01", |entry| set(&mut entry.query, "api-version", "2026-02-01"));
    probe.caught("GET", CLUSTER, "api-version 2026-05-02-preview", |entry| set(&mut entry.query, "api-version", "2026-05-02-preview"));
    probe.caught("GET", VAULT, "the query parameter expand is not described", |entry| set(&mut entry.query, "expand", "all"));
    probe.caught("GET", "/secrets", "query maxresults", |entry| set(&mut entry.query, "maxresults", "many"));
    probe.caught("GET", "/secrets", "api-version 7.5", |entry| set(&mut entry.query, "api-version", "7.5"));
    probe.caught("PUT", ROLE, "the header if-match", |entry| entry.request_headers.push(("If-Match".into(), "*".into())));
}

fn requests(probe: &Probe<'_>) {
    probe.caught("PUT", ROLE, "the body is missing", |entry| entry.request_body = Value::Null);
    probe.caught("GET", VAULT, "takes no body", |entry| entry.request_body = json!({}));
    probe.caught("PUT", ROLE, "/properties/principalId: value is not of type \"string\"", |entry| {
        entry.request_body["properties"]["principalId"] = json!(7);
    });
    probe.caught("PUT", ROLE, "/properties: \"roleDefinitionId\" is a required property", |entry| {
        entry.request_body["properties"].as_object_mut().unwrap().shift_remove("roleDefinitionId");
    });
    probe.allowed("PUT", ROLE, |entry| entry.request_body["properties"]["principalType"] = json!("Robot"));
    probe.caught("PUT", ROLE, "properties.role: no schema names this", |entry| entry.request_body["properties"]["role"] = json!("x"));
    probe.caught("PUT", IDENTITY, "properties.clientId: only the service sets this", |entry| {
        entry.request_body["properties"] = json!({"clientId": "00000000-0000-4000-8000-000000000000"});
    });
    probe.caught("PUT", IDENTITY, "/location: value is not of type", |entry| entry.request_body["location"] = Value::Null);
    probe.caught("POST", GRAPH, "/query: value is not of type", |entry| entry.request_body["query"] = json!(["resources"]));
    probe.caught("POST", GRAPH, "options.top: no schema names this", |entry| entry.request_body["options"]["top"] = json!(1));
}

fn clusters(probe: &Probe<'_>) {
    let newer = |entry: &mut Entry| entry.request_body["properties"]["newerProfile"] = json!({"enabled": true, "inner": [{"a": 1}]});
    probe.caught("PUT", CLUSTER, "properties.newerProfile: no schema names this", newer);
    let mut log = probe.log.to_vec();
    let put = probe.position("PUT", CLUSTER);
    for entry in log[..put].iter_mut().filter(|entry| entry.path.ends_with(CLUSTER)) {
        entry.response_body["properties"]["newerProfile"] = json!({"enabled": false, "inner": [{"a": 2}]});
    }
    newer(&mut log[put]);
    assert_eq!(probe.contract.violations(&log), Vec::<String>::new(), "a newer field may go back");
    probe.caught("PUT", CLUSTER, "properties.fqdn: only the service sets this", |entry| {
        entry.request_body["properties"]["fqdn"] = json!("x");
    });
    probe.caught("PUT", CLUSTER, "eTag: only the service sets this", |entry| entry.request_body["eTag"] = json!("x"));
    probe.caught("PUT", CLUSTER, "properties/kubernetesVersion: value is not of type", |entry| {
        entry.request_body["properties"]["kubernetesVersion"] = Value::Null;
    });
}

fn responses(probe: &Probe<'_>) {
    probe.caught("PUT", ROLE, "the status 202 is not described", |entry| entry.status = 202);
    probe.caught("GET", VAULT, "/properties/sku/name: value is not one of", |entry| {
        entry.response_body["properties"]["sku"]["name"] = json!("golden");
    });
    probe.caught("GET", VAULT, "\"tenantId\" is a required property", |entry| {
        entry.response_body["properties"].as_object_mut().unwrap().shift_remove("tenantId");
    });
    probe.caught("GET", VAULT, "properties.colour: no schema names this", |entry| {
        entry.response_body["properties"]["colour"] = json!("red");
    });
    probe.allowed("GET", CLUSTER, |entry| entry.response_body["properties"]["colour"] = json!("red"));
    probe.caught("GET", VAULT, "lacks its body", |entry| entry.response_body = Value::Null);
    probe.allowed("GET", VAULT, |entry| entry.response_body["properties"]["vaultUri"] = Value::Null);
    probe.caught("GET", VAULT, "value is not of type", |entry| entry.response_body["properties"]["sku"] = Value::Null);
    probe.caught("POST", GRAPH, "no array of objects", |entry| entry.response_body["data"] = json!({"columns": [], "rows": []}));
    probe.caught("POST", GRAPH, "\"count\" is a required property", |entry| {
        entry.response_body.as_object_mut().unwrap().shift_remove("count");
    });
    let page = ("Content-Type".to_owned(), "text/html".to_owned());
    probe.allowed("GET", VAULT, |entry| {
        (entry.status, entry.response_body, entry.response_headers) = (503, json!("<html>"), vec![page]);
    });
}

fn operations(probe: &Probe<'_>) {
    let operations = probe.log.iter().filter(|entry| entry.kind == Kind::Arm && entry.path.contains(POLL)).count();
    assert!(operations > 1, "the cluster update is polled");
    probe.caught("GET", POLL, "an operation has a status", |entry| entry.response_body = json!({}));
    probe.caught("GET", POLL, "is asked with GET", |entry| entry.method = "POST".into());
    probe.caught("GET", POLL, "no official operation", |entry| {
        let end = entry.path.len() - 12;
        entry.path.replace_range(end.., "000000000000");
    });
}
