//! The entrance: a CONNECT proxy that terminates TLS for every simulated host, like a company's inspecting proxy.
//!
//! Everything that can happen to a request in transit happens here: latency, faults, the log, the held answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::body::Body as WireBody;
use futures::{SinkExt as _, StreamExt as _};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::ca::Authority;
use crate::cloud::Cloud;
use crate::control::{Entry, Kind, writes};
use crate::fault::{Action, Fault};
use crate::http::{Body, Request, Response, parse_pairs};

/// Larger bodies are refused; ARM accepts 4 MB.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// A connection that is broken on purpose.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connection broken on purpose")
    }
}

impl std::error::Error for Broken {}

/// Starts to listen on a loopback port.
///
/// # Errors
/// If no port can be opened.
pub(crate) async fn start(cloud: Arc<Cloud>, authority: Arc<Authority>) -> anyhow::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("proxy port")?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        // The set is dropped with this task, which ends all connections.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                    let (cloud, authority) = (Arc::clone(&cloud), Arc::clone(&authority));
                    connections.spawn(async move {
                        // A client may disconnect at any time.
                        let _ = connection(stream, cloud, authority).await;
                    });
                },
                Some(_) = connections.join_next() => {}
            }
        }
    });
    Ok((address, task))
}

async fn connection(mut stream: TcpStream, cloud: Arc<Cloud>, authority: Arc<Authority>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let head = read_head(&mut stream).await?;
    let mut words = head.split_ascii_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method != "CONNECT" {
        refuse(&mut stream, "405 Method Not Allowed", "only CONNECT is served here").await?;
        return Ok(());
    }
    let (host, port) = target.rsplit_once(':').unwrap_or((target, "443"));
    let host = host.to_ascii_lowercase();
    if port != "443" || cloud.kind_of(&host, "").is_none() {
        cloud.control().record(unknown_host(&cloud, target));
        refuse(&mut stream, "502 Bad Gateway", &format!("no such host in the sandbox: {target}")).await?;
        return Ok(());
    }
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    let tls = TlsAcceptor::from(authority.server_config(&host)?).accept(stream).await?;
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let (cloud, host) = (Arc::clone(&cloud), host.clone());
        let upgrade = hyper::upgrade::on(&mut request);
        async move {
            let mut response = answer(&cloud, host, request).await?;
            if let Body::Socket(messages) = &mut response.0.body {
                tokio::spawn(talk(upgrade, std::mem::take(messages)));
            }
            to_wire(response.0, response.1)
        }
    });
    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service).with_upgrades().await?;
    Ok(())
}

/// The server's side of a websocket: sends all messages and closes.
async fn talk(upgrade: hyper::upgrade::OnUpgrade, messages: Vec<Vec<u8>>) {
    let Ok(upgraded) = upgrade.await else { return };
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    for message in messages {
        // A client may disconnect at any time.
        let _ = socket.send(Message::Binary(message.into())).await;
    }
    let _ = socket.close(None).await;
}

