//! `kubectl connect version`.

use serde_json::json;

use crate::cli::invocation::Invocation;
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb, no_flags};
use crate::model::Result;

/// The verb.
pub const VERB: Verb = Verb {
    name: "version",
    aliases: &[],
    about: "Show the version",
    group: Group::Help,
    takes_service: false,
    examples: &["version -o json"],
    flags: no_flags,
    run: Run::AtOnce(version),
    az: Az::Shown(AzTable::PLAIN),
};

fn version(call: &Invocation<'_>) -> Result<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let value = json!({"version": version, "os": std::env::consts::OS, "arch": std::env::consts::ARCH});
    let text = || format!("{} {version} ({}/{})", call.frontend.words(), std::env::consts::OS, std::env::consts::ARCH);
    call.ui.result(&value, text, &[version.to_owned()]);
    Ok(0)
}
