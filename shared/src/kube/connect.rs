//! Creates a connection from flags and kubeconfig. No request is sent here.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use http::Uri;
use http::header::{HeaderName, HeaderValue, USER_AGENT};
use kube::config::{Cluster as ClusterEntry, ExecAuthCluster, Kubeconfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::flags::Flags;
use super::kubeconfig::{self, Chosen};
use super::memo::Memo;
use super::proxy;
use super::signin::SignIn;
use super::source;
use crate::model::{Events, Kind, Problem, Result};

/// Time limit for connecting: proxy, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
/// Default time limit of a request, unless `--request-timeout` is given.
const REQUEST: Duration = Duration::from_secs(30);
/// User agent. If a write names no field manager, the API server uses the part before `/`.
fn agent() -> String {
    format!("kubectl-connect/{} ({}/{})", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
}

/// A connection to an API server. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) inner: Arc<Inner>,
    pub(crate) memo: Arc<Memo>,
}

pub(crate) struct Inner {
    pub client: kube::Client,
    pub sign_in: SignIn,
    pub context: String,
    pub cluster_name: String,
    pub user_name: String,
    pub namespace: String,
    pub host: String,
    /// `None`: no limit (`--request-timeout=0`).
    pub limit: Option<Duration>,
    pub events: Events,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("context", &self.inner.context)
            .field("host", &self.inner.host)
            .field("namespace", &self.inner.namespace)
            .finish()
    }
}

impl Cluster {
    /// Prepares a connection to the cluster selected by flags and kubeconfig. Sends no request, but may run a sign-in
    /// plugin.
    ///
    /// # Errors
    /// What is missing or wrong in kubeconfig, flags, files or sign-in, and how to fix it.
    pub async fn connect(flags: &Flags, events: &Events) -> Result<Cluster> {
        if let Some(text) = source::kubeconfig(flags, events).await? {
            return Self::to(kubeconfig::choose(&kubeconfig::parse(&text)?, flags)?, flags, events).await;
        }
        let paths = kubeconfig::paths(flags);
        let config = match kubeconfig::read(&paths)? {
            Some(config) => config,
            None if flags.server.is_some() && flags.kubeconfig.is_none() => Kubeconfig::default(),
            None => return Err(kubeconfig::none_found(&paths)),
        };
        Self::to(kubeconfig::choose(&config, flags)?, flags, events).await
    }

    async fn to(mut chosen: Chosen, flags: &Flags, events: &Events) -> Result<Cluster> {
        let server = server(&chosen.cluster)?;
        let mut config = kube::Config::new(server.clone());
        config.default_namespace.clone_from(&chosen.namespace);
        config.root_cert = root_certificates(&chosen.cluster)?;
        config.accept_invalid_certs = chosen.cluster.insecure_skip_tls_verify == Some(true);
        config.tls_server_name = chosen.cluster.tls_server_name.clone().filter(|name| !name.is_empty());
        config.proxy_url = proxy::decide(&server, chosen.cluster.proxy_url.as_deref(), &proxy::Environment::read())?;
        // kube's own retries also repeat writes, silently and for minutes.
        config.default_retry = false;
        let limit = match flags.request_timeout {
            Some(Duration::ZERO) => None,
            given => Some(given.unwrap_or(REQUEST)),
        };
        config.connect_timeout = Some(limit.map_or(CONNECT, |limit| limit.min(CONNECT)));
        // A read timeout would end watches without events.
        config.read_timeout = None;
        config.write_timeout = None;
        config.headers.extend(HeaderValue::try_from(agent()).map(|agent| (USER_AGENT, agent)));
        let wants_cluster = chosen.user.exec.as_ref().is_some_and(|exec| exec.provide_cluster_info);
        let cluster_info = if wants_cluster { ExecAuthCluster::try_from(&chosen.cluster).ok() } else { None };
        let sign_in = match crate::kube::signin::instead_of_plugin(&mut chosen.user, flags, events).await? {
            Some(sign_in) => sign_in,
            None => SignIn::take(&mut chosen.user, cluster_info, flags.interactive, events).await?,
        };
        check_certificate_files(&chosen)?;
        check_impersonation(&chosen)?;
        config.auth_info = chosen.user;
        let client = kube::Client::try_from(config).map_err(|error| unusable(&error))?;
        let inner = Arc::new(Inner {
            client,
            sign_in,
            context: chosen.context,
            cluster_name: chosen.cluster_name,
            user_name: chosen.user_name,
            namespace: chosen.namespace,
            host: proxy::bare_host(&server),
            limit,
            events: events.clone(),
        });
        Ok(Cluster { inner, memo: Arc::default() })
    }

    /// Name of the context; empty if none was needed.
    pub fn context(&self) -> &str {
        &self.inner.context
    }

    /// Name of the kubeconfig's cluster entry.
    pub fn cluster_name(&self) -> &str {
        &self.inner.cluster_name
    }

    /// Name of the kubeconfig's user entry.
    pub fn user_name(&self) -> &str {
        &self.inner.user_name
    }

    /// The namespace: `-n`, else the context's, else `default`.
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// Host of the API server, in lower case and without a port.
    pub fn host(&self) -> &str {
        &self.inner.host
    }
}

