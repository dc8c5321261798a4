//! Compares the stand-in with recorded answers of a real API server: every step is sent again and its answer
//! compared.
//!
//! The recordings are reference data that is not part of the repository; `CONNECT_REFERENCE_DATA` names the folder
//! with `recordings/kubernetes.json`. Without it the test prints a message and passes.

#![expect(clippy::expect_used, reason = "a test may end where its ground gives way")]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};
use stand_in::http::{Body, Request, Response};
use stand_in::keys::RsaKey;
use stand_in::kube::{Controllers, KubeCluster, KubeOptions, UserInfo};

mod exceptions;
use exceptions::EXCEPTIONS;

const ISSUER: &str = "https://eastus.oic.prod-aks.azure.com/00000000-0000-0000-0000-000000000001/00000000-0000-0000-0000-000000000002/";

static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"<((?:rv|listrv|uid|token|kid|hash|rand|event|continue):\d+|listrv|time|iat(?:\+\d+)?|modulus|pem|sha256|server|rand|as in the CRD)>",
    )
    .expect("constant pattern")
});

/// Values of the placeholders in one case.
#[derive(Default)]
struct Bindings {
    values: BTreeMap<String, String>,
    faults: Vec<String>,
}

/// Placeholders that are bound at their first use; all others match anything.
fn is_bound_kind(name: &str) -> bool {
    let kinds = ["rv:", "uid:", "token:", "kid:", "hash:", "rand:", "event:", "continue:"];
    kinds.iter().any(|kind| name.starts_with(kind))
}

impl Bindings {
    /// Splits `a<uid:1>b` into literals and placeholders.
    fn parts(text: &str) -> Vec<(bool, String)> {
        if !text.contains('<') {
            return vec![(false, text.to_string())];
        }
        let mut out = Vec::new();
        let mut end = 0;
        for found in PLACEHOLDER.captures_iter(text) {
            let whole = found.get(0).expect("group 0 is always there");
            out.push((false, text[end..whole.start()].to_string()));
            out.push((true, found[1].to_string()));
            end = whole.end();
        }
        out.push((false, text[end..].to_string()));
        out
    }

    fn fill(&self, text: &str) -> String {
        let fill = |(is_name, part): (bool, String)| {
            if !is_name {
                return part;
            }
            // A list's version in the recording corresponds to any version at about that time; it is bound like the
            // others.
            self.values.get(&part).cloned().unwrap_or(format!("<{part}>"))
        };
        Self::parts(text).into_iter().map(fill).collect()
    }

