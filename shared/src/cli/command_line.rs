//! The command line: one subcommand per service (made from the catalogue), and verbs. Flags of every command stand in
//! `global_args`, those of a verb with the verb.

use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use crate::catalogue::{SERVICES, Service};
use crate::cli::Frontend;
pub use crate::cli::flags::global::{flags, ui};
use crate::model::access::Access;
use crate::model::naming::IdentityName;
use crate::model::request::{ClusterChoice, ConnectRequest, Patch};
use crate::model::variable::Client;
use crate::model::{Kind, Problem, Result};

// (No doc comments on structs of flags: clap would make them the help of the commands.)

// Flags of making a connection.
#[derive(Args, Debug)]
struct Connect {
    /// Name or resource id
    target: String,
    /// The workload: deployment/NAME, statefulset/NAME, daemonset/NAME, cronjob/NAME
    #[arg(short, long, value_name = "KIND/NAME")]
    workload: Option<String>,
    /// Only this container gets the variables, may be repeated
    #[arg(short, long = "container", value_name = "NAME")]
    containers: Vec<String>,
    /// Name of the connection [default: SERVICE-TARGET]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Resource group of the target, where its name is not enough
    #[arg(short = 'g', long, value_name = "NAME", help_heading = "Target")]
    resource_group: Option<String>,
    /// Subscription of the target, where its name is not enough
    #[arg(long, value_name = "NAME|ID", help_heading = "Target")]
    subscription: Option<String>,
    /// Region for the identity, where the cluster is no AKS cluster: --resource-group is the identity's then
    #[arg(long, value_name = "REGION", requires = "resource_group", help_heading = "Access")]
    location: Option<String>,
    /// How much the workload may do [default: the least that the usual client libraries need]
    #[arg(long, value_enum, value_name = "LEVEL", help_heading = "Access")]
    access: Option<Level>,
    /// Role to grant instead, by name or GUID
    #[arg(long, value_name = "ROLE", conflicts_with = "access", help_heading = "Access")]
    role: Option<String>,
    /// Managed identity to use: name, client id or resource id [default: one is made for the service account]
    #[arg(long, value_name = "IDENTITY", help_heading = "Access")]
    identity: Option<String>,
    /// Resource group of the identity that is made [default: the cluster's]
    #[arg(long, value_name = "NAME", conflicts_with = "identity", help_heading = "Access", hide_short_help = true)]
    identity_group: Option<String>,
    /// Name of the identity that is made, with {cluster}, {namespace}, {service-account}, {connection}, {service}, {hash}
    #[arg(long, value_name = "TEMPLATE", value_parser = IdentityName::parse, conflicts_with = "identity", help_heading = "Access", hide_short_help = true)]
    identity_name: Option<IdentityName>,
    /// Tag of the identity that is made, may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag, help_heading = "Access", hide_short_help = true)]
    tags: Vec<(String, String)>,
    /// Service account to use [default: the workload's own, or a new one of its name]
    #[arg(long, value_name = "NAME", help_heading = "Access")]
    service_account: Option<String>,
    /// Client library that reads the variables; auto looks at the workload
    #[arg(long, value_name = "TYPE", default_value = "none", help_heading = "Delivery")]
    client_type: String,
    #[command(flatten)]
    auth: crate::cli::flags::auth::AuthArgs,
    /// Patch the workload, or print the patch; auto prints where Argo CD, Flux or Helm manages it
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Delivery")]
    patch: PatchWhen,
    /// Resource id of the AKS cluster, where the context does not lead to it
    #[arg(long, value_name = "ID", help_heading = "Cluster", hide_short_help = true)]
    aks_id: Option<String>,
    /// Name of the AKS cluster, where the context does not lead to it
    #[arg(long, value_name = "NAME", requires = "aks_resource_group", help_heading = "Cluster", hide_short_help = true)]
    aks_name: Option<String>,
    /// Resource group of the AKS cluster
    #[arg(long, value_name = "NAME", requires = "aks_name", help_heading = "Cluster", hide_short_help = true)]
    aks_resource_group: Option<String>,
    /// Do it without asking
    #[arg(short, long, help_heading = "Run")]
    yes: bool,
    /// Only show what would be done; server also has the API server check every object
    #[arg(long, value_enum, value_name = "WHERE", default_value = "none", help_heading = "Run")]
    dry_run: DryRun,
    /// Prove that it works, with a token of the service account
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, help_heading = "Run")]
    verify: bool,
    /// Limit for everything that is waited for
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "15m", help_heading = "Run")]
    timeout: Duration,
    /// Undo everything when a step or the proof fails
    #[arg(long, help_heading = "Run")]
    atomic: bool,
    /// plan: exit with 2 when something would change
    #[arg(long, hide = true)]
    detailed_exitcode: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Read,
    Readwrite,
    Admin,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PatchWhen {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    None,
    Client,
    Server,
}