async fn read_head(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    // Read byte by byte, because the data after the blank line belongs to TLS.
    while !head.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(head.len() < 16 * 1024, "request head too long");
        anyhow::ensure!(stream.read(&mut byte).await? == 1, "closed within the request head");
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

async fn refuse(stream: &mut TcpStream, status: &str, text: &str) -> std::io::Result<()> {
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len());
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn unknown_host(cloud: &Cloud, target: &str) -> Entry {
    Entry {
        n: 0,
        at: cloud.timestamp(),
        host: target.to_owned(),
        method: "CONNECT".into(),
        path: String::new(),
        query: Vec::new(),
        request_headers: Vec::new(),
        request_body: Value::Null,
        status: 502,
        response_headers: Vec::new(),
        response_body: Value::Null,
        micros: 0,
        kind: Kind::Unknown,
    }
}

/// Processes one request with latency, faults, log and holding. The flag says whether the body is cut in the middle.
async fn answer(cloud: &Cloud, host: String, wire: hyper::Request<Incoming>) -> Result<(Response, bool), Broken> {
    let control = cloud.control();
    let (started, at) = (Instant::now(), cloud.timestamp());
    if control.is_holding() {
        std::future::pending::<Infallible>().await;
    }
    let request = read_request(host, wire).await?;
    let kind = cloud.kind_of(&request.host, &request.path).unwrap_or(Kind::Unknown);
    let fault = control.fault_for(&request.method, &request.host, &request.path);
    let occupied = cloud.occupy(&request);
    let (latency, write_time) = control.knobs(|knobs| (knobs.latency, knobs.credential_write));
    let wait = if matches!(occupied, Some(Ok(_))) { latency.max(write_time) } else { latency };
    if wait > Duration::ZERO {
        tokio::time::sleep(wait).await;
    }
    if control.is_holding() {
        std::future::pending::<Infallible>().await;
    }
    let mut entry = Entry {
        n: 0,
        at,
        host: request.host.clone(),
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        request_headers: request.headers.clone(),
        request_body: readable(&request.body),
        status: 0,
        response_headers: Vec::new(),
        response_body: Value::Null,
        micros: 0,
        kind,
    };
    let finish = |mut entry: Entry, response: Option<&Response>| {
        if let Some(response) = response {
            entry.status = response.status;
            entry.response_headers.clone_from(&response.headers);
            entry.response_body = readable(response.bytes());
        }
        entry.micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        control.record(entry);
    };
    let response = match fault.as_ref().map(|fault| &fault.action) {
        Some(Action::Hang) => {
            finish(entry, None);
            std::future::pending::<Infallible>().await;
            return Err(Broken);
        }
        Some(Action::Reset) => {
            finish(entry, None);
            return Err(Broken);
        }
        Some(Action::Html) => html_page(),
        Some(Action::Status(status, code, retry_after)) => planted_error(kind, *status, code, *retry_after),
        None | Some(Action::ResetAfter | Action::Truncated) => match occupied {
            Some(Err(busy)) => busy,
            _ => cloud.handle(kind, request).await,
        },
    };
    let carried_out = response.status < 400 && writes(kind, &entry.method, &entry.path, &entry.query, &entry.request_body);
    if carried_out && let Some(held) = control.count_write() {
        finish(entry, Some(&response));
        std::future::pending::<Infallible>().await;
        drop(held);
        return Err(Broken);
    }
    if matches!(fault, Some(Fault { action: Action::ResetAfter, .. })) {
        entry.response_body = Value::Null;
        finish(entry, None);
        return Err(Broken);
    }
    finish(entry, Some(&response));
    let cut = matches!(fault, Some(Fault { action: Action::Truncated, .. }));
    Ok((response, cut))
}

async fn read_request(host: String, wire: hyper::Request<Incoming>) -> Result<Request, Broken> {
    let (parts, body) = wire.into_parts();
    let body = axum::body::to_bytes(WireBody::new(body), BODY_LIMIT).await.map_err(|_| Broken)?;
    Ok(Request {
        method: parts.method.as_str().to_owned(),
        host,
        path: parts.uri.path().to_owned(),
        query: parse_pairs(parts.uri.query().unwrap_or_default()),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: body.to_vec(),
    })
}

fn to_wire(response: Response, cut: bool) -> Result<hyper::Response<WireBody>, Broken> {
    let mut wire = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        wire = wire.header(name, value);
    }
    let body = match response.body {
        Body::Bytes(bytes) if cut => {
            wire = wire.header("content-length", bytes.len().max(2));
            let half = bytes[..bytes.len() / 2].to_vec();
            WireBody::from_stream(futures::stream::iter([Ok(half)]).chain(futures::stream::once(async {
                // Without this pause the server would drop unsent data, including the head.
                tokio::task::yield_now().await;
                Err(Broken)
            })))
        }
        Body::Bytes(bytes) => WireBody::from(bytes),
        Body::Socket(_) => WireBody::empty(),
        Body::Stream(chunks) => WireBody::from_stream(
            futures::stream::unfold(chunks, |mut chunks| async move { chunks.recv().await.map(|chunk| (chunk, chunks)) })
                .map(Ok::<_, Broken>),
        ),
    };
    wire.body(body).map_err(|_| Broken)
}

fn html_page() -> Response {
    let mut page =
        Response::text(503, "<!DOCTYPE html><html><head><title>503</title></head><body><h1>Service Unavailable</h1></body></html>");
    page = page.with("content-type", "text/html");
    page
}

fn planted_error(kind: Kind, status: u16, code: &str, retry_after: Option<u64>) -> Response {
    let message = format!("The sandbox was told to answer {status} {code}.");
    let body = match kind {
        Kind::Kube => {
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": code, "code": status})
        }
        Kind::Entra => {
            let number: u64 = code.trim_start_matches("AADSTS").parse().unwrap_or(0);
            json!({"error": if number == 0 { code } else { "invalid_client" }, "error_description": format!("AADSTS{number}: {message}"), "error_codes": [number]})
        }
        _ => json!({"error": {"code": code, "message": message}}),
    };
    let response = Response::json(status, &body);
    match retry_after {
        Some(seconds) => response.with("retry-after", seconds.to_string()),
        None => response,
    }
}

fn readable(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}
