//! How requests are authenticated: by a fixed token, a token file that others renew, or a plugin that runs again when
//! its token expires. The header is set here on each request, because kube's own code panics on malformed tokens and
//! blocks while a plugin runs.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use kube::config::{AuthInfo, ExecAuthCluster, ExecConfig};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::certificate;
use super::credential_plugin::{self, base_name};
use super::flags::Flags;
use crate::clock;
use crate::kube::source::{Azure, kubeconfig};
use crate::model::{Events, Kind, Problem, Result};

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
                format!("the kubeconfig signs in with the auth provider `{}`, which Kubernetes has removed", provider.name),
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
        let given = credential_plugin::run(&plugin, cluster.clone(), interactive, events).await?;
        let base = base64::engine::general_purpose::STANDARD;
        if let Some((certificate, key)) = &given.certificate {
            user.client_certificate_data = Some(base.encode(certificate));
            user.client_key_data = Some(SecretString::from(base.encode(key.expose_secret())));
            (user.client_certificate, user.client_key) = (None, None);
        }
        let Some(held) = Held::of(&plugin, &given)? else {
            return Ok(SignIn::Nothing(format!(
                "the certificate from {}",
                credential_plugin::base_name(plugin.command.as_deref().unwrap_or("the plugin"))
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
            SignIn::Azure(azure) => bearer(azure.token().await?.expose_secret(), "the token from Azure").map(Some),
        }
    }

    /// After a 401: discards a plugin's token, so that the next request asks for a new one. Returns false if that
    /// can't help: with another source, or with a token so new that the next one would be refused too.
    pub(crate) async fn let_go(&self) -> bool {
        let SignIn::Plugin(plugin) = self else { return false };
        let mut held = plugin.held.lock().await;
        let old = clock::now().duration_since(held.since) > MARGIN;
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
            SignIn::Azure(_) => "the token from Azure".into(),
            SignIn::Plugin(plugin) => {
                format!("the token from {}", credential_plugin::base_name(plugin.exec.command.as_deref().unwrap_or("the plugin")))
            }
        }
    }
}

impl Plugin {
    async fn header(&self) -> Result<HeaderValue> {
        // The lock is held while the plugin runs, so that concurrent requests start it only once.
        let mut held = self.held.lock().await;
        if let Some(header) = held.header.as_ref().filter(|_| held.renew_after.is_none_or(|at| clock::now() < at)) {
            return Ok(header.clone());
        }
        let given = credential_plugin::run(&self.exec, self.cluster.clone(), self.interactive, &self.events).await?;
        match Held::of(&self.exec, &given)? {
            Some(Held { header: Some(header), renew_after, since }) => {
                *held = Held { header: Some(header.clone()), renew_after, since };
                Ok(header)
            }
            _ => Err(Problem::new(Kind::NotSignedIn, "KC3024", "the sign-in plugin returned a token at first, but none when it ran again")),
        }
    }
}

impl Held {
    fn of(exec: &ExecConfig, given: &credential_plugin::Given) -> Result<Option<Held>> {
        let Some(token) = &given.token else { return Ok(None) };
        let command = credential_plugin::base_name(exec.command.as_deref().unwrap_or("the plugin"));
        let header = bearer(token.expose_secret(), &format!("the token from {command}"))?;
        let renew_after = given.expires.map(|end| (end - MARGIN).max(clock::now() + MARGIN));
        Ok(Some(Held { header: Some(header), renew_after, since: clock::now() }))
    }
}

