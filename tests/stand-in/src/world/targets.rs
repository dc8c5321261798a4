//! Vaults, accounts and identities as a real GET returns them.

use serde_json::{Value, json};

use crate::world::{LOCATION, OTHER_SUBSCRIPTION, SUBSCRIPTION, TENANT};

pub(super) fn all() -> Vec<Value> {
    let mut all = vec![
        vault(SUBSCRIPTION, "rg-data", "my-vault", true),
        vault(SUBSCRIPTION, "rg-data", "policy-vault", false),
        vault(SUBSCRIPTION, "rg-data", "dup-vault", true),
        vault(OTHER_SUBSCRIPTION, "rg-other", "dup-vault", true),
        storage("shopdata"),
        account("shop-openai", "OpenAI", Some("shop-openai")),
        account("shop-ai", "AIServices", Some("shop-ai")),
        account("shop-vision", "CognitiveServices", Some("shop-vision")),
        account("old-openai", "OpenAI", None),
        deployment("shop-openai", "gpt-4o"),
        identity("id-full", 1),
        identity("id-shared", 2),
    ];
    all.extend((1..=20).map(credential));
    all
}

fn id(subscription: &str, group: &str, kind: &str, name: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}")
}

fn system_data() -> Value {
    json!({
        "createdBy": "dev@contoso.example", "createdByType": "User", "createdAt": "2025-03-01T09:00:00.123Z",
        "lastModifiedBy": "dev@contoso.example", "lastModifiedByType": "User", "lastModifiedAt": "2025-03-01T09:00:00.123Z",
    })
}

fn vault(subscription: &str, group: &str, name: &str, roles: bool) -> Value {
    let policies = if roles {
        json!([])
    } else {
        json!([{"tenantId": TENANT, "objectId": "55555555-aaaa-4bbb-8ccc-000000000001", "permissions": {"keys": [], "secrets": ["get", "list", "set"], "certificates": []}}])
    };
    json!({
        "id": id(subscription, group, "Microsoft.KeyVault/vaults", name), "name": name, "type": "Microsoft.KeyVault/vaults", "location": LOCATION, "tags": {},
        "systemData": system_data(),
        "properties": {
            "sku": {"family": "A", "name": "standard"}, "tenantId": TENANT, "accessPolicies": policies,
            "enabledForDeployment": false, "enabledForDiskEncryption": false, "enabledForTemplateDeployment": false,
            "enableSoftDelete": true, "softDeleteRetentionInDays": 90, "enableRbacAuthorization": roles,
            "vaultUri": format!("https://{name}.vault.azure.net/"), "provisioningState": "Succeeded", "publicNetworkAccess": "Enabled",
        },
    })
}

