//! Roles and their permissions: built-in ones, and custom ones of the planted world.
//!
//! Ids of built-in roles are the same in every tenant. The lists contain the roles of the simulated services.

use serde_json::{Value, json};

use crate::azure::Azure;
use crate::azure::errors::{bad_request, error, gateway, not_allowed};
use crate::azure::path::Path;
use crate::entra::Caller;
use crate::http::{Request, Response};

/// A role.
pub(crate) struct Role {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) actions: &'static [&'static str],
    pub(crate) not_actions: &'static [&'static str],
    pub(crate) data_actions: &'static [&'static str],
    pub(crate) not_data_actions: &'static [&'static str],
}

pub(super) const fn role(
    id: &'static str,
    name: &'static str,
    actions: &'static [&'static str],
    data_actions: &'static [&'static str],
) -> Role {
    Role { id, name, actions, not_actions: &[], data_actions, not_data_actions: &[] }
}

/// The built-in roles.
pub(crate) const ROLES: &[Role] = &[
    role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", &["*"], &[]),
    Role {
        id: "b24988ac-6180-42a0-ab88-20f7382dd24c",
        name: "Contributor",
        actions: &["*"],
        not_actions: &[
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
        ],
        data_actions: &[],
        not_data_actions: &[],
    },
    role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", &["*/read"], &[]),
    role("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator", &["*/read", "Microsoft.Authorization/*"], &[]),
    role(
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        "Role Based Access Control Administrator",
        &["*/read", "Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete"],
        &[],
    ),
    role(
        "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
        "Managed Identity Contributor",
        &["Microsoft.ManagedIdentity/userAssignedIdentities/*", "Microsoft.Authorization/*/read"],
        &[],
    ),
    role(
        "f1a07417-d97a-45cb-824c-7a7467783830",
        "Managed Identity Operator",
        &[
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
            "Microsoft.Authorization/*/read",
        ],
        &[],
    ),
    role(
        "ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8",
        "Azure Kubernetes Service Contributor Role",
        &["Microsoft.ContainerService/managedClusters/*"],
        &[],
    ),
    role(
        "4abbcc35-e782-43d8-92c5-2d3f1bd2253f",
        "Azure Kubernetes Service Cluster User Role",
        &["Microsoft.ContainerService/managedClusters/listClusterUserCredential/action", "Microsoft.ContainerService/managedClusters/read"],
        &[],
    ),
    role(
        "00482a5a-887f-4fb3-b363-3b7fe8e74483",
        "Key Vault Administrator",
        &["Microsoft.KeyVault/*/read"],
        &["Microsoft.KeyVault/vaults/*"],
    ),
    role(
        "21090545-7ca7-4776-b22c-e363652d74d2",
        "Key Vault Reader",
        &["Microsoft.KeyVault/*/read"],
        &["Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"],
    ),
    role(
        "4633458b-17de-408a-b874-0445c86b69e6",
        "Key Vault Secrets User",
        &[],
        &["Microsoft.KeyVault/vaults/secrets/getSecret/action", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"],
    ),
    role(
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        "Key Vault Secrets Officer",
        &["Microsoft.KeyVault/*/read"],
        &["Microsoft.KeyVault/vaults/secrets/*"],
    ),
    role(
        "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
        "Key Vault Certificate User",
        &[],
        &[
            "Microsoft.KeyVault/vaults/certificates/read",
            "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            "Microsoft.KeyVault/vaults/keys/read",
        ],
    ),
    role(
        "12338af0-0e69-4776-bea7-57ae8d297424",
        "Key Vault Crypto User",
        &[],
        &[
            "Microsoft.KeyVault/vaults/keys/read",
            "Microsoft.KeyVault/vaults/keys/sign/action",
            "Microsoft.KeyVault/vaults/keys/verify/action",
        ],
    ),
    role("f25e0fa2-a7c8-4377-a976-54943a77a395", "Key Vault Contributor", &["Microsoft.KeyVault/*", "Microsoft.Authorization/*/read"], &[]),
    role(
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        "Storage Blob Data Reader",
        &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        ],
        &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"],
    ),
    role(
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        "Storage Blob Data Contributor",
        &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/write",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        ],
        &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/move/action",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action",
        ],
    ),
    role(
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "Storage Blob Data Owner",
        &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/*",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        ],
        &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"],
    ),
    role(
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        "Storage Queue Data Contributor",
        &["Microsoft.Storage/storageAccounts/queueServices/queues/*"],
        &["Microsoft.Storage/storageAccounts/queueServices/queues/messages/*"],
    ),
    role(
        "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
        "Cognitive Services OpenAI User",
        &[
            "Microsoft.CognitiveServices/*/read",
            "Microsoft.Authorization/roleAssignments/read",
            "Microsoft.Authorization/roleDefinitions/read",
        ],
        &[
            "Microsoft.CognitiveServices/accounts/OpenAI/*/read",
            "Microsoft.CognitiveServices/accounts/OpenAI/engines/completions/action",
            "Microsoft.CognitiveServices/accounts/OpenAI/engines/search/action",
            "Microsoft.CognitiveServices/accounts/OpenAI/engines/generate/action",
            "Microsoft.CognitiveServices/accounts/OpenAI/deployments/completions/action",
            "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action",
            "Microsoft.CognitiveServices/accounts/OpenAI/deployments/embeddings/action",
        ],
    ),
    role(
        "a001fd3d-188f-4b5d-821b-7da978bf7442",
        "Cognitive Services OpenAI Contributor",
        &[
            "Microsoft.CognitiveServices/*/read",
            "Microsoft.CognitiveServices/accounts/deployments/write",
            "Microsoft.CognitiveServices/accounts/deployments/delete",
        ],
        &["Microsoft.CognitiveServices/accounts/OpenAI/*"],
    ),
    role(
        "a97b65f3-24c7-4388-baec-2e87135dc908",
        "Cognitive Services User",
        &["Microsoft.CognitiveServices/*/read", "Microsoft.CognitiveServices/accounts/listkeys/action"],
        &["Microsoft.CognitiveServices/*"],
    ),
    role(
        "25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68",
        "Cognitive Services Contributor",
        &["Microsoft.CognitiveServices/*", "Microsoft.Authorization/*/read"],
        &[],
    ),
    role(
        "53ca6127-db72-4b80-b1b0-d745d6d5456d",
        "Foundry User",
        &["Microsoft.CognitiveServices/*/read"],
        &["Microsoft.CognitiveServices/*"],
    ),
    role(
        "64702f94-c441-49e6-a78b-ef80e0188fee",
        "Azure AI Developer",
        &["Microsoft.CognitiveServices/*/read"],
        &["Microsoft.CognitiveServices/accounts/OpenAI/*"],
    ),
];

