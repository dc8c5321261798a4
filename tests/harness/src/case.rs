//! The basis of every case: a sandbox with the product, running commands, and comparing states.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use stand_in::kube::KubeCluster;
use stand_in::world::World;
use stand_in::{Control, Entry, Kind, Sandbox, is_write};

use crate::{program, real};

/// Time limit of a command, after which the case counts as hung.
const LIMIT: Duration = Duration::from_secs(120);

/// One sandbox for one case.
pub struct Case {
    /// The sandbox, with `az` and `kubectl-connect` linked.
    pub sandbox: Sandbox,
    /// Whether every exchange is checked against the official descriptions. Off only if a planted object itself
    /// violates them.
    pub described: bool,
    /// The pair of real API servers, if any; released after the sandbox in front of it is dropped.
    _real: Option<real::Pair>,
}

impl Drop for Case {
    /// In every case, all requests and answers must follow the official descriptions.
    fn drop(&mut self) {
        if self.described && !std::thread::panicking() {
            contract::check(&self.sandbox);
        }
    }
}

/// Result of a command.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; -1 if a signal ended the command.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error: messages, progress and errors.
    pub stderr: String,
}

impl Ran {
    /// The result as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is no JSON: {e}\n{self:?}"))
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn ended(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "exit code\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that the output contains these words.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Ran {
        // Lines break where the terminal ends.
        let unbroken = self.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(self.stderr.contains(word) || unbroken.contains(word), "`{word}` was not said:\n{}", self.stderr);
        }
        self
    }
}

/// A command line with its stdout, stderr and exit code, for snapshots; values that change from run to run are replaced.
fn transcript(words: &str, ran: &Ran) -> String {
    let mut text = format!("$ kubectl connect {words}\n");
    for (name, said) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        if !said.is_empty() {
            text.push_str(&format!("-- {name}\n{}\n", steady(said)));
        }
    }
    text + &format!("-- exit {}\n", ran.code)
}

impl Case {
    /// The planted world with `context` as the current context.
    pub async fn on(context: &str) -> Case {
        Case::with(context, |_| {}).await
    }

    /// The planted world with a change.
    pub async fn with(context: &str, change: impl FnOnce(&mut World)) -> Case {
        let mut world = World::planted();
        world.current_context = context.to_owned();
        let real = real::pair().await;
        if let Some(pair) = &real {
            world.real = pair.clusters.clone();
        }
        change(&mut world);
        let sandbox = Sandbox::start(world).await.expect("the sandbox starts");
        for name in ["az", "kubectl-connect"] {
            sandbox.link(name, program()).expect("the programs are linked");
        }
        Case { sandbox, described: true, _real: real }
    }

    /// The control handle of the sandbox.
    pub fn control(&self) -> &Control {
        self.sandbox.control()
    }

    /// A planted cluster.
    pub fn cluster(&self, name: &str) -> &KubeCluster {
        self.sandbox.cluster(name).expect("the cluster is planted")
    }

    /// A command in the sandbox that is not started yet.
    pub fn command(&self, words: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(self.sandbox.bin().join("kubectl-connect"));
        command.args(words.split_whitespace()).envs(self.sandbox.env()).env_remove("KUBECTL_CONNECT_NO_INPUT").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `kubectl connect WORDS` to its end.
    pub async fn run(&self, words: &str) -> Ran {
        self.finish(self.command(words)).await
    }

    /// Runs command lines one after the other and returns what each printed, with its exit code.
    pub async fn transcript(&self, lines: &[&str]) -> String {
        let mut text = String::new();
        for line in lines {
            text.push_str(&transcript(line, &self.run(line).await));
        }
        text
    }

    /// Runs a command to its end.
    pub async fn finish(&self, mut command: tokio::process::Command) -> Ran {
        let output = tokio::time::timeout(LIMIT, command.output()).await.expect("the command ends in time").expect("the command runs");
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8(output.stderr).expect("stderr is text"),
        }
    }

    /// The state of Azure and the clusters, without values that change by themselves.
    pub fn everything(&self) -> Value {
        let clusters: Vec<Value> = ["aks-shop", "aks-ready"].iter().map(|c| self.cluster(c).snapshot()).collect();
        serde_json::json!({"azure": self.control().state(), "clusters": clusters})
    }

