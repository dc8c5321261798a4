//! How requests are authenticated: by a fixed token, a token file that others renew, or a plugin that runs again when
//! its token expires. The header is set here on each request, because kube's own code panics on malformed tokens and
//! blocks while a plugin runs.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use kube::config::{AuthInfo, ExecAuthCluster, ExecConfig};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::source::Azure;
use super::{certificate, exec};
use crate::model::{Events, Kind, Problem, Result};
use crate::sys;

/// How long before its expiry a token is renewed, and how long a new token is kept even if it claims to have expired:
/// a plugin that returns a past expiry must not run for every request.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// Source of the `Authorization` header.
pub(crate) enum SignIn {
    /// No header: a client certificate is used, or the server needs no sign-in.
    Nothing(String),
    /// One header for the whole run.
    Fixed(HeaderValue, String),
    /// A file with the current token.
    File(PathBuf),
    /// A sign-in plugin.
    Plugin(Box<Plugin>),
    /// Token from az's own sign-in, used in place of kubelogin.
    Azure(Azure),
}

/// A plugin and its last result.
pub(crate) struct Plugin {
    exec: ExecConfig,
    cluster: Option<ExecAuthCluster>,
    interactive: bool,
    events: Events,
    held: Mutex<Held>,
}

struct Held {
    header: Option<HeaderValue>,
    renew_after: Option<Timestamp>,
    since: Timestamp,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl SignIn {
    /// Takes the credentials out of `user`. Client certificates and impersonation stay in it for kube to handle. A
    /// plugin is run here, once.
    pub(crate) async fn take(user: &mut AuthInfo, cluster: Option<ExecAuthCluster>, interactive: bool, events: &Events) -> Result<SignIn> {
        if let Some(provider) = user.auth_provider.take() {
            return Err(Problem::new(
                Kind::NotSignedIn,
                "KC3012",
                format!("the kubeconfig signs in with the `{}` auth provider, which Kubernetes has dropped", provider.name),
            )
            .why("auth-provider entries have not worked since Kubernetes 1.26")
            .fix("kubelogin convert-kubeconfig -l azurecli")
            .fix("or fetch the credentials again: az aks get-credentials --resource-group GROUP --name CLUSTER"));
        }
        let (name, password) = (user.username.take(), user.password.take());
        let (token, file, plugin) = (user.token.take(), user.token_file.take(), user.exec.take());
        // kubectl's order: a token takes precedence over a token file, and both over a plugin.
        if let Some(token) = token.filter(|token| !token.expose_secret().trim().is_empty()) {
            return Ok(SignIn::Fixed(bearer(token.expose_secret(), "the kubeconfig's token")?, "the kubeconfig's token".into()));
        }
        if let Some(file) = file.filter(|file| !file.is_empty()) {
            let source = SignIn::File(PathBuf::from(file));
            source.header().await?;
            return Ok(source);
        }
        if let (Some(name), Some(password)) = (name, password) {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{}", password.expose_secret()));
            return Ok(SignIn::Fixed(
                sensitive(&format!("Basic {pair}"), "the kubeconfig's user name and password")?,
                format!("user name {name} and its password"),
            ));
        }
        if let Some(plugin) = plugin {
            return Self::ask(plugin, user, cluster, interactive, events).await;
        }
        Ok(SignIn::Nothing(describe_certificate(user)))
    }

    async fn ask(
        plugin: ExecConfig,
        user: &mut AuthInfo,
        cluster: Option<ExecAuthCluster>,
        interactive: bool,
        events: &Events,
    ) -> Result<SignIn> {
        let given = exec::run(&plugin, cluster.clone(), interactive, events).await?;
        let base = base64::engine::general_purpose::STANDARD;
        if let Some((certificate, key)) = &given.certificate {
            user.client_certificate_data = Some(base.encode(certificate));
            user.client_key_data = Some(SecretString::from(base.encode(key.expose_secret())));
            (user.client_certificate, user.client_key) = (None, None);
        }
        let Some(held) = Held::of(&plugin, &given)? else {
            return Ok(SignIn::Nothing(format!(
                "the certificate that {} gave",
                exec::base_name(plugin.command.as_deref().unwrap_or("the plugin"))
            )));
        };
        Ok(SignIn::Plugin(Box::new(Plugin { exec: plugin, cluster, interactive, events: events.clone(), held: Mutex::new(held) })))
    }

    /// The header for the next request.
    pub(crate) async fn header(&self) -> Result<Option<HeaderValue>> {
        match self {
            SignIn::Nothing(_) => Ok(None),
            SignIn::Fixed(header, _) => Ok(Some(header.clone())),
            SignIn::File(path) => {
                let shown = path.display();
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Problem::new(Kind::NotSignedIn, "KC3013", format!("the token file {shown} can't be read")).why(error.to_string())
                })?;
                bearer(&text, &format!("the token in {shown}")).map(Some)
            }
            SignIn::Plugin(plugin) => plugin.header().await.map(Some),
            SignIn::Azure(azure) => bearer(azure.token().await?.expose_secret(), "the token that Azure gave").map(Some),
        }
    }

    /// After a 401: discards a plugin's token, so that the next request asks for a new one. Returns false if that
    /// can't help: with another source, or with a token so new that the next one would be refused too.
    pub(crate) async fn let_go(&self) -> bool {
        let SignIn::Plugin(plugin) = self else { return false };
        let mut held = plugin.held.lock().await;
        let old = sys::now().duration_since(held.since) > MARGIN;
        if old {
            held.header = None;
        }
        old
    }

    /// The credentials in words, for the message of a 401.
    pub(crate) fn describe(&self) -> String {
        match self {
            SignIn::Nothing(what) | SignIn::Fixed(_, what) => what.clone(),
            SignIn::File(path) => format!("the token in {}", path.display()),
            SignIn::Azure(_) => "the token that Azure gave".into(),
            SignIn::Plugin(plugin) => {
                format!("the token that {} gave", exec::base_name(plugin.exec.command.as_deref().unwrap_or("the plugin")))
            }
        }
    }
}

