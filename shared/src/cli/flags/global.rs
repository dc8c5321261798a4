//! The flags of every command: kubectl's connection flags, and flags for output and prompts.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use crate::cli::flags::values::{duration, parse};
use crate::cli::flags::{az_cluster, output};
use crate::kube::Flags;
use crate::model::Result;
use crate::ui::{Colour, Format, Ui};

// kubectl's connection flags and the flags of every command.
#[derive(Args, Debug)]
struct Global {
    /// The namespace [default: the context's]
    #[arg(short, long, global = true, value_name = "NAME", help_heading = "Cluster")]
    namespace: Option<String>,
    /// The kubeconfig context
    #[arg(long, global = true, value_name = "NAME", help_heading = "Cluster")]
    context: Option<String>,
    /// The kubeconfig file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster")]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig cluster entry
    #[arg(long, global = true, value_name = "NAME", help_heading = "Cluster", hide_short_help = true)]
    cluster: Option<String>,
    /// The kubeconfig user entry
    #[arg(long, global = true, value_name = "NAME", help_heading = "Cluster", hide_short_help = true)]
    user: Option<String>,
    /// Address of the API server
    #[arg(short, long, global = true, value_name = "URL", help_heading = "Cluster", hide_short_help = true)]
    server: Option<String>,
    /// Name that the API server's certificate must contain
    #[arg(long, global = true, value_name = "NAME", help_heading = "Cluster", hide_short_help = true)]
    tls_server_name: Option<String>,
    /// Don't check the API server's certificate (insecure)
    #[arg(long, global = true, help_heading = "Cluster", hide_short_help = true)]
    insecure_skip_tls_verify: bool,
    /// Certificate file of the API server's authority
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster", hide_short_help = true)]
    certificate_authority: Option<PathBuf>,
    /// Client certificate file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster", hide_short_help = true)]
    client_certificate: Option<PathBuf>,
    /// Client key file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster", hide_short_help = true)]
    client_key: Option<PathBuf>,
    /// Bearer token for the API server
    #[arg(long, global = true, value_name = "TOKEN", help_heading = "Cluster", hide_short_help = true)]
    token: Option<String>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER", help_heading = "Cluster", hide_short_help = true)]
    as_user: Option<String>,
    /// Group to impersonate (repeatable)
    #[arg(long = "as-group", global = true, value_name = "GROUP", help_heading = "Cluster", hide_short_help = true)]
    as_groups: Vec<String>,
    /// UID to impersonate
    #[arg(long, global = true, value_name = "UID", help_heading = "Cluster", hide_short_help = true)]
    as_uid: Option<String>,
    /// Extra attribute to impersonate (repeatable)
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Cluster", hide_short_help = true)]
    as_user_extra: Vec<String>,
    /// Longest time for one request to the API server, such as 30s; 0: no limit
    #[arg(long, global = true, value_name = "TIME", value_parser = duration, help_heading = "Cluster", hide_short_help = true)]
    request_timeout: Option<Duration>,
    /// Format of the result: wide, json, yaml, name, jsonpath=TEMPLATE, custom-columns=HEAD:.path,…; short (verify,
    /// doctor)
    #[arg(short, long, global = true, value_parser = output::parse, value_name = "FORM", help_heading = "Output")]
    output: Option<Format>,
    /// Progress on stderr: live at a terminal, plain lines, or one JSON object per line
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "FORM", help_heading = "Output", hide_short_help = true)]
    progress: output::Progress,
    /// No column headings
    #[arg(long, global = true, help_heading = "Output", hide_short_help = true)]
    no_headers: bool,
    /// Only results and errors
    #[arg(short, long, global = true, help_heading = "Output")]
    quiet: bool,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value = "auto", help_heading = "Output", hide_short_help = true)]
    color: ColorWhen,
    /// Log level: 2 decisions, 6 requests, 8 headers, 9 bodies (secrets masked)
    #[arg(short, long = "v", global = true, value_name = "N", default_value_t = 0, help_heading = "Output", hide_short_help = true)]
    v: u8,
    /// Never ask; fail if an answer is needed
    #[arg(long, global = true, env = "KUBECTL_CONNECT_NO_INPUT", value_parser = clap::builder::FalseyValueParser::new(),
        action = clap::ArgAction::SetTrue, hide_env = true, help_heading = "Output", hide_short_help = true)]
    no_input: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ColorWhen {
    Auto,
    Always,
    Never,
}

/// Adds these flags to the command line.
pub fn with_globals(root: Command) -> Command {
    Global::augment_args(root)
}

/// Output and prompts of this run.
pub fn ui(matches: &ArgMatches) -> Ui {
    let Ok(global) = Global::from_arg_matches(matches) else { return Ui::default() };
    Ui::colour(match global.color {
        ColorWhen::Auto => Colour::Auto,
        ColorWhen::Always => Colour::Always,
        ColorWhen::Never => Colour::Never,
    });
    let format = global.output.unwrap_or_default();
    let progress = global.progress.into();
    Ui {
        format,
        quiet: global.quiet,
        verbosity: global.v,
        no_headers: global.no_headers,
        no_input: global.no_input,
        progress,
        ..Ui::default()
    }
}

/// The connection flags for the cluster.
pub fn flags(ui: &Ui, matches: &ArgMatches) -> Result<Flags> {
    let g: Global = parse(matches)?;
    Ok(Flags {
        kubeconfig: g.kubeconfig,
        context: g.context,
        cluster: g.cluster,
        user: g.user,
        namespace: g.namespace,
        server: g.server,
        tls_server_name: g.tls_server_name,
        insecure_skip_tls_verify: g.insecure_skip_tls_verify,
        certificate_authority: g.certificate_authority,
        client_certificate: g.client_certificate,
        client_key: g.client_key,
        token: g.token,
        as_user: g.as_user,
        as_uid: g.as_uid,
        as_groups: g.as_groups,
        as_user_extra: g.as_user_extra,
        request_timeout: g.request_timeout,
        interactive: ui.is_interactive(),
        source: Some(az_cluster::source(matches)),
    })
}
