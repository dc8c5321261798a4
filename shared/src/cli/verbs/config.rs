//! `kubectl connect config view`: every setting with its value and the value's origin.

use clap::Command;
use serde_json::{Value, json};

use crate::cli::flags::{connect, global};
use crate::cli::invocation::Invocation;
use crate::cli::settings::{Origin, Settings, usual_path};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::model::Result;
use crate::ui::Table;

/// The verb.
pub const VERB: Verb = Verb {
    name: "config",
    aliases: &[],
    about: "Show the settings of this machine",
    group: Group::Help,
    takes_service: false,
    examples: &["config view"],
    flags,
    run: Run::AtOnce(view),
    az: Az::Shown(AzTable { rows: "/items", columns: &[("Setting", "/key"), ("Value", "/value"), ("From", "/from")] }),
};

fn flags(command: Command) -> Command {
    command
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(
            "A setting is the default of the flag of the same name. What counts, in this order:\n  \
             1. the flag on the command line\n  \
             2. the environment variable, KUBECTL_CONNECT_ACCESS for access and so on\n  \
             3. the file: the one that KUBECTL_CONNECT_CONFIG names, or else\n     \
             $XDG_CONFIG_HOME/kubectl-connect/config.yaml\n     \
             (on Windows %APPDATA%\\kubectl-connect\\config.yaml)",
        )
        .subcommand(Command::new("view").about("Show every setting, its value and where the value comes from"))
}

/// Shows the settings.
fn view(call: &Invocation<'_>) -> Result<u8> {
    let probe = || global::with_globals(connect::with_common(Command::new("any")));
    let settings = Settings::load(probe)?;
    let usual = probe().try_get_matches_from(["any", "any"]).ok();
    let default = |id: &str| -> String {
        let raw = usual.as_ref().and_then(|m| m.try_get_raw(id).ok().flatten());
        raw.map(|values| values.map(|v| v.to_string_lossy().into_owned()).collect::<Vec<_>>().join(",")).unwrap_or_default()
    };
    let rows: Vec<(&str, String, Option<&Origin>)> = settings
        .all()
        .map(|(setting, found)| match found {
            Some((values, from)) => (setting.key, values.join(","), Some(from)),
            None => (setting.key, default(setting.id), None),
        })
        .collect();
    let items: Vec<Value> = rows
        .iter()
        .map(|(key, value, from)| match from {
            Some(Origin::File { path, line }) => {
                json!({"key": key, "value": value, "from": "file", "file": path.display().to_string(), "line": line})
            }
            Some(Origin::Environment(name)) => json!({"key": key, "value": value, "from": "environment", "variable": name}),
            None => json!({"key": key, "value": value, "from": "default"}),
        })
        .collect();
    let text = || {
        let mut table = Table::new(&["SETTING", "VALUE", "FROM"]);
        for (key, value, from) in &rows {
            let shown = if value.is_empty() { "<none>" } else { value };
            table.row(vec![(*key).to_owned(), shown.to_owned(), from.map_or_else(|| "default".to_owned(), ToString::to_string)]);
        }
        table.render(call.ui.no_headers)
    };
    let names: Vec<String> = rows.iter().map(|(key, ..)| format!("setting/{key}")).collect();
    call.ui.result(&json!({"path": usual_path().map(|p| p.display().to_string()), "items": items}), text, &names);
    Ok(0)
}
