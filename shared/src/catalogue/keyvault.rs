//! Key Vault. A vault knows one of two permission models; the wrong kind of grant is accepted by Azure and has no
//! effect, so the vault's own `enableRbacAuthorization` decides which we make.

use super::{Access, Client, Cloud, Grant, PrivateLink, Probe, Service, Target, Variable, role};

pub(super) static SERVICE: Service = Service {
    name: "keyvault",
    aliases: &["key-vault", "kv", "vault"],
    title: "Key Vault",
    noun: "vault",
    arm_type: "Microsoft.KeyVault/vaults",
    api_version: "2025-05-01",
    kinds: &[],
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::SpringBoot, Client::Nodejs, Client::Python],
    default_access: Access::Read,
    private_link: &[PrivateLink { group: "vault", zones: &["privatelink.vaultcore.azure.net"] }],
    docs: "https://learn.microsoft.com/azure/key-vault/general/rbac-guide",
    grants,
    refusal: |_| None,
    variables,
    probe,
};

/// Whether the vault decides by roles; absent means access policies.
fn uses_roles(vault: &Target) -> bool {
    vault.flag("/enableRbacAuthorization").unwrap_or(false)
}

fn grants(vault: &Target, access: Access) -> Vec<Grant> {
    if uses_roles(vault) {
        return vec![match access {
            Access::Read => role("Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6"),
            Access::ReadWrite => role("Key Vault Secrets Officer", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"),
            Access::Admin => role("Key Vault Administrator", "00482a5a-887f-4fb3-b363-3b7fe8e74483"),
        }];
    }
    let secrets: &[&str] = match access {
        Access::Read => &["get", "list"],
        Access::ReadWrite => &["get", "list", "set", "delete"],
        Access::Admin => &["get", "list", "set", "delete", "recover", "backup", "restore", "purge"],
    };
    vec![Grant::VaultPolicy { secrets: secrets.iter().map(|s| (*s).to_owned()).collect() }]
}

fn endpoint(vault: &Target, cloud: &Cloud) -> String {
    match vault.text("/vaultUri") {
        Some(uri) => format!("{}/", uri.trim_end_matches('/')),
        None => format!("https://{}.{}/", vault.name(), cloud.keyvault_suffix),
    }
}

fn scope(cloud: &Cloud) -> String {
    format!("https://{}/.default", cloud.keyvault_suffix)
}

/// The documentation prints ARM's scope for `…_SCOPE`; the live service writes the vault's, the only one that works.
fn variables(vault: &Target, cloud: &Cloud, client: Client) -> Vec<Variable> {
    let (endpoint, scope) = (endpoint(vault, cloud), scope(cloud));
    if client == Client::SpringBoot {
        const MODERN: &str = "spring.cloud.azure.keyvault.secret";
        return vec![
            Variable::text("azure.keyvault.uri", &endpoint),
            Variable::client_id("azure.keyvault.client-id"),
            Variable::text("azure.keyvault.scope", scope),
            Variable::text(format!("{MODERN}.credential.managed-identity-enabled"), "true"),
            Variable::text(format!("{MODERN}.endpoint"), endpoint),
            Variable::client_id(format!("{MODERN}.credential.client-id")),
        ];
    }
    vec![
        Variable::text("AZURE_KEYVAULT_RESOURCEENDPOINT", endpoint),
        Variable::text("AZURE_KEYVAULT_SCOPE", scope),
        Variable::client_id("AZURE_KEYVAULT_CLIENTID"),
    ]
}

/// Lists names only: no secret value is ever read.
fn probe(vault: &Target, cloud: &Cloud) -> Probe {
    Probe {
        scope: scope(cloud),
        what: "list the names of secrets",
        url: format!("{}secrets?maxresults=1&api-version=7.6", endpoint(vault, cloud)),
        headers: &[],
    }
}