fn server(cluster: &ClusterEntry) -> Result<Uri> {
    let text = cluster.server.as_deref().unwrap_or_default().trim();
    let bad = |why: String| Problem::new(Kind::Usage, "KC3008", "the cluster's server address can't be used").why(why);
    if text.is_empty() {
        return Err(bad("the cluster entry has no server".into()).fix("kubectl config set-cluster CLUSTER --server=https://HOST:443"));
    }
    // kube panics on a server address without a scheme.
    let uri: Uri = text.parse().map_err(|_| bad(format!("`{text}` is not a URL")).fix("write it as https://HOST:PORT"))?;
    if !matches!(uri.scheme_str(), Some("https" | "http")) {
        return Err(bad(format!("`{text}` does not begin with https://")).fix(format!("--server https://{text}")));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(bad(format!("`{text}` has no host")).fix("write it as https://HOST:PORT"));
    }
    Ok(uri)
}

fn root_certificates(cluster: &ClusterEntry) -> Result<Option<Vec<Vec<u8>>>> {
    let from_data = cluster.certificate_authority_data.as_deref().filter(|data| !data.is_empty());
    let from_file = cluster.certificate_authority.as_deref().filter(|file| !file.is_empty());
    let (pem, place) = match (from_data, from_file) {
        (Some(data), _) => {
            let pem = base64::engine::general_purpose::STANDARD
                .decode(data)
                .map_err(|error| file_problem("the cluster's certificate-authority-data", &format!("not base64: {error}")))?;
            (pem, "the cluster's certificate-authority-data".to_owned())
        }
        (None, Some(file)) => {
            let place = format!("the certificate authority {file}");
            (std::fs::read(file).map_err(|error| file_problem(&place, &error.to_string()))?, place)
        }
        (None, None) => return Ok(None),
    };
    let mut ders = Vec::new();
    for der in CertificateDer::pem_slice_iter(&pem) {
        ders.push(der.map_err(|error| file_problem(&place, &error.to_string()))?.to_vec());
    }
    if ders.is_empty() {
        return Err(file_problem(&place, "it contains no certificate"));
    }
    Ok(Some(ders))
}

fn file_problem(what: &str, why: &str) -> Problem {
    Problem::new(Kind::Failed, "KC3009", format!("{what} can't be used"))
        .why(why.to_owned())
        .fix("fetch the cluster's credentials again: az aks get-credentials --resource-group GROUP --name CLUSTER --overwrite-existing")
}

/// Checks the files here, because kube's error names neither the missing file nor the user.
fn check_certificate_files(chosen: &Chosen) -> Result<()> {
    let user = &chosen.user;
    let files = [
        ("client certificate", &user.client_certificate, user.client_certificate_data.is_some()),
        ("client key", &user.client_key, user.client_key_data.is_some()),
    ];
    for (what, file, has_data) in files {
        if let Some(file) = file.as_deref().filter(|file| !has_data && !file.is_empty()) {
            std::fs::metadata(Path::new(file)).map_err(|error| file_problem(&format!("the {what} {file}"), &error.to_string()))?;
        }
    }
    let certificate = user.client_certificate.is_some() || user.client_certificate_data.is_some();
    let key = user.client_key.is_some() || user.client_key_data.is_some();
    if certificate != key {
        let (have, miss) = if certificate { ("certificate", "key") } else { ("key", "certificate") };
        return Err(file_problem(&format!("the client {have} of user {}", chosen.user_name), &format!("the client {miss} is missing")));
    }
    Ok(())
}

fn check_impersonation(chosen: &Chosen) -> Result<()> {
    let user = &chosen.user;
    let values = [&user.impersonate, &user.impersonate_uid]
        .into_iter()
        .flatten()
        .chain(user.impersonate_groups.iter().flatten())
        .chain(user.impersonate_user_extra.iter().flatten().flat_map(|(_, values)| values));
    for value in values {
        HeaderValue::from_str(value).map_err(|_| {
            Problem::new(Kind::Usage, "KC3011", format!("`{}` can't be impersonated", value.escape_debug())).why(
                "it contains characters that are not \
                allowed in headers",
            )
        })?;
    }
    for key in user.impersonate_user_extra.iter().flatten().map(|(key, _)| key) {
        let plain: String = key.chars().filter(|c| !matches!(c, '/' | '%')).collect();
        HeaderName::try_from(format!("impersonate-extra-{plain}"))
            .map_err(|_| Problem::new(Kind::Usage, "KC3011", format!("the extra `{}` can't be impersonated", key.escape_debug())))?;
    }
    Ok(())
}

/// Explains why kube can't build a client. kube's own messages may contain a proxy password or raw output.
fn unusable(error: &kube::Error) -> Problem {
    use kube::config::KubeconfigError;
    match error {
        kube::Error::InferKubeconfig(KubeconfigError::LoadClientKey(error)) => file_problem("the client key", &error.to_string()),
        kube::Error::InferKubeconfig(KubeconfigError::LoadClientCertificate(error)) => {
            file_problem("the client certificate", &error.to_string())
        }
        kube::Error::RustlsTls(error) => {
            file_problem("the TLS setup of the cluster (CA, client certificate, client key)", &error.to_string())
        }
        kube::Error::ProxyProtocolUnsupported { .. } | kube::Error::ProxyProtocolDisabled { .. } => {
            Problem::new(Kind::Usage, "KC3010", "the proxy can't be used").fix("use an http, https or socks5 proxy")
        }
        _ => Problem::new(Kind::Failed, "KC3014", "no connection to the cluster can be set up")
            .why("the kubeconfig's cluster or user entry is not usable")
            .fix("kubectl cluster-info"),
    }
}

#[cfg(test)]
mod tests;
