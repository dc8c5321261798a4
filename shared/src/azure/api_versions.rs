//! api-versions of the types that this tool writes or searches. Those of targets are in the catalogue.

/// `Microsoft.ContainerService/managedClusters`: always the newest stable version. Older versions hide fields, which
/// a PUT would then remove.
pub const MANAGED_CLUSTERS: &str = "2026-05-01";
/// `Microsoft.ManagedIdentity/userAssignedIdentities` and its federated credentials.
pub const MANAGED_IDENTITY: &str = "2024-11-30";
/// `Microsoft.Authorization/roleAssignments`, `roleDefinitions` and `permissions`.
pub const AUTHORIZATION: &str = "2022-04-01";
/// `Microsoft.KeyVault/vaults`.
pub const KEY_VAULT: &str = "2025-05-01";
/// `Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments`.
pub const COSMOS: &str = "2025-04-15";
/// `Microsoft.Cache/redis/accessPolicyAssignments`.
pub const REDIS: &str = "2024-11-01";
/// `Microsoft.Network/privateEndpoints`, `Microsoft.Network/networkInterfaces`.
pub const NETWORK: &str = "2024-10-01";