    /// Like [`Case::everything`], without the features of a cluster, which are never disabled again.
    pub fn everything_but_features(&self) -> Value {
        let mut all = self.everything();
        for (_, resource) in all["azure"]["resources"].as_object_mut().unwrap() {
            if resource["type"].as_str().is_some_and(|t| t.eq_ignore_ascii_case("Microsoft.ContainerService/managedClusters")) {
                let properties = resource["properties"].as_object_mut().unwrap();
                properties.remove("oidcIssuerProfile");
                properties.remove("securityProfile");
                properties["addonProfiles"].as_object_mut().unwrap().remove("azureKeyvaultSecretsProvider");
            }
        }
        // AKS installs webhook, driver and the add-on's identity with the features, and they remain with them.
        let with_feature = |name: &str| {
            ["azure-wi-webhook", "aks-secrets-store", "secretproviderclass", "secrets-store.csi"].iter().any(|p| name.starts_with(p))
        };
        for cluster in all["clusters"].as_array_mut().unwrap() {
            cluster.as_array_mut().unwrap().retain(|o| !with_feature(o["metadata"]["name"].as_str().unwrap_or_default()));
        }
        all["azure"]["resources"].as_object_mut().unwrap().retain(|id, _| !id.contains("/azurekeyvaultsecretsprovider-"));
        all
    }

    /// The writes so far, as `METHOD path`.
    pub fn writes(&self) -> Vec<String> {
        self.control().log().iter().filter(|e| is_write(e)).map(|e| format!("{} {}", e.method, e.path)).collect()
    }

    /// Requests to ARM, Resource Graph and Entra so far.
    pub fn azure_requests(&self) -> Vec<Entry> {
        self.control().log().into_iter().filter(|e| matches!(e.kind, Kind::Arm | Kind::Graph | Kind::Entra)).collect()
    }

