//! Names of variables: which of two connections of a kind has the plain ones, and what the user may choose.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::*;
use crate::engine::prepare::testing::{Scene, names, refused, request};
use crate::lookup::records::Stored;
use crate::model::ResourceId;
use crate::plan::spec::{Secret, StepSpec};
use crate::plan::testing::{record, target, vault};

const PLAIN: [&str; 3] = ["AZURE_KEYVAULT_RESOURCEENDPOINT", "AZURE_KEYVAULT_SCOPE", "AZURE_KEYVAULT_CLIENTID"];
const LONG: [&str; 3] =
    ["AZURE_KEYVAULT_KEYVAULT_SECOND_RESOURCEENDPOINT", "AZURE_KEYVAULT_KEYVAULT_SECOND_SCOPE", "AZURE_KEYVAULT_KEYVAULT_SECOND_CLIENTID"];

/// A connection to the vault `second`.
fn second(change: impl Fn(&mut ConnectRequest)) -> Scene {
    let mut asked = request("keyvault", "second");
    change(&mut asked);
    Scene::of(asked, vault("second"))
}

/// The record of a vault's connection that delivers these variables.
fn delivering(name: &str, target: ResourceId, variables: &[&str]) -> Record {
    let variables = variables.iter().map(|name| Variable::text(*name, "v")).collect();
    let secret = Secret { namespace: "shop".into(), name: name.into(), variables, foreign: false };
    record(name, "keyvault", target, vec![StepSpec::Secret(secret)])
}

fn first() -> Record {
    delivering("keyvault-first", vault("first").id, &PLAIN)
}

fn stored(record: Record) -> Stored {
    Stored { record, resource_version: "1".into(), labels: Default::default() }
}

#[track_caller]
fn assert_names(scene: &Scene, wanted: &[&str]) -> Option<String> {
    let (variables, note) = scene.variables().unwrap();
    assert_eq!(names(&variables), wanted);
    note
}

#[test]
fn a_second_connection_of_a_kind_has_names_that_hold_its_own() {
    let mut scene = second(|_| {});
    assert_eq!(assert_names(&scene, &PLAIN), None);
    scene.subject.others = vec![first()];
    let note = assert_names(&scene, &LONG).unwrap();
    for word in ["connection keyvault-first sets AZURE_KEYVAULT_RESOURCEENDPOINT", LONG[0], "--env-prefix"] {
        assert!(note.contains(word), "{note}");
    }
}

/// A change to another connection's record.
type Edit = fn(&mut Record);

#[test]
fn connections_of_others_take_no_names() {
    let cases: [(&str, Edit); 4] = [
        ("of another workload", |r| r.workload = Some("deployment/worker".into())),
        ("in another namespace", |r| r.namespace = "stock".into()),
        ("to another kind of service", |r| r.service = "storage-blob".into()),
        ("to the same vault", |r| r.target = vault("second").id),
    ];
    for (why, change) in cases {
        let mut other = first();
        change(&mut other);
        let mut scene = second(|_| {});
        scene.subject.others = vec![other];
        assert_eq!(names(&scene.variables().unwrap().0), PLAIN, "{why}");
    }
}

#[test]
fn a_connection_keeps_the_names_that_it_was_made_with() {
    let mut scene = second(|_| {});
    scene.subject.others = vec![first()];
    scene.subject.former = Some(stored(delivering("keyvault-second", vault("second").id, &PLAIN)));
    assert_eq!(assert_names(&scene, &PLAIN), None);
    scene.subject.others.clear();
    scene.subject.former = Some(stored(delivering("keyvault-second", vault("second").id, &LONG)));
    assert_eq!(assert_names(&scene, &LONG), None, "the note is for new connections");
}

