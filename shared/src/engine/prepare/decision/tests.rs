//! What a connection consists of, decided from literal stages.

use serde_json::json;

use super::*;
use crate::engine::prepare::testing::{Scene, names, refused, request};
use crate::lookup::records::Stored;
use crate::model::ResourceId;
use crate::model::request::{ConnectRequest, Patch};
use crate::model::target::Target;
use crate::model::vault::VaultObject;
use crate::plan::spec::StepSpec;
use crate::plan::testing::{TENANT, VAULTS, account, cluster, identity, identity_id, record, target, vault};

const BLOBS: &str = "Microsoft.Storage/storageAccounts";

fn reading_secrets() -> Grant {
    Grant::Role(Role { name: "Key Vault Secrets User".into(), id: "4633458b-17de-408a-b874-0445c86b69e6".into() })
}

fn blobs(auth: Auth) -> ConnectRequest {
    ConnectRequest { auth: Some(auth), ..request("storage-blob", "data") }
}

/// A request that mounts the secret `db-password`, which the driver reads as `mode`.
fn mounting(mode: CsiIdentity) -> ConnectRequest {
    let mut asked = request("keyvault", "vault");
    asked.csi.objects = vec![VaultObject::parse(ObjectKind::Secret, "db-password").unwrap()];
    asked.csi.identity = Some(mode);
    asked
}

fn data() -> Target {
    target(BLOBS, "data", json!({}))
}

#[test]
fn a_service_account_gets_an_identity_of_its_own() {
    let mut asked = request("keyvault", "vault");
    asked.tags.insert("team".into(), "shop".into());
    let scene = Scene::of(asked, vault("vault"));
    let decision = scene.decide(None).unwrap();
    let identity = decision.identity.clone().unwrap();
    assert!(identity.id.name().starts_with("id-aks-shop-web-"), "{}", identity.id);
    assert_eq!((identity.id.resource_group(), identity.location.as_str()), ("shop-rg", "westeurope"));
    assert_eq!((identity.create, identity.owner.as_str(), identity.tags["team"].as_str()), (true, "aks/shop/web", "shop"));
    assert_eq!(decision.grants, [reading_secrets()]);
    assert_eq!(names(&decision.variables), ["AZURE_KEYVAULT_RESOURCEENDPOINT", "AZURE_KEYVAULT_SCOPE", "AZURE_KEYVAULT_CLIENTID"]);
    assert!(decision.mount.is_none() && decision.stored.is_empty() && decision.notes.is_empty());
    let facts = decision.facts(scene.stages());
    assert_eq!((facts.secret.as_deref(), facts.namespace.as_str(), &facts.target), (Some("keyvault-vault"), "shop", &vault("vault").id));
    assert_eq!(facts.workload.map(|w| (w.name, w.containers)), Some(("web".into(), vec!["app".into()])));
}

#[test]
fn an_identity_that_the_user_names_is_not_created() {
    let mut scene = Scene::of(request("keyvault", "vault"), vault("vault"));
    scene.asked.request.identity = Some("id-shared".into());
    scene.subject.identity = Some(identity_id("id-shared"));
    let named = scene.decide(None).unwrap().identity.unwrap();
    assert_eq!((named.create, named.owner.as_str()), (false, "aks/shop/web"));
    // Another connection created the identity for another account: its owner stays.
    let other = spec::Identity { owner: "aks/shop/worker".into(), ..identity("id-shared") };
    let other = record("other", "keyvault", vault("other").id, vec![StepSpec::Identity(other)]);
    scene.observed.cluster.records = vec![Stored { record: other, resource_version: "1".into(), labels: Default::default() }];
    let joined = scene.decide(None).unwrap().identity.unwrap();
    assert_eq!((joined.create, joined.owner.as_str()), (true, "aks/shop/worker"));
}

#[test]
fn the_add_on_reads_as_an_identity_that_aks_creates() {
    let mut scene = Scene::of(mounting(CsiIdentity::Addon), vault("vault"));
    let decision = scene.decide(None).unwrap();
    let addon = decision.identity.unwrap();
    assert_eq!((addon.id.resource_group(), addon.id.name()), ("MC_shop-rg_aks", "azurekeyvaultsecretsprovider-aks"));
    assert_eq!((addon.create, addon.addon_of), (false, Some(cluster())));
    assert_eq!(decision.grants, [reading_secrets()]);
    let mount = decision.mount.unwrap();
    assert_eq!(
        (mount.path.as_str(), mount.class.identity, mount.class.tenant.as_str()),
        ("/mnt/secrets-store", CsiIdentity::Addon, TENANT)
    );
    assert_eq!(decision.notes.len(), 1, "every pod of a node can act as that identity");
    // Once the add-on is there, the cluster says which identity it has.
    let own = ResourceId::resource("s", "other", "Microsoft.ManagedIdentity/userAssignedIdentities", "kv");
    let said = json!({"clientId": "c", "objectId": "o", "resourceId": own.as_str()});
    scene.reading.located.cluster_body["properties"]["addonProfiles"]["azureKeyvaultSecretsProvider"]["identity"] = said;
    assert_eq!(scene.decide(None).unwrap().identity.unwrap().id, own);
}

