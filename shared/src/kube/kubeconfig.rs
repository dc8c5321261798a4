//! Finds, reads and merges kubeconfig files, and selects cluster and user, as kubectl does.
//!
//! The types are kube's, but not the rules: kube fails if one file of a list is missing, treats an absent user as
//! anonymous, and treats an empty namespace as all namespaces. Never print a `Kubeconfig` or a parse error: both may
//! contain tokens.

use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, Cluster as ClusterEntry, Context, Kubeconfig, KubeconfigError};
use secrecy::{ExposeSecret, SecretString};

use super::flags::Flags;
use crate::model::{Kind, Problem, Result};
use crate::sys;

/// The selected cluster, user and namespace.
pub(crate) struct Chosen {
    pub context: String,
    pub cluster_name: String,
    pub user_name: String,
    pub namespace: String,
    pub cluster: ClusterEntry,
    pub user: AuthInfo,
}

/// The files to read: that of the flag, else the list in `KUBECONFIG`, else `~/.kube/config`.
pub(crate) fn paths(flags: &Flags) -> Vec<PathBuf> {
    if let Some(path) = &flags.kubeconfig {
        return vec![path.clone()];
    }
    let listed: Vec<PathBuf> =
        sys::var("KUBECONFIG").map(|list| std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect()).unwrap_or_default();
    if listed.is_empty() { sys::home().map(|home| home.join(".kube").join("config")).into_iter().collect() } else { listed }
}

/// Reads and merges the existing files of `paths`; for each name the first file wins. `None` if no file exists.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Option<Kubeconfig>> {
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| path.exists()) {
        let mut next = Kubeconfig::read_from(path).map_err(|error| unreadable(path, &error))?;
        // `kubectl config unset current-context` leaves an empty name; then the value of the next file counts.
        if next.current_context.as_deref() == Some("") {
            next.current_context = None;
        }
        merged = Some(match merged {
            None => next,
            Some(first) => first.merge(next).map_err(|error| unreadable(path, &error))?,
        });
    }
    Ok(merged)
}

/// Names of the contexts in the kubeconfig that the flags select.
///
/// # Errors
/// If a file exists but can't be read.
pub fn contexts(flags: &Flags) -> Result<Vec<String>> {
    let config = read(&paths(flags))?.unwrap_or_default();
    Ok(config.contexts.into_iter().map(|context| context.name).collect())
}

/// Parses a kubeconfig that is not from a file.
pub(crate) fn parse(text: &SecretString) -> Result<Kubeconfig> {
    // The error is dropped, since it quotes the source, including tokens.
    Kubeconfig::from_yaml(text.expose_secret())
        .map_err(|_| Problem::new(Kind::Failed, "KC3003", "the credentials that Azure gave for the cluster are not a kubeconfig"))
}

/// The error if there is no kubeconfig: says where it was looked for.
pub(crate) fn none_found(paths: &[PathBuf]) -> Problem {
    let looked: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let why = if looked.is_empty() { "no home directory is known".to_owned() } else { format!("searched for {}", looked.join(", ")) };
    Problem::new(Kind::Usage, "KC3001", "there is no kubeconfig")
        .why(why)
        .fix("az aks get-credentials --resource-group GROUP --name CLUSTER")
        .fix("or name the file: --kubeconfig FILE, KUBECONFIG=FILE")
}

fn unreadable(path: &Path, error: &KubeconfigError) -> Problem {
    let file = path.display();
    match error {
        KubeconfigError::ReadConfig(io, _) => Problem::new(Kind::Failed, "KC3002", format!("{file} can't be read")).why(io.to_string()),
        // Only the position is shown, since the message quotes the source, including tokens.
        KubeconfigError::Parse(error) => {
            let problem = Problem::new(Kind::Failed, "KC3003", format!("{file} is not a kubeconfig"));
            let place = match error.location() {
                Some(at) => format!("syntax error in line {}, column {}", at.line(), at.column()),
                None => "syntax error".into(),
            };
            problem.why(place).fix(format!("kubectl config view --kubeconfig {file}   # shows the error"))
        }
        KubeconfigError::KindMismatch | KubeconfigError::ApiVersionMismatch => {
            Problem::new(Kind::Failed, "KC3003", format!("{file} does not match the other kubeconfig files in the list"))
                .why("kind or apiVersion differs; it must be Config, v1")
        }
        _ => Problem::new(Kind::Failed, "KC3002", format!("{file} can't be read")),
    }
}

