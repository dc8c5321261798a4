//! A minimal API server on a loopback port for tests: gives scripted answers and records requests.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::kube::{Cluster, Flags};
use crate::model::{Event, Events};

/// A scripted answer.
pub(crate) enum Answer {
    Json(u16, Value),
    Text(u16, &'static str),
    After(u16, &'static str, &'static str),
    Never,
}

/// A recorded request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Default)]
pub(crate) struct Server {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    pub port: u16,
}

impl Server {
    /// Answers requests with `answers` in order, and then with 200 and `{}`.
    pub async fn start(answers: Vec<Answer>) -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server =
            Server { answers: Arc::new(Mutex::new(answers.into())), port: listener.local_addr().unwrap().port(), ..Server::default() };
        let app = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        server
    }

    /// A server description for a port on which something else, or nothing, listens.
    pub fn at(port: u16) -> Server {
        Server { port, ..Server::default() }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A connection with a token user.
    pub async fn cluster(&self) -> Cluster {
        self.cluster_with(json!({ "token": "t0ken" }), &Flags::default(), &Events::silent()).await.unwrap()
    }

    pub async fn cluster_with(&self, user: Value, flags: &Flags, events: &Events) -> crate::model::Result<Cluster> {
        let dir = tempfile::tempdir().unwrap();
        let file = kubeconfig(dir.path(), &self.url(), user);
        Cluster::connect(&Flags { kubeconfig: Some(file), ..flags.clone() }, events).await
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    server.asked.lock().unwrap().push(Asked {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers.iter().map(|(k, v)| (k.to_string(), v.to_str().unwrap_or_default().to_owned())).collect(),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    });
    let next = server.answers.lock().unwrap().pop_front();
    let build = |code: u16, body: String, after: Option<&str>| {
        let mut response = Response::builder().status(code).header("content-type", "application/json").header("audit-id", "audit-1");
        if let Some(after) = after {
            response = response.header("retry-after", after);
        }
        response.body(Body::from(body)).unwrap()
    };
    match next.unwrap_or_else(|| Answer::Json(200, json!({}))) {
        Answer::Json(code, body) => build(code, body.to_string(), None),
        Answer::Text(code, body) => build(code, body.into(), None),
        Answer::After(code, seconds, body) => build(code, body.into(), Some(seconds)),
        Answer::Never => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            build(200, "{}".into(), None)
        }
    }
}

/// A kubeconfig with one context, `ctx`, of cluster `c` and user `u`.
pub(crate) fn kubeconfig(dir: &Path, server: &str, user: Value) -> PathBuf {
    let file = dir.join("config");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "ctx",
        "clusters": [{ "name": "c", "cluster": { "server": server } }],
        "contexts": [{ "name": "ctx", "context": { "cluster": "c", "user": "u", "namespace": "shop" } }],
        "users": [{ "name": "u", "user": user }],
    });
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

/// An event receiver that records notes and warnings.
pub(crate) fn remembered() -> (Events, Arc<Mutex<Vec<String>>>) {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let sink = notes.clone();
    let events = Events::new(move |event| {
        if let Event::Note(text) | Event::Warning(text) = event {
            sink.lock().unwrap().push(text);
        }
    });
    (events, notes)
}

/// A `Status` as sent by the API server.
pub(crate) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
        "details": { "kind": "secrets", "name": "a" } })
}

/// Recorded answers of a real API server; `None` after a message that `test` is skipped.
pub(crate) fn recordings(test: &str) -> Option<Value> {
    let Ok(folder) = std::env::var("CONNECT_REFERENCE_DATA") else {
        // Written to stderr directly, since the test harness hides the output of passing tests.
        let line = format!("SKIPPED {test}: CONNECT_REFERENCE_DATA is not set\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
        return None;
    };
    let folder = Path::new(&folder);
    let file = ["recordings/kubernetes.json", "kubernetes.json"].iter().map(|name| folder.join(name)).find(|path| path.exists()).unwrap();
    Some(serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
}