#[test]
fn a_connection_with_keys_grants_nothing() {
    let scene = Scene::of(blobs(Auth::Secret), data());
    let decision = scene.decide(None).unwrap();
    assert!(decision.identity.is_none() && decision.grants.is_empty() && decision.notes.is_empty());
    assert_eq!(names(&decision.variables), ["AZURE_STORAGEBLOB_CONNECTIONSTRING"]);
    assert!(decision.variables[0].is_secret());
}

#[test]
fn secrets_move_into_the_store_and_are_mounted() {
    let redis = target("Microsoft.Cache/redis", "cache", json!({}));
    let asked = ConnectRequest { auth: Some(Auth::Secret), secret_store: Some("keys".into()), ..request("redis", "cache") };
    let mut scene = Scene::of(asked, redis);
    scene.subject.store = Some(vault("keys"));
    let decision = scene.decide(None).unwrap();
    assert_eq!(
        names(&decision.variables),
        ["AZURE_REDIS_HOST", "AZURE_REDIS_PORT", "AZURE_REDIS_DATABASE", "AZURE_REDIS_SSL"],
        "what is no secret stays in the Secret"
    );
    let [kept] = decision.stored.as_slice() else { panic!("one secret is kept") };
    assert_eq!(
        (kept.vault.name(), kept.uri.as_str(), kept.owner.as_str()),
        ("keys", "https://keys.vault.azure.net", "aks/shop/redis-cache")
    );
    assert_eq!(kept.variable.name, "AZURE_REDIS_PASSWORD");
    assert!(kept.name.starts_with("shop-redis-cache-AZURE-REDIS-PASSWORD-"), "{}", kept.name);
    let mount = decision.mount.clone().unwrap();
    assert_eq!((mount.path.as_str(), mount.class.vault.as_str()), ("/mnt/secrets-store-redis-cache", "keys"));
    let [object] = mount.class.objects.as_slice() else { panic!("one object is mounted") };
    assert_eq!((&object.name, object.variable.as_deref()), (&kept.name, Some("AZURE_REDIS_PASSWORD")));
    assert_eq!((mount.class.identity, decision.grants.clone()), (CsiIdentity::Workload, vec![reading_secrets()]));
    assert!(decision.identity.as_ref().is_some_and(|i| i.create), "the driver reads as the workload's identity");
    assert!(decision.notes[0].contains("keys"), "{:?}", decision.notes);
    assert_eq!(decision.facts(scene.stages()).target.name(), "keys", "access is granted at the vault");
}

#[test]
fn a_scope_needs_a_grant_that_can_be_narrowed() {
    let scoped = |mut asked: ConnectRequest, scope: &str, target: Target| {
        asked.scope = Some(scope.into());
        Scene::of(asked, target)
    };
    let narrow = scoped(blobs(Auth::WorkloadIdentity), "container=images", data());
    assert_eq!(narrow.decide(None).unwrap().facts(narrow.stages()).scope, "blobServices/default/containers/images");
    let policies = target(VAULTS, "vault", json!({"enableRbacAuthorization": false}));
    assert_eq!(refused(scoped(request("keyvault", "vault"), "secret=a", policies).decide(None)), "KC1608");
    assert_eq!(refused(scoped(blobs(Auth::Secret), "container=images", data()).decide(None)), "KC1608", "a key opens everything");
    let mount = |name: &str| scoped(mounting(CsiIdentity::Workload), name, vault("vault")).decide(None);
    assert_eq!(refused(mount("secret=other")), "KC1608");
    assert_eq!(mount("secret=db-password").unwrap().grants, [reading_secrets()]);
}

