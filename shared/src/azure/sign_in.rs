//! Tokens from the sign-in made by `az login`.
//!
//! azure_identity's credential starts az for every token, without a time limit or a cache, and two concurrent az
//! processes disturb each other. So this file gives it an executor with a time limit, caches tokens for the run, and
//! runs one az at a time. A refusal is cached for a minute, so that ten tasks which need the same token don't start
//! az ten times.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use azure_core::credentials::TokenCredential;
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions, Executor};
use jiff::{SignedDuration, Timestamp};

use super::extension_tokens::Endpoint;
use super::token::{Refusal, Token};
use crate::clock;
use crate::model::{Kind, Problem, Result, mask};
use crate::sys;

/// Time limit of one az run. Users report start times of 2 to 13 s (azure-cli 20404, 29329).
const LIMIT: Duration = Duration::from_secs(60);
/// How long before its expiry a token is replaced; MSAL uses the same time.
const EARLY: SignedDuration = SignedDuration::from_mins(5);
/// Minimum time for which a new token is kept, even if it expires sooner; otherwise every request would start az.
const KEEP_AT_LEAST: SignedDuration = SignedDuration::from_secs(60);
/// How long a refusal is reused for the same question.
const REFUSAL_LASTS: Duration = Duration::from_secs(60);
/// Pause before the one retry after az found its token cache half written.
const CACHE_PAUSE: Duration = Duration::from_millis(500);
/// Messages of az when it read MSAL's cache while another process wrote it.
const CACHE_RACES: [&str; 2] = ["does not exist in MSAL token cache", "Can't find token from MSAL cache"];

/// Tenant in lower case, and scope.
type Key = (Option<String>, String);

/// az's sign-in. One per run, shared.
pub struct SignIn {
    executor: Arc<dyn Executor>,
    /// The token endpoint of the az extension, if that started this process; then az is never started.
    endpoint: Option<Endpoint>,
    starts: Arc<AtomicUsize>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    tokens: HashMap<Key, (Token, Timestamp)>,
    refusals: HashMap<Key, (Instant, Refusal)>,
}

impl SignIn {
    /// The sign-in handed over by the az extension, or else that of `az` on PATH. Does not start az yet.
    #[allow(clippy::new_ret_no_self, reason = "always shared")]
    pub fn new() -> Arc<SignIn> {
        Self::from(Arc::new(AzProcess), Endpoint::from_environment())
    }

    #[cfg(test)]
    pub(crate) fn with_executor(executor: Arc<dyn Executor>) -> Arc<SignIn> {
        Self::from(executor, None)
    }

    pub(crate) fn from(executor: Arc<dyn Executor>, endpoint: Option<Endpoint>) -> Arc<SignIn> {
        let starts = Arc::new(AtomicUsize::new(0));
        let executor = Arc::new(Counted { inner: executor, starts: starts.clone() });
        Arc::new(SignIn { executor, endpoint, starts, held: Mutex::default() })
    }

    /// How often this run started az.
    pub fn starts(&self) -> usize {
        self.starts.load(Ordering::Relaxed)
    }

    /// A token of `tenant` (`None`: az's current tenant) for `scope`, such as `https://vault.azure.net/.default`.
    /// Asks az at most once per tenant and scope, unless the token is about to expire.
    ///
    /// # Errors
    /// KC2001 az is missing, KC2002 nobody is signed in, KC2003 az is too old, KC2004 Entra requires a new sign-in,
    /// KC2005 az did not answer within a minute, KC2006 any other error of az.
    pub async fn token(&self, tenant: Option<&str>, scope: &str) -> Result<Token> {
        let key = (tenant.map(str::to_lowercase), scope.to_owned());
        if let Some(known) = self.known(&key) {
            return known;
        }
        let _turn = sys::AZ_TURN.lock().await;
        // While this task waited for the lock, another may have got the same token.
        if let Some(known) = self.known(&key) {
            return known;
        }
        let answer = self.ask(tenant, scope).await;
        let mut held = self.held();
        match answer {
            Ok(token) => {
                held.tokens.insert(key, (token.clone(), clock::now()));
                Ok(token)
            }
            Err(refusal) => {
                held.refusals.insert(key, (Instant::now(), refusal.clone()));
                Err(refusal.into())
            }
        }
    }

    /// Forgets a token that a service rejected, so that the next request asks az again. A newer token is kept.
    pub fn forget(&self, tenant: Option<&str>, scope: &str, refused: &Token) {
        let key = (tenant.map(str::to_lowercase), scope.to_owned());
        let mut held = self.held();
        if held.tokens.get(&key).is_some_and(|(token, _)| token.secret() == refused.secret()) {
            held.tokens.remove(&key);
        }
    }