/// The words for requests without a header.
fn describe_certificate(user: &AuthInfo) -> String {
    if user.client_certificate.is_none() && user.client_certificate_data.is_none() {
        return "requests without credentials".into();
    }
    match certificate::end(user) {
        Some(end) if end < clock::now() => format!("the client certificate, which expired on {}", end.strftime("%F")),
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
            .why("it contains a line break or another character that is not allowed in headers")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// For a user entry with kubelogin and an interactive sign-in: the sign-in through Azure. It is used if kubelogin is
/// not installed, or if the entry was fetched from Azure; a fetched entry says `devicecode` and would make the user
/// sign in again.
pub(crate) async fn instead_of_plugin(user: &mut AuthInfo, flags: &Flags, events: &Events) -> Result<Option<SignIn>> {
    let (Some(source), Some(exec)) = (&flags.source, &user.exec) else { return Ok(None) };
    if user.token.is_some() || user.token_file.is_some() {
        return Ok(None);
    }
    let Some((audience, tenant)) = asks_for(exec) else { return Ok(None) };
    if is_installed(exec) && kubeconfig(flags, events).await?.is_none() {
        return Ok(None);
    }
    let azure = Azure { source: source.clone(), audience, tenant, events: events.clone() };
    // Request a token now, so that errors are reported here and not by the first request.
    azure.token().await?;
    user.exec = None;
    Ok(Some(SignIn::Azure(azure)))
}

pub(crate) fn is_installed(exec: &ExecConfig) -> bool {
    exec.command.as_deref().is_some_and(|command| which::which(Path::new(command)).is_ok())
}

/// Server application and tenant of a kubelogin entry with which a user signs in. An entry for another identity, such
/// as a service principal, is left alone.
pub(crate) fn asks_for(exec: &ExecConfig) -> Option<(String, Option<String>)> {
    if base_name(exec.command.as_deref()?) != "kubelogin" {
        return None;
    }
    let args = exec.args.as_deref().unwrap_or_default();
    let value = |names: &[&str]| {
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match arg.split_once('=') {
                Some((name, value)) if names.contains(&name) => return Some(value.to_owned()),
                None if names.contains(&arg.as_str()) => return rest.next().cloned(),
                _ => {}
            }
        }
        None
    };
    let way = value(&["--login", "-l"]);
    let a_person = way.as_deref().is_none_or(|way| ["devicecode", "interactive", "azurecli"].contains(&way));
    if !a_person || args.first().map(String::as_str) != Some("get-token") {
        return None;
    }
    Some((value(&["--server-id"])?, value(&["--tenant-id", "-t"])))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kube::cluster_credentials::Source;

    fn kubelogin(command: &str, args: &str) -> ExecConfig {
        ExecConfig {
            command: Some(command.into()),
            args: Some(args.split(' ').map(str::to_owned).collect()),
            ..serde_json::from_str("{}").unwrap()
        }
    }

    #[test]
    fn an_interactive_kubelogin_entry_is_recognised() {
        let get = "get-token --environment AzurePublicCloud --server-id app --client-id c --tenant-id t --login devicecode";
        assert_eq!(asks_for(&kubelogin("/usr/bin/kubelogin", get)), Some(("app".into(), Some("t".into()))));
        assert_eq!(asks_for(&kubelogin("kubelogin.exe", "get-token --server-id=app -l azurecli")), Some(("app".into(), None)));
    }

    #[test]
    fn another_identity_and_another_program_are_left_alone() {
        for (command, args) in [
            ("kubelogin", "get-token --server-id app --login spn"),
            ("kubelogin", "get-token --login azurecli"),
            ("kubelogin", "remove-tokens --server-id app"),
            ("aws", "get-token --server-id app"),
        ] {
            assert_eq!(asks_for(&kubelogin(command, args)), None, "{command} {args}");
        }
    }

    struct Fixed;

    #[async_trait::async_trait]
    impl Source for Fixed {
        async fn kubeconfig(&self, _: &Events) -> Result<Option<SecretString>> {
            Ok(None)
        }

        async fn token(&self, tenant: Option<&str>, audience: &str, _: &Events) -> Result<SecretString> {
            Ok(format!("{}-{audience}", tenant.unwrap_or_default()).into())
        }
    }

    #[tokio::test]
    async fn azure_replaces_a_missing_kubelogin() {
        let exec = kubelogin("/nowhere/kubelogin", "get-token --server-id app --tenant-id t");
        let mut user = AuthInfo { exec: Some(exec), ..AuthInfo::default() };
        let flags = Flags { source: Some(Arc::new(Fixed)), ..Flags::default() };
        let sign_in = instead_of_plugin(&mut user, &flags, &Events::silent()).await.unwrap().unwrap();
        assert_eq!(sign_in.header().await.unwrap().unwrap(), "Bearer t-app");
        assert!(user.exec.is_none());
    }

    #[tokio::test]
    async fn an_installed_kubelogin_is_run_as_the_kubeconfig_says() {
        let shell = which::which("sh").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let command = dir.path().join("kubelogin");
        std::os::unix::fs::symlink(shell, &command).unwrap();
        let exec = kubelogin(command.to_str().unwrap(), "get-token --server-id app");
        let mut user = AuthInfo { exec: Some(exec), ..AuthInfo::default() };
        let flags = Flags { source: Some(Arc::new(Fixed)), ..Flags::default() };
        assert!(instead_of_plugin(&mut user, &flags, &Events::silent()).await.unwrap().is_none());
        assert!(user.exec.is_some());
    }
}
