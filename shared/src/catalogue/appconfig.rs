//! App Configuration. A store has separate read-only keys; `--access read` hands out one of those.

use super::{
    Access, Ask, Auth, Client, Cloud, DEFAULTS, Grant, OwnKey, PrivateLink, Probe, Refusal, Row, Service, Target, keys_are_off, role, row,
    rows, signed,
};

const PREFIX: &str = "AZURE_APPCONFIGURATION";

pub(super) static SERVICE: Service = Service {
    name: "appconfig",
    aliases: &["app-configuration", "appconfiguration"],
    title: "App Configuration",
    noun: "configuration store",
    arm_type: "Microsoft.AppConfiguration/configurationStores",
    api_version: "2024-06-01",
    auths: &[Auth::WorkloadIdentity, Auth::Secret, Auth::ServicePrincipal],
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::Nodejs, Client::Python],
    keys,
    prefixes: &[PREFIX],
    default_access: Access::Read,
    private_link: Ok(&[PrivateLink { group: "configurationStores", zones: &["privatelink.azconfig.io"] }]),
    docs: "https://learn.microsoft.com/azure/azure-app-configuration/concept-enable-rbac",
    grants,
    refusal,
    rows: variables,
    texts,
    probe,
    ..DEFAULTS
};

fn grants(_: &Target, access: Access) -> Vec<Grant> {
    vec![match access {
        Access::Read => role("App Configuration Data Reader", "516239f1-63e1-4d78-a4de-a74fb236a071"),
        Access::ReadWrite | Access::Admin => role("App Configuration Data Owner", "5ae67dd6-50cb-40e7-96ff-dc2bfa4b606b"),
    }]
}

/// `listKeys` returns a list of named keys (official API description). Clients need the whole connection string.
fn keys(access: Access) -> &'static [OwnKey] {
    const READ: &[OwnKey] =
        &[OwnKey { word: "connection-string", under: "", operation: "listKeys", field: "/value/name=Primary Read Only/connectionString" }];
    const WRITE: &[OwnKey] =
        &[OwnKey { word: "connection-string", under: "", operation: "listKeys", field: "/value/name=Primary/connectionString" }];
    if access == Access::Read { READ } else { WRITE }
}

fn refusal(store: &Target, auth: Auth) -> Option<Refusal> {
    let off = store.flag("/disableLocalAuth") == Some(true);
    keys_are_off(store, auth, off, format!("az appconfig update --name {} --disable-local-auth false", store.name()))
}

fn endpoint(store: &Target) -> String {
    let given = store.text("/endpoint").map(|e| e.trim_end_matches('/').to_owned());
    given.unwrap_or_else(|| format!("https://{}.azconfig.io", store.name()))
}

fn texts(store: &Target, _: &Cloud) -> Vec<(&'static str, String)> {
    vec![("endpoint", endpoint(store))]
}

fn variables(ask: &Ask<'_>) -> Vec<Row> {
    match ask.auth {
        Auth::Secret => vec![row(format!("{PREFIX}_CONNECTIONSTRING"), "<connection-string>")],
        auth => signed(auth, PREFIX, rows(&[("AZURE_APPCONFIGURATION_ENDPOINT", "<endpoint>")])),
    }
}

/// Lists the names of settings only; no value is read.
fn probe(store: &Target, _: &Cloud) -> Result<Probe, &'static str> {
    Ok(Probe {
        scope: "https://azconfig.io/.default".into(),
        what: "list the names of settings",
        url: format!("{}/keys?api-version=2023-11-01", endpoint(store)),
        headers: &[],
        decisive: true,
        cosmos: false,
    })
}
