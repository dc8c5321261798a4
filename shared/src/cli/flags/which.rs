//! Which connections a verb is about: some by name, some by label, or all of the namespace.

use clap::{Arg, Args, Command};

// (No doc comment: clap would make it the help of the commands.)
#[derive(Args, Debug)]
pub struct Which {
    /// Names of connections [default: all of the namespace]
    #[arg(id = "connection", value_name = "NAME")]
    pub names: Vec<String>,
    /// Only connections with these labels: team=shop, kubectl-connect.dev/service=keyvault
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "connection")]
    pub selector: Option<String>,
}

/// A verb that does much: all connections have to be asked for.
pub fn named_or_asked_for(command: Command) -> Command {
    let all = Arg::new("all").long("all").action(clap::ArgAction::SetTrue).help("All connections of the namespace");
    let names = |arg: Arg| arg.required_unless_present_any(["all", "selector"]).help("Names of connections");
    command.arg(all.conflicts_with_all(["connection", "selector"])).mut_arg("connection", names)
}