impl Plugin {
    async fn header(&self) -> Result<HeaderValue> {
        // The lock is held while the plugin runs, so that concurrent requests start it only once.
        let mut held = self.held.lock().await;
        if let Some(header) = held.header.as_ref().filter(|_| held.renew_after.is_none_or(|at| sys::now() < at)) {
            return Ok(header.clone());
        }
        let given = exec::run(&self.exec, self.cluster.clone(), self.interactive, &self.events).await?;
        match Held::of(&self.exec, &given)? {
            Some(Held { header: Some(header), renew_after, since }) => {
                *held = Held { header: Some(header.clone()), renew_after, since };
                Ok(header)
            }
            _ => Err(Problem::new(Kind::NotSignedIn, "KC3024", "the sign-in plugin gave a token at first and none when asked again")),
        }
    }
}

impl Held {
    fn of(exec: &ExecConfig, given: &exec::Given) -> Result<Option<Held>> {
        let Some(token) = &given.token else { return Ok(None) };
        let command = exec::base_name(exec.command.as_deref().unwrap_or("the plugin"));
        let header = bearer(token.expose_secret(), &format!("the token that {command} gave"))?;
        let renew_after = given.expires.map(|end| (end - MARGIN).max(sys::now() + MARGIN));
        Ok(Some(Held { header: Some(header), renew_after, since: sys::now() }))
    }
}

/// The words for requests without a header.
fn describe_certificate(user: &AuthInfo) -> String {
    if user.client_certificate.is_none() && user.client_certificate_data.is_none() {
        return "requests without a sign-in".into();
    }
    match certificate::end(user) {
        Some(end) if end < sys::now() => format!("the client certificate, which ended on {}", end.strftime("%F")),
        Some(end) => format!("the client certificate, which is valid until {}", end.strftime("%F")),
        None => "the client certificate".into(),
    }
}

fn bearer(token: &str, what: &str) -> Result<HeaderValue> {
    let token = token.trim();
    if token.is_empty() {
        return Err(Problem::new(Kind::NotSignedIn, "KC3013", format!("{what} is empty")));
    }
    sensitive(&format!("Bearer {token}"), what)
}

fn sensitive(text: &str, what: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        Problem::new(Kind::NotSignedIn, "KC3013", format!("{what} can't be sent"))
            .why("it holds a line break or another character that no header may have")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