impl Role {
    /// Whether the role includes a control-plane action.
    pub(crate) fn allows(&self, action: &str) -> bool {
        self.actions.iter().any(|one| matches(one, action)) && !self.not_actions.iter().any(|one| matches(one, action))
    }

    /// Whether the role includes a data action.
    pub(crate) fn allows_data(&self, action: &str) -> bool {
        self.data_actions.iter().any(|one| matches(one, action)) && !self.not_data_actions.iter().any(|one| matches(one, action))
    }

    /// A role in the input format of `az role definition create`. Leaked: it exists until the program ends.
    pub(crate) fn custom(definition: &Value) -> Self {
        let text = |value: &Value| -> &'static str { value.as_str().unwrap_or_default().to_owned().leak() };
        let list = |key: &str| -> &'static [&'static str] {
            definition[key].as_array().into_iter().flatten().map(text).collect::<Vec<_>>().leak()
        };
        let name = text(&definition["Name"]);
        Self {
            id: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes()).to_string().leak(),
            name,
            actions: list("Actions"),
            not_actions: list("NotActions"),
            data_actions: list("DataActions"),
            not_data_actions: list("NotDataActions"),
        }
    }

    fn body(&self, subscription: &str) -> Value {
        let built_in = find(self.id).is_some();
        json!({
            "properties": {
                "roleName": self.name,
                "type": if built_in { "BuiltInRole" } else { "CustomRole" },
                "description": self.name,
                "assignableScopes": [if built_in { "/".to_owned() } else { format!("/subscriptions/{subscription}") }],
                "permissions": [{
                    "actions": self.actions,
                    "notActions": self.not_actions,
                    "dataActions": self.data_actions,
                    "notDataActions": self.not_data_actions,
                }],
                "createdOn": "2020-05-19T17:52:46.2349235Z",
                "updatedOn": "2021-11-11T20:14:30.2540000Z",
                "createdBy": null,
                "updatedBy": null,
            },
            "id": role_id(subscription, self.id),
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": self.id,
        })
    }
}

