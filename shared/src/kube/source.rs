//! Credentials that don't come from a kubeconfig file: those of a cluster fetched by its Azure name, and tokens for
//! AKS' server application, which kubelogin would get from the sign-in that this process already has.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use kube::config::{AuthInfo, ExecConfig};
use secrecy::SecretString;

use super::exec::base_name;
use super::flags::Flags;
use super::signin::SignIn;
use crate::model::Result;

/// Provides credentials beyond the kubeconfig.
#[async_trait::async_trait]
pub trait Source: Send + Sync {
    /// The kubeconfig of the cluster that the command line names; `None` where it names none.
    ///
    /// # Errors
    /// If the kubeconfig can't be fetched.
    async fn kubeconfig(&self) -> Result<Option<SecretString>>;

    /// A token of `tenant` for the server application `audience`. Called before every request, so implementations
    /// must cache.
    ///
    /// # Errors
    /// If there is no token.
    async fn token(&self, tenant: Option<&str>, audience: &str) -> Result<SecretString>;
}

/// The token to request in place of kubelogin.
pub(crate) struct Azure {
    source: Arc<dyn Source>,
    audience: String,
    tenant: Option<String>,
}

impl Azure {
    pub(super) async fn token(&self) -> Result<SecretString> {
        self.source.token(self.tenant.as_deref(), &self.audience).await
    }
}

impl fmt::Debug for Azure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Azure({})", self.audience)
    }
}

pub(crate) async fn kubeconfig(flags: &Flags) -> Result<Option<SecretString>> {
    match &flags.source {
        // A context or file named by the user takes precedence over a cluster named by its Azure name.
        Some(source) if flags.context.is_none() && flags.kubeconfig.is_none() => source.kubeconfig().await,
        _ => Ok(None),
    }
}

/// For a user entry with kubelogin and an interactive sign-in: the sign-in through Azure. It is used if kubelogin is
/// not installed, or if the entry was fetched from Azure; a fetched entry says `devicecode` and would make the user
/// sign in again.
pub(crate) async fn instead_of_plugin(user: &mut AuthInfo, flags: &Flags) -> Result<Option<SignIn>> {
    let (Some(source), Some(exec)) = (&flags.source, &user.exec) else { return Ok(None) };
    if user.token.is_some() || user.token_file.is_some() {
        return Ok(None);
    }
    let Some((audience, tenant)) = asks_for(exec) else { return Ok(None) };
    if is_installed(exec) && kubeconfig(flags).await?.is_none() {
        return Ok(None);
    }
    let azure = Azure { source: source.clone(), audience, tenant };
    // Request a token now, so that errors are reported here and not by the first request.
    azure.token().await?;
    user.exec = None;
    Ok(Some(SignIn::Azure(azure)))
}

fn is_installed(exec: &ExecConfig) -> bool {
    exec.command.as_deref().is_some_and(|command| which::which(Path::new(command)).is_ok())
}

/// Server application and tenant of a kubelogin entry with which a user signs in. An entry for another identity, such
/// as a service principal, is left alone.
fn asks_for(exec: &ExecConfig) -> Option<(String, Option<String>)> {
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
    use super::*;

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
        async fn kubeconfig(&self) -> Result<Option<SecretString>> {
            Ok(None)
        }

        async fn token(&self, tenant: Option<&str>, audience: &str) -> Result<SecretString> {
            Ok(format!("{}-{audience}", tenant.unwrap_or_default()).into())
        }
    }

    #[tokio::test]
    async fn azure_replaces_a_missing_kubelogin() {
        let exec = kubelogin("/nowhere/kubelogin", "get-token --server-id app --tenant-id t");
        let mut user = AuthInfo { exec: Some(exec), ..AuthInfo::default() };
        let flags = Flags { source: Some(Arc::new(Fixed)), ..Flags::default() };
        let sign_in = instead_of_plugin(&mut user, &flags).await.unwrap().unwrap();
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
        assert!(instead_of_plugin(&mut user, &flags).await.unwrap().is_none());
        assert!(user.exec.is_some());
    }
}
