//! The connection flags of the command line, with the same meaning as in kubectl.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// kubectl's connection flags. By default none is set, and the kubeconfig decides.
#[derive(Clone, Default)]
pub struct Flags {
    /// `--kubeconfig`: use only this file, instead of `KUBECONFIG` and `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`.
    pub context: Option<String>,
    /// `--cluster`: a cluster entry in place of the context's.
    pub cluster: Option<String>,
    /// `--user`: a user entry in place of the context's.
    pub user: Option<String>,
    /// `-n`, `--namespace`.
    pub namespace: Option<String>,
    /// `-s`, `--server`: URL of the API server.
    pub server: Option<String>,
    /// `--tls-server-name`: the name expected in the server's certificate.
    pub tls_server_name: Option<String>,
    /// `--insecure-skip-tls-verify`.
    pub insecure_skip_tls_verify: bool,
    /// `--certificate-authority`.
    pub certificate_authority: Option<PathBuf>,
    /// `--client-certificate`.
    pub client_certificate: Option<PathBuf>,
    /// `--client-key`.
    pub client_key: Option<PathBuf>,
    /// `--token`: a bearer token.
    pub token: Option<String>,
    /// `--as`: user to impersonate.
    pub as_user: Option<String>,
    /// `--as-uid`.
    pub as_uid: Option<String>,
    /// `--as-group`, repeated.
    pub as_groups: Vec<String>,
    /// `--as-user-extra`, repeated: `key=value`.
    pub as_user_extra: Vec<String>,
    /// `--request-timeout`; zero means no limit, as in kubectl.
    pub request_timeout: Option<Duration>,
    /// Whether a user is present whom a sign-in plugin may ask.
    pub interactive: bool,
    /// Provider of credentials outside the kubeconfig.
    pub source: Option<Arc<dyn super::cluster_credentials::Source>>,
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token must not appear in a log; all other fields may.
        f.debug_struct("Flags")
            .field("kubeconfig", &self.kubeconfig)
            .field("context", &self.context)
            .field("cluster", &self.cluster)
            .field("user", &self.user)
            .field("namespace", &self.namespace)
            .field("server", &self.server)
            .field("tls_server_name", &self.tls_server_name)
            .field("insecure_skip_tls_verify", &self.insecure_skip_tls_verify)
            .field("certificate_authority", &self.certificate_authority)
            .field("client_certificate", &self.client_certificate)
            .field("client_key", &self.client_key)
            .field("token", &self.token.as_ref().map(|_| "hidden"))
            .field("as_user", &self.as_user)
            .field("as_uid", &self.as_uid)
            .field("as_groups", &self.as_groups)
            .field("as_user_extra", &self.as_user_extra)
            .field("request_timeout", &self.request_timeout)
            .field("interactive", &self.interactive)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_token() {
        let flags = Flags { token: Some("s3cret".into()), context: Some("prod".into()), ..Flags::default() };
        let shown = format!("{flags:?}");
        assert!(!shown.contains("s3cret") && shown.contains("prod"), "{shown}");
    }
}