    /// Whether the service account's own token gives access to the vault's data plane now, determined by the sandbox
    /// without the product.
    pub async fn lets_in(&self, cluster: &str, namespace: &str, account: &str, scope: &str, url: &str) -> bool {
        let client_id = {
            let objects = self.cluster(cluster).objects();
            let found = objects
                .iter()
                .find(|o| o["kind"] == "ServiceAccount" && o["metadata"]["namespace"] == namespace && o["metadata"]["name"] == account);
            let annotation = found.and_then(|o| o["metadata"]["annotations"]["azure.workload.identity/client-id"].as_str());
            match annotation {
                Some(id) => id.to_owned(),
                None => return false,
            }
        };
        let client = self.http_client();
        let token = self.kubernetes_token(&client, cluster, namespace, account).await;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id.as_str()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", token.as_str()),
            ("scope", scope),
        ];
        let authority = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", stand_in::world::TENANT);
        let answer: Value = client.post(authority).form(&form).send().await.unwrap().json().await.unwrap();
        let Some(access) = answer["access_token"].as_str() else { return false };
        client.get(url).bearer_auth(access).header("x-ms-version", "2023-11-03").send().await.unwrap().status().is_success()
    }

    /// Asserts that all links of a connection are successful. On real API servers no webhook runs behind the
    /// registration (the real webhook is tested separately), so there exactly the pods must be reported.
    pub async fn holds(&self, connection: &str) {
        let ran = self.run(&format!("verify {connection} -n shop -o json")).await;
        let found = ran.json();
        let checks = found["categories"].as_array().unwrap().iter().flat_map(|c| c["checks"].as_array().unwrap());
        let wrong: Vec<&str> = checks.filter(|c| c["result"] == "error").map(|c| c["code"].as_str().unwrap()).collect();
        let real = real::is_on();
        // Created before the change or missed by the webhook: which of the two is reported depends on timing.
        let expected = |code: &&str| real && ["KC5601", "KC5602"].contains(code);
        assert!(wrong.is_empty() != real && wrong.iter().all(expected), "{wrong:?} {found:#}");
        assert_eq!((ran.code, found["success"].as_bool()), (i32::from(real), Some(!real)));
    }

    /// A request to ARM as the signed-in user, without the product.
    pub async fn arm(&self, method: &str, path: &str, api_version: &str, body: Option<Value>) -> Value {
        let az = tokio::process::Command::new(self.sandbox.bin().join("az"))
            .args(["account", "get-access-token", "-o", "json", "--scope", "https://management.azure.com/.default"])
            .envs(self.sandbox.env())
            .output()
            .await
            .unwrap();
        let token: Value = serde_json::from_slice(&az.stdout).unwrap_or_else(|_| panic!("{az:?}"));
        let url = format!("https://management.azure.com{path}?api-version={api_version}");
        let token = token["accessToken"].as_str().unwrap();
        let mut request = self.http_client().request(method.parse().unwrap(), url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{method} {path}: {}", answer.text().await.unwrap());
        // A long-running operation must have ended, or the product's next write would meet it.
        if let Some(operation) = answer.headers().get("azure-asyncoperation").map(|o| o.to_str().unwrap().to_owned()) {
            let state = async || -> Value {
                let answer = self.http_client().get(&operation).bearer_auth(token).send().await.unwrap();
                serde_json::from_str(&answer.text().await.unwrap()).unwrap()
            };
            while state().await["status"] == "InProgress" {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
    }

    /// Deletes a resource in Azure without the product.
    pub async fn arm_delete(&self, id: &str, api_version: &str) {
        self.arm("DELETE", id, api_version, None).await;
    }

    /// Deletes all roles that give access to a vault's secrets. Returns their number.
    pub async fn take_roles_away(&self) -> usize {
        let assignments = self.control().state()["roleAssignments"].as_object().unwrap().clone();
        let mut taken = 0;
        for (key, one) in assignments.iter().filter(|(_, one)| one["role"] == "Key Vault Secrets User") {
            let name = key.rsplit(' ').next().unwrap();
            let scope = one["scope"].as_str().unwrap();
            self.arm_delete(&format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"), "2022-04-01").await;
            taken += 1;
        }
        taken
    }

    /// Deletes an object in a cluster without the product.
    pub async fn kube_delete(&self, cluster: &str, path: &str) {
        let world = World::planted();
        let planted = world.clusters.iter().find(|c| c.name == cluster).unwrap();
        let answer = self.http_client().delete(format!("https://{}{path}", planted.fqdn)).bearer_auth(&planted.token).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// An HTTP client for the sandbox's hosts, through its proxy.
    pub fn http_client(&self) -> reqwest::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pem = std::fs::read(self.sandbox.authority_file()).unwrap();
        reqwest::Client::builder()
            .proxy(reqwest::Proxy::all(self.sandbox.proxy_url()).unwrap())
            .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
            .build()
            .unwrap()
    }

    /// Host and administrator's token of a planted cluster.
    pub fn api_server(&self, cluster: &str) -> (String, String) {
        let planted = World::planted().clusters.into_iter().find(|c| c.name == cluster).unwrap();
        (planted.fqdn, planted.token)
    }

    async fn kubernetes_token(&self, client: &reqwest::Client, cluster: &str, namespace: &str, account: &str) -> String {
        let (host, token) = self.api_server(cluster);
        let url = format!("https://{host}/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let body = serde_json::json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": ["api://AzureADTokenExchange"], "expirationSeconds": 600}});
        let answer: Value = client.post(url).bearer_auth(&token).json(&body).send().await.unwrap().json().await.unwrap();
        answer["status"]["token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }
}

/// Asserts that two states are equal; names the differences.
#[track_caller]
pub fn same(before: &Value, after: &Value, what: &str) {
    let mut differences = Vec::new();
    differ(String::new(), before, after, &mut differences);
    assert!(differences.is_empty(), "{what}:\n{}", differences.join("\n"));
}

fn differ(at: String, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                differ(format!("{at}/{key}"), &before[key.as_str()], &after[key.as_str()], found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differ(format!("{at}/{index}"), a, b, found);
            }
        }
        _ if before == after => {}
        _ => found.push(format!("{at}: {before} → {after}")),
    }
}

/// The text with varying parts replaced by fixed ones.
pub fn steady(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, stand_in) in [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<assignment>"),
        (r"correlation [0-9a-f-]{36}, request [0-9a-f-]{36}", "correlation <id>, request <id>"),
        (r"correlation [0-9a-f-]{36}", "correlation <id>"),
        (r"identity [0-9a-f]{8}-[0-9a-f-]{27}", "identity <client id>"),
        (r"\((\d+m)?\d+(\.\d)?s\)", "(<time>)"),
        (r"\(\d+ s so far\)", "(<time> so far)"),
        (r"/tmp/[A-Za-z0-9./_-]*sandbox-[A-Za-z0-9]+", "<sandbox>"),
        (r"\((linux|macos|windows)/\w+\)", "(<platform>)"),
        (r"\b\d+ s old", "<age> old"),
        (r"\b\d+s ago", "<age> ago"),
        (r"(?m)(^|  )\d+s( |$)", "$1<age>$2"),
        (r"\b([a-z]+)-[b-df-hj-np-tv-z0-9]{10}\b(-[b-df-hj-np-tv-z0-9]{5}\b)?", "$1-<hash>"),
    ] {
        text = regex::Regex::new(pattern).unwrap().replace_all(&text, stand_in).into_owned();
    }
    // Planted ids share their middle part; all others are random.
    let id = regex::Regex::new(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b").unwrap();
    let known = |found: &str| found.contains("-aaaa-4bbb-8ccc-");
    text = id
        .replace_all(&text, |found: &regex::Captures<'_>| if known(&found[0]) { found[0].to_owned() } else { "<id>".into() })
        .into_owned();
    // Concurrent steps finish in any order, and the number of waits is random.
    let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with("  ◎")).map(str::trim_end).collect();
    let (mut sorted, mut block) = (Vec::new(), Vec::new());
    for line in lines {
        let step = line.starts_with("  ✓") && line.ends_with("(<time>)");
        if step {
            block.push(line);
        } else {
            block.sort_unstable();
            sorted.append(&mut block);
            sorted.push(line);
        }
    }
    block.sort_unstable();
    sorted.append(&mut block);
    sorted.join("\n")
}
