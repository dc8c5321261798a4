//! The az half as started by az's extension: its arguments, a loopback token endpoint, JSON on stdout. Users see the
//! same as in kubectl, with commands for az.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::bad_input;
use harness::{Case, Ran, same, steady};

const KEY: &str = "key-of-this-run";

/// The sandbox's az, for the token endpoint.
struct Az {
    program: PathBuf,
    environment: Vec<(String, String)>,
    /// Tenant and scope of every token that was asked for.
    asked: Mutex<Vec<String>>,
}

/// The same answers as `_session.py`.
async fn token(State(az): State<Arc<Az>>, headers: HeaderMap, Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
    if headers["authorization"] != format!("Bearer {KEY}") {
        return (StatusCode::FORBIDDEN, Json(json!({})));
    }
    az.asked.lock().unwrap().push(format!("{} {}", body["tenantId"], body["scopes"][0]));
    let mut command = tokio::process::Command::new(&az.program);
    command.args(["account", "get-access-token", "-o", "json", "--scope", body["scopes"][0].as_str().unwrap()]);
    command.args(body["tenantId"].as_str().into_iter().flat_map(|tenant| ["--tenant", tenant]));
    let said = command.envs(az.environment.iter().cloned()).output().await.unwrap();
    let answer = match serde_json::from_slice::<Value>(&said.stdout) {
        Ok(found) => json!({"token": found["accessToken"], "expiresOn": jiff::Timestamp::now().as_second() + 3600}),
        Err(_) => {
            let message = String::from_utf8_lossy(&said.stderr).lines().next().unwrap_or_default().to_owned();
            json!({"error": {"code": if message.contains("AADSTS") { "SignInAgain" } else { "NotSignedIn" }, "message": message}})
        }
    };
    (StatusCode::OK, Json(answer))
}

/// Runs the command line that the extension would build for `az connect WORDS`.
pub async fn az(case: &Case, words: &str) -> Ran {
    az_asking(case, words).await.0
}

/// As [`az`], with the tokens that az was asked for.
async fn az_asking(case: &Case, words: &str) -> (Ran, Vec<String>) {
    let program = harness::program().to_owned();
    if !case.sandbox.bin().join("az-connect").exists() {
        case.sandbox.link("az-connect", &program).unwrap();
    }
    let az = Arc::new(Az { program: case.sandbox.bin().join("az"), environment: case.sandbox.env(), asked: Mutex::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/token", listener.local_addr().unwrap());
    let server = tokio::spawn(axum::serve(listener, Router::new().route("/token", post(token)).with_state(az.clone())).into_future());
    let mut command = tokio::process::Command::new(case.sandbox.bin().join("az-connect"));
    command.args(words.split_whitespace()).arg("--output=json").envs(case.sandbox.env()).kill_on_drop(true);
    command.env("AZ_CONNECT_TOKEN_ENDPOINT", endpoint).env("AZ_CONNECT_TOKEN_KEY", KEY);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let ran = case.finish(command).await;
    server.abort();
    let asked = az.asked.lock().unwrap().clone();
    (ran, asked)
}

/// The error as az's users see it: it is on stdout, and the extension turns it into az's error.
fn told(ran: &Ran) -> String {
    let Ok(said) = serde_json::from_str::<Value>(&ran.stdout) else { return ran.stderr.clone() };
    let error = &said["error"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!("{}: {}", text(&error["code"]), text(&error["message"]))];
    lines.extend(error["why"].as_str().map(|why| format!("  why  {why}")));
    lines.extend(error["fixes"].as_array().into_iter().flatten().map(|fix| format!("  fix  {}", text(fix))));
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_and_progress_are_those_of_kubectl() {
    const CONNECT: &str = "keyvault my-vault --workload deployment/web -n shop";
    let (planned, said) = {
        let case = Case::on("aks-shop").await;
        let planned = case.run(&format!("plan {CONNECT} -o json")).await.ended(0).json();
        (planned, steady(&case.run(&format!("{CONNECT} --yes")).await.ended(0).stderr))
    };
    let case = Case::on("aks-shop").await;
    let cluster = "--aks-name aks-shop --aks-resource-group rg-shop";
    assert_eq!(az(&case, &format!("plan {CONNECT} {cluster}")).await.ended(0).json(), planned);
    let made = az(&case, &format!("{CONNECT} {cluster} --yes")).await.ended(0);
    snapshot::file("tests/connect/snapshots/az_plan_and_progress.txt", &steady(&made.stderr));
    assert_eq!(steady(&made.stderr), said);
    assert_eq!(made.json()["metadata"]["name"], "keyvault-my-vault");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_those_of_kubectl_in_az_s_words() {
    let mut said = String::new();
    // The extension itself checks az's version: it can't be installed into an az that is too old.
    for bad in bad_input::cases().into_iter().filter(|bad| bad.name != "az_too_old") {
        let case = Case::with("aks-ready", bad.world).await;
        let before = case.everything();
        let ran = az(&case, bad.words).await;
        let told = told(&ran);
        assert_eq!(ran.code, bad.code, "{}: {ran:?}", bad.name);
        assert!(!told.contains("kubectl connect"), "{}: {told}", bad.name);
        said.push_str(&format!("## {} (exit {})\n{}\n\n", bad.name, ran.code, steady(&told)));
        assert_eq!(case.writes(), Vec::<String>::new(), "{} wrote", bad.name);
        same(&before, &case.everything(), &format!("{} changed something", bad.name));
    }
    snapshot::file("tests/connect/snapshots/az_errors.txt", &said);
}

/// The credentials of a cluster named by its Azure name come from the sign-in of the run itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_asks_az_once_for_each_tenant_and_scope() {
    let case = Case::on("aks-ready").await;
    let cluster = "--aks-name aks-ready --aks-resource-group rg-shop";
    let (ran, mut asked) = az_asking(&case, &format!("keyvault my-vault -n shop --workload deployment/web --yes {cluster}")).await;
    ran.ended(0);
    asked.sort();
    let mut once = asked.clone();
    once.dedup();
    assert!(!asked.is_empty());
    assert_eq!(asked, once);
}

#[tokio::test(flavor = "multi_thread")]
async fn advice_is_a_command_that_az_takes() {
    let case = Case::on("aks-ready").await;
    let cluster = "--aks-name aks-ready --aks-resource-group rg-shop";
    az(&case, &format!("keyvault my-vault -n shop --workload deployment/web --yes {cluster}")).await.ended(0);
    case.kube_delete("aks-ready", "/api/v1/namespaces/shop/secrets/keyvault-my-vault").await;
    let found = az(&case, &format!("verify keyvault-my-vault -n shop {cluster}")).await.ended(1).json();
    let checks = found["categories"].as_array().unwrap().iter().flat_map(|c| c["checks"].as_array().unwrap());
    let fixes: Vec<&str> = checks.filter_map(|c| c["fix"].as_str()).collect();
    let repair =
        "az connect repair --name keyvault-my-vault --kube-namespace shop --cluster-name aks-ready --cluster-resource-group rg-shop";
    assert!(fixes.iter().any(|fix| fix.starts_with(repair)), "{fixes:#?}");
    // Skipped set-ups are reported on stderr, because az shows only the items of a list.
    az(&case, &format!("adopt -n shop {cluster}")).await.ended(0).says(&["Nothing to adopt in namespace shop"]);
}
