#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::*;
use crate::model::variable::Part;
use crate::model::vault::{CsiIdentity, ObjectKind, VaultObject};
use crate::plan::graph::{Direction, prerequisites};
use crate::plan::spec::StepKind;

fn id(kind: &str, name: &str) -> ResourceId {
    ResourceId::resource("s", "g", kind, name)
}

fn cluster() -> ResourceId {
    id("Microsoft.ContainerService/managedClusters", "aks")
}

fn identity(addon_of: Option<ResourceId>) -> spec::Identity {
    spec::Identity {
        id: id("Microsoft.ManagedIdentity/userAssignedIdentities", "id-web"),
        location: "westeurope".into(),
        create: addon_of.is_none(),
        owner: "aks/shop/web".into(),
        tags: Default::default(),
        addon_of,
    }
}

fn account() -> spec::ServiceAccount {
    spec::ServiceAccount { namespace: "shop".into(), name: "web".into(), create: true, foreign: false, image_pull_secrets: vec![] }
}

fn mount(identity: CsiIdentity) -> spec::Mount {
    let class = spec::SecretProviderClass {
        namespace: "shop".into(),
        name: "keyvault-v".into(),
        vault: "v".into(),
        tenant: "t".into(),
        cloud: None,
        identity,
        objects: vec![VaultObject::parse(ObjectKind::Secret, "a").unwrap()],
    };
    spec::Mount { path: "/mnt/secrets-store".into(), class }
}

fn role(name: &str) -> Grant {
    Grant::Role(Role { name: name.into(), id: "4633458b".into() })
}

/// A connection with keys: the least of all.
fn facts() -> Facts {
    Facts {
        target: id("Microsoft.KeyVault/vaults", "v"),
        scope: String::new(),
        cluster: cluster(),
        issuer: None,
        namespace: "shop".into(),
        identity: None,
        account: None,
        principal: None,
        grants: vec![],
        secret: Some("keyvault-v".into()),
        variables: vec![Variable::text("URL", "https://v.example")],
        stored: vec![],
        mount: None,
        workload: Some(WorkloadFacts {
            kind: "deployment".into(),
            name: "web".into(),
            containers: vec!["app".into()],
            on_default_account: true,
        }),
    }
}

fn kinds(specs: &[StepSpec]) -> Vec<StepKind> {
    specs.iter().map(StepSpec::kind).collect()
}

/// What the step waits for, by kind.
fn waits(specs: &[StepSpec], kind: StepKind) -> Vec<StepKind> {
    let at = specs.iter().position(|s| s.kind() == kind).unwrap();
    prerequisites(specs, Direction::Forward)[at].iter().map(|before| specs[*before].kind()).collect()
}

#[test]
fn workload_identity_needs_trust_grant_and_delivery() {
    use StepKind::{ClusterFeatures, FederatedCredential, Identity, RoleAssignment, Secret, ServiceAccount, Workload};
    let facts = Facts { identity: Some(identity(None)), account: Some(account()), grants: vec![role("Reader")], ..facts() };
    let specs = specs(&facts);
    let all = [ClusterFeatures, Identity, RoleAssignment, FederatedCredential, ServiceAccount, Secret, Workload];
    assert_eq!(kinds(&specs), all);
    assert_eq!(waits(&specs, RoleAssignment), [Identity]);
    assert_eq!(waits(&specs, FederatedCredential), [ClusterFeatures, Identity]);
    assert_eq!(waits(&specs, ServiceAccount), [Identity]);
    let mut last = waits(&specs, Workload);
    last.sort();
    let mut others = all[..6].to_vec();
    others.sort();
    assert_eq!(last, others);
    let workload = spec::Workload::of(specs.last().unwrap()).unwrap();
    assert_eq!((workload.service_account.as_deref(), workload.identity), (Some("web"), true));
}

