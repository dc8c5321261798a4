//! Queues, tables and file shares of a storage account. Blobs have a separate file.

use super::{
    Access, Ask, Auth, Client, Cloud, DEFAULTS, Grant, OwnKey, PrivateLink, Probe, Refusal, Row, Scope, Service, Target, keys_are_off,
    role, row, rows, signed,
};

/// Token scope, the same in every cloud (product documentation, authorize with Microsoft Entra ID).
pub(super) const SCOPE: &str = "https://storage.azure.com/.default";
const CLIENTS: &[Client] =
    &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::SpringBoot, Client::Nodejs, Client::Python];

/// Common base of the four services of a storage account.
pub(super) const ACCOUNT: Service = Service {
    noun: "storage account",
    arm_type: "Microsoft.Storage/storageAccounts",
    api_version: "2025-01-01",
    auths: &[Auth::WorkloadIdentity, Auth::Secret, Auth::ServicePrincipal],
    keys,
    default_access: Access::ReadWrite,
    refusal,
    texts,
    ..DEFAULTS
};

/// Queues.
pub(super) static QUEUE: Service = Service {
    name: "storage-queue",
    aliases: &["queue"],
    title: "Queue Storage",
    clients: CLIENTS,
    scopes: &[Scope { word: "queue", path: "queueServices/default/queues" }],
    prefixes: &["AZURE_STORAGEQUEUE"],
    private_link: Ok(&[PrivateLink { group: "queue", zones: &["privatelink.queue.core.windows.net"] }]),
    docs: "https://learn.microsoft.com/azure/storage/queues/assign-azure-role-data-access",
    grants: |_, access| {
        vec![match access {
            Access::Read => role("Storage Queue Data Reader", "19e7f393-937e-4f77-808e-94535e297925"),
            Access::ReadWrite | Access::Admin => role("Storage Queue Data Contributor", "974c5e8b-45b9-4653-ba55-5f855dd0fb88"),
        }]
    },
    rows: queue_rows,
    probe: |account, cloud| {
        let url = format!("{}?comp=list&maxresults=1", endpoint(account, cloud, "queue"));
        Ok(Probe {
            scope: SCOPE.into(),
            what: "list queues",
            url,
            headers: &[("x-ms-version", "2023-11-03")],
            decisive: true,
            cosmos: false,
        })
    },
    ..ACCOUNT
};

/// Tables.
pub(super) static TABLE: Service = Service {
    name: "storage-table",
    aliases: &["table"],
    title: "Table Storage",
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::Nodejs, Client::Python],
    scopes: &[Scope { word: "table", path: "tableServices/default/tables" }],
    prefixes: &["AZURE_STORAGETABLE"],
    private_link: Ok(&[PrivateLink { group: "table", zones: &["privatelink.table.core.windows.net"] }]),
    docs: "https://learn.microsoft.com/azure/storage/tables/assign-azure-role-data-access",
    grants: |_, access| {
        vec![match access {
            Access::Read => role("Storage Table Data Reader", "76199698-9eea-4c19-bc75-cec21354c6b6"),
            Access::ReadWrite | Access::Admin => role("Storage Table Data Contributor", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"),
        }]
    },
    rows: |ask| plain_rows(ask, "AZURE_STORAGETABLE"),
    probe: |account, cloud| {
        let url = format!("{}Tables?$top=1", endpoint(account, cloud, "table"));
        let headers = &[("x-ms-version", "2023-11-03"), ("accept", "application/json;odata=nometadata")];
        Ok(Probe { scope: SCOPE.into(), what: "list tables", url, headers, decisive: true, cosmos: false })
    },
    ..ACCOUNT
};

