//! The flags of connecting, and the request built from them.

use clap::{ArgMatches, Args, Command, ValueEnum};

use crate::catalogue::{self, Service};
use crate::cli::flags::auth::{self, AuthArgs};
use crate::cli::flags::changing::Changing;
use crate::cli::flags::csi;
use crate::cli::flags::values::parse;
use crate::model::access::Access;
use crate::model::naming::IdentityName;
use crate::model::request::{ClusterChoice, ConnectRequest, Patch};
use crate::model::variable::Client;
use crate::model::{Kind, Problem, Result};

// No doc comments on structs of flags: clap would use them as the help of the commands.

// Flags of connecting.
#[derive(Args, Debug)]
struct Connect {
    /// Name or resource id
    target: String,
    /// The workload: deployment/NAME; or statefulset, daemonset, cronjob, job
    #[arg(short, long, value_name = "KIND/NAME")]
    workload: Option<String>,
    /// Container of the pod that gets the variables [default: all] (repeatable)
    #[arg(short, long = "container", value_name = "NAME")]
    containers: Vec<String>,
    /// Name of the connection [default: SERVICE-TARGET]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Resource group of the target, if its name alone is ambiguous
    #[arg(short = 'g', long, value_name = "NAME", help_heading = "Target")]
    resource_group: Option<String>,
    /// Subscription of the target, if its name alone is ambiguous
    #[arg(long, value_name = "NAME|ID", help_heading = "Target")]
    subscription: Option<String>,
    /// Only for non-AKS clusters: region for the identity; --resource-group is then the identity's group
    #[arg(long, value_name = "REGION", requires = "resource_group", help_heading = "Access")]
    location: Option<String>,
    /// How much the workload may do [default: the least that the usual client libraries need]
    #[arg(long, value_enum, value_name = "LEVEL", help_heading = "Access")]
    access: Option<Level>,
    /// Role to grant instead, by name or GUID
    #[arg(long, value_name = "ROLE", conflicts_with = "access", help_heading = "Access")]
    role: Option<String>,
    /// Managed identity to use: name, client id or resource id [default: a new one for the service account]
    #[arg(long, value_name = "IDENTITY", help_heading = "Access")]
    identity: Option<String>,
    /// Resource group of the new identity [default: the cluster's]
    #[arg(long, value_name = "NAME", conflicts_with = "identity", help_heading = "Access", hide_short_help = true)]
    identity_group: Option<String>,
    /// Name of the new identity, with {cluster}, {namespace}, {service-account}, {connection}, {service}, {hash}
    #[arg(long, value_name = "TEMPLATE", value_parser = IdentityName::parse, conflicts_with = "identity", help_heading = "Access", hide_short_help = true)]
    identity_name: Option<IdentityName>,
    /// Tag of the new identity (repeatable)
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag, help_heading = "Access", hide_short_help = true)]
    tags: Vec<(String, String)>,
    /// Service account to use [default: the workload's own, or a new one of its name]
    #[arg(long, value_name = "NAME", help_heading = "Access")]
    service_account: Option<String>,
    /// Use this library's variable names; auto guesses from the image
    #[arg(long, value_name = "TYPE", default_value = "none", help_heading = "Delivery")]
    client_type: String,
    #[command(flatten)]
    auth: AuthArgs,
    /// Patch the workload, or print the patch; auto prints it where Argo CD, Flux or Helm manages the workload
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Delivery")]
    patch: PatchWhen,
    /// Resource id of the AKS cluster, if it can't be found by the context
    #[arg(long, value_name = "ID", help_heading = "Cluster", hide_short_help = true)]
    aks_id: Option<String>,
    /// Name of the AKS cluster, if it can't be found by the context
    #[arg(long, value_name = "NAME", requires = "aks_resource_group", help_heading = "Cluster", hide_short_help = true)]
    aks_name: Option<String>,
    /// Resource group of the AKS cluster
    #[arg(long, value_name = "NAME", requires = "aks_name", help_heading = "Cluster", hide_short_help = true)]
    aks_resource_group: Option<String>,
    #[command(flatten)]
    changing: Changing,
    /// Check with a token of the service account that the connection works
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, help_heading = "Run")]
    verify: bool,
    /// If a step or the check fails, undo what this run made (cluster features stay on)
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

