//! Application Insights. Both values are properties of the component. Whoever has them can write telemetry, so they
//! are treated as keys.

use super::{Access, Auth, Client, DEFAULTS, OwnKey, Service, rows};

pub(super) static SERVICE: Service = Service {
    name: "app-insights",
    aliases: &["appinsights", "application-insights", "insights"],
    title: "Application Insights",
    noun: "component",
    arm_type: "Microsoft.Insights/components",
    api_version: "2020-02-02",
    auths: &[Auth::Secret],
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::Nodejs, Client::Python, Client::Go],
    keys,
    prefixes: &["APPINSIGHTS", "APPLICATIONINSIGHTS"],
    default_access: Access::ReadWrite,
    private_link: Err("uses an Azure Monitor private link scope, which many components share"),
    docs: "https://learn.microsoft.com/azure/azure-monitor/app/connection-strings",
    ungranted: "the connection string itself allows writing telemetry",
    rows: |_| {
        rows(&[
            ("APPINSIGHTS_INSTRUMENTATIONKEY", "<instrumentation-key>"),
            ("APPLICATIONINSIGHTS_CONNECTION_STRING", "<connection-string>"),
        ])
    },
    texts: |_, _| Vec::new(),
    probe: |_, _| Err("telemetry can only be written"),
    ..DEFAULTS
};

fn keys(_: Access) -> &'static [OwnKey] {
    const KEYS: &[OwnKey] = &[
        OwnKey { word: "instrumentation-key", under: "", operation: "", field: "/properties/InstrumentationKey" },
        OwnKey { word: "connection-string", under: "", operation: "", field: "/properties/ConnectionString" },
    ];
    KEYS
}