    fn fill_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => json!(self.fill(text)),
            Value::Array(list) => list.iter().map(|v| self.fill_value(v)).collect(),
            Value::Object(map) => map.iter().map(|(k, v)| (self.fill(k), self.fill_value(v))).collect(),
            other => other.clone(),
        }
    }

    fn text(&mut self, expected: &str, actual: &str) -> bool {
        let parts = Self::parts(expected);
        if parts.len() == 1 {
            return expected == actual;
        }
        if let [(_, before), (true, name), (_, after)] = parts.as_slice()
            && before.is_empty()
            && after.is_empty()
        {
            // The most common form, handled separately since creating patterns is slow.
            return match self.values.get(name).filter(|_| is_bound_kind(name)) {
                Some(value) => value == actual,
                None => self.bind(name, actual),
            };
        }
        let mut pattern = String::from("(?s)^");
        let mut names = Vec::new();
        for (is_name, part) in &parts {
            if !is_name {
                pattern.push_str(&regex::escape(part));
            } else if let Some(value) = self.values.get(part).filter(|_| is_bound_kind(part)) {
                pattern.push_str(&regex::escape(value));
            } else {
                pattern.push_str("(.*?)");
                names.push(part.clone());
            }
        }
        pattern.push('$');
        let Some(found) = Regex::new(&pattern).expect("escaped pattern").captures(actual) else { return false };
        for (at, name) in names.iter().enumerate() {
            let value = found.get(at + 1).map_or("", |m| m.as_str());
            if !self.bind(name, value) {
                return false;
            }
        }
        true
    }

    fn bind(&mut self, name: &str, value: &str) -> bool {
        if is_bound_kind(name) {
            let kind = name.split(':').next().unwrap_or_default();
            let taken = self.values.iter().any(|(n, v)| n != name && v == value && n.split(':').next() == Some(kind));
            if taken && matches!(kind, "rv" | "uid") {
                return false;
            }
            self.values.insert(name.to_string(), value.to_string());
        } else if name.starts_with("listrv:") {
            self.values.insert(name.to_string(), value.to_string());
        }
        true
    }

    fn fault(&mut self, path: &str, expected: &Value, actual: &Value) {
        let short = |v: &Value| v.to_string().chars().take(400).collect::<String>();
        self.faults.push(format!("{path}: expected {} got {}", short(expected), short(actual)));
    }

    fn compare(&mut self, path: &str, expected: &Value, actual: &Value) {
        match (expected, actual) {
            (Value::String(text), _) if text == "<as in the CRD>" => {}
            (Value::String(text), Value::Number(found)) if text.starts_with("<iat") => {
                let offset: i64 = text.trim_matches(['<', '>']).trim_start_matches("iat").parse().unwrap_or(0);
                let base = found.as_i64().unwrap_or_default() - offset;
                let bound = self.values.entry("iat".into()).or_insert(base.to_string()).clone();
                if bound != base.to_string() {
                    self.fault(path, expected, actual);
                }
            }
            (Value::String(wanted), Value::String(found)) => {
                if !self.text(wanted, found) {
                    self.fault(path, &json!(self.fill(wanted)), actual);
                }
            }
            (Value::Array(wanted), Value::Array(found)) => self.lists(path, wanted, found),
            (Value::Object(wanted), Value::Object(found)) => {
                let mut seen = Vec::new();
                for (key, value) in wanted {
                    let key_now = self.fill(key);
                    let hit = if found.contains_key(&key_now) {
                        Some(key_now)
                    } else {
                        found.keys().find(|k| key.contains('<') && self.text(key, k)).cloned()
                    };
                    match hit {
                        Some(hit) => {
                            self.compare(&format!("{path}.{key}"), value, &found[&hit]);
                            seen.push(hit);
                        }
                        None => self.fault(&format!("{path}.{key}"), value, &json!("nothing")),
                    }
                }
                for (key, value) in found.iter().filter(|(k, _)| !seen.contains(k)) {
                    self.fault(&format!("{path}.{key}"), &json!("nothing"), value);
                }
            }
            // The number of retries of a controller so far.
            (Value::Number(_), Value::Number(_)) if path.ends_with(".count") => {}
            _ if expected == actual => {}
            _ => self.fault(path, expected, actual),
        }
    }

    /// Items of a list whose order depends on random names: each must have a counterpart.
    fn unordered(&mut self, wanted: &[Value], found: &[Value]) -> bool {
        let before = (self.values.clone(), self.faults.len());
        let mut left: Vec<&Value> = found.iter().collect();
        for item in wanted {
            let hit = left.iter().position(|candidate| {
                let values = self.values.clone();
                let faults = self.faults.len();
                self.compare("item", item, candidate);
                let fits = self.faults.len() == faults;
                if !fits {
                    self.faults.truncate(faults);
                    self.values = values;
                }
                fits
            });
            match hit {
                Some(at) => {
                    left.remove(at);
                }
                None => {
                    self.values = before.0;
                    self.faults.truncate(before.1);
                    return false;
                }
            }
        }
        true
    }

    fn lists(&mut self, path: &str, wanted: &[Value], found: &[Value]) {
        let as_set = path.ends_with("managedFields") || path.ends_with("Rules");
        let sort = |list: &[Value]| {
            let mut list = list.to_vec();
            if path.ends_with("managedFields") {
                let key = |v: &Value| {
                    ["operation", "manager", "subresource", "apiVersion"].map(|k| v[k].as_str().unwrap_or_default().to_string())
                };
                list.sort_by_key(key);
            } else if as_set {
                let key = |v: &Value| v.as_object().map(|m| json!(m.iter().collect::<BTreeMap<_, _>>()).to_string());
                list.sort_by_key(key);
            }
            list
        };
        if wanted.len() != found.len() {
            self.fault(path, &json!(wanted), &json!(found));
            return;
        }
        if path.ends_with(".items") && self.unordered(wanted, found) {
            return;
        }
        for (at, (w, f)) in sort(wanted).iter().zip(&sort(found)).enumerate() {
            self.compare(&format!("{path}[{at}]"), w, f);
        }
    }
}

/// Answers with a dump of Go values: only status, reason and fields are compared.
fn is_dump(body: &Value) -> bool {
    let causes = body["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    causes.iter().any(|cause| {
        let message = cause["message"].as_str().unwrap_or_default();
        (cause["field"] == "patch" && message.contains("managedFields")) || message.contains("\"Volumes\":") || message.contains("\n@@ ")
    })
}