#[test]
fn where_the_record_says_no_names_the_older_connection_has_the_plain_ones() {
    let mut scene = second(|_| {});
    scene.subject.former = Some(stored(delivering("keyvault-second", vault("second").id, &["MINE"])));
    scene.subject.others = vec![Record { created: "2026-10-01T10:00:00Z".into(), ..first() }];
    assert_names(&scene, &LONG);
    scene.subject.others = vec![Record { created: "2026-12-01T10:00:00Z".into(), ..first() }];
    assert_names(&scene, &PLAIN);
}

#[test]
fn the_user_may_rename_variables() {
    let map = |r: &mut ConnectRequest| r.map = vec![(PLAIN[0].into(), "VAULT".into())];
    assert_names(&second(map), &["VAULT", PLAIN[1], PLAIN[2]]);
    let both = second(|r| {
        map(r);
        r.env_prefix = Some("SHOP_".into());
    });
    assert_names(&both, &["VAULT", "SHOP_AZURE_KEYVAULT_SCOPE", "SHOP_AZURE_KEYVAULT_CLIENTID"]);
    let mut twin = second(|r| r.env_prefix = Some("B_".into()));
    twin.subject.others = vec![first()];
    let prefixed: Vec<String> = LONG.iter().map(|name| format!("B_{name}")).collect();
    assert_eq!(assert_names(&twin, &prefixed.iter().map(String::as_str).collect::<Vec<_>>()), None, "who chose names knows them");
}

#[test]
fn names_that_can_not_be_used_are_refused() {
    let mapped = |from: &str, to: &str| refused(second(|r| r.map = vec![(from.into(), to.into())]).variables());
    assert_eq!(mapped("AZURE_KEYVAULT_URL", "VAULT"), "KC1609");
    assert_eq!(mapped(PLAIN[0], "1VAULT"), "KC1610");
    assert_eq!(mapped(PLAIN[0], PLAIN[1]), "KC1610", "two variables would have one name");
    assert_eq!(refused(second(|r| r.env_prefix = Some("9".into())).variables()), "KC1610");
}

#[test]
fn values_that_only_the_user_knows_are_asked_for() {
    let postgres = |change: &dyn Fn(&mut ConnectRequest)| {
        let mut asked = request("postgres-flexible", "orders");
        change(&mut asked);
        Scene::of(asked, target("Microsoft.DBforPostgreSQL/flexibleServers", "orders", json!({})))
    };
    assert_eq!(refused(postgres(&|_| {}).variables()), "KC1602");
    let database = |r: &mut ConnectRequest| drop(r.parameters.insert("database".into(), "shop".into()));
    let signed = ["HOST", "USERNAME", "DATABASE", "PORT", "SSL", "CLIENTID"].map(|word| format!("AZURE_POSTGRESQL_{word}"));
    assert_names(&postgres(&database), &signed.each_ref().map(String::as_str));
    let by_password = |r: &mut ConnectRequest| {
        database(r);
        r.auth = Some(Auth::Secret);
    };
    let no_user = postgres(&by_password).variables().err().unwrap();
    assert_eq!((no_user.code(), no_user.fixes()), ("KC1602", &["add --username NAME".to_owned()][..]));
    let with_user = |r: &mut ConnectRequest| {
        by_password(r);
        r.user = Some("shop".into());
    };
    assert_eq!(refused(postgres(&with_user).variables()), "KC1603");
    let with_other = |r: &mut ConnectRequest| {
        with_user(r);
        r.secrets.insert("token".into(), SecretString::from("s"));
    };
    assert_eq!(refused(postgres(&with_other).variables()), "KC1603");
    let whole = postgres(&|r| {
        with_user(r);
        r.secrets.insert(String::new(), SecretString::from("s3cret"));
    });
    let (variables, _) = whole.variables().unwrap();
    assert_eq!(variables.last().map(|v| (v.name.as_str(), v.masked())), Some(("AZURE_POSTGRESQL_PASSWORD", "<password>".into())));
    let given = named(&variables, &whole.asked.request.secrets);
    assert_eq!(given.iter().map(|(name, secret)| (name.as_str(), secret.expose_secret())).collect::<Vec<_>>(), [("password", "s3cret")]);
}
