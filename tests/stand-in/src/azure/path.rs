//! Parses paths of requests to ARM.

use crate::azure::{data_roles, services};
use crate::http::{Request, percent_decode};

/// A request path, split at its last `/providers/`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path {
    /// The part before: a subscription, group or resource, or empty.
    pub(crate) scope: String,
    /// Provider and types in lower case: `microsoft.keyvault/vaults`.
    pub(crate) kind: String,
    /// Names, one per type; one less for a list.
    pub(crate) names: Vec<String>,
    /// Action of a POST: `listkeys`.
    pub(crate) action: Option<String>,
    /// The path without the action.
    pub(crate) id: String,
}

impl Path {
    pub(crate) fn parse(request: &Request) -> Self {
        let path = percent_decode(request.path.trim_end_matches('/'));
        let Some(cut) = path.to_ascii_lowercase().rfind("/providers/") else {
            return Self { kind: plain_kind(&path), scope: path.clone(), id: path, ..Self::default() };
        };
        let (scope, rest) = (path[..cut].to_owned(), &path[cut + "/providers/".len()..]);
        let mut parts = rest.split('/');
        let mut kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut names = Vec::new();
        let mut parts: Vec<&str> = parts.collect();
        let mut id = path.clone();
        let mut action = None;
        if request.method == "POST" && parts.len() > 1 && parts.len() % 2 == 1 {
            action = parts.pop().map(str::to_ascii_lowercase);
            id.truncate(id.rfind('/').unwrap_or(id.len()));
        }
        for pair in parts.chunks(2) {
            kind = format!("{kind}/{}", pair[0].to_ascii_lowercase());
            names.extend(pair.get(1).map(|name| (*name).to_owned()));
        }
        Self { scope, kind, names, action, id }
    }

    /// Whether the path ends in a type, not in a name.
    pub(crate) fn is_list(&self) -> bool {
        self.kind.matches('/').count() > self.names.len()
    }

    /// Name of the resource group in the scope.
    pub(crate) fn group(&self) -> &str {
        let mut parts = self.scope.split('/');
        parts.find(|part| part.eq_ignore_ascii_case("resourceGroups")).and(parts.next()).unwrap_or_default()
    }

    pub(crate) fn subscription(&self) -> &str {
        let mut parts = self.scope.split('/').skip(1);
        match (parts.next(), parts.next()) {
            (Some(word), Some(id)) if word.eq_ignore_ascii_case("subscriptions") => id,
            _ => "",
        }
    }

    /// Id of the parent resource: without the last type and name.
    pub(crate) fn parent(&self) -> String {
        let drop = if self.is_list() { 1 } else { 2 };
        let mut id = self.id.clone();
        for _ in 0..drop {
            id.truncate(id.rfind('/').unwrap_or(0));
        }
        id
    }

    /// The last name.
    pub(crate) fn name(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// The permission that the request needs: `Microsoft.X/types/read`.
    pub(super) fn right(&self, method: &str) -> String {
        let verb = match (method, &self.action) {
            (_, Some(action)) => format!("{action}/action"),
            ("GET" | "HEAD", None) => "read".to_owned(),
            ("DELETE", None) => "delete".to_owned(),
            // Access policies are written with a separate permission.
            _ => "write".to_owned(),
        };
        format!("{}/{verb}", spelled(&self.kind))
    }
}

fn plain_kind(path: &str) -> String {
    let parts: Vec<String> = path.split('/').skip(1).map(str::to_ascii_lowercase).collect();
    match parts.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["subscriptions"] | ["subscriptions", _] => "microsoft.resources/subscriptions".into(),
        ["tenants"] => "microsoft.resources/tenants".into(),
        ["subscriptions", _, "locations"] => "microsoft.resources/subscriptions".into(),
        ["subscriptions", _, "resourcegroups"] | ["subscriptions", _, "resourcegroups", _] => {
            "microsoft.resources/subscriptions/resourcegroups".into()
        }
        ["subscriptions", _, "resources"] | ["subscriptions", _, "resourcegroups", _, "resources"] => {
            "microsoft.resources/resources".into()
        }
        ["subscriptions", _, "providers"] => "microsoft.resources/providers".into(),
        _ => String::new(),
    }
}

/// The type as spelt in roles and messages.
pub(crate) fn spelled(kind: &str) -> String {
    const KNOWN: &[&str] = &[
        "Microsoft.ContainerService/managedClusters",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "Microsoft.KeyVault/vaults/accessPolicies",
        "Microsoft.KeyVault/vaults",
        "Microsoft.Storage/storageAccounts",
        "Microsoft.CognitiveServices/accounts/deployments",
        "Microsoft.CognitiveServices/accounts",
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.Authorization/roleDefinitions",
        "Microsoft.Authorization/permissions",
        "Microsoft.Resources/subscriptions/resourceGroups",
    ];
    KNOWN
        .iter()
        .chain(services::KINDS)
        .chain(data_roles::KINDS)
        .find(|one| one.eq_ignore_ascii_case(kind))
        .map_or_else(|| kind.to_owned(), |one| (*one).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, path: &str) -> Path {
        Path::parse(&Request { method: method.into(), path: path.into(), ..Request::default() })
    }

    #[test]
    fn a_grant_on_a_vault_is_split_at_its_last_provider() {
        let path = parse(
            "PUT",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v/providers/Microsoft.Authorization/roleAssignments/n",
        );
        assert_eq!(path.kind, "microsoft.authorization/roleassignments");
        assert_eq!(path.scope, "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v");
        assert_eq!(path.names, ["n"]);
    }

    #[test]
    fn lists_actions_and_children_are_distinguished() {
        let list = parse("GET", "/subscriptions/s/providers/Microsoft.KeyVault/vaults");
        assert!(list.is_list() && list.names.is_empty());
        let action = parse("POST", "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a/listKeys");
        assert_eq!(action.action.as_deref(), Some("listkeys"));
        assert!(action.id.ends_with("/storageAccounts/a"));
        let child = parse(
            "GET",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i/federatedIdentityCredentials",
        );
        assert!(child.is_list() && child.parent().ends_with("/userAssignedIdentities/i"));
    }
}