#[test]
fn a_target_that_can_not_be_connected_is_refused() {
    let mongo = target("Microsoft.DocumentDB/databaseAccounts", "docs", json!({"capabilities": [{"name": "EnableMongo"}]}));
    assert_eq!(refused(Scene::of(request("cosmos-sql", "docs"), mongo).decide(None)), "KC1617");
    let no_entra = target("Microsoft.Cache/redis", "cache", json!({"redisConfiguration": {"aad-enabled": "False"}}));
    assert_eq!(refused(Scene::of(request("redis", "cache"), no_entra).decide(None)), "KC1606");
    let no_keys = target(BLOBS, "data", json!({"allowSharedKeyAccess": false}));
    assert_eq!(refused(Scene::of(blobs(Auth::Secret), no_keys).decide(None)), "KC1605");
}

#[test]
fn a_named_role_replaces_the_level_of_access() {
    let role = || Role { name: "Key Vault Reader".into(), id: "21090545-7ca7-4776-b22c-e363652d74d2".into() };
    let scene = Scene::of(request("keyvault", "vault"), vault("vault"));
    assert_eq!(scene.decide(Some(role())).unwrap().grants, [Grant::Role(role())]);
    let policies = target(VAULTS, "vault", json!({}));
    let level = Scene::of(request("keyvault", "vault"), policies).decide(None).unwrap().grants;
    let listed = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    assert_eq!(level, [Grant::VaultPolicy { secrets: listed(&["get", "list"]), keys: vec![], certificates: vec![] }]);
}

#[test]
fn mounted_objects_decide_what_the_driver_may_read() {
    let mut asked = mounting(CsiIdentity::Workload);
    asked.csi.objects.push(VaultObject::parse(ObjectKind::Cert, "tls").unwrap());
    let decision = Scene::of(asked, vault("vault")).decide(None).unwrap();
    let certificates = Role { name: "Key Vault Certificate User".into(), id: "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba".into() };
    assert_eq!(decision.grants, [reading_secrets(), Grant::Role(certificates)]);
    assert!(decision.notes.is_empty(), "{:?}", decision.notes);
    // Nothing of the vault or of the cluster tells the tenant that the driver signs in to.
    let mut scene = Scene::of(mounting(CsiIdentity::Workload), target(VAULTS, "vault", json!({"enableRbacAuthorization": true})));
    assert_eq!(scene.decide(None).unwrap().mount.unwrap().class.tenant, TENANT);
    scene.reading.located.tenant = String::new();
    assert_eq!(refused(scene.decide(None)), "KC1318");
}

#[test]
fn notes_tell_what_the_plan_does_not_show() {
    let notes = |scene: &Scene| scene.decide(None).unwrap().notes;
    let mut principal = blobs(Auth::ServicePrincipal);
    principal.principal.client_id = Some("66666666-aaaa-4bbb-8ccc-000000000012".into());
    principal.secrets.insert(String::new(), SecretString::from("s"));
    let [note] = notes(&Scene::of(principal.clone(), data())).try_into().unwrap();
    assert!(note.contains("--object-id"), "{note}");
    principal.principal.object_id = Some("77777777-aaaa-4bbb-8ccc-000000000013".into());
    let scene = Scene::of(principal, data());
    assert_eq!(notes(&scene), [""; 0]);
    let decision = scene.decide(None).unwrap();
    assert_eq!(decision.facts(scene.stages()).principal.as_deref(), Some("77777777-aaaa-4bbb-8ccc-000000000013"));
    assert!(decision.given.contains_key("client-secret"), "a secret without a name is the only one that the variables want");
    let mut postgres = request("postgres-flexible", "orders");
    postgres.parameters.insert("database".into(), "shop".into());
    let [note] = notes(&Scene::of(postgres, target("Microsoft.DBforPostgreSQL/flexibleServers", "orders", json!({})))).try_into().unwrap();
    assert!(note.contains("aad_postgres-flexible-orders"), "{note}");
    let unmounted = ConnectRequest { workload: None, service_account: Some("web".into()), ..mounting(CsiIdentity::Workload) };
    assert_eq!(notes(&Scene::of(unmounted, vault("vault"))).len(), 1, "no pod mounts the class yet");
}

#[test]
fn a_workload_that_is_not_patched_is_no_part_of_the_facts() {
    let scene = Scene::of(ConnectRequest { patch: Patch::Never, ..request("keyvault", "vault") }, vault("vault"));
    let decision = scene.decide(None).unwrap();
    assert!(matches!(&decision.patching, Patching::Print { facts, .. } if facts.name == "web"));
    let facts = decision.facts(scene.stages());
    assert!(facts.workload.is_none());
    assert_eq!(facts.account, Some(account("web")));
}
