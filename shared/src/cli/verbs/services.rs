//! `kubectl connect services`: the catalogue as a table, for users, the documentation and the README.

use clap::{Args, Command};
use serde_json::json;

use crate::catalogue::{SERVICES, Service};
use crate::cli::invocation::Invocation;
use crate::cli::verbs::explain;
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::model::Result;
use crate::ui::{Format, Table};

/// The verb.
pub const VERB: Verb = Verb {
    name: "services",
    aliases: &[],
    about: "List the services",
    group: Group::Connect,
    takes_service: false,
    examples: &["services -o wide"],
    flags,
    run: Run::AtOnce(services),
    az: Az::Shown(AzTable {
        rows: "",
        columns: &[("Name", "/name"), ("Title", "/title"), ("ResourceType", "/resourceType"), ("DefaultAccess", "/defaultAccess")],
    }),
};

// Flags of the table of services.
#[derive(Args, Debug)]
struct Services {
    /// As a table for the documentation
    #[arg(long, hide = true)]
    markdown: bool,
}

fn flags(command: Command) -> Command {
    Services::augment_args(command)
}

/// Lists the catalogue.
fn services(call: &Invocation<'_>) -> Result<u8> {
    let (ui, Services { markdown }) = (call.ui, call.read()?);
    let value: Vec<_> = SERVICES
        .iter()
        .map(|s| {
            json!({
                "name": s.name, "aliases": s.aliases, "title": s.title, "resourceType": s.arm_type,
                "authTypes": s.auth_words().split(", ").collect::<Vec<_>>(), "clientTypes": s.clients.iter().map(|c| c.word()).collect::<Vec<_>>(),
                "defaultAccess": s.default_access, "grants": granted(s), "variables": variables(s),
                "privateLink": s.private_link.map(|links| links.iter().map(|l| l.group).collect::<Vec<_>>()).unwrap_or_default(),
                "docs": s.docs,
            })
        })
        .collect();
    let names: Vec<String> = SERVICES.iter().map(|s| s.name.to_owned()).collect();
    let text = || match (markdown, ui.format) {
        (true, _) => self::markdown(),
        (false, Format::Wide) => wide(ui.no_headers),
        (false, _) => {
            let mut table = Table::new(&HEADS);
            SERVICES.iter().for_each(|s| table.row(cells(s)));
            table.render(ui.no_headers)
        }
    };
    ui.result(&json!({"services": value}), text, &names);
    Ok(0)
}

const HEADS: [&str; 5] = ["NAME", "ALIASES", "CONNECTS TO", "AUTH", "DEFAULT ACCESS"];

fn cells(s: &Service) -> Vec<String> {
    vec![s.name.into(), s.aliases.join(", "), s.title.into(), s.auth_words(), s.default_access.to_string()]
}

fn wide(no_headers: bool) -> String {
    let mut table = Table::new(&[&HEADS[..], &["CLIENT TYPES", "GRANT", "NETWORK", "VARIABLES"]].concat());
    for s in SERVICES {
        let clients = s.clients.iter().map(|c| c.word()).collect::<Vec<_>>().join(", ");
        let mut row = cells(s);
        row.extend([clients, granted(s), network(s), variables(s).join(", ")]);
        table.row(row);
    }
    table.render(no_headers)
}

/// The table of the documentation.
fn markdown() -> String {
    let mut text =
        String::from("| service | connects to | ways of authentication | grant by default | private link |\n|---|---|---|---|---|\n");
    for s in SERVICES {
        let words = std::iter::once(s.name).chain(s.aliases.iter().copied()).map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
        text.push_str(&format!("| {words} | [{}]({}) | {} | {} | {} |\n", s.title, s.docs, s.auth_words(), granted(s), network(s)));
    }
    text
}

/// The table of the README, with one short line per service.
#[cfg(test)]
fn short_table() -> String {
    use crate::model::Auth;
    let mut text = String::from(
        "| word | connects to | identity | keys | principal | granted by default | how `verify` proves it |\n|---|---|---|---|---|---|---|\n",
    );
    for s in SERVICES {
        let target = explain::imagined(s, None);
        let can = |auth: Auth| if s.auths.contains(&auth) { "✓" } else { "" };
        let grants = (s.grants)(&target, s.default_access);
        let granted = if grants.is_empty() { "–".to_owned() } else { explain::names(&grants).join(", ") };
        let proof = match (s.probe)(&target, &crate::model::Cloud::public()) {
            _ if !s.auths.contains(&Auth::WorkloadIdentity) => "value in the Secret".to_owned(),
            Ok(probe) if probe.decisive => probe.what.to_owned(),
            Ok(probe) => format!("{}, and the grant", probe.what),
            Err(_) if grants.is_empty() && !s.takes_any() => "token only".to_owned(),
            Err(_) => "the grant".to_owned(),
        };
        let (identity, keys, principal) = (can(Auth::WorkloadIdentity), can(Auth::Secret), can(Auth::ServicePrincipal));
        text.push_str(&format!("| `{}` | {} | {identity} | {keys} | {principal} | {granted} | {proof} |\n", s.name, s.title));
    }
    text
}

fn granted(service: &Service) -> String {
    let grants = (service.grants)(&explain::imagined(service, None), service.default_access);
    if grants.is_empty() { format!("none: {}", service.ungranted) } else { explain::names(&grants).join(" + ") }
}

fn network(service: &Service) -> String {
    match service.private_link {
        Ok(links) => links.iter().map(|l| l.group).collect::<Vec<_>>().join(", "),
        Err(why) => format!("none: {why}"),
    }
}

/// Variable names for the default way of authentication and no particular client.
fn variables(service: &Service) -> Vec<String> {
    let client = crate::model::variable::Client::None;
    explain::rows(service, None, service.default_auth(), client).into_iter().map(|row| row.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_the_services_of_the_catalogue() {
        snapshot::section("README.md", "services", &short_table());
    }

    #[test]
    fn the_table_in_the_documentation_is_current() {
        snapshot::section("docs/services.md", "services", &markdown());
    }
}
