//! Identities and their federated credentials.

use std::time::Duration;

use futures::future::join;
use serde_json::json;

use crate::support::{Bench, MSI, READY_ISSUER, credential, federation, group, identity};

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_comes_and_goes() {
    let bench = Bench::start().await;
    let made = bench.put(&identity("id-web"), MSI, &json!({"location": "westeurope", "tags": {"a": "b"}})).await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(id.contains("/resourcegroups/"), "{id}");
    assert_eq!(made.header("location").as_deref(), Some(id.as_str()));
    let again = bench.put(&identity("id-web"), MSI, &json!({"location": "westeurope"})).await;
    assert_eq!((again.status.as_u16(), &again.json()["properties"]), (200, &made.json()["properties"]));
    let moved = bench.put(&identity("id-web"), MSI, &json!({"location": "northeurope"})).await;
    assert_eq!(moved.refusal(), (409, "InvalidResourceLocation".into()));
    let list = bench.get(&format!("{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities", group("rg-shop")), MSI).await.json();
    assert_eq!(list["value"].as_array().unwrap().len(), 3);
    assert!(list["nextLink"].is_null());
    assert_eq!(bench.delete(&identity("id-web"), MSI).await.status, 200);
    assert_eq!(bench.delete(&identity("id-web"), MSI).await.status, 204);
    assert_eq!(bench.get(&identity("id-web"), MSI).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_and_unknown_fields_are_refused() {
    let bench = Bench::start().await;
    for body in [json!({"location": "westeurope", "properties": {"clientId": "x"}}), json!({"location": "westeurope", "sku": {}})] {
        assert_eq!(bench.put(&identity("id-web"), MSI, &body).await.refusal(), (400, "InvalidRequestContent".into()));
    }
    assert_eq!(bench.put(&identity("id-web"), MSI, &json!({})).await.refusal(), (400, "LocationRequired".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_identity_can_be_unreadable_for_a_while() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.identity_unreadable = Duration::from_secs(60));
    bench.make_identity("id-web").await;
    assert_eq!(bench.get(&identity("id-web"), MSI).await.status, 404);
    bench.sandbox.control().advance(Duration::from_secs(60));
    assert_eq!(bench.get(&identity("id-web"), MSI).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_twenty_first_credential_is_refused() {
    let bench = Bench::start().await;
    let full = bench.make_credential("id-full", "one-more", READY_ISSUER, "system:serviceaccount:shop:web").await;
    assert_eq!(full.refusal(), (400, "BadRequest".into()));
    let changed = bench.put(&credential("id-full", "fic-01"), MSI, &federation(READY_ISSUER, "system:serviceaccount:shop:web")).await;
    assert_eq!(changed.status, 200);
    assert_eq!(bench.delete(&credential("id-full", "fic-02"), MSI).await.status, 200);
    assert_eq!(bench.make_credential("id-full", "one-more", READY_ISSUER, "system:serviceaccount:shop:db").await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn issuer_and_subject_are_unique_under_an_identity() {
    let bench = Bench::start().await;
    let subject = "system:serviceaccount:shop:web";
    let first = bench.make_credential("id-shared", "first", READY_ISSUER, subject).await;
    assert_eq!((first.status.as_u16(), first.header("location").is_some()), (201, true));
    let second = bench.make_credential("id-shared", "second", READY_ISSUER, subject).await;
    assert_eq!(second.refusal(), (400, "BadRequest".into()));
    assert_eq!(bench.make_credential("id-shared", "first", READY_ISSUER, subject).await.status, 200);
    let list = bench.get(&format!("{}/federatedIdentityCredentials", identity("id-shared")), MSI).await.json();
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_writer_at_a_time_per_identity() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.credential_write = Duration::from_millis(300));
    let (a, b) = join(
        bench.make_credential("id-shared", "aaa", READY_ISSUER, "system:serviceaccount:shop:a"),
        bench.make_credential("id-shared", "bbb", READY_ISSUER, "system:serviceaccount:shop:b"),
    )
    .await;
    let (won, lost) = if a.status == 201 { (a, b) } else { (b, a) };
    assert_eq!(won.status, 201);
    assert_eq!(lost.refusal(), (409, "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity".into()));
    bench.make_identity("id-web").await;
    let (a, b) = join(
        bench.make_credential("id-shared", "ccc", READY_ISSUER, "system:serviceaccount:shop:c"),
        bench.make_credential("id-web", "ccc", READY_ISSUER, "system:serviceaccount:shop:c"),
    )
    .await;
    assert_eq!((a.status.as_u16(), b.status.as_u16()), (201, 201));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_needs_its_identity_one_audience_and_a_good_name() {
    let bench = Bench::start().await;
    let orphan = bench.make_credential("none", "fic", READY_ISSUER, "s").await;
    assert_eq!(orphan.refusal(), (404, "ParentResourceNotFound".into()));
    let body = json!({"properties": {"issuer": READY_ISSUER, "subject": "s", "audiences": ["a", "b"]}});
    assert_eq!(bench.put(&credential("id-shared", "fic"), MSI, &body).await.status, 400);
    assert_eq!(bench.make_credential("id-shared", "no", READY_ISSUER, "s").await.status, 400);
    assert_eq!(bench.delete(&credential("id-shared", "none"), MSI).await.status, 204);
    assert_eq!(bench.delete(&credential("none", "none"), MSI).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_an_identity_takes_its_credentials_along() {
    let bench = Bench::start().await;
    assert_eq!(bench.delete(&identity("id-full"), MSI).await.status, 200);
    let state = bench.sandbox.control().state();
    assert!(!state["resources"].as_object().unwrap().keys().any(|id| id.contains("id-full")));
}

#[tokio::test(flavor = "multi_thread")]
async fn some_regions_take_no_credentials() {
    let bench = Bench::start().await;
    assert_eq!(bench.put(&identity("id-far"), MSI, &json!({"location": "malaysiasouth"})).await.status, 201);
    assert_eq!(bench.make_credential("id-far", "fic", READY_ISSUER, "s").await.status, 405);
}
