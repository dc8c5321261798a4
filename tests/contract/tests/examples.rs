//! The validator must accept the official examples of the services, except for known mistakes.

#![allow(clippy::unwrap_used, reason = "a test tells by panicking")]

use std::collections::BTreeSet;

use contract::Contract;
use contract::schema::Reading;
use serde_json::Value;

/// Numbers of examples according to INDEX.md.
const REQUESTS: usize = 168;
const RESPONSES: usize = 574;
const MISMATCHED: usize = 46;

/// The list was made by a check that ignored `x-nullable` beside a `$ref`; in this one such a null is allowed.
const NULL_BESIDE_REFERENCE: &str = "OperationStatus_Get";

/// Operation and example file.
type Case = (String, String);

#[derive(Default)]
struct Tally {
    requests: usize,
    responses: usize,
    strict: Vec<(Case, Vec<String>)>,
    lenient: Vec<(Case, Vec<String>)>,
    refused: Vec<(Case, Vec<String>)>,
}

fn tally(contract: &Contract) -> Tally {
    let mut tally = Tally::default();
    for operation in contract.operations.iter() {
        let document = contract.document(&operation.file).unwrap();
        for file in &operation.examples {
            let example = contract.json(file).unwrap();
            let case = (operation.operation_id.clone(), file.clone());
            if let Some(body) = &operation.body
                && let Some(sent) = example["parameters"].get(&body.name)
            {
                tally.requests += 1;
                let faults = document.findings(&body.schema, sent, Reading::Request).invalid;
                if !faults.is_empty() {
                    tally.refused.push((case.clone(), faults));
                }
            }
            for (status, answer) in example["responses"].as_object().unwrap() {
                let described = operation.responses.get(status).or(operation.responses.get("default"));
                let (Some(pointer), Some(body)) = (described.and_then(|one| one.schema.as_ref()), answer.get("body")) else { continue };
                tally.responses += 1;
                for (reading, into) in [(Reading::Strict, &mut tally.strict), (Reading::Lenient, &mut tally.lenient)] {
                    let faults = document.findings(pointer, body, reading).invalid;
                    if !faults.is_empty() {
                        into.push((case.clone(), faults));
                    }
                }
            }
        }
    }
    tally
}

#[test]
fn the_official_examples_are_valid_but_for_the_known_ones() {
    let Some(contract) = Contract::of_this_machine() else { return contract::skipped() };
    let tally = tally(contract);
    assert_eq!(tally.refused, [], "every request example is valid");
    assert_eq!((tally.requests, tally.responses), (REQUESTS, RESPONSES));
    let known: BTreeSet<Case> = contract.json("examples-known-mismatch.json").unwrap()["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (text(&entry["operation"]), text(&entry["example"])))
        .collect();
    let found: BTreeSet<Case> = tally.strict.iter().map(|(case, _)| case.clone()).collect();
    let new: Vec<_> = tally.strict.iter().filter(|(case, _)| !known.contains(case)).collect();
    assert!(new.is_empty(), "{new:#?}");
    let valid: Vec<&str> = known.difference(&found).map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(valid, [NULL_BESIDE_REFERENCE], "listed, but valid");
    assert_eq!(tally.strict.len(), MISMATCHED - valid.len());
}

#[test]
fn leniency_is_for_null_and_for_nothing_else() {
    let Some(contract) = Contract::of_this_machine() else { return contract::skipped() };
    let left: Vec<String> = tally(contract).lenient.into_iter().flat_map(|(_, faults)| faults).collect();
    assert!(!left.is_empty() && left.len() < MISMATCHED, "{}", left.len());
    // Resource Graph's rows and the free values of what-if are described as objects but are none.
    let other: Vec<&String> = left.iter().filter(|fault| !fault.contains("is not of type \"object\"")).collect();
    assert!(other.is_empty(), "{other:#?}");
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
