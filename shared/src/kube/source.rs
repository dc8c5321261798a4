//! Credentials that don't come from a kubeconfig on disk: a cluster's own, fetched by name, and tokens of AKS' server
//! application, which kubelogin would get from the very sign-in that we hold already.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

use super::flags::Flags;
use crate::model::Result;

/// Who knows more about clusters and their tokens than the kubeconfig does.
#[async_trait::async_trait]
pub trait Source: Send + Sync {
    /// The kubeconfig of the cluster that the command line names; `None` where it names none.
    ///
    /// # Errors
    /// Says why it can't be had.
    async fn kubeconfig(&self) -> Result<Option<SecretString>>;

    /// A token of `tenant` for the server application `audience`. Asked before every request: it is to be remembered.
    ///
    /// # Errors
    /// Says why there is none.
    async fn token(&self, tenant: Option<&str>, audience: &str) -> Result<SecretString>;
}

/// What to ask for in kubelogin's place.
pub(crate) struct Azure {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) audience: String,
    pub(crate) tenant: Option<String>,
}

impl Azure {
    pub(crate) async fn token(&self) -> Result<SecretString> {
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
        // A context or a file named by the user beats a cluster named by its Azure name.
        Some(source) if flags.context.is_none() && flags.kubeconfig.is_none() => source.kubeconfig().await,
        _ => Ok(None),
    }
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
    fn a_persons_kubelogin_is_understood() {
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
    async fn azure_stands_in_where_kubelogin_is_missing() {
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