/// What a connect command is to do besides the request itself.
pub struct Run {
    pub yes: bool,
    pub dry_run: DryRun,
    pub verify: bool,
    pub detailed_exitcode: bool,
    pub atomic: bool,
}

// Flags of the table of services.
#[derive(Args, Debug)]
struct Services {
    /// As a table for the documentation
    #[arg(long, hide = true)]
    markdown: bool,
}

const EXAMPLES: &str = "Examples:
  # Connect a deployment to a vault: identity, role, trust, variables, rollout, proof
  kubectl connect keyvault my-vault --workload deployment/web
  # Only show what would be done
  kubectl connect plan storage-blob shopdata --workload deployment/web
  # What there is, whether it works, and how it goes away again
  kubectl connect list
  kubectl connect verify keyvault-my-vault
  kubectl connect delete keyvault-my-vault

Exit codes: 0 done, 1 failed, 2 usage or refused, 3 not found, 4 not signed in, 5 not permitted, 6 timed out, 130 interrupted";

/// The whole command line.
pub fn command(frontend: Frontend) -> Command {
    let styles = Styles::styled().header(AnsiColor::Green.on_default().bold()).literal(AnsiColor::Cyan.on_default());
    let root = Command::new("kubectl-connect")
        .bin_name(frontend.words())
        .display_name(frontend.words())
        .about("Connect AKS workloads to Azure services, without passwords")
        .version(env!("CARGO_PKG_VERSION"))
        .styles(styles)
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand_value_name("SERVICE|VERB")
        .subcommand_help_heading("Services and verbs");
    let root = if frontend == Frontend::Az { crate::cli::flags::az_cluster::with_cluster_choice(root) } else { root };
    let root = SERVICES.iter().fold(crate::cli::flags::global::with_globals(root), |root, service| root.subcommand(connect_to(service)));
    let nested = |name: &'static str, about: &'static str| {
        let command =
            Command::new(name).about(about).subcommand_required(true).arg_required_else_help(true).subcommand_value_name("SERVICE");
        crate::cli::flags::auth::with_retired(SERVICES.iter().fold(command, |command, service| command.subcommand(connect_to(service))))
    };
    let root = crate::cli::flags::auth::with_retired(root);
    root.subcommand(nested("plan", "Show what connecting would do"))
        .subcommand(nested("create", "Connect (the long form of naming the service)"))
        .subcommand(crate::cli::verbs::list::command())
        .subcommand(crate::cli::verbs::show::command())
        .subcommand(crate::cli::verbs::verify::command())
        .subcommand(crate::cli::verbs::doctor::command())
        .subcommand(crate::cli::verbs::repair::diff_command())
        .subcommand(crate::cli::verbs::repair::command())
        .subcommand(crate::cli::verbs::refresh::command())
        .subcommand(crate::cli::verbs::adopt::command())
        .subcommands(crate::cli::verbs::tree::commands())
        .subcommand(crate::cli::verbs::delete::command())
        .subcommand(Services::augment_args(Command::new("services").about("List the services, -o wide for everything about them")))
        .subcommand(crate::cli::verbs::explain::Explain::augment_args(
            Command::new("explain").about("Show what a connection would bring, without asking anybody"),
        ))
        .subcommand(Command::new("version").about("Show the version"))
        .subcommand(crate::cli::verbs::completion::command())
        .subcommand(crate::cli::settings::subcommand())
}

fn connect_to(service: &Service) -> Command {
    let clients = service.clients.iter().map(|c| c.word()).collect::<Vec<_>>().join(", ");
    let command =
        Command::new(service.name).visible_aliases(service.aliases).about(format!("Connect to {}", service.title)).after_help(format!(
            "Ways of authentication: {}\nClient types: {clients}\nAccess by default: {}\nSee {}",
            service.auth_words(),
            service.default_access,
            service.docs
        ));
    let place = if service.is_outside() { "Host name" } else { "Name or resource id" };
    let command = Connect::augment_args(command).mut_arg("target", |a| a.help(format!("{place} of the {}", service.noun)));
    crate::cli::flags::csi::with_objects(crate::cli::flags::auth::with_parameters(command, service), service)
}

