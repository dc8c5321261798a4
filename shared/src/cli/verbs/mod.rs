//! The verbs. A new verb needs a file here and a line in [`VERBS`].

pub mod adopt;
pub mod change;
pub mod check_text;
pub mod completion;
pub mod config;
pub mod connect;
pub mod delete;
pub mod diff;
pub mod doctor;
pub mod events;
pub mod explain;
pub mod list;
pub mod parts;
pub mod refresh;
pub mod repair;
pub mod services;
pub mod show;
pub mod tree;
pub mod verb;
pub mod verify;
pub mod version;
pub mod wait;

use self::verb::Verb;

/// All verbs; within a group in the order of the help.
pub const VERBS: &[Verb] = &[
    connect::CREATE,
    connect::PLAN,
    explain::VERB,
    services::VERB,
    list::VERB,
    show::VERB,
    tree::VERB,
    events::VERB,
    repair::VERB,
    refresh::VERB,
    adopt::VERB,
    delete::VERB,
    verify::VERB,
    doctor::VERB,
    diff::VERB,
    wait::VERB,
    config::VERB,
    completion::VERB,
    version::VERB,
];

/// The verb with this name or alias.
pub fn find(word: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.is(word))
}