/// Selects context, cluster and user, and applies the flags to them.
pub(crate) fn choose(config: &Kubeconfig, flags: &Flags) -> Result<Chosen> {
    let named = flags.context.as_deref().or(config.current_context.as_deref()).filter(|name| !name.is_empty());
    let context = match named {
        Some(name) => Some(find_context(config, name)?),
        // With a server or a cluster named by flag, no context is needed.
        None if flags.server.is_some() || flags.cluster.is_some() => None,
        None => return Err(no_context(config)),
    };
    let cluster_name = flags.cluster.as_deref().or(context.as_ref().map(|c| c.cluster.as_str())).unwrap_or_default().to_owned();
    let user_name = flags.user.as_deref().or(context.as_ref().and_then(|c| c.user.as_deref())).unwrap_or_default().to_owned();
    let cluster = with_cluster_flags(find_cluster(config, named, &cluster_name, flags)?, flags)?;
    let user = with_user_flags(find_user(config, named, &user_name, &cluster, flags)?, flags)?;
    let namespace = [flags.namespace.as_deref(), context.as_ref().and_then(|c| c.namespace.as_deref())];
    let namespace = namespace.into_iter().flatten().find(|n| !n.is_empty()).unwrap_or("default").to_owned();
    if let Some(fault) = crate::model::names::namespace_fault(&namespace) {
        return Err(Problem::new(Kind::Usage, "KC3015", format!("`{namespace}` is not a namespace"))
            .why(fault)
            .fix("kubectl get namespaces   # lists the existing ones"));
    }
    Ok(Chosen { context: named.unwrap_or_default().into(), cluster_name, user_name, namespace, cluster, user })
}

fn find_context(config: &Kubeconfig, name: &str) -> Result<Context> {
    config.contexts.iter().find(|c| c.name == name).and_then(|c| c.context.clone()).ok_or_else(|| {
        Problem::new(Kind::Usage, "KC3005", format!("there is no context {name} in the kubeconfig"))
            .why(known("contexts", config.contexts.iter().map(|c| c.name.as_str())))
            .fix("kubectl config get-contexts")
    })
}

fn no_context(config: &Kubeconfig) -> Problem {
    Problem::new(Kind::Usage, "KC3004", "no context is selected")
        .why(known("contexts", config.contexts.iter().map(|c| c.name.as_str())))
        .fix("kubectl config use-context NAME")
        .fix("or name it: --context NAME")
}

fn find_cluster(config: &Kubeconfig, context: Option<&str>, name: &str, flags: &Flags) -> Result<ClusterEntry> {
    let found = config.clusters.iter().find(|c| c.name == name).and_then(|c| c.cluster.clone());
    match found {
        Some(cluster) => Ok(cluster),
        None if flags.server.is_some() && flags.cluster.is_none() => Ok(ClusterEntry::default()),
        None => Err(Problem::new(Kind::Usage, "KC3006", format!("there is no cluster {name} in the kubeconfig"))
            .why(match context {
                Some(context) if flags.cluster.is_none() => format!("context {context} refers to it"),
                _ => known("clusters", config.clusters.iter().map(|c| c.name.as_str())),
            })
            .fix("kubectl config get-clusters")),
    }
}

fn find_user(config: &Kubeconfig, context: Option<&str>, name: &str, cluster: &ClusterEntry, flags: &Flags) -> Result<AuthInfo> {
    if let Some(user) = config.auth_infos.iter().find(|u| u.name == name) {
        return Ok(user.auth_info.clone().unwrap_or_default());
    }
    let brings_own = flags.token.is_some() || flags.client_certificate.is_some();
    // `kubectl proxy` on this machine adds the sign-in itself; no other server uses plain HTTP.
    let needs_none = cluster.server.as_deref().is_some_and(|server| server.starts_with("http://"));
    if flags.user.is_none() && (brings_own || (name.is_empty() && needs_none)) {
        return Ok(AuthInfo::default());
    }
    let problem = if name.is_empty() {
        Problem::new(Kind::NotSignedIn, "KC3007", "no user is selected").why(match context {
            Some(context) => format!("context {context} has no user, so every request would be anonymous"),
            None => "without a user every request would be anonymous".into(),
        })
    } else {
        Problem::new(Kind::NotSignedIn, "KC3007", format!("there is no user {name} in the kubeconfig"))
            .why(known("users", config.auth_infos.iter().map(|u| u.name.as_str())))
    };
    Err(problem.fix("kubectl config get-users   # then --user NAME, or fetch the cluster's credentials again"))
}

