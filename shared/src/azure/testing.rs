//! Test doubles for this room: an az with scripted answers, and a service with scripted answers.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::process::{ExitStatus, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use azure_identity::Executor;

use super::{Arm, SignIn};
use crate::model::{Cloud, Event, Events};

/// One answer of the fake az.
pub(crate) struct Said(Option<Output>);

impl Said {
    pub(crate) fn exit(code: i32, stderr: &str) -> Said {
        Said(Some(Output { status: exit_status(code), stdout: Vec::new(), stderr: stderr.into() }))
    }

    pub(crate) fn exit_with(code: i32, stdout: &str) -> Said {
        Said(Some(Output { status: exit_status(code), stdout: stdout.into(), stderr: Vec::new() }))
    }

    pub(crate) fn error(stderr: &str) -> Said {
        Said::exit(1, stderr)
    }

    pub(crate) fn hangs() -> Said {
        Said(None)
    }

    pub(crate) fn token(secret: &str, seconds: i64) -> Said {
        let expires = crate::clock::now().as_second() + seconds;
        Said::exit_with(0, &format!(r#"{{"accessToken":"{secret}","expires_on":{expires},"tokenType":"Bearer"}}"#))
    }
}

#[cfg(unix)]
fn exit_status(code: i32) -> ExitStatus {
    std::os::unix::process::ExitStatusExt::from_raw(code << 8)
}

#[cfg(windows)]
fn exit_status(code: i32) -> ExitStatus {
    std::os::windows::process::ExitStatusExt::from_raw(code as u32)
}

/// A fake az: it gives its scripted answers first, then `token-1`, `token-2` …, each valid for an hour.
pub(crate) struct FakeAz {
    script: Mutex<VecDeque<Said>>,
    commands: Mutex<Vec<String>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl std::fmt::Debug for FakeAz {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeAz")
    }
}

impl FakeAz {
    pub(crate) fn saying(script: impl IntoIterator<Item = Said>) -> Arc<FakeAz> {
        let script = Mutex::new(script.into_iter().collect());
        Arc::new(FakeAz { script, commands: Mutex::default(), running: AtomicUsize::new(0), most: AtomicUsize::new(0) })
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl Executor for FakeAz {
    async fn run(&self, _: &OsStr, args: &[&OsStr]) -> std::io::Result<Output> {
        let nth = {
            let mut commands = self.commands.lock().unwrap();
            commands.push(args[1].to_string_lossy().into_owned());
            commands.len()
        };
        self.most.fetch_max(self.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        let said = self.script.lock().unwrap().pop_front().unwrap_or_else(|| Said::token(&format!("token-{nth}"), 3600));
        said.0.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer within 60 s"))
    }
}

/// A request as the service received it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// One answer of the service: status, headers, body. `HOST` in headers and body is replaced by the service's base
/// URL.
pub(crate) type Told = (u16, Vec<(&'static str, &'static str)>, String);

pub(crate) fn told(status: u16, headers: &[(&'static str, &'static str)], body: impl ToString) -> Told {
    (status, headers.to_vec(), body.to_string())
}

/// A service on loopback that gives its scripted answers in order, and then repeats the last one.
pub(crate) struct Service {
    pub(crate) base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    notes: Arc<Mutex<Vec<String>>>,
    pub(crate) az: Arc<FakeAz>,
}

impl Service {
    pub(crate) async fn telling(script: impl IntoIterator<Item = Told>) -> Service {
        let script: Arc<Mutex<VecDeque<Told>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (log, host) = (seen.clone(), base.clone());
        let app = axum::Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let body = String::from_utf8_lossy(&body).into_owned();
            log.lock().unwrap().push(Seen { method, target: uri.to_string(), headers, body });
            let (status, headers, body) = {
                let mut script = script.lock().unwrap();
                if script.len() > 1 { script.pop_front().unwrap() } else { script.front().cloned().unwrap() }
            };
            let headers: HeaderMap = headers.iter().map(|(k, v)| (k.parse().unwrap(), v.replace("HOST", &host).parse().unwrap())).collect();
            (StatusCode::from_u16(status).unwrap(), headers, body.replace("HOST", &host))
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Service { base, seen, notes: Arc::default(), az: FakeAz::saying([]) }
    }

    /// A client for which ARM and Entra are this service.
    pub(crate) fn arm(&self) -> Arm {
        // A process has one default provider; the first test that gets here installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let cloud = Cloud { resource_manager: self.base.clone(), authority: self.base.clone(), ..Cloud::public() };
        let notes = self.notes.clone();
        let events = Events::new(move |event| {
            if let Event::Note(note) = event {
                notes.lock().unwrap().push(note);
            }
        });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Arm::over(client, self.base.parse().unwrap(), cloud, SignIn::with_executor(self.az.clone()), Some("t1".into()), events)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Method and target of every request so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}