#[test]
fn outside_aks_no_feature_is_enabled_and_the_issuer_is_given() {
    let issuer = Some("https://issuer.example/".to_owned());
    let facts = Facts { identity: Some(identity(None)), account: Some(account()), issuer: issuer.clone(), ..facts() };
    let specs = specs(&facts);
    assert!(!kinds(&specs).contains(&StepKind::ClusterFeatures));
    assert_eq!(specs.iter().find_map(spec::FederatedCredential::of).unwrap().issuer, issuer);
    assert_eq!(waits(&specs, StepKind::FederatedCredential), [StepKind::Identity]);
}

#[test]
fn the_add_on_comes_before_its_identity_and_its_class() {
    use StepKind::{ClusterFeatures, Identity, RoleAssignment, Secret, SecretProviderClass, Workload};
    let facts = Facts {
        identity: Some(identity(Some(cluster()))),
        grants: vec![role("Key Vault Secrets User")],
        mount: Some(mount(CsiIdentity::Addon)),
        ..facts()
    };
    let specs = specs(&facts);
    assert_eq!(kinds(&specs), [ClusterFeatures, Identity, RoleAssignment, Secret, SecretProviderClass, Workload]);
    assert_eq!(waits(&specs, Identity), [ClusterFeatures]);
    assert_eq!(waits(&specs, SecretProviderClass), [ClusterFeatures, Identity]);
    let features = spec::ClusterFeatures::of(&specs[0]).unwrap();
    assert_eq!((features.federation, features.secrets_provider), (false, true));
    assert!(!spec::Workload::of(&specs[5]).unwrap().identity);
}

#[test]
fn keys_need_the_secret_and_the_workload_alone() {
    let specs = specs(&facts());
    assert_eq!(kinds(&specs), [StepKind::Secret, StepKind::Workload]);
    assert_eq!(waits(&specs, StepKind::Workload), [StepKind::Secret]);
}

#[test]
fn stored_secrets_are_granted_one_by_one_and_mounted() {
    use StepKind::{
        ClusterFeatures, FederatedCredential, Identity, RoleAssignment, SecretProviderClass, ServiceAccount, VaultSecret, Workload,
    };
    let stored = |variable: &str| spec::VaultSecret {
        vault: id("Microsoft.KeyVault/vaults", "v"),
        uri: "https://v.example".into(),
        name: format!("shop-{}", variable.to_ascii_lowercase()),
        owner: "aks/shop/c".into(),
        variable: Variable::of(variable, vec![Part::Given { name: variable.into(), escaped: false }]),
    };
    let facts = Facts {
        identity: Some(identity(None)),
        account: Some(account()),
        grants: vec![role("Key Vault Secrets User")],
        variables: vec![],
        stored: vec![stored("KEY"), stored("PASSWORD")],
        mount: Some(mount(CsiIdentity::Workload)),
        ..facts()
    };
    let specs = specs(&facts);
    let all = [
        ClusterFeatures,
        Identity,
        RoleAssignment,
        RoleAssignment,
        FederatedCredential,
        ServiceAccount,
        VaultSecret,
        VaultSecret,
        SecretProviderClass,
        Workload,
    ];
    assert_eq!(kinds(&specs), all);
    let scopes: Vec<&str> = specs.iter().filter_map(spec::RoleAssignment::of).map(|r| r.scope.name()).collect();
    assert_eq!(scopes, ["shop-key", "shop-password"]);
    assert_eq!(waits(&specs, VaultSecret), []);
    assert!(waits(&specs, Workload).contains(&VaultSecret));
}

#[test]
fn a_service_principal_gets_the_grant_and_waits_for_nobody() {
    let facts = Facts { principal: Some("object-id".into()), grants: vec![role("Reader")], ..facts() };
    let specs = specs(&facts);
    assert_eq!(kinds(&specs), [StepKind::RoleAssignment, StepKind::Secret, StepKind::Workload]);
    assert_eq!(waits(&specs, StepKind::RoleAssignment), []);
}

#[test]
fn what_is_adopted_without_a_secret_gets_none() {
    let facts = Facts { identity: Some(identity(None)), account: Some(account()), secret: None, variables: vec![], ..facts() };
    assert!(!kinds(&specs(&facts)).contains(&StepKind::Secret));
}
