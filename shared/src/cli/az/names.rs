//! Names of options and global flags in az, and which commands need a cluster.

use clap::Arg;

use crate::cli::verbs;
use crate::cli::verbs::verb::Verb;

/// Global flags offered in az, by clap id, with their names there. az provides the others itself or does not need
/// them.
pub const GLOBALS: &[(&str, &[&str])] = &[
    ("aks_name", &["--cluster-name"]),
    ("aks_resource_group", &["--cluster-resource-group", "--crg"]),
    ("aks_id", &["--cluster-id"]),
    ("namespace", &["--kube-namespace"]),
    ("context", &["--kube-context"]),
    ("kubeconfig", &["--kube-config"]),
    ("request_timeout", &["--request-timeout"]),
];

/// Flags with an optional value, by id, with the value used if none is given.
pub const BARE: &[(&str, &str)] = &[("dry_run", "client"), ("verify", "true")];

/// Whether the command needs neither the cluster nor Azure.
pub fn is_offline(word: &str) -> bool {
    verbs::find(word).is_some_and(Verb::is_offline)
}

/// az's options for an argument: the main argument becomes `--name`; a flag with that name becomes `--connection`.
pub fn options(arg: &Arg, positional: Option<&Arg>) -> Vec<String> {
    let dashed = |text: &str| format!("--{}", text.replace('_', "-"));
    if arg.is_positional() {
        let first = positional.is_some_and(|p| p.get_id() == arg.get_id());
        return if first { vec!["--name".into(), "-n".into()] } else { vec![dashed(arg.get_id().as_str())] };
    }
    let long = arg.get_long().unwrap_or(arg.get_id().as_str());
    if long == "name" && positional.is_some() {
        return vec!["--connection".into()];
    }
    // az's commands call this flag `--tags`.
    let mut options = vec![if long == "tag" { "--tags".to_owned() } else { dashed(long) }];
    // These letters are used by az or by `--name`.
    options.extend(arg.get_short().filter(|short| !matches!(short, 'h' | 'o' | 'n')).map(|short| format!("-{short}")));
    options
}
