//! Each service with each way of authentication and each kind of client: create, verify, show, delete. Driven only by
//! the catalogue, so a new service is covered or fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use connect_core::model::Auth;
use connect_core::model::variable::Client;
use futures::future::join_all;
use serde_json::Value;
use stand_in::world::{APPLICATION, TENANT};
use tokio::sync::Semaphore;

use super::samples::{CLIENT_SECRET, Entry, GIVEN, USER, all};
use harness::{Case, Ran, same};

/// Tested ways of authentication. CSI mounts objects and has separate cases.
const AUTHS: [Auth; 3] = [Auth::WorkloadIdentity, Auth::Secret, Auth::ServicePrincipal];
const CLIENTS: [Client; 4] = [Client::None, Client::Python, Client::Dotnet, Client::SpringBoot];
/// Number of concurrent sandboxes: one busy, the others waiting for rollouts.
pub const AT_ONCE: usize = 4;

/// All on the cluster with enabled features: enabling them is the same for every service and is tested in `connect`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_service_is_created_verified_shown_and_deleted_in_every_way() {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let reference = Arc::new(reference());
    let walks = all().into_iter().map(|entry| {
        let (places, reference) = (Arc::clone(&places), Arc::clone(&reference));
        tokio::spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            walk(entry, reference.as_deref().unwrap_or_default()).await
        })
    });
    let (mut walked, mut compared, mut broken) = (0, 0, Vec::new());
    for one in join_all(walks).await {
        match one {
            Ok((combinations, names)) => {
                walked += combinations;
                compared += names;
            }
            Err(error) => broken.push(error),
        }
    }
    assert!(broken.is_empty(), "{} of {} services are broken, see above", broken.len(), all().len());
    assert!(walked >= 180, "only {walked} combinations were walked");
    assert!(reference.is_none() || compared >= 100, "only {compared} of them are in the reference");
}

/// One service in its own sandbox. Returns its number of combinations, and how many of them the reference has.
async fn walk(entry: Entry, reference: &[Value]) -> (usize, usize) {
    let case = Case::with("aks-ready", |world| *world = std::mem::take(world).with_service_principal()).await;
    let before = case.everything();
    let (mut walked, mut compared) = (0, 0);
    for auth in AUTHS.into_iter().filter(|auth| entry.service.auths.contains(auth)) {
        for client in CLIENTS.into_iter().filter(|client| entry.service.clients.contains(client)) {
            let what = format!("{} {} {auth} {}", entry.service.name, entry.kind.unwrap_or_default(), client.word());
            let names = combination(&case, entry, auth, client, &what).await;
            same(&before, &case.everything(), &format!("{what}: something was left, or taken from others"));
            if let Some(theirs) = in_reference(reference, entry, auth, client) {
                assert_eq!(names, theirs, "{what}: variables");
                compared += 1;
            }
            walked += 1;
        }
    }
    (walked, compared)
}

/// One combination. Returns the names of its variables.
async fn combination(case: &Case, entry: Entry, auth: Auth, client: Client, what: &str) -> BTreeSet<String> {
    // The proof at the end of connecting equals the end of `verify`, so it is requested once per way of
    // authentication, with the first client type; the others differ only in their variables.
    let proof = client == Client::None;
    let more = format!("--client-type {} --name it --verify={proof} -o json", client.word());
    let made = ended(entry.connect(case, auth, &more).await, what, "create");
    assert_eq!(made["spec"]["service"], entry.service.name, "{what}: {made:#}");
    let verified = ended(case.run("verify it -n shop -o json").await, what, "verify");
    assert_eq!(verified["success"], true, "{what}: {verified:#}");
    let shown = ended(case.run("show it -n shop -o json").await, what, "show");
    assert_eq!(
        (&shown["spec"]["auth"], &shown["spec"]["clientType"], &shown["status"]["phase"]),
        (&Value::from(auth.word()), &Value::from(client.word()), &Value::from("Ready")),
        "{what}"
    );
    let delivered = secret(case, "it");
    let names: BTreeSet<String> = delivered.keys().cloned().collect();
    let told: BTreeSet<String> = shown["status"]["variables"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect();
    assert_eq!(names, told, "{what}: show names other variables than the Secret has");
    promised(case, entry, auth, client, &shown, &delivered, what).await;
    ended(case.run("delete it -n shop --yes -o json").await, what, "delete");
    names
}

fn ended(ran: Ran, what: &str, verb: &str) -> Value {
    assert_eq!(ran.code, 0, "{what}: {verb}\nstdout:\n{}\nstderr:\n{}", ran.stdout, ran.stderr);
    ran.json()
}

/// The contents of the connection's Secret.
pub fn secret(case: &Case, name: &str) -> BTreeMap<String, String> {
    use base64::Engine as _;
    let objects = case.cluster("aks-ready").objects();
    let found = objects.iter().find(|o| o["kind"] == "Secret" && o["metadata"]["name"] == name).expect("the Secret is there");
    let decode = |value: &Value| base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default()).unwrap();
    let data = found["data"].as_object().expect("it holds something");
    data.iter().map(|(name, value)| (name.clone(), String::from_utf8(decode(value)).unwrap())).collect()
}

