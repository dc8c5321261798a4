//! Blob Storage. Management roles (Contributor, Owner) open no blob: only the data roles below do.

use super::{Access, Client, Cloud, Grant, PrivateLink, Probe, Service, Target, Variable, role};

pub(super) static SERVICE: Service = Service {
    name: "storage-blob",
    aliases: &["blob", "storage"],
    title: "Blob Storage",
    noun: "storage account",
    arm_type: "Microsoft.Storage/storageAccounts",
    api_version: "2025-01-01",
    kinds: &[],
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::SpringBoot, Client::Nodejs, Client::Python],
    default_access: Access::ReadWrite,
    private_link: &[PrivateLink { group: "blob", zones: &["privatelink.blob.core.windows.net"] }],
    docs: "https://learn.microsoft.com/azure/storage/blobs/assign-azure-role-data-access",
    grants,
    refusal: |_| None,
    variables,
    probe,
};

fn grants(_: &Target, access: Access) -> Vec<Grant> {
    vec![match access {
        Access::Read => role("Storage Blob Data Reader", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"),
        Access::ReadWrite => role("Storage Blob Data Contributor", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
        Access::Admin => role("Storage Blob Data Owner", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"),
    }]
}

/// The account says itself where its blobs are: partitioned-DNS accounts have a zone in the name.
fn endpoint(account: &Target, cloud: &Cloud) -> String {
    match account.text("/primaryEndpoints/blob") {
        Some(uri) => format!("{}/", uri.trim_end_matches('/')),
        None => format!("https://{}.blob.{}/", account.name(), cloud.storage_suffix),
    }
}

fn variables(account: &Target, cloud: &Cloud, client: Client) -> Vec<Variable> {
    let endpoint = endpoint(account, cloud);
    if client == Client::SpringBoot {
        const MODERN: &str = "spring.cloud.azure.storage.blob";
        return vec![
            Variable::text(format!("{MODERN}.credential.managed-identity-enabled"), "true"),
            Variable::client_id(format!("{MODERN}.credential.client-id")),
            Variable::text(format!("{MODERN}.account-name"), account.name()),
            Variable::text(format!("{MODERN}.endpoint"), endpoint),
        ];
    }
    vec![Variable::text("AZURE_STORAGEBLOB_RESOURCEENDPOINT", endpoint), Variable::client_id("AZURE_STORAGEBLOB_CLIENTID")]
}

/// The storage scope is one and the same in every cloud.
fn probe(account: &Target, cloud: &Cloud) -> Probe {
    Probe {
        scope: "https://storage.azure.com/.default".into(),
        what: "list containers",
        url: format!("{}?comp=list&maxresults=1", endpoint(account, cloud)),
        headers: &[("x-ms-version", "2023-11-03")],
    }
}
