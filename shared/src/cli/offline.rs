//! Commands that need neither cluster nor Azure: they answer in milliseconds.

use serde_json::json;

use super::Frontend;
use crate::catalogue::SERVICES;
use crate::ui::{Table, Ui};

/// Lists the catalogue.
pub(super) fn services(ui: &Ui) -> u8 {
    let value: Vec<_> = SERVICES
        .iter()
        .map(|s| {
            json!({
                "name": s.name, "aliases": s.aliases, "title": s.title, "resourceType": s.arm_type,
                "clientTypes": s.clients.iter().map(|c| c.word()).collect::<Vec<_>>(),
                "defaultAccess": s.default_access, "docs": s.docs,
            })
        })
        .collect();
    let names: Vec<String> = SERVICES.iter().map(|s| s.name.to_owned()).collect();
    let text = || {
        let mut table = Table::new(&["NAME", "ALIASES", "CONNECTS TO", "DEFAULT ACCESS"]);
        for s in SERVICES {
            table.row(vec![s.name.into(), s.aliases.join(","), s.title.into(), s.default_access.to_string()]);
        }
        table.render(ui.no_headers)
    };
    ui.result(&json!({"services": value}), text, &names);
    0
}

/// Shows the version.
pub(super) fn version(ui: &Ui, frontend: Frontend) -> u8 {
    let version = env!("CARGO_PKG_VERSION");
    let value = json!({"version": version, "os": std::env::consts::OS, "arch": std::env::consts::ARCH});
    let text = || format!("{} {version} ({}/{})", frontend.words(), std::env::consts::OS, std::env::consts::ARCH);
    ui.result(&value, text, &[version.to_owned()]);
    0
}