/// Checks that the Secret has what `explain` promises offline: the names, and the values where the promise has them.
async fn promised(case: &Case, entry: Entry, auth: Auth, client: Client, shown: &Value, delivered: &BTreeMap<String, String>, what: &str) {
    let kind = entry.kind.map(|kind| format!("--kind {kind}")).unwrap_or_default();
    let words = format!("explain {} --auth {auth} --client-type {} {kind} -o json", entry.service.name, client.word());
    let explained = ended(case.run(&words).await, what, "explain");
    let promised = explained["variables"].as_array().unwrap();
    let names: BTreeSet<&str> = promised.iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert_eq!(names, delivered.keys().map(String::as_str).collect(), "{what}: explain promises other variables");
    let identity = shown["status"]["clientId"].as_str().unwrap_or(APPLICATION);
    for variable in promised {
        let (name, template) = (variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap());
        let value = &delivered[name];
        assert!(fits(template, value, identity), "{what}: {name} is {value:?}, promised is {template:?}");
        let planted = value.contains("planted");
        assert_eq!(variable["secret"], planted, "{what}: {name} is {value:?}");
    }
}

/// Whether a value matches a promise with placeholders: fixed text is the same, known placeholders have their values,
/// and none is empty or unfilled.
fn fits(template: &str, value: &str, client_id: &str) -> bool {
    let mut pattern = String::from("^");
    let mut rest = template;
    while let Some((before, inside)) = rest.split_once('<') {
        let (word, after) = inside.split_once('>').expect("a placeholder ends");
        pattern.push_str(&regex::escape(before));
        pattern.push_str(&match word {
            "client-id" => regex::escape(client_id),
            "tenant-id" => regex::escape(TENANT),
            "client-secret" => regex::escape(CLIENT_SECRET),
            "password" => regex::escape(GIVEN),
            "kafka-secret" => regex::escape(&format!("{GIVEN}-0")),
            "schema-secret" => regex::escape(&format!("{GIVEN}-1")),
            "user" => format!("(?:{USER}|aad_it)"),
            // Escaped for a URL: no character that would end its part.
            word if word.ends_with("|url") => "[A-Za-z0-9._~%-]+".into(),
            _ => "[^<>]+".into(),
        });
        rest = after;
    }
    pattern.push_str(&regex::escape(rest));
    pattern.push('$');
    regex::Regex::new(&pattern).unwrap().is_match(value)
}

/// Service Connector's variables from the reference.
fn reference() -> Option<Vec<Value>> {
    let Ok(at) = std::env::var("CONNECT_REFERENCE_DATA") else {
        contract::skipped();
        return None;
    };
    let text = std::fs::read_to_string(std::path::Path::new(&at).join("facts/variables.json")).expect("the reference can be read");
    let mut all: Value = serde_json::from_str(&text).expect("the reference is JSON");
    Some(all["entries"].take().as_array().expect("it has entries").clone())
}

/// The names in the reference for a combination. Confluent's are not compared: the live service writes other names
/// than its page; the catalogue's test lists them.
fn in_reference(reference: &[Value], entry: Entry, auth: Auth, client: Client) -> Option<BTreeSet<String>> {
    let found = reference.iter().find(|one| {
        let text = |key: &str| one[key].as_str().unwrap_or_default();
        connect_core::catalogue::find(text("service")).is_some_and(|s| s.name == entry.service.name && s.name != "confluent-cloud")
            && Auth::parse(text("auth_type")) == Some(auth)
            && Client::parse(text("client_type")) == Some(client)
            && one["account_kind"].as_str() == entry.kind
    })?;
    Some(found["variables"].as_array()?.iter().filter_map(|v| v["name"].as_str().map(str::to_owned)).collect())
}

/// Unsupported combinations are refused before any request, and the supported ones are named.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_cant_do_is_refused_with_what_it_can() {
    let case = Case::on("aks-ready").await;
    let (mut ways, mut clients) = (0, 0);
    for entry in all() {
        let service = entry.service;
        let (able, unable): (Vec<Auth>, Vec<Auth>) = AUTHS.into_iter().partition(|auth| service.auths.contains(auth));
        for auth in unable {
            let ran = entry.connect(&case, auth, "").await.ended(2).says(&["KC1601", service.title]);
            for word in &able {
                assert!(ran.stderr.contains(word.word()), "{} {auth}: {}", service.name, ran.stderr);
            }
            ways += 1;
        }
        let Some(client) = Client::ALL.into_iter().find(|client| !service.clients.contains(client)) else { continue };
        let ran = entry.connect(&case, able[0], &format!("--client-type {}", client.word())).await.ended(2).says(&["KC1005"]);
        for word in service.clients {
            assert!(ran.stderr.contains(word.word()), "{} {}: {}", service.name, client.word(), ran.stderr);
        }
        clients += 1;
    }
    assert!(ways >= 10 && clients >= 25, "{ways} ways and {clients} client types were refused");
    assert!(case.writes().is_empty(), "something was written: {:?}", case.writes());
}
