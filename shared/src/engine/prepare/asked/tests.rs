//! What a request says by itself, and every refusal that needs no look at either side.

use std::time::Duration;

use secrecy::SecretString;

use super::*;
use crate::engine::prepare::testing::{refused, request};
use crate::model::access::Access;
use crate::model::request::Patch;
use crate::model::variable::Client;
use crate::model::vault::{ObjectKind, VaultObject};

const VM: &str = "66666666-aaaa-4bbb-8ccc-000000000012";
const SERVER: &str =
    "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/shop-rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/orders";

fn object(text: &str) -> VaultObject {
    VaultObject::parse(ObjectKind::Secret, text).unwrap()
}

/// A request that mounts the secret `db-password`.
fn mounting() -> ConnectRequest {
    let mut asked = request("keyvault", "vault");
    asked.csi.objects = vec![object("db-password")];
    asked
}

/// The code for a request that `change` makes wrong.
fn code(mut asked: ConnectRequest, change: impl Fn(&mut ConnectRequest)) -> &'static str {
    change(&mut asked);
    refused(Asked::check(&asked))
}

#[test]
fn a_new_request_has_the_defaults_of_the_command_line() {
    let asked = ConnectRequest::new("keyvault", "vault");
    assert_eq!((asked.service.as_str(), asked.target.as_str()), ("keyvault", "vault"));
    assert_eq!((asked.client, asked.patch, asked.timeout), (Some(Client::None), Patch::Auto, Duration::from_secs(900)));
    assert_eq!((asked.auth, asked.access, asked.workload, asked.name), (None, None, None, None));
}

#[test]
fn the_service_decides_what_the_request_leaves_open() {
    let asked = Asked::check(&request("kv", "vault")).unwrap();
    assert_eq!((asked.service.name, asked.auth, asked.scope.as_str()), ("keyvault", Auth::WorkloadIdentity, ""));
    assert!(asked.mounting.is_none() && asked.needs_account() && !asked.reads_as_nodes());
    let keys = Asked::check(&ConnectRequest { auth: Some(Auth::Secret), ..request("storage-blob", "data") }).unwrap();
    assert!(!keys.needs_account(), "a key needs no identity");
    let stored = ConnectRequest { auth: Some(Auth::Secret), secret_store: Some("vault".into()), ..request("storage-blob", "data") };
    assert!(Asked::check(&stored).unwrap().needs_account(), "the driver reads the stored key as the workload");
}

#[test]
fn flags_of_csi_mean_csi() {
    let asked = Asked::check(&mounting()).unwrap();
    assert_eq!((asked.auth, asked.mounting.clone()), (Auth::Csi, Some(CsiIdentity::Workload)));
    assert!(asked.needs_account() && !asked.reads_as_nodes());
}

#[test]
fn the_identity_of_the_nodes_becomes_the_identity_of_the_request() {
    let mut asked = mounting();
    asked.csi.identity = Some(CsiIdentity::Vm(VM.into()));
    let asked = Asked::check(&asked).unwrap();
    assert_eq!(asked.request.identity.as_deref(), Some(VM));
    assert!(asked.reads_as_nodes() && !asked.needs_account());
    let mut addon = mounting();
    addon.csi.identity = Some(CsiIdentity::Addon);
    let addon = Asked::check(&addon).unwrap();
    assert_eq!((addon.mounting.clone(), addon.request.identity.as_deref()), (Some(CsiIdentity::Addon), None));
    assert!(!addon.needs_account() && !addon.reads_as_nodes());
}

#[test]
fn an_id_names_children_unless_a_flag_does() {
    let mut wanted = request("postgres-flexible", &format!("{SERVER}/databases/shop"));
    let database = |asked: &ConnectRequest| Asked::check(asked).unwrap().request.parameters.get("database").cloned();
    assert_eq!(database(&wanted).as_deref(), Some("shop"));
    wanted.parameters.insert("database".into(), "stock".into());
    assert_eq!(database(&wanted).as_deref(), Some("stock"));
    assert_eq!(database(&request("postgres-flexible", SERVER)), None);
    assert_eq!(database(&request("postgres-flexible", "orders")), None);
}

