//! Wherever a secret comes from, it is stored only in the Kubernetes Secret. Checks all possible leaks: output at the
//! highest verbosity, also of a failing run, the objects in the cluster and in Azure, all requests to both, and the
//! command lines of child processes.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use connect_core::model::Auth;
use futures::future::join_all;
use serde_json::Value;
use stand_in::Kind;
use stand_in::fault::Fault;
use tokio::sync::Semaphore;

use super::samples::{CLIENT_SECRET, Entry, GIVEN, all, one, with_stdin};
use super::walk::{AT_ONCE, secret};
use harness::{Case, same};

/// Part of every planted secret, including the cluster's token; nothing else contains it.
const MARK: &str = "planted";

/// One way in which a secret enters.
struct Flow {
    what: String,
    /// The arguments before the workload; `FILE` stands for the name of a file.
    words: String,
    stdin: String,
    file: String,
}

/// All ways. A new one, such as another secret store, is another line here.
fn flows() -> Vec<Flow> {
    let mut flows = Vec::new();
    let mut add = |entry: Entry, auth: Auth, from_file: bool| {
        let words = entry.words(auth);
        let given = entry.stdin(auth);
        let what = format!("{} {auth}{}", entry.service.name, if from_file { " from a file" } else { "" });
        flows.push(match from_file {
            false => Flow { what, words, stdin: given, file: String::new() },
            true => Flow { what, words: words.replace("--secret-stdin", "--secret-file FILE"), stdin: String::new(), file: given },
        });
    };
    // The service's own keys, and passwords given by the user: they differ by service.
    all().into_iter().filter(|e| e.service.auths.contains(&Auth::Secret)).for_each(|e| add(e, Auth::Secret, false));
    add(one("postgres-flexible"), Auth::Secret, true);
    add(one("confluent-cloud"), Auth::Secret, true);
    // A client secret is handled alike for every service, so each form of variables is tested once: a separate
    // variable, within a connection string, and with a data-plane role.
    for name in ["keyvault", "signalr", "cosmos-sql"] {
        add(one(name), Auth::ServicePrincipal, false);
        add(one(name), Auth::ServicePrincipal, true);
    }
    flows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_in_the_kubernetes_secret_and_nowhere_else() {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let flows = flows();
    let count = flows.len();
    assert!(count >= 30, "only {count} flows");
    let followed = flows.into_iter().map(|flow| {
        let places = Arc::clone(&places);
        tokio::spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            follow(&flow).await;
        })
    });
    let broken = join_all(followed).await.into_iter().filter(Result::is_err).count();
    assert_eq!(broken, 0, "{broken} of {count} flows leak or break, see above");
}

async fn follow(flow: &Flow) {
    let what = &flow.what;
    let case = Case::with("aks-ready", |world| *world = std::mem::take(world).with_service_principal()).await;
    let before = case.everything();
    let file = case.sandbox.dir().join("given");
    // Editors end a file with a newline, which is not part of the secret.
    std::fs::write(&file, format!("{}\n", flow.file)).unwrap();
    let connect = format!("{} -w deployment/web -n shop --name it -v 9", flow.words.replace("FILE", &file.display().to_string()));
    let mut said = Vec::new();

    said.push(with_stdin(&case, &format!("plan {connect} -o json"), &flow.stdin).await.ended(0));
    // The run fails when the Secret exists and the workload is patched: the dry run passes, the real patch does not.
    case.control().fail(Fault::status(500, "InternalError").method("PATCH").path("/deployments/web").skip(1).times(20));
    let broken = with_stdin(&case, &format!("{connect} --yes"), &flow.stdin).await;
    assert!(broken.code != 0 && broken.stderr.contains("KC"), "{what}: it did not break\n{}", broken.stderr);
    said.push(broken);
    case.control().heal();
    said.push(with_stdin(&case, &format!("{connect} --yes -o json"), &flow.stdin).await.ended(0));
    said.push(with_stdin(&case, &format!("{connect} --yes"), &flow.stdin).await.ended(0).says(&["Nothing to change"]));
    for words in ["list -n shop -o json", "show it -n shop -o yaml", "verify it -n shop -o json", "tree it -n shop", "events it -n shop"] {
        said.push(case.run(&format!("{words} -v 9")).await.ended(0));
    }

    let delivered = secret(&case, "it");
    let marked = |text: &str| text.contains(MARK);
    let secrets: Vec<&String> = delivered.values().filter(|value| marked(value)).collect();
    assert!(!secrets.is_empty(), "{what}: the Secret does not hold it: {:?}", delivered.keys());
    let encoded: BTreeSet<String> = secrets.iter().map(|v| base64::engine::general_purpose::STANDARD.encode(v)).collect();
    let leaks = |text: &str| marked(text) || encoded.iter().any(|e| text.contains(e));

    let objects = case.cluster("aks-ready").objects();
    for object in objects.iter().filter(|o| !(o["kind"] == "Secret" && o["metadata"]["name"] == "it")) {
        assert!(!leaks(&object.to_string()), "{what}: {} {} holds it", object["kind"], object["metadata"]["name"]);
    }
    assert!(objects.iter().any(|o| o["metadata"]["name"] == "kubectl-connect.it"), "{what}: there is no record to look into");

    said.push(case.run("delete it -n shop --yes -v 9").await.ended(0));
    for ran in &said {
        for line in ran.stdout.lines().chain(ran.stderr.lines()) {
            assert!(!leaks(line), "{what}: printed: {line}");
        }
    }
    sent(&case, flow, &leaks);
    same(&before, &case.everything(), &format!("{what}: something was left"));
}

/// All requests, and the command lines of child processes.
fn sent(case: &Case, flow: &Flow, leaks: &dyn Fn(&str) -> bool) {
    let what = &flow.what;
    let log = case.control().log();
    assert!(log.iter().any(|e| e.kind == Kind::Az), "{what}: no program was started");
    for entry in &log {
        let to_the_secret = entry.kind == Kind::Kube && entry.path.contains("/secrets/it");
        assert!(!leaks(&entry.path), "{what}: {} {} has it in its path or command line", entry.host, entry.path);
        assert!(entry.query.iter().all(|(_, value)| !leaks(value)), "{what}: {} {} has it in its query", entry.host, entry.path);
        let body = if entry.request_body == Value::Null { String::new() } else { entry.request_body.to_string() };
        assert!(to_the_secret || !leaks(&body), "{what}: {} {}{} was sent it", entry.method, entry.host, entry.path);
    }
    assert!(![GIVEN, CLIENT_SECRET].iter().any(|given| flow.words.contains(given)), "{what}: our own command line holds it");
}