fn with_cluster_flags(mut cluster: ClusterEntry, flags: &Flags) -> Result<ClusterEntry> {
    if let Some(server) = &flags.server {
        cluster.server = Some(server.clone());
        // The kubeconfig's TLS name belongs to the server that the flag replaced.
        cluster.tls_server_name = None;
    }
    if let Some(name) = &flags.tls_server_name {
        cluster.tls_server_name = Some(name.clone());
    }
    if flags.insecure_skip_tls_verify && flags.certificate_authority.is_some() {
        return Err(Problem::new(Kind::Usage, "KC3011", "--insecure-skip-tls-verify and --certificate-authority can't be used together"));
    }
    if let Some(file) = &flags.certificate_authority {
        cluster.certificate_authority = Some(file.display().to_string());
        cluster.certificate_authority_data = None;
        cluster.insecure_skip_tls_verify = None;
    }
    if flags.insecure_skip_tls_verify {
        cluster.insecure_skip_tls_verify = Some(true);
        cluster.certificate_authority = None;
        cluster.certificate_authority_data = None;
    }
    let has_ca = cluster.certificate_authority.is_some() || cluster.certificate_authority_data.is_some();
    if cluster.insecure_skip_tls_verify == Some(true) && has_ca {
        return Err(Problem::new(Kind::Usage, "KC3011", "the cluster entry has a CA and insecure-skip-tls-verify")
            .why("with both, the CA would silently be ignored")
            .fix("kubectl config set-cluster CLUSTER --insecure-skip-tls-verify=false"));
    }
    Ok(cluster)
}

fn with_user_flags(mut user: AuthInfo, flags: &Flags) -> Result<AuthInfo> {
    if let Some(token) = &flags.token {
        user.token = Some(SecretString::from(token.clone()));
        (user.token_file, user.exec, user.auth_provider, user.username, user.password) = (None, None, None, None, None);
    }
    if let Some(file) = &flags.client_certificate {
        user.client_certificate = Some(file.display().to_string());
        user.client_certificate_data = None;
    }
    if let Some(file) = &flags.client_key {
        user.client_key = Some(file.display().to_string());
        user.client_key_data = None;
    }
    if let Some(name) = &flags.as_user {
        user.impersonate = Some(name.clone());
    }
    if let Some(uid) = &flags.as_uid {
        user.impersonate_uid = Some(uid.clone());
    }
    if !flags.as_groups.is_empty() {
        user.impersonate_groups = Some(flags.as_groups.clone());
    }
    if !flags.as_user_extra.is_empty() {
        let mut extra = std::collections::HashMap::<String, Vec<String>>::new();
        for pair in &flags.as_user_extra {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(Problem::new(Kind::Usage, "KC3011", format!("--as-user-extra `{pair}` is not KEY=VALUE")));
            };
            extra.entry(key.into()).or_default().push(value.into());
        }
        user.impersonate_user_extra = Some(extra);
    }
    let impersonates_more = user.impersonate_uid.is_some() || user.impersonate_groups.is_some() || user.impersonate_user_extra.is_some();
    if impersonates_more && user.impersonate.is_none() {
        return Err(
            Problem::new(Kind::Usage, "KC3011", "a group, uid or extra can only be impersonated together with a user").fix("add --as USER")
        );
    }
    Ok(user)
}

fn known<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    match names.len() {
        0 => format!("it has no {what}"),
        1..=8 => format!("existing {what}: {}", names.join(", ")),
        more => format!("existing {what}: {}, and {} more", names[..8].join(", "), more - 8),
    }
}

#[cfg(test)]
mod tests;
