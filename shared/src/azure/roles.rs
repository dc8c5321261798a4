//! The built-in role that includes a missing permission: one table for all messages that suggest a role.

/// The narrowest well-known built-in role that includes an action (names as in Azure's list of built-in roles).
pub fn role_for(action: &str) -> &'static str {
    let action = action.to_ascii_lowercase();
    let provider = action.split('/').next().unwrap_or_default();
    match provider {
        "microsoft.authorization" if action.contains("roleassignments") && !action.ends_with("/read") => {
            "Role Based Access Control Administrator"
        }
        _ if action.ends_with("/read") => "Reader",
        "microsoft.authorization" => "Owner",
        "microsoft.managedidentity" if action.contains("/assign/") => "Managed Identity Operator",
        "microsoft.managedidentity" => "Managed Identity Contributor",
        "microsoft.containerservice" => "Azure Kubernetes Service Contributor Role",
        "microsoft.network" if action.contains("privatednszones") => "Private DNS Zone Contributor",
        "microsoft.network" => "Network Contributor",
        "microsoft.keyvault" => "Key Vault Contributor",
        "microsoft.documentdb" => "DocumentDB Account Contributor",
        "microsoft.cache" => "Redis Cache Contributor",
        _ => "Contributor",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_names_the_narrowest_role() {
        assert_eq!(role_for("Microsoft.Authorization/roleAssignments/write"), "Role Based Access Control Administrator");
        assert_eq!(role_for("Microsoft.Authorization/policyDefinitions/write"), "Owner");
        assert_eq!(role_for("Microsoft.Authorization/roleAssignments/read"), "Reader");
        assert_eq!(role_for("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"), "Managed Identity Operator");
        assert_eq!(role_for("Microsoft.ManagedIdentity/userAssignedIdentities/write"), "Managed Identity Contributor");
        assert_eq!(role_for("Microsoft.Network/privateDnsZones/write"), "Private DNS Zone Contributor");
        assert_eq!(role_for("Microsoft.Network/privateEndpoints/write"), "Network Contributor");
        assert_eq!(role_for("Microsoft.DocumentDB/databaseAccounts/listKeys/action"), "DocumentDB Account Contributor");
        assert_eq!(role_for("Microsoft.Cache/redis/listKeys/action"), "Redis Cache Contributor");
        assert_eq!(role_for("Microsoft.Storage/storageAccounts/listKeys/action"), "Contributor");
    }
}
