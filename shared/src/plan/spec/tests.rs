#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use serde_json::json;

use super::*;
use crate::model::access::Role;
use crate::model::variable::Variable;
use crate::model::vault::CsiIdentity;
use crate::plan::graph::{Direction, prerequisites};

fn identity_id(name: &str) -> ResourceId {
    ResourceId::resource("s", "g", "Microsoft.ManagedIdentity/userAssignedIdentities", name)
}

fn cluster_id() -> ResourceId {
    ResourceId::resource("s", "g", "Microsoft.ContainerService/managedClusters", "c")
}

fn cluster() -> StepSpec {
    ClusterFeatures { cluster: cluster_id(), federation: true, secrets_provider: false }.into()
}

fn identity(addon_of: Option<ResourceId>) -> StepSpec {
    let (id, location, owner) = (identity_id("id"), "l".into(), "o".into());
    Identity { id, location, create: true, owner, tags: Default::default(), addon_of }.into()
}

fn role() -> StepSpec {
    let role = Role { name: "Reader".into(), id: "guid".into() };
    RoleAssignment { scope: vault_id(), role, part: None, to: Grantee::Identity(identity_id("id")) }.into()
}

fn vault_id() -> ResourceId {
    ResourceId::resource("s", "g", "Microsoft.KeyVault/vaults", "v")
}

fn credential() -> StepSpec {
    let (identity, namespace, service_account) = (identity_id("id"), "n".into(), "a".into());
    FederatedCredential { identity, namespace, service_account, issuer: None }.into()
}

fn account() -> StepSpec {
    ServiceAccount { namespace: "n".into(), name: "a".into(), create: true, foreign: false, image_pull_secrets: vec![] }.into()
}

fn secret() -> StepSpec {
    Secret { namespace: "n".into(), name: "s".into(), variables: vec![], foreign: false }.into()
}

fn vault_secret() -> StepSpec {
    let (uri, name, owner) = ("https://v.example".into(), "s-1".into(), "o".into());
    VaultSecret { vault: vault_id(), uri, name, owner, variable: Variable::text("KEY", "k") }.into()
}

fn class() -> SecretProviderClass {
    let (namespace, name, vault, tenant) = ("n".into(), "s".into(), "v".into(), "t".into());
    SecretProviderClass { namespace, name, vault, tenant, cloud: None, identity: CsiIdentity::Workload, objects: vec![] }
}

fn workload() -> StepSpec {
    Workload {
        kind: "deployment".into(),
        namespace: "n".into(),
        name: "w".into(),
        containers: vec!["app".into()],
        foreign: false,
        identity: true,
        service_account: Some("a".into()),
        secret: "s".into(),
        variables: vec![Variable::text("A", "a")],
        mount: None,
    }
    .into()
}

/// Each step with the steps that it waits for.
fn waits(steps: &[StepSpec]) -> Vec<(String, Vec<String>)> {
    let before = prerequisites(steps, Direction::Forward);
    let ids = |at: &Vec<usize>| at.iter().map(|b| steps[*b].id()).collect();
    steps.iter().zip(&before).map(|(step, before)| (step.id(), ids(before))).collect()
}

fn expected(lines: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    lines.iter().map(|(id, before)| ((*id).to_owned(), before.iter().map(|b| (*b).to_owned()).collect())).collect()
}

#[test]
fn with_an_identity_all_waits_for_the_identity_and_the_workload_for_all() {
    let steps = [cluster(), identity(None), role(), credential(), account(), secret(), workload()];
    let sorted = |lines: Vec<(String, Vec<String>)>| -> Vec<(String, Vec<String>)> {
        let sort = |mut before: Vec<String>| {
            before.sort();
            before
        };
        lines.into_iter().map(|(id, before)| (id, sort(before))).collect()
    };
    let lines = expected(&[
        ("cluster", &[]),
        ("identity", &[]),
        ("role:guid", &["identity"]),
        ("federated-credential", &["cluster", "identity"]),
        ("service-account", &["identity"]),
        ("secret", &["identity"]),
        ("workload", &["cluster", "federated-credential", "identity", "role:guid", "secret", "service-account"]),
    ]);
    assert_eq!(sorted(waits(&steps)), lines);
}

#[test]
fn the_add_ons_identity_waits_for_the_add_on() {
    let steps = [cluster(), identity(Some(cluster_id())), role(), class().into()];
    let lines = expected(&[
        ("cluster", &[]),
        ("identity", &["cluster"]),
        ("role:guid", &["identity"]),
        ("secret-provider-class", &["cluster", "identity"]),
    ]);
    assert_eq!(waits(&steps), lines);
}

#[test]
fn a_vault_secret_waits_for_nothing_and_the_workload_for_it() {
    let steps = [vault_secret(), class().into(), workload()];
    let lines = expected(&[
        ("vault-secret:KEY", &[]),
        ("secret-provider-class", &[]),
        ("workload", &["vault-secret:KEY", "secret-provider-class"]),
    ]);
    assert_eq!(waits(&steps), lines);
}

#[test]
fn a_grant_waits_for_its_own_identity_alone() {
    let other = Identity {
        id: identity_id("other"),
        location: "l".into(),
        create: true,
        owner: "o".into(),
        tags: Default::default(),
        addon_of: None,
    };
    assert_eq!(waits(&[other.into(), role()])[1].1, Vec::<String>::new());
    let service_principal = RoleAssignment {
        scope: vault_id(),
        role: Role { name: "Reader".into(), id: "guid".into() },
        part: None,
        to: Grantee::Principal("object-id".into()),
    };
    assert_eq!(waits(&[identity(None), service_principal.into()])[1].1, Vec::<String>::new());
}

#[test]
fn the_word_of_a_kind_is_its_tag_in_records() {
    let steps = [cluster(), identity(None), role(), credential(), account(), secret(), vault_secret(), class().into(), workload()];
    for step in steps {
        let written = serde_json::to_value(&step).unwrap();
        assert_eq!(written["step"], step.kind().as_str());
        assert_eq!(serde_json::from_value::<StepSpec>(written).unwrap(), step);
    }
    let words: Vec<&str> = StepKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let those_of_version_0_1 = [
        "clusterFeatures",
        "identity",
        "roleAssignment",
        "vaultPolicy",
        "cosmosRole",
        "redisPolicy",
        "federatedCredential",
        "serviceAccount",
        "secret",
        "vaultSecret",
        "secretProviderClass",
        "workload",
    ];
    assert_eq!(words, those_of_version_0_1);
}

#[test]
fn a_record_of_version_0_1_is_read() {
    let written = json!({"step": "redisPolicy", "cache": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Cache/redis/r",
        "policy": "Data Reader", "identity": identity_id("id").as_str()});
    let step: StepSpec = serde_json::from_value(written).unwrap();
    assert_eq!((step.kind(), step.family(), step.id().as_str()), (StepKind::RedisPolicy, Family::Grant, "redis-policy"));
    assert_eq!(step.lock().unwrap(), "policies of /subscriptions/s/resourcegroups/g/providers/microsoft.cache/redis/r");
}

#[test]
fn what_is_taken_over_is_read_alone() {
    let Some(Workload { foreign: true, variables, .. }) = Workload::of(&workload().taken_over()).cloned() else { panic!("not foreign") };
    assert!(variables.is_empty());
    assert!(Secret::of(&secret().taken_over()).unwrap().foreign && ServiceAccount::of(&account().taken_over()).unwrap().foreign);
    assert_eq!(identity(None).taken_over(), identity(None));
}
