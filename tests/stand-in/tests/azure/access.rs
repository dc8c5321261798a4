//! Role assignments, permissions, locks.

use std::time::Duration;

use serde_json::{Value, json};
use stand_in::world::{OTHER_SUBSCRIPTION, SUBSCRIPTION, USER};

use crate::support::{Bench, COGNITIVE_USER, KEY_VAULT, MSI, ROLES, SECRETS_USER, grant_body, group, identity, principal, vault};

const NAME: &str = "aaaaaaaa-0000-4000-8000-000000000001";

fn assignment(scope: &str, name: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_exists_once() {
    let bench = Bench::start().await;
    let id = bench.make_identity("id-web").await;
    let scope = vault("my-vault");
    let body = grant_body(principal(&id), SECRETS_USER);
    let made = bench.put(&assignment(&scope, NAME), ROLES, &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json()["properties"]["scope"], scope);
    assert_eq!(bench.put(&assignment(&scope, NAME), ROLES, &body).await.refusal(), (409, "RoleAssignmentExists".into()));
    assert_eq!(bench.grant(&scope, principal(&id), SECRETS_USER).await.refusal(), (409, "RoleAssignmentExists".into()));
    let other = grant_body(principal(&id), COGNITIVE_USER);
    assert_eq!(bench.put(&assignment(&scope, NAME), ROLES, &other).await.refusal(), (400, "RoleAssignmentUpdateNotPermitted".into()));
    assert_eq!(bench.get(&assignment(&scope, NAME), ROLES).await.json(), made.json());
    assert_eq!(bench.delete(&assignment(&scope, NAME), ROLES).await.status, 200);
    assert_eq!(bench.delete(&assignment(&scope, NAME), ROLES).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_by_scope_and_principal() {
    let bench = Bench::start().await;
    let id = bench.make_identity("id-web").await;
    for scope in [group("rg-data"), vault("my-vault")] {
        assert_eq!(bench.grant(&scope, principal(&id), SECRETS_USER).await.status, 201);
    }
    let count = async |scope: &str, filter: &str| {
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments?$filter={filter}");
        let answer = bench.get(&path, ROLES).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["value"].as_array().unwrap().len()
    };
    let of = |term: &str| term.replace("OID", principal(&id));
    assert_eq!(count(&vault("my-vault"), &of("principalId%20eq%20'OID'")).await, 2);
    assert_eq!(count(&vault("my-vault"), &of("assignedTo('OID')")).await, 2);
    assert_eq!(count(&vault("policy-vault"), &of("principalId+eq+'OID'")).await, 1);
    assert_eq!(count(&group("rg-data"), &of("principalId%20eq%20'OID'")).await, 2);
    assert_eq!(count(&group("rg-data"), &of("atScope()%20and%20assignedTo('OID')")).await, 1);
    assert_eq!(count(&vault("my-vault"), "atScope()").await, 3, "with the owner's on the subscription");
    let path = format!("{}/providers/Microsoft.Authorization/roleAssignments?$filter=roleName%20eq%20'x'", group("rg-data"));
    assert_eq!(bench.get(&path, ROLES).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn role_scope_and_principal_must_exist() {
    let bench = Bench::start().await;
    let id = bench.make_identity("id-web").await;
    let unknown = bench.grant(&vault("my-vault"), principal(&id), "00000000-0000-4000-8000-000000000000").await;
    assert_eq!(unknown.refusal(), (400, "RoleDefinitionDoesNotExist".into()));
    assert_eq!(bench.grant(&vault("none"), principal(&id), SECRETS_USER).await.status, 404);
    let path = assignment(&vault("my-vault"), NAME);
    let mut body = grant_body("00000000-0000-4000-8000-000000000000", SECRETS_USER);
    body["properties"].as_object_mut().unwrap().shift_remove("principalType");
    assert_eq!(bench.put(&path, ROLES, &body).await.refusal(), (400, "PrincipalNotFound".into()));
    let body = grant_body("nobody", SECRETS_USER);
    assert_eq!(bench.put(&path, ROLES, &body).await.refusal(), (400, "InvalidPrincipalId".into()));
    let mut body = grant_body(principal(&id), SECRETS_USER);
    body["properties"]["principalType"] = json!("User");
    assert_eq!(bench.put(&path, ROLES, &body).await.refusal(), (400, "UnmatchedPrincipalType".into()));
    let body = grant_body(principal(&id), SECRETS_USER);
    assert_eq!(bench.put(&assignment(&vault("my-vault"), "web"), ROLES, &body).await.refusal(), (400, "InvalidRoleAssignmentId".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_principal_needs_its_type_told_until_it_is_replicated() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.identity_replication = Duration::from_secs(60));
    let id = bench.make_identity("id-web").await;
    let path = assignment(&vault("my-vault"), NAME);
    let mut untyped = grant_body(principal(&id), SECRETS_USER);
    untyped["properties"].as_object_mut().unwrap().shift_remove("principalType");
    let refused = bench.put(&path, ROLES, &untyped).await;
    assert_eq!(refused.refusal(), (400, "PrincipalNotFound".into()));
    assert!(refused.text.contains(&principal(&id).replace('-', "")), "the principal is told without hyphens");
    assert_eq!(bench.put(&path, ROLES, &grant_body(principal(&id), SECRETS_USER)).await.status, 201);
    bench.delete(&path, ROLES).await;
    bench.sandbox.control().advance(Duration::from_secs(60));
    assert_eq!(bench.put(&path, ROLES, &untyped).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn role_definitions_are_found_by_id_and_name() {
    let bench = Bench::start().await;
    let base = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions");
    let by_id = bench.get(&format!("{base}/{SECRETS_USER}"), ROLES).await.json();
    assert_eq!(by_id["properties"]["roleName"], "Key Vault Secrets User");
    let by_name = bench.get(&format!("{base}?$filter=roleName%20eq%20'key%20vault%20secrets%20user'"), ROLES).await.json();
    assert_eq!(by_name["value"], json!([by_id]));
    assert_eq!(bench.get(&format!("{base}/00000000-0000-4000-8000-000000000000"), ROLES).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_is_shown_and_refused_there_and_below() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.deny("Microsoft.Authorization/roleAssignments/write", &group("rg-data")));
    let permissions = async |scope: &str| bench.get(&format!("{scope}/providers/Microsoft.Authorization/permissions"), ROLES).await.json();
    assert_eq!(
        permissions(&vault("my-vault")).await["value"][0],
        json!({
            "actions": ["*"], "notActions": ["Microsoft.Authorization/roleAssignments/write"], "dataActions": [], "notDataActions": [],
        })
    );
    assert_eq!(permissions(&group("rg-shop")).await["value"][0]["notActions"], json!([]));
    let id = bench.make_identity("id-web").await;
    let refused = bench.grant(&vault("my-vault"), principal(&id), SECRETS_USER).await;
    assert_eq!(refused.refusal(), (403, "AuthorizationFailed".into()));
    assert!(refused.text.contains(USER));
    let other = format!("/subscriptions/{OTHER_SUBSCRIPTION}/resourceGroups/rg-other/providers/Microsoft.KeyVault/vaults/dup-vault");
    assert_eq!(bench.grant(&other, principal(&id), SECRETS_USER).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managed_identity_may_nothing_on_arm_before_it_is_granted() {
    let mut bench = Bench::start().await;
    let (id, token) = bench.federated("id-web", crate::support::ARM).await;
    let user = std::mem::replace(&mut bench.arm_token, token.clone());
    assert_eq!(bench.get(&vault("my-vault"), KEY_VAULT).await.refusal(), (403, "AuthorizationFailed".into()));
    bench.arm_token = user;
    let reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
    assert_eq!(bench.grant(&group("rg-data"), principal(&id), reader).await.status, 201);
    bench.arm_token = token;
    assert_eq!(bench.get(&vault("my-vault"), KEY_VAULT).await.status, 200);
    let refused = bench.put(&identity("id-new"), MSI, &json!({"location": "westeurope"})).await;
    assert_eq!(refused.refusal(), (403, "AuthorizationFailed".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_stop_writes_and_deletes() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.lock(&group("rg-shop"), "CanNotDelete"));
    bench.make_identity("id-web").await;
    assert_eq!(bench.delete(&identity("id-web"), MSI).await.refusal(), (409, "ScopeLocked".into()));
    bench.sandbox.control().knobs(|knobs| knobs.lock(&group("rg-shop"), "ReadOnly"));
    let refused = bench.put(&identity("id-2nd"), MSI, &json!({"location": "westeurope"})).await;
    assert_eq!(refused.refusal(), (409, "ScopeLocked".into()));
    let list: Value = bench.get(&format!("{}/providers/Microsoft.Authorization/locks", group("rg-shop")), "2020-05-01").await.json();
    assert_eq!(list["value"].as_array().unwrap().len(), 2);
}
