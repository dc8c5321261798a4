//! A proxy that terminates TLS like the sandbox's and answers only from a recording, in order.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use stand_in::ca::Authority;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::recording::{Exchange, Recording, address};

/// The remaining exchanges, and the errors so far.
#[derive(Default)]
struct Tape {
    coming: VecDeque<(String, Exchange)>,
    faults: Vec<String>,
}

/// A running server.
pub struct Server {
    tape: Arc<Mutex<Tape>>,
    address: SocketAddr,
    folder: TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// The client's environment. Its `az` is a script: any token works here.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let proxy = format!("http://{}", self.address);
        vec![
            ("PATH", format!("{}:/usr/bin:/bin", at("bin"))),
            ("HTTPS_PROXY", proxy.clone()),
            ("https_proxy", proxy),
            ("NO_PROXY", String::new()),
            ("no_proxy", String::new()),
            ("SSL_CERT_FILE", at("ca.pem")),
            ("SSL_CERT_DIR", at("bin")),
            ("AZURE_CONFIG_DIR", at("azure")),
            ("HOME", at("home")),
        ]
    }

    /// Requests that were not the next one of the recording.
    pub fn faults(&self) -> Vec<String> {
        self.tape.lock().unwrap().faults.clone()
    }

    /// Number of exchanges that were not requested.
    pub fn left(&self) -> usize {
        self.tape.lock().unwrap().coming.len()
    }
}

/// Starts to answer from recordings, one after another.
pub async fn start(recordings: &[Recording]) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let coming = recordings.iter().flat_map(|recording| {
        let exchanges = recording.steps.iter().flat_map(|step| step.exchanges());
        exchanges.map(|at| (recording.name.clone(), recording.exchange(at).clone()))
    });
    let tape = Arc::new(Mutex::new(Tape { coming: coming.collect(), faults: Vec::new() }));
    let authority = Arc::new(Authority::new().unwrap());
    let folder = tempfile::tempdir().unwrap();
    for name in ["bin", "azure", "home"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    let az = folder.path().join("bin/az");
    let token = json!({"accessToken": "recorded", "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4_070_908_800_u64, "tenant": "t", "tokenType": "Bearer"});
    std::fs::write(&az, format!("#!/bin/sh\ncat <<'END'\n{token}\nEND\n")).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::clone(&tape);
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&authority), Arc::clone(&shared)));
        }
    });
    Server { tape, address, folder, task }
}

async fn serve(mut stream: TcpStream, authority: Arc<Authority>, tape: Arc<Mutex<Tape>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let host = head.split_ascii_whitespace().nth(1)?.trim_end_matches(":443").to_owned();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    let acceptor = tokio_rustls::TlsAcceptor::from(authority.server_config(&host).ok()?);
    let tls = acceptor.accept(stream).await.ok()?;
    let service = service_fn(move |request| answer(Arc::clone(&tape), host.clone(), request));
    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service).await.ok()
}

async fn answer(
    tape: Arc<Mutex<Tape>>,
    host: String,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Body>, std::convert::Infallible> {
    let (parts, body) = request.into_parts();
    let sent = axum::body::to_bytes(Body::new(body), usize::MAX).await.unwrap_or_default();
    let asked = format!("https://{host}{}", parts.uri);
    let mut tape = tape.lock().unwrap();
    let response = match tape.coming.front() {
        Some((_, next)) if next.method == parts.method.as_str() && address(&next.uri) == address(&asked) => {
            let (recording, next) = tape.coming.pop_front().unwrap();
            if let Some(fault) = other_body(&next, &sent) {
                tape.faults.push(format!("{recording} #{}: {fault}", next.index));
            }
            recorded(&next)
        }
        other => {
            let next = other.map_or("nothing".to_owned(), |(name, next)| format!("{name} #{} {} {}", next.index, next.method, next.uri));
            tape.faults.push(format!("{} {asked} was asked, recorded is {next}", parts.method));
            hyper::Response::builder().status(418).body(Body::from(r#"{"error":{"code":"NotInTheRecording","message":"not recorded"}}"#))
        }
    };
    Ok(response.unwrap())
}

/// The recorded body of a write must arrive unchanged.
fn other_body(next: &Exchange, sent: &[u8]) -> Option<String> {
    let arrived: Value = serde_json::from_slice(sent).unwrap_or_default();
    let compared = matches!(next.sent, Value::Object(_) | Value::Array(_)) && next.method != "DELETE";
    (compared && arrived != next.sent).then(|| format!("another body arrived: {arrived}"))
}

fn recorded(next: &Exchange) -> Result<hyper::Response<Body>, hyper::http::Error> {
    let mut response = hyper::Response::builder().status(next.status);
    for (name, value) in &next.headers {
        if !["content-length", "transfer-encoding", "content-encoding"].contains(&name.as_str()) {
            response = response.header(name, value);
        }
    }
    // The recorder removed all Retry-After headers. With none, the client would wait as long as the recording did.
    response = response.header("retry-after", "0");
    response.body(match &next.body {
        Value::Null => Body::empty(),
        Value::String(text) => Body::from(text.clone()),
        other => Body::from(other.to_string()),
    })
}
