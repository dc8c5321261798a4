//! Commands that need neither cluster nor Azure: they answer in milliseconds.

use serde_json::json;

use super::{Frontend, explain};
use crate::catalogue::{SERVICES, Service};
use crate::ui::{Format, Table, Ui};

/// Lists the catalogue.
pub(super) fn services(ui: &Ui, markdown: bool) -> u8 {
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
    0
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
pub(super) fn markdown() -> String {
    let mut text =
        String::from("| service | connects to | ways of authentication | grant by default | private link |\n|---|---|---|---|---|\n");
    for s in SERVICES {
        let words = std::iter::once(s.name).chain(s.aliases.iter().copied()).map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
        text.push_str(&format!("| {words} | [{}]({}) | {} | {} | {} |\n", s.title, s.docs, s.auth_words(), granted(s), network(s)));
    }
    text
}

/// The table of the README: one short line each.
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
            _ if !s.auths.contains(&Auth::WorkloadIdentity) => "the Secret holds it".to_owned(),
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

/// Names for the default way of authentication, for no client in particular.
fn variables(service: &Service) -> Vec<String> {
    let client = crate::model::variable::Client::None;
    explain::rows(service, None, service.default_auth(), client).into_iter().map(|row| row.name).collect()
}

/// Shows the version.
pub(super) fn version(ui: &Ui, frontend: Frontend) -> u8 {
    let version = env!("CARGO_PKG_VERSION");
    let value = json!({"version": version, "os": std::env::consts::OS, "arch": std::env::consts::ARCH});
    let text = || format!("{} {version} ({}/{})", frontend.words(), std::env::consts::OS, std::env::consts::ARCH);
    ui.result(&value, text, &[version.to_owned()]);
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_the_services_of_the_catalogue() {
        snapshot::section("README.md", "services", &short_table());
    }

    #[test]
    fn the_documentation_has_the_table_as_the_catalogue_has_it() {
        snapshot::section("docs/services.md", "services", &markdown());
    }
}
