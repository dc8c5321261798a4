//! The description of a verb, from which command line, help, dispatch and az's commands are derived.

use clap::Command;
use futures::future::LocalBoxFuture;

use crate::cli::invocation::Invocation;
use crate::model::Result;

/// A verb of the command line.
pub struct Verb {
    /// Name.
    pub name: &'static str,
    /// Alternative names.
    pub aliases: &'static [&'static str],
    /// Summary in one line.
    pub about: &'static str,
    /// Group in the help.
    pub group: Group,
    /// Whether a service and its flags follow.
    pub takes_service: bool,
    /// Command lines to copy, without the program's own words.
    pub examples: &'static [&'static str],
    /// Adds the verb's flags and its further help.
    pub flags: fn(Command) -> Command,
    /// Runs the verb.
    pub run: Run,
    /// How az shows the verb.
    pub az: Az,
}

impl Verb {
    /// Whether a word is the verb's name or alias.
    pub fn is(&self, word: &str) -> bool {
        self.name == word || self.aliases.contains(&word)
    }

    /// Whether the verb needs neither the cluster nor Azure.
    pub fn is_offline(&self) -> bool {
        matches!(self.run, Run::AtOnce(_))
    }
}

/// Runs a verb and returns the exit code.
pub enum Run {
    /// Needs neither the cluster nor Azure.
    AtOnce(fn(&Invocation<'_>) -> Result<u8>),
    /// Needs the asynchronous runtime.
    Waiting(for<'a> fn(&'a Invocation<'a>) -> LocalBoxFuture<'a, Result<u8>>),
}

/// The groups of the help, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Making a connection.
    Connect,
    /// Showing what exists.
    Look,
    /// Changing an existing connection.
    Change,
    /// Checking whether a connection works.
    Check,
    /// The program itself.
    Help,
}

impl Group {
    /// Every group.
    pub const ALL: [Group; 5] = [Group::Connect, Group::Look, Group::Change, Group::Check, Group::Help];

    /// The heading.
    pub fn words(self) -> &'static str {
        match self {
            Group::Connect => "Connect",
            Group::Look => "Look",
            Group::Change => "Change",
            Group::Check => "Check",
            Group::Help => "Help",
        }
    }
}

/// How az shows a verb.
#[derive(Clone, Copy)]
pub enum Az {
    /// Not at all.
    Hidden,
    /// As a command without result, like az's delete commands.
    Silent,
    /// As a command with a result, and the table for `-o table`.
    Shown(AzTable),
}

/// Columns for az's `-o table`. Without columns, az chooses the layout.
#[derive(Clone, Copy)]
pub struct AzTable {
    /// JSON pointer of the rows within the result.
    pub rows: &'static str,
    /// Column headings, each with the places in a row where the value may be, separated by `|`. A `#` at the end
    /// shows only the name of a resource id.
    pub columns: &'static [(&'static str, &'static str)],
}

impl AzTable {
    /// az's own layout.
    pub const PLAIN: AzTable = AzTable { rows: "", columns: &[] };
    /// One row per connection.
    pub const CONNECTION: AzTable = AzTable {
        rows: "",
        columns: &[
            ("Namespace", "/metadata/namespace"),
            ("Name", "/metadata/name"),
            ("Service", "/spec/service"),
            ("Target", "/spec/target#"),
            ("Workload", "/spec/workload"),
            ("Access", "/spec/access"),
            ("Status", "/status/phase"),
        ],
    };
    /// One row per change of a plan.
    pub const CHANGES: AzTable =
        AzTable { rows: "/changes", columns: &[("Layer", "/layer"), ("Action", "/action"), ("Kind", "/kind"), ("Name", "/name")] };
    /// One row per check.
    pub const CHECKS: AzTable = AzTable {
        rows: "/categories/*/checks",
        columns: &[("Result", "/result"), ("Check", "/description"), ("Message", "/message"), ("Code", "/code"), ("Fix", "/fix")],
    };
}

/// For verbs without flags.
pub fn no_flags(command: Command) -> Command {
    command
}