fn storage(name: &str) -> Value {
    let endpoint = |service: &str| format!("https://{name}.{service}.core.windows.net/");
    json!({
        "sku": {"name": "Standard_LRS", "tier": "Standard"}, "kind": "StorageV2",
        "id": id(SUBSCRIPTION, "rg-data", "Microsoft.Storage/storageAccounts", name), "name": name, "type": "Microsoft.Storage/storageAccounts", "location": LOCATION, "tags": {},
        "properties": {
            "keyCreationTime": {"key1": "2025-03-01T09:00:00.0000000Z", "key2": "2025-03-01T09:00:00.0000000Z"},
            "allowCrossTenantReplication": false, "privateEndpointConnections": [], "minimumTlsVersion": "TLS1_2", "allowBlobPublicAccess": false, "allowSharedKeyAccess": true,
            "networkAcls": {"ipv6Rules": [], "bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [], "defaultAction": "Allow"},
            "publicNetworkAccess": "Enabled", "supportsHttpsTrafficOnly": true,
            "encryption": {"services": {"file": {"keyType": "Account", "enabled": true}, "blob": {"keyType": "Account", "enabled": true}}, "keySource": "Microsoft.Storage"},
            "accessTier": "Hot", "provisioningState": "Succeeded", "creationTime": "2025-03-01T09:00:00.0000000Z",
            "primaryEndpoints": {"dfs": endpoint("dfs"), "web": format!("https://{name}.z6.web.core.windows.net/"), "blob": endpoint("blob"), "queue": endpoint("queue"), "table": endpoint("table"), "file": endpoint("file")},
            "primaryLocation": LOCATION, "statusOfPrimary": "available",
        },
    })
}

fn account(name: &str, kind: &str, subdomain: Option<&str>) -> Value {
    let endpoint = match (kind, subdomain) {
        ("OpenAI", Some(own)) => format!("https://{own}.openai.azure.com/"),
        (_, Some(own)) => format!("https://{own}.cognitiveservices.azure.com/"),
        (_, None) => format!("https://{LOCATION}.api.cognitive.microsoft.com/"),
    };
    let mut endpoints = json!({});
    if kind == "OpenAI" || kind == "AIServices" {
        for label in ["OpenAI Language Model Instance API", "OpenAI Dall-E API", "OpenAI Moderations API", "Token"] {
            endpoints[label] = json!(endpoint);
        }
    }
    if kind != "OpenAI" {
        endpoints["Computer Vision"] = json!(endpoint);
        endpoints["FormRecognizer"] = json!(endpoint);
    }
    if let (Some(own), "AIServices") = (subdomain, kind) {
        endpoints["OpenAI Language Model Instance API"] = json!(format!("https://{own}.openai.azure.com/"));
        endpoints["AI Foundry API"] = json!(format!("https://{own}.services.ai.azure.com/"));
    }
    let mut body = json!({
        "id": id(SUBSCRIPTION, "rg-data", "Microsoft.CognitiveServices/accounts", name), "name": name, "type": "Microsoft.CognitiveServices/accounts",
        "etag": "\"7d002bfd-0000-0500-0000-64bf54870000\"", "location": LOCATION, "sku": {"name": "S0"}, "kind": kind, "tags": {}, "systemData": system_data(),
        "properties": {
            "endpoint": endpoint, "provisioningState": "Succeeded", "internalId": "45a97d50965f4062a21797ea8dc2c3fc", "dateCreated": "2025-03-01T09:00:00.0581066Z",
            "callRateLimit": {"rules": []}, "isMigrated": false, "customSubDomainName": subdomain,
            "networkAcls": {"defaultAction": "Allow", "virtualNetworkRules": [], "ipRules": []},
            "privateEndpointConnections": [], "publicNetworkAccess": "Enabled", "disableLocalAuth": false, "capabilities": [], "endpoints": endpoints,
        },
    });
    if subdomain.is_none()
        && let Some(properties) = body["properties"].as_object_mut()
    {
        properties.remove("customSubDomainName");
        properties.remove("networkAcls");
    }
    body
}

fn deployment(account: &str, model: &str) -> Value {
    json!({
        "id": format!("{}/deployments/{model}", id(SUBSCRIPTION, "rg-data", "Microsoft.CognitiveServices/accounts", account)),
        "type": "Microsoft.CognitiveServices/accounts/deployments", "name": model, "sku": {"name": "Standard", "capacity": 10},
        "properties": {
            "model": {"format": "OpenAI", "name": model, "version": "2024-11-20"}, "versionUpgradeOption": "OnceNewDefaultVersionAvailable",
            "capabilities": {"chatCompletion": "true"}, "provisioningState": "Succeeded",
            "rateLimits": [{"key": "request", "renewalPeriod": 10, "count": 10}, {"key": "token", "renewalPeriod": 60, "count": 10000}],
        },
        "systemData": system_data(), "etag": "\"83e9d30c-97da-4c53-a54f-5f049525bc2d\"",
    })
}

fn identity_id(name: &str) -> String {
    // The provider spells the group segment in lower case.
    format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}")
}

fn identity(name: &str, number: u8) -> Value {
    json!({
        "id": identity_id(name), "name": name, "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "location": LOCATION, "tags": {},
        "properties": {
            "isolationScope": "None", "tenantId": TENANT,
            "principalId": format!("66666666-aaaa-4bbb-8ccc-0000000000{number}1"), "clientId": format!("66666666-aaaa-4bbb-8ccc-0000000000{number}2"),
        },
    })
}

fn credential(number: u8) -> Value {
    let name = format!("fic-{number:02}");
    json!({
        "id": format!("{}/federatedIdentityCredentials/{name}", identity_id("id-full")), "name": name,
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "properties": {
            "issuer": "https://token.actions.githubusercontent.com", "subject": format!("repo:contoso/shop-{number:02}:ref:refs/heads/main"), "audiences": ["api://AzureADTokenExchange"],
        },
    })
}
