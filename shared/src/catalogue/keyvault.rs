//! Key Vault. A vault uses one of two permission models. Azure accepts grants of the other model, but they have no
//! effect; so the vault's `enableRbacAuthorization` decides which kind of grant is made.

use crate::model::vault::{ObjectKind, VaultObject};

use super::{Access, Ask, Auth, Client, Cloud, DEFAULTS, Grant, PrivateLink, Probe, Row, Scope, Service, Target, role, rows, signed};

pub(super) static SERVICE: Service = Service {
    name: "keyvault",
    aliases: &["key-vault", "kv", "vault"],
    title: "Key Vault",
    noun: "vault",
    arm_type: "Microsoft.KeyVault/vaults",
    api_version: "2025-05-01",
    auths: &[Auth::WorkloadIdentity, Auth::ServicePrincipal, Auth::Csi],
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::SpringBoot, Client::Nodejs, Client::Python],
    scopes: &[Scope { word: "secret", path: "secrets" }],
    prefixes: &["AZURE_KEYVAULT"],
    default_access: Access::Read,
    private_link: Ok(&[PrivateLink { group: "vault", zones: &["privatelink.vaultcore.azure.net"] }]),
    docs: "https://learn.microsoft.com/azure/key-vault/general/rbac-guide",
    grants,
    rows: variables,
    texts: |vault, cloud| vec![("name", vault.name().to_owned()), ("endpoint", endpoint(vault, cloud)), ("scope", scope(cloud))],
    probe,
    ..DEFAULTS
};

/// Whether the vault uses roles. If the property is absent, the vault uses access policies.
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
    vec![Grant::VaultPolicy { secrets: secrets.iter().map(|s| (*s).to_owned()).collect(), keys: vec![], certificates: vec![] }]
}

/// Grants for mounting objects of these kinds with the CSI driver (AKS documentation of the driver's identity
/// access). The driver reads the public part of a key, and a certificate without its private key. The private key is
/// available as the secret of the certificate's name.
pub fn mounting(vault: &Target, kinds: &[ObjectKind]) -> Vec<Grant> {
    let all = [ObjectKind::Secret, ObjectKind::Key, ObjectKind::Cert];
    let wanted = all.into_iter().filter(|kind| kinds.contains(kind));
    if uses_roles(vault) {
        let granted = |kind| match kind {
            ObjectKind::Secret => role("Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6"),
            ObjectKind::Key => role("Key Vault Crypto User", "12338af0-0e69-4776-bea7-57ae8d297424"),
            ObjectKind::Cert => role("Key Vault Certificate User", "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba"),
        };
        return wanted.map(granted).collect();
    }
    let get = |kind| if kinds.contains(&kind) { vec!["get".to_owned()] } else { vec![] };
    vec![Grant::VaultPolicy { secrets: get(ObjectKind::Secret), keys: get(ObjectKind::Key), certificates: get(ObjectKind::Cert) }]
}

/// A vault's URL as the driver builds it, without a trailing slash.
pub fn address(vault: &str, cloud: &Cloud) -> String {
    format!("https://{}.{}", vault.to_ascii_lowercase(), cloud.keyvault_suffix)
}

/// A data-plane read which proves that one object can be mounted: the same read that the driver makes. The response
/// body is ignored.
pub fn reading(vault: &str, cloud: &Cloud, object: &VaultObject) -> Probe {
    let version = object.version.as_deref().unwrap_or_default();
    Probe {
        scope: scope(cloud),
        what: "read an object",
        url: format!("{}/{}/{}/{version}?api-version=7.6", address(vault, cloud), object.kind.collection(), object.name),
        headers: &[],
        decisive: true,
        cosmos: false,
    }
}

/// The provider's name of a cloud; `None` for the public cloud, which is the provider's default.
pub fn provider_cloud(cloud: &Cloud) -> Option<&'static str> {
    match cloud.name.as_str() {
        "AzureUSGovernment" => Some("AzureUSGovernmentCloud"),
        "AzureChinaCloud" => Some("AzureChinaCloud"),
        _ => None,
    }
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

/// The documentation gives ARM's scope for `…_SCOPE`. The live service writes the vault's scope, the only one that
/// works.
fn variables(ask: &Ask<'_>) -> Vec<Row> {
    let principal = ask.auth == Auth::ServicePrincipal;
    if ask.auth == Auth::Csi {
        return rows(&[
            ("AZURE_KEYVAULT_NAME", "<name>"),
            ("AZURE_KEYVAULT_TENANTID", "<tenant-id>"),
            ("AZURE_KEYVAULT_CLIENTID", "<client-id>"),
        ]);
    }
    if ask.client != Client::SpringBoot {
        let plain = rows(&[("AZURE_KEYVAULT_RESOURCEENDPOINT", "<endpoint>"), ("AZURE_KEYVAULT_SCOPE", "<scope>")]);
        return signed(ask.auth, "AZURE_KEYVAULT", plain);
    }
    let mut all = rows(&[
        ("azure.keyvault.uri", "<endpoint>"),
        ("azure.keyvault.client-id", "<client-id>"),
        ("azure.keyvault.scope", "<scope>"),
        ("spring.cloud.azure.keyvault.secret.endpoint", "<endpoint>"),
        ("spring.cloud.azure.keyvault.secret.credential.client-id", "<client-id>"),
    ]);
    all.extend(if principal {
        rows(&[
            ("azure.keyvault.client-key", "<client-secret>"),
            ("azure.keyvault.tenant-id", "<tenant-id>"),
            ("spring.cloud.azure.keyvault.secret.credential.client-secret", "<client-secret>"),
            ("spring.cloud.azure.keyvault.secret.profile.tenant-id", "<tenant-id>"),
        ])
    } else {
        rows(&[("spring.cloud.azure.keyvault.secret.credential.managed-identity-enabled", "true")])
    });
    all
}

/// Lists the names of secrets only; no secret value is read.
fn probe(vault: &Target, cloud: &Cloud) -> Result<Probe, &'static str> {
    Ok(Probe {
        scope: scope(cloud),
        what: "list the names of secrets",
        url: format!("{}secrets?maxresults=1&api-version=7.6", endpoint(vault, cloud)),
        headers: &[],
        decisive: true,
        cosmos: false,
    })
}
