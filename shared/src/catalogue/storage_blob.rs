//! Blob Storage. Management roles (Contributor, Owner) give no access to blobs; only the data roles below do.

use super::storage::{self, endpoint};
use super::{Access, Ask, Auth, Client, Cloud, Grant, PrivateLink, Probe, Row, SDKS, Scope, Service, Target, role, rows, spring_signed};

pub(super) static SERVICE: Service = Service {
    name: "storage-blob",
    aliases: &["blob", "storage"],
    title: "Blob Storage",
    clients: SDKS,
    scopes: &[Scope { word: "container", path: "blobServices/default/containers" }],
    prefixes: &["AZURE_STORAGEBLOB"],
    private_link: Ok(&[PrivateLink { group: "blob", zones: &["privatelink.blob.core.windows.net"] }]),
    docs: "https://learn.microsoft.com/azure/storage/blobs/assign-azure-role-data-access",
    grants,
    rows: variables,
    probe,
    ..storage::ACCOUNT
};

fn grants(_: &Target, access: Access) -> Vec<Grant> {
    vec![match access {
        Access::Read => role("Storage Blob Data Reader", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"),
        Access::ReadWrite => role("Storage Blob Data Contributor", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
        Access::Admin => role("Storage Blob Data Owner", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"),
    }]
}

fn variables(ask: &Ask<'_>) -> Vec<Row> {
    const SPRING: &str = "spring.cloud.azure.storage.blob";
    match (ask.client, ask.auth) {
        (Client::SpringBoot, Auth::Secret) => rows(&[
            ("azure.storage.account-name", "<account>"),
            ("azure.storage.account-key", "<account-key>"),
            ("azure.storage.blob-endpoint", "<blob-endpoint>"),
            ("spring.cloud.azure.storage.blob.account-name", "<account>"),
            ("spring.cloud.azure.storage.blob.account-key", "<account-key>"),
            ("spring.cloud.azure.storage.blob.endpoint", "<blob-endpoint>"),
        ]),
        (Client::SpringBoot, auth) => {
            let plain = rows(&[
                ("spring.cloud.azure.storage.blob.account-name", "<account>"),
                ("spring.cloud.azure.storage.blob.endpoint", "<blob-endpoint>"),
            ]);
            spring_signed(auth, SPRING, plain)
        }
        _ => storage::plain_rows(ask, "AZURE_STORAGEBLOB"),
    }
}

fn probe(account: &Target, cloud: &Cloud) -> Result<Probe, &'static str> {
    Ok(Probe {
        scope: storage::SCOPE.into(),
        what: "list containers",
        url: format!("{}?comp=list&maxresults=1", endpoint(account, cloud, "blob")),
        headers: &[("x-ms-version", "2023-11-03")],
        decisive: true,
        cosmos: false,
    })
}