/// File shares: keys only, as in Service Connector. Entra roles exist for SMB mounts and for privileged REST backups,
/// but the client libraries used by workloads authenticate with the key.
pub(super) static FILE: Service = Service {
    name: "storage-file",
    aliases: &["file", "files"],
    title: "Azure Files",
    auths: &[Auth::Secret],
    clients: &[
        Client::None,
        Client::Dotnet,
        Client::DotnetInternal,
        Client::Java,
        Client::SpringBoot,
        Client::Nodejs,
        Client::Python,
        Client::Php,
        Client::Ruby,
    ],
    prefixes: &["AZURE_STORAGEFILE"],
    private_link: Ok(&[PrivateLink { group: "file", zones: &["privatelink.file.core.windows.net"] }]),
    docs: "https://learn.microsoft.com/azure/service-connector/how-to-integrate-storage-file",
    grants: |_, _| Vec::<Grant>::new(),
    ungranted: "the account's key gives access to every share",
    rows: file_rows,
    probe: |_, _| Err("file shares use the account's key"),
    ..ACCOUNT
};

pub(super) fn keys(_: Access) -> &'static [OwnKey] {
    const KEYS: &[OwnKey] = &[OwnKey { word: "account-key", under: "", operation: "listKeys", field: "/keys/0/value" }];
    KEYS
}

pub(super) fn refusal(account: &Target, auth: Auth) -> Option<Refusal> {
    let off = account.flag("/allowSharedKeyAccess") == Some(false);
    let fix = format!("az storage account update --name {} --allow-shared-key-access true", account.name());
    keys_are_off(account, auth, off, fix)
}

/// The endpoint that the account reports. Accounts with partitioned DNS have a zone in the host name, so it can't be
/// built from the name alone.
pub(super) fn endpoint(account: &Target, cloud: &Cloud, part: &str) -> String {
    match account.text(&format!("/primaryEndpoints/{part}")) {
        Some(uri) => format!("{}/", uri.trim_end_matches('/')),
        None => format!("https://{}.{part}.{}/", account.name(), cloud.storage_suffix),
    }
}

pub(super) fn texts(account: &Target, cloud: &Cloud) -> Vec<(&'static str, String)> {
    vec![
        ("account", account.name().to_owned()),
        ("suffix", cloud.storage_suffix.clone()),
        ("blob-endpoint", endpoint(account, cloud, "blob")),
        ("queue-endpoint", endpoint(account, cloud, "queue")),
        ("table-endpoint", endpoint(account, cloud, "table")),
        ("file-endpoint", endpoint(account, cloud, "file")),
    ]
}

/// The documented format, the same for every service of an account.
pub(super) const CONNECTION_STRING: &str =
    "DefaultEndpointsProtocol=https;AccountName=<account>;AccountKey=<account-key>;EndpointSuffix=<suffix>";

pub(super) fn plain_rows(ask: &Ask<'_>, prefix: &str) -> Vec<Row> {
    let part = prefix.trim_start_matches("AZURE_STORAGE").to_ascii_lowercase();
    match ask.auth {
        Auth::Secret => vec![row(format!("{prefix}_CONNECTIONSTRING"), CONNECTION_STRING)],
        auth => signed(auth, prefix, vec![row(format!("{prefix}_RESOURCEENDPOINT"), format!("<{part}-endpoint>"))]),
    }
}

/// Spring has separate properties only for keys. With an identity it reads the same variables as other clients.
fn queue_rows(ask: &Ask<'_>) -> Vec<Row> {
    if ask.client == Client::SpringBoot && ask.auth == Auth::Secret {
        return rows(&[("spring.cloud.azure.storage.account", "<account>"), ("spring.cloud.azure.storage.access-key", "<account-key>")]);
    }
    plain_rows(ask, "AZURE_STORAGEQUEUE")
}

fn file_rows(ask: &Ask<'_>) -> Vec<Row> {
    if ask.client == Client::SpringBoot {
        return rows(&[
            ("azure.storage.account-name", "<account>"),
            ("azure.storage.account-key", "<account-key>"),
            ("azure.storage.file-endpoint", "<file-endpoint>"),
        ]);
    }
    plain_rows(ask, "AZURE_STORAGEFILE")
}