/// Every built-in role.
fn all<'a>() -> impl Iterator<Item = &'a Role> {
    ROLES.iter().chain(super::service_roles::ROLES)
}

/// A built-in role by its GUID.
pub(crate) fn find(id: &str) -> Option<&'static Role> {
    all().find(|role| role.id.eq_ignore_ascii_case(id))
}

/// Whether an action pattern (`*` matches any characters) matches, ignoring case.
pub(crate) fn matches(pattern: &str, action: &str) -> bool {
    fn go(pattern: &[u8], action: &[u8]) -> bool {
        match pattern.split_first() {
            None => action.is_empty(),
            Some((b'*', rest)) => (0..=action.len()).any(|cut| go(rest, &action[cut..])),
            Some((byte, rest)) => action.first().is_some_and(|first| first.eq_ignore_ascii_case(byte)) && go(rest, &action[1..]),
        }
    }
    go(pattern.as_bytes(), action.as_bytes())
}

pub(crate) fn role_id(subscription: &str, role: &str) -> String {
    if subscription.is_empty() {
        format!("/providers/Microsoft.Authorization/roleDefinitions/{role}")
    } else {
        format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}")
    }
}

pub(crate) fn subscription_of(scope: &str) -> &str {
    let mut parts = scope.split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some(word), Some(id)) if word.eq_ignore_ascii_case("subscriptions") => id,
        _ => "",
    }
}

impl Azure {
    /// A role by its GUID.
    pub(crate) fn role(&self, id: &str) -> Option<&Role> {
        find(id).or_else(|| self.roles.iter().find(|role| role.id.eq_ignore_ascii_case(id)))
    }
}

/// `roleDefinitions` at any scope.
pub(crate) fn definitions(azure: &Azure, path: &Path, request: &Request) -> Response {
    if request.method != "GET" {
        return not_allowed(&request.method);
    }
    let subscription = subscription_of(&path.scope);
    if let Some(id) = path.names.first() {
        return azure.role(id).map_or_else(
            || error(404, "RoleDefinitionDoesNotExist", &format!("The role definition '{id}' does not exist.")),
            |role| Response::json(200, &role.body(subscription)),
        );
    }
    let (wanted, kind) = match request.q("$filter").map(quoted_equals) {
        None => (None, None),
        Some(Some((field, value))) if field.eq_ignore_ascii_case("roleName") => (Some(value), None),
        Some(Some((field, value))) if field.eq_ignore_ascii_case("type") => (None, Some(value)),
        Some(_) => return bad_request("Only filters on roleName and type are known."),
    };
    let value: Vec<Value> = all()
        .chain(&azure.roles)
        .filter(|role| wanted.as_ref().is_none_or(|name| role.name.eq_ignore_ascii_case(name)))
        .map(|role| role.body(subscription))
        .filter(|body| kind.as_ref().is_none_or(|kind| body["properties"]["type"] == kind.as_str()))
        .collect();
    Response::json(200, &json!({"value": value, "nextLink": null}))
}

/// Parses `field eq 'value'`.
pub(crate) fn quoted_equals(term: &str) -> Option<(String, String)> {
    let (field, value) = term.split_once(" eq ")?;
    let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    Some((field.trim().to_owned(), value.to_owned()))
}

/// The refusal, in the service's words; clients decide by its code.
pub(crate) fn forbidden(caller: &Caller, action: &str, scope: &str) -> Response {
    gateway(
        403,
        "AuthorizationFailed",
        &format!(
            "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
            caller.name, caller.oid
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_like_the_service_does() {
        assert!(matches("Microsoft.Authorization/*/Write", "microsoft.authorization/roleAssignments/write"));
        assert!(matches("*", "a/b"));
        assert!(!matches("*/read", "a/write"));
        assert!(!matches("a/b", "a/bc"));
    }

    #[test]
    fn contributor_cannot_grant() {
        let contributor = find("b24988ac-6180-42a0-ab88-20f7382dd24c").unwrap();
        assert!(contributor.allows("Microsoft.KeyVault/vaults/write"));
        assert!(!contributor.allows("Microsoft.Authorization/roleAssignments/write"));
        assert!(!contributor.allows_data("Microsoft.KeyVault/vaults/secrets/getSecret/action"));
    }

    #[test]
    fn role_ids_are_unique() {
        let ids: std::collections::BTreeSet<_> = all().map(|role| role.id).collect();
        assert_eq!(ids.len(), all().count());
    }
}