#[test]
fn a_scope_becomes_a_path_below_the_target() {
    let scope = |service: &str, scope: &str| {
        Asked::check(&ConnectRequest { scope: Some(scope.into()), ..request(service, "data") }).map(|asked| asked.scope)
    };
    assert_eq!(scope("storage-blob", "container=images").unwrap(), "blobServices/default/containers/images");
    assert_eq!(scope("cosmos-sql", "Container=shop/orders").unwrap(), "dbs/shop/colls/orders");
    for (service, bad) in [("storage-blob", "images"), ("storage-blob", "queue=a"), ("storage-blob", "container=a/b"), ("redis", "key=a")] {
        assert_eq!(refused(scope(service, bad)), "KC1608", "{service} {bad}");
    }
}

#[test]
fn names_that_no_object_can_have_are_refused() {
    let vault = || request("keyvault", "vault");
    assert_eq!(code(vault(), |r| r.service = "nosuch".into()), "KC1004");
    assert_eq!(code(vault(), |r| r.name = Some("Orders".into())), "KC1002");
    assert_eq!(code(vault(), |r| r.service_account = Some("Web".into())), "KC1002");
    assert_eq!(code(vault(), |r| r.target = "a b".into()), "KC1002");
    assert_eq!(code(vault(), |r| r.target = "vault:443".into()), "KC1002");
    let outside = request("mongodb-atlas", "shop.example.net:27017");
    assert_eq!(code(outside, |_| {}), "nothing was refused", "a server outside Azure has a port");
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(code(request("keyvault", "vault"), |r| r.workload = None), "KC1006");
    assert_eq!(code(request("keyvault", "vault"), |r| (r.workload, r.service_account) = (None, Some("web".into()))), "nothing was refused");
    assert_eq!(code(request("storage-blob", "data"), |r| (r.workload, r.auth) = (None, Some(Auth::Secret))), "nothing was refused");
    assert_eq!(code(mounting(), |r| (r.workload, r.csi.identity) = (None, Some(CsiIdentity::Addon))), "KC1006");
    assert_eq!(code(request("resource", SERVER), |_| {}), "KC1604");
    assert_eq!(code(request("resource", "orders"), |r| r.role = Some("Reader".into())), "KC1604");
    assert_eq!(code(request("resource", SERVER), |r| r.role = Some("Reader".into())), "nothing was refused");
    assert_eq!(code(request("keyvault", "vault"), |r| r.auth = Some(Auth::ServicePrincipal)), "KC1614");
    assert_eq!(code(request("keyvault", "vault"), |r| r.auth = Some(Auth::Csi)), "KC1620");
}

#[test]
fn a_way_of_authentication_that_the_service_lacks_is_refused() {
    for (service, auth) in [("keyvault", Auth::Secret), ("storage-blob", Auth::Csi), ("storage-file", Auth::WorkloadIdentity)] {
        assert_eq!(code(request(service, "data"), |r| r.auth = Some(auth)), "KC1601", "{service} {auth}");
    }
    assert_eq!(code(request("storage-blob", "data"), |r| r.csi.objects = vec![object("a")]), "KC1601", "flags of csi mean csi");
}

#[test]
fn flags_of_another_way_of_authentication_are_refused() {
    let vault = || request("keyvault", "vault");
    assert_eq!(code(mounting(), |r| r.auth = Some(Auth::WorkloadIdentity)), "KC1625");
    assert_eq!(code(vault(), |r| r.secret_store = Some("other".into())), "KC1626");
    assert_eq!(code(vault(), |r| r.secrets.extend([(String::new(), SecretString::from("s"))])), "KC1615");
    assert_eq!(code(vault(), |r| r.principal.client_id = Some(VM.into())), "KC1615");
    let keys = || ConnectRequest { auth: Some(Auth::Secret), ..request("storage-blob", "data") };
    assert_eq!(code(keys(), |r| r.identity = Some("id-web".into())), "KC1615");
    assert_eq!(code(keys(), |r| r.service_account = Some("web".into())), "KC1615");
    assert_eq!(code(mounting(), |r| r.access = Some(Access::Read)), "KC1615");
    assert_eq!(code(mounting(), |r| r.principal.object_id = Some(VM.into())), "KC1615");
    assert_eq!(code(mounting(), |r| (r.csi.identity, r.identity) = (Some(CsiIdentity::Addon), Some("id-web".into()))), "KC1615");
}

#[test]
fn mounts_that_the_pod_could_not_use_are_refused() {
    assert_eq!(code(mounting(), |r| r.csi.mount_path = Some("/etc".into())), "KC1623");
    assert_eq!(code(mounting(), |r| r.csi.objects.push(object("token:db-password"))), "KC1621");
    assert_eq!(code(mounting(), |r| r.csi.objects.push(object("token:token.txt"))), "nothing was refused");
}