fn outline(body: &Value) -> Value {
    let causes = body["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let fields: Vec<&Value> = causes.iter().map(|c| &c["field"]).collect();
    json!({"code": body["code"], "reason": body["reason"], "fields": fields})
}

fn request(step: &Value, bindings: &Bindings, data: &Path) -> Request {
    let sent = &step["request"];
    let path = bindings.fill(sent["path"].as_str().expect("path"));
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let mut headers = vec![
        ("user-agent".to_string(), "recorder/1.0".to_string()),
        ("accept".to_string(), sent["accept"].as_str().unwrap_or("application/json").to_string()),
    ];
    if let Some(kind) = sent["content_type"].as_str() {
        headers.push(("content-type".into(), kind.into()));
    }
    let user = bindings.fill(sent["user"].as_str().unwrap_or("admin"));
    if user != "anonymous" {
        let token = user.strip_prefix("bearer ").unwrap_or(&user);
        headers.push(("authorization".into(), format!("Bearer {token}")));
    }
    let body = match &sent["body"] {
        Value::Null => Vec::new(),
        Value::String(text) => match text.strip_prefix("<shared/").and_then(|t| t.strip_suffix(" as JSON>")) {
            Some(file) => {
                let yaml = std::fs::read_to_string(data.join(file)).expect("definition");
                let value: Value = serde_saphyr::from_str(&yaml).expect("YAML");
                value.to_string().into_bytes()
            }
            None => text.clone().into_bytes(),
        },
        value => bindings.fill_value(value).to_string().into_bytes(),
    };
    Request {
        method: sent["method"].as_str().expect("method").into(),
        host: "cluster.example".into(),
        path: path.into(),
        query: stand_in::http::parse_pairs(query),
        headers,
        body,
    }
}

/// The body in the form of the recording: JSON, text, or the events of a watch.
async fn body(response: Response, expected: &Value) -> Value {
    match response.body {
        Body::Bytes(bytes) => {
            let text = String::from_utf8(bytes).expect("UTF-8");
            serde_json::from_str(&text).unwrap_or(json!(text))
        }
        Body::Socket(_) => panic!("no recording is of a websocket"),
        Body::Stream(mut lines) => {
            let wanted = expected.as_array().map_or(0, Vec::len);
            let mut events: Vec<Value> = Vec::new();
            while wanted == 0 || events.len() < wanted {
                let Some(line) = lines.recv().await else { break };
                events.push(serde_json::from_slice(&line).expect("event"));
            }
            json!(events)
        }
    }
}

fn jwt(step: &Value, answer: &Value) -> Option<Value> {
    use base64::Engine as _;
    step["response"].get("jwt")?;
    let token = answer["status"]["token"].as_str().or(answer["spec"]["token"].as_str())?;
    let part = |at: usize| -> Value {
        let text = token.split('.').nth(at).expect("three parts");
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    let mut header = part(0);
    if let Some(map) = header.as_object_mut() {
        // All stand-ins share one signer; a cluster's own signer writes no `typ`.
        map.shift_remove("typ");
    }
    Some(json!({"header": header, "claims": part(1)}))
}

async fn replay(cluster: &KubeCluster, step: &Value, bindings: &mut Bindings, data: &Path) -> Vec<String> {
    let expected = &step["response"];
    let tries = if step["poll"] == true { 60 } else { 1 };
    let before = bindings.values.clone();
    for attempt in 1..=tries {
        bindings.values.clone_from(&before);
        bindings.faults.clear();
        let response = cluster.handle(request(step, bindings, data)).await;
        if json!(response.status) != expected["status"] {
            bindings.faults.push(format!("status: expected {} got {}", expected["status"], response.status));
        }
        let warnings: Vec<Value> = response.headers.iter().filter(|(k, _)| k == "warning").map(|(_, v)| json!(v)).collect();
        let wanted = expected.get("warnings").cloned().unwrap_or(json!([]));
        bindings.compare("warnings", &wanted, &json!(warnings));
        let kind = response.header("content-type").unwrap_or_default().to_string();
        let wanted = expected["content_type"].as_str().unwrap_or("application/json");
        let plain = |text: &str| text.split(';').next().unwrap_or_default().to_string();
        if response.status != 204 && plain(&kind) != plain(wanted) {
            bindings.faults.push(format!("content type: expected {wanted} got {kind}"));
        }
        for (name, value) in expected["headers"].as_object().into_iter().flatten() {
            if response.header(name).map(|v| json!(v)).as_ref() != Some(value) {
                bindings.faults.push(format!("header {name}: expected {value} got {:?}", response.header(name)));
            }
        }
        let mut answer = body(response, &expected["body"]).await;
        if answer["kind"] == "CustomResourceDefinition"
            && let Some(meta) = answer["metadata"].as_object_mut()
        {
            // Cut from the recording.
            meta.shift_remove("managedFields");
        }
        if let (Some(found), Some(wanted)) = (jwt(step, &answer), expected.get("jwt")) {
            bindings.compare("jwt", wanted, &found);
        }
        if is_dump(&expected["body"]) {
            bindings.compare("outline", &outline(&expected["body"]), &outline(&answer));
        } else {
            bindings.compare("body", &expected["body"], &answer);
        }
        if bindings.faults.is_empty() || attempt == tries {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // The issue time is specific to one token.
    bindings.values.remove("iat");
    std::mem::take(&mut bindings.faults)
}

fn cluster(controllers: Controllers) -> KubeCluster {
    let mut tokens: HashMap<String, UserInfo> = HashMap::new();
    let mut admin = UserInfo::new("kube-up-admin", &["system:masters"]);
    admin.credential = Some("X509SHA256=00".into());
    tokens.insert("admin".into(), admin);
    for name in ["dev", "connect", "only-patch", "only-create"] {
        let name = format!("{name}@contoso.com");
        let mut user = UserInfo::new(&name, &["developers"]);
        user.credential = Some("X509SHA256=00".into());
        tokens.insert(name, user);
    }
    let mut options = KubeOptions::new("cluster.example", ISSUER, RsaKey::pooled(1));
    options.tokens = tokens;
    options.controllers = controllers;
    let cluster = KubeCluster::new(options);
    let group = "rbac.authorization.k8s.io";
    cluster.apply_object(
        "curl",
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "kube-up-public-oidc"},
            "subjects": [{"kind": "Group", "apiGroup": group, "name": "system:unauthenticated"}],
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "system:service-account-issuer-discovery"},
        }),
    );
    cluster
}