    fn known(&self, key: &Key) -> Option<Result<Token>> {
        let held = self.held();
        let now = clock::now();
        if let Some((token, got)) = held.tokens.get(key) {
            let until = (token.expires() - EARLY).max(*got + KEEP_AT_LEAST).min(token.expires());
            if now < until {
                return Some(Ok(token.clone()));
            }
        }
        let (told, refusal) = held.refusals.get(key)?;
        (told.elapsed() < REFUSAL_LASTS).then(|| Err(refusal.clone().into()))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, tenant: Option<&str>, scope: &str) -> std::result::Result<Token, Refusal> {
        if let Some(endpoint) = &self.endpoint {
            return endpoint.token(tenant, scope).await;
        }
        let explain = |e: azure_core::Error| refusal(&e.to_string(), tenant, scope);
        // Only the tenant: with tenant and subscription az fails ("Please specify only one of subscription and
        // tenant").
        let options =
            AzureCliCredentialOptions { tenant_id: tenant.map(str::to_owned), executor: Some(self.executor.clone()), ..Default::default() };
        let az = AzureCliCredential::new(Some(options)).map_err(explain)?;
        let began = Instant::now();
        let mut answer = az.get_token(&[scope], None).await;
        if let Err(e) = &answer {
            let text = e.to_string();
            if CACHE_RACES.iter().any(|race| text.contains(race)) {
                clock::rest(CACHE_PAUSE).await;
                answer = az.get_token(&[scope], None).await;
            }
        }
        tracing::debug!(target: "connect::az", scope, tenant, ok = answer.is_ok(), ms = began.elapsed().as_millis(), "asked az for a token");
        let token = answer.map_err(explain)?;
        let expires = Timestamp::from_second(token.expires_on.unix_timestamp()).unwrap_or_else(|_| clock::now());
        Ok(Token::new(token.token.secret().to_owned(), expires))
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignIn({} starts of az)", self.starts())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let problem = Problem::new(refusal.kind, refusal.code, refusal.what).fix(refusal.fix);
        match refusal.why {
            Some(why) => problem.why(why),
            None => problem,
        }
    }
}

/// Translates errors of azure_identity and az into messages with a fix.
fn refusal(text: &str, tenant: Option<&str>, scope: &str) -> Refusal {
    // azure_identity adds its name before the text and a link to its troubleshooting page after it.
    let text = text.split("\nTo troubleshoot, visit").next().unwrap_or_default();
    let text = mask::tokens(text.trim_start_matches("AzureCliCredential authentication failed.").trim());
    let lower = text.to_lowercase();
    let of_tenant = tenant.map(|t| format!(" --tenant {t}")).unwrap_or_default();
    let said = last_error(&text);
    let make = |kind, code, what: &str, why: Option<String>, fix: String| Refusal { kind, code, what: what.into(), why, fix };
    if lower.contains("not found on path") || lower.contains("wasn't found on path") {
        let install = "install the Azure CLI (https://aka.ms/installazurecli), then: az login".into();
        make(Kind::Failed, "KC2001", "the Azure CLI (az) is not on PATH", Some("this tool uses az's sign-in".into()), install)
    } else if lower.contains("expires_on field not found") {
        let why = Some("its answer has no expires_on, which az has since version 2.54".into());
        make(Kind::Failed, "KC2003", "the Azure CLI (az) is too old", why, "az upgrade".into())
    } else if lower.contains("no answer within") || lower.contains("timed out error") {
        let why = Some(format!("az was stopped after {} s", LIMIT.as_secs()));
        make(
            Kind::TimedOut,
            "KC2005",
            "the Azure CLI (az) returned no token in time",
            why,
            format!("az account get-access-token{of_tenant} --scope {scope}"),
        )
    } else if lower.contains("az login' to setup account") || CACHE_RACES.iter().any(|race| text.contains(race)) {
        make(Kind::NotSignedIn, "KC2002", "nobody is signed in to Azure", None, format!("az login{of_tenant}"))
    } else if lower.contains("aadsts")
        || lower.contains("interactive authentication is needed")
        || lower.contains("run the command below to authenticate")
    {
        let what = match tenant {
            Some(tenant) => format!("Entra requires you to sign in again to tenant {tenant}"),
            None => "Entra requires you to sign in again".into(),
        };
        make(Kind::NotSignedIn, "KC2004", &what, Some(said), format!("az login{of_tenant} --scope {scope}"))
    } else {
        let why = if said.is_empty() { "az printed no error".to_owned() } else { said };
        make(
            Kind::Failed,
            "KC2006",
            "the Azure CLI (az) returned no token",
            Some(why),
            format!("az account get-access-token{of_tenant} --scope {scope} --output none"),
        )
    }
}

/// az's last line that begins with ERROR, or else its last line, without the trace ids that Entra adds.
fn last_error(text: &str) -> String {
    let lines = || text.lines().map(str::trim).filter(|l| !l.is_empty());
    let line = lines().rfind(|l| l.starts_with("ERROR:")).or_else(|| lines().next_back()).unwrap_or_default();
    let line = line.trim_start_matches("ERROR:").trim();
    line.split(" Trace ID:").next().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// Runs az without input, for at most a minute. It is killed when the future is dropped.
#[derive(Debug)]
struct AzProcess;

#[async_trait::async_trait]
impl Executor for AzProcess {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> std::io::Result<Output> {
        let args: Vec<OsString> = args.iter().map(|arg| in_the_shells_place(arg)).collect();
        let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        sys::run(program, &args, LIMIT).await
    }
}

/// azure_identity starts az through a shell. If only that shell were killed, az would keep running; with `exec`, az
/// replaces the shell. Other commands, and Windows' shell, are left unchanged.
fn in_the_shells_place(command: &OsStr) -> OsString {
    match command.to_str().and_then(|text| text.strip_prefix("cd /bin && az ")) {
        Some(rest) => format!("cd /bin && exec az {rest}").into(),
        None => command.to_owned(),
    }
}

/// Counts the starts of az, including failed ones.
#[derive(Debug)]
struct Counted {
    inner: Arc<dyn Executor>,
    starts: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl Executor for Counted {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> std::io::Result<Output> {
        self.starts.fetch_add(1, Ordering::Relaxed);
        self.inner.run(program, args).await
    }
}

#[cfg(test)]
mod tests;
