//! Key Vault. A vault knows one of two permission models; the wrong kind of grant is accepted by Azure and has no
//! effect, so the vault's own `enableRbacAuthorization` decides which we make.

use crate::model::vault::{ObjectKind, VaultObject};

use super::{Access, Ask, Auth, Client, Cloud, Grant, PLAIN, PrivateLink, Probe, Row, Scope, Service, Target, role, rows, signed};

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
    ..PLAIN
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
    vec![Grant::VaultPolicy { secrets: secrets.iter().map(|s| (*s).to_owned()).collect(), keys: vec![], certificates: vec![] }]
}

/// What the CSI driver needs to mount objects of these kinds (AKS documentation of the driver's identity access; facts about
/// its provider): it reads a key's public part and a certificate without its private key. The private key comes with the
/// secret of the certificate's name, as a secret.
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

/// A vault's address as the driver makes it up, without a slash at its end.
pub fn address(vault: &str, cloud: &Cloud) -> String {
    format!("https://{}.{}", vault.to_ascii_lowercase(), cloud.keyvault_suffix)
}

/// A read on the data plane that proves that one object can be mounted: exactly the driver's own. Its answer is not looked
/// into.
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

/// The provider's name of a cloud; `None` for the public one, which is its default.
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

/// The documentation prints ARM's scope for `…_SCOPE`; the live service writes the vault's, the only one that works.
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

/// Lists names only: no secret value is ever read.
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