#[tokio::test(start_paused = true)]
async fn recorded_answers_come_out_again() {
    let Some(data) = std::env::var_os("CONNECT_REFERENCE_DATA").map(PathBuf::from) else {
        eprintln!("SKIPPED: CONNECT_REFERENCE_DATA is not set, so no recorded answers were replayed");
        return;
    };
    let text = std::fs::read_to_string(data.join("recordings/kubernetes.json")).expect("recordings");
    let recorded: Value = serde_json::from_str(&text).expect("JSON");
    let only = std::env::var("CONNECT_REFERENCE_CASE").ok();
    let (alone, controlled) = (cluster(Controllers::None), cluster(Controllers::NoKubelet));
    let (mut passed, mut cases, mut clean) = (0, 0, 0);
    let mut wrong = Vec::new();
    for case in recorded["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("name");
        let cluster = if case["controllers"] == true { &controlled } else { &alone };
        let mut bindings = Bindings::default();
        cases += 1;
        let mut failures = 0;
        for (at, step) in case["steps"].as_array().expect("steps").iter().enumerate() {
            if case["controllers"] == true {
                // The recording was made by hand, slowly: controllers had finished before the next step.
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            let faults = replay(cluster, step, &mut bindings, &data).await;
            let listed = EXCEPTIONS.iter().find(|(case, step, _)| *case == name && *step == at);
            match (faults.is_empty(), listed) {
                (true, None) => passed += 1,
                (false, Some(_)) => failures += 1,
                (true, Some(_)) => wrong.push(format!("{name} {at}: is listed as an exception but passes")),
                (false, None) => {
                    failures += 1;
                    wrong.push(format!("{name} {at}: {}", faults.join("\n    ")));
                }
            }
        }
        clean += usize::from(failures == 0);
    }
    eprintln!("{passed} steps equal, {} listed as exceptions; {clean} of {cases} cases entirely equal", EXCEPTIONS.len());
    let shown: Vec<&String> = wrong.iter().filter(|w| only.as_ref().is_none_or(|o| w.starts_with(&format!("{o} ")))).collect();
    for line in &shown {
        eprintln!("{line}");
    }
    assert!(wrong.is_empty(), "{} steps differ from the recording", wrong.len());
}
