//! What a verb is: the one description from which command line, help, dispatch and az's commands are made.

use clap::Command;
use futures::future::LocalBoxFuture;

use crate::cli::invocation::Invocation;
use crate::model::Result;

/// One word of the command line.
pub struct Verb {
    /// The word.
    pub name: &'static str,
    /// Other words for it.
    pub aliases: &'static [&'static str],
    /// What the verb does, in a line.
    pub about: &'static str,
    /// Where the verb stands in the help.
    pub group: Group,
    /// Whether a service and its flags follow.
    pub takes_service: bool,
    /// Command lines to copy, without the program's own words.
    pub examples: &'static [&'static str],
    /// Adds the verb's flags and further help.
    pub flags: fn(Command) -> Command,
    /// Carries the verb out.
    pub run: Run,
    /// The verb as a command of az.
    pub az: Az,
}

impl Verb {
    /// Whether this word means the verb.
    pub fn is(&self, word: &str) -> bool {
        self.name == word || self.aliases.contains(&word)
    }

    /// Whether the verb asks neither the cluster nor Azure.
    pub fn is_offline(&self) -> bool {
        matches!(self.run, Run::AtOnce(_))
    }
}

/// Carries a verb out and says the exit code.
pub enum Run {
    /// Asks neither the cluster nor Azure.
    AtOnce(fn(&Invocation<'_>) -> Result<u8>),
    /// Needs the asynchronous runtime.
    Waiting(for<'a> fn(&'a Invocation<'a>) -> LocalBoxFuture<'a, Result<u8>>),
}

/// The groups of the help, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Making a connection.
    Connect,
    /// Seeing what there is.
    Look,
    /// Changing a connection that there is.
    Change,
    /// Seeing whether a connection works.
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

/// A verb as a command of az.
#[derive(Clone, Copy)]
pub enum Az {
    /// No command there.
    Hidden,
    /// A command that returns nothing, as az's delete commands do.
    Silent,
    /// A command with a result, and the table that `-o table` makes of it.
    Shown(AzTable),
}

/// Columns of az's `-o table`. Without columns az lays the result out by itself.
#[derive(Clone, Copy)]
pub struct AzTable {
    /// Where the rows are in the result.
    pub rows: &'static str,
    /// Heads, and where the value of each is in a row, with `|` between the places where a value may be; `#` at the end
    /// means the name alone of a resource id.
    pub columns: &'static [(&'static str, &'static str)],
}

impl AzTable {
    /// az's own layout.
    pub const PLAIN: AzTable = AzTable { rows: "", columns: &[] };
    /// One connection a row.
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
    /// One change of a plan a row.
    pub const CHANGES: AzTable =
        AzTable { rows: "/changes", columns: &[("Layer", "/layer"), ("Action", "/action"), ("Kind", "/kind"), ("Name", "/name")] };
    /// One check a row.
    pub const CHECKS: AzTable = AzTable {
        rows: "/categories/*/checks",
        columns: &[("Result", "/result"), ("Check", "/description"), ("Message", "/message"), ("Code", "/code"), ("Fix", "/fix")],
    };
}

/// A verb without flags of its own.
pub fn no_flags(command: Command) -> Command {
    command
}