/// Options of a connect command besides the request.
pub struct Run {
    pub changing: Changing,
    pub verify: bool,
    pub detailed_exitcode: bool,
    pub atomic: bool,
}

/// The command of a service with its flags.
pub fn with_flags(command: Command, service: &Service) -> Command {
    let clients = service.clients.iter().map(|c| c.word()).collect::<Vec<_>>().join(", ");
    let (auths, access) = (service.auth_words(), service.default_access);
    let command =
        command.after_help(format!("--auth: {auths}\n--client-type: {clients}, auto\n--access: by default {access}\nSee {}", service.docs));
    let place = if service.is_outside() { "Host name" } else { "Name or resource id" };
    let command = with_common(command).mut_arg("target", |a| a.help(format!("{place} of the {}", service.noun)));
    csi::with_objects(auth::with_parameters(command, service), service)
}

/// A target with the flags that it needs, for an example.
pub fn sample(service: &Service) -> String {
    let name = match service.noun.rsplit(' ').next() {
        _ if service.is_outside() => "db.example.com".to_owned(),
        noun => format!("my-{}", noun.unwrap_or_default().to_lowercase()),
    };
    let needed = service.parameters.iter().filter(|p| p.default.is_empty());
    needed.fold(name, |line, parameter| format!("{line} --{} {}", parameter.name, parameter.name.to_uppercase()))
}

/// Adds the flags that every service has.
pub fn with_common(command: Command) -> Command {
    Connect::augment_args(command)
}

/// The request of a service's subcommand, and the options for running it.
pub fn connect(service: &str, matches: &ArgMatches) -> Result<(ConnectRequest, Run)> {
    let c: Connect = parse(matches)?;
    let client = Client::parse(&c.client_type);
    if client.is_none() && !c.client_type.eq_ignore_ascii_case("auto") {
        let known = catalogue::find(service).map(|s| s.clients.iter().map(|c| c.word()).collect::<Vec<_>>().join(", "));
        return Err(Problem::new(Kind::Usage, "KC1005", format!("`{}` is not a client type", c.client_type))
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
        parameters: auth::parameters(service, matches),
        scope: c.auth.scope.clone(),
        user: c.auth.username.clone(),
        map: c.auth.map()?,
        env_prefix: c.auth.env_prefix.clone(),
        principal: c.auth.principal(),
        secrets: c.auth.secrets()?,
        secret_store: c.auth.secret_store()?,
        csi: csi::csi(service, matches)?,
        patch: match c.patch {
            PatchWhen::Auto => Patch::Auto,
            PatchWhen::Always => Patch::Always,
            PatchWhen::Never => Patch::Never,
        },
        cluster: ClusterChoice { id: c.aks_id, name: c.aks_name, resource_group: c.aks_resource_group },
        timeout: c.changing.timeout,
    };
    Ok((request, Run { changing: c.changing, verify: c.verify, detailed_exitcode: c.detailed_exitcode, atomic: c.atomic }))
}

/// Parses `KEY=VALUE` by Azure's rules for tags.
fn tag(text: &str) -> Result<(String, String), String> {
    let Some((key, value)) = text.split_once('=') else { return Err(format!("`{text}` is not a tag: use KEY=VALUE")) };
    let fits = !key.is_empty() && key.len() <= 512 && value.len() <= 256 && !key.contains(['<', '>', '%', '&', '\\', '?', '/']);
    if !fits {
        return Err(format!("`{text}` is not a tag: a key has at most 512 characters and none of <>%&\\?/, a value at most 256"));
    }
    if key.eq_ignore_ascii_case(crate::model::PREFIX) {
        return Err(format!("the tag {key} is reserved: this tool uses it to recognise its identities"));
    }
    Ok((key.to_owned(), value.to_owned()))
}