pub fn parse<T: FromArgMatches>(matches: &ArgMatches) -> Result<T> {
    T::from_arg_matches(matches).map_err(|e| Problem::new(Kind::Usage, "KC1000", e.to_string()))
}

/// The request that a service's subcommand makes, and how to run it.
pub fn connect(service: &str, matches: &ArgMatches) -> Result<(ConnectRequest, Run)> {
    let c: Connect = parse(matches)?;
    let client = Client::parse(&c.client_type);
    if client.is_none() && !c.client_type.eq_ignore_ascii_case("auto") {
        let known = crate::catalogue::find(service).map(|s| s.clients.iter().map(|c| c.word()).collect::<Vec<_>>().join(", "));
        return Err(Problem::new(Kind::Usage, "KC1005", format!("there is no client type `{}`", c.client_type))
            .fix(format!("choose one of: {}, auto", known.unwrap_or_default())));
    }
    let request = ConnectRequest {
        service: service.to_owned(),
        target: c.target,
        resource_group: c.resource_group,
        location: c.location,
        subscription: c.subscription,
        name: c.name,
        workload: c.workload,
        containers: c.containers,
        service_account: c.service_account,
        identity: c.identity,
        identity_group: c.identity_group,
        identity_name: c.identity_name,
        tags: c.tags.into_iter().collect(),
        access: c.access.map(|l| match l {
            Level::Read => Access::Read,
            Level::Readwrite => Access::ReadWrite,
            Level::Admin => Access::Admin,
        }),
        role: c.role,
        client,
        auth: c.auth.auth()?,
        parameters: crate::cli::flags::auth::parameters(service, matches),
        scope: c.auth.scope.clone(),
        user: c.auth.secret_name.clone(),
        map: c.auth.map()?,
        env_prefix: c.auth.env_prefix.clone(),
        principal: c.auth.principal(),
        secrets: c.auth.secrets()?,
        secret_store: c.auth.secret_store()?,
        csi: crate::cli::flags::csi::csi(service, matches)?,
        patch: match c.patch {
            PatchWhen::Auto => Patch::Auto,
            PatchWhen::Always => Patch::Always,
            PatchWhen::Never => Patch::Never,
        },
        cluster: ClusterChoice { id: c.aks_id, name: c.aks_name, resource_group: c.aks_resource_group },
        timeout: c.timeout,
    };
    Ok((request, Run { yes: c.yes, dry_run: c.dry_run, verify: c.verify, detailed_exitcode: c.detailed_exitcode, atomic: c.atomic }))
}

/// Whether the table of services is for the documentation.
pub fn markdown(matches: &ArgMatches) -> bool {
    parse::<Services>(matches).is_ok_and(|s| s.markdown)
}

/// `90s`, `15m`, `1h30m`, or bare seconds, as kubectl takes times.
pub fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let bad = || format!("`{text}` is no time: write 30s, 15m or 1h30m");
    let (mut total, mut number) = (0u64, String::new());
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(bad()),
        };
        let value: u64 = number.parse().map_err(|_| bad())?;
        total = value.checked_mul(unit).and_then(|v| total.checked_add(v)).ok_or_else(bad)?;
        number.clear();
    }
    if number.is_empty() && !text.is_empty() { Ok(Duration::from_secs(total)) } else { Err(bad()) }
}

/// `KEY=VALUE` as Azure takes tags.
fn tag(text: &str) -> Result<(String, String), String> {
    let Some((key, value)) = text.split_once('=') else { return Err(format!("`{text}` is no tag: write KEY=VALUE")) };
    let fits = !key.is_empty() && key.len() <= 512 && value.len() <= 256 && !key.contains(['<', '>', '%', '&', '\\', '?', '/']);
    if !fits {
        return Err(format!("`{text}` is no tag: a key holds none of <>%&\\?/, and 512 characters at most, a value 256"));
    }
    if key.eq_ignore_ascii_case(crate::model::PREFIX) {
        return Err(format!("the tag {key} is how this tool knows what it made"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command(Frontend::Kubectl).debug_assert();
    }

    #[test]
    fn services_and_verbs_are_disjoint() {
        let command = command(Frontend::Kubectl);
        let mut seen = std::collections::HashSet::new();
        for sub in command.get_subcommands() {
            for word in std::iter::once(sub.get_name()).chain(sub.get_all_aliases()) {
                assert!(seen.insert(word.to_owned()), "{word} means two things");
            }
        }
    }

    #[test]
    fn times_are_read_as_kubectl_reads_them() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("1h30m", 5400), ("45", 45), ("0", 0)] {
            assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "m", "10x", "5m3"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
