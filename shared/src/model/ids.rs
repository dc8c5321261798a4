//! Azure resource ids. They are compared without case: services answer `resourcegroups` to a request for
//! `resourceGroups`, and users type names as the portal shows them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An ARM resource id: `/subscriptions/S/resourceGroups/G/providers/NS/type/name[/type/name…]`. Ids of subscriptions
/// and resource groups are resource ids too. The original spelling is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId(String);

/// The text is not a resource id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an Azure resource id; one looks like /subscriptions/…/resourceGroups/…/providers/…")]
pub struct NotAResourceId(String);

impl ResourceId {
    /// The id of a resource group.
    pub fn group(subscription: &str, group: &str) -> Self {
        ResourceId(format!("/subscriptions/{subscription}/resourceGroups/{group}"))
    }

    /// The id of a top-level resource: `arm_type` is like `Microsoft.KeyVault/vaults`.
    pub fn resource(subscription: &str, group: &str, arm_type: &str, name: &str) -> Self {
        ResourceId(format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{arm_type}/{name}"))
    }

    /// The id of a child resource: `kind` is like `federatedIdentityCredentials`.
    pub fn child(&self, kind: &str, name: &str) -> Self {
        ResourceId(format!("{}/{kind}/{name}", self.0))
    }

    /// The id of something below this resource: `path` is like `blobServices/default/containers/images`.
    pub fn below(&self, path: &str) -> Self {
        ResourceId(format!("{}/{}", self.0, path.trim_matches('/')))
    }

    /// The id as text, in its original spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id with `resourceGroups` spelled as Azure Resource Manager does; Resource Graph answers it in lower case.
    pub fn spelled(&self) -> String {
        self.0.replacen("/resourcegroups/", "/resourceGroups/", 1)
    }

    /// The last segment: the resource's own name.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The subscription's id.
    pub fn subscription(&self) -> &str {
        self.after("subscriptions").unwrap_or_default()
    }

    /// The resource group's name; empty for a subscription's id.
    pub fn resource_group(&self) -> &str {
        self.after("resourceGroups").unwrap_or_default()
    }

    /// The id of the resource group that holds the resource.
    pub fn group_id(&self) -> ResourceId {
        ResourceId::group(self.subscription(), self.resource_group())
    }

    /// The id of the top-level resource: this resource itself, or the one that contains it.
    pub fn top(&self) -> ResourceId {
        ResourceId(self.0.split('/').take(9).collect::<Vec<_>>().join("/"))
    }

    /// The ARM type, like `Microsoft.KeyVault/vaults`; empty for groups and subscriptions.
    pub fn arm_type(&self) -> String {
        let segments: Vec<&str> = self.segments().collect();
        let Some(at) = segments.iter().rposition(|s| s.eq_ignore_ascii_case("providers")) else {
            return String::new();
        };
        let mut rest = segments[at + 1..].iter();
        let mut kind: String = rest.next().copied().unwrap_or_default().to_owned();
        for typed in rest.step_by(2) {
            kind.push('/');
            kind.push_str(typed);
        }
        kind
    }

    /// Whether the resource is of `arm_type`, ignoring case.
    pub fn is_a(&self, arm_type: &str) -> bool {
        self.arm_type().eq_ignore_ascii_case(arm_type)
    }

    /// Whether a role assignment at `scope` covers this resource: `scope` is the resource's id or one above it.
    pub fn is_within(&self, scope: &str) -> bool {
        let (own, scope) = (self.0.to_ascii_lowercase(), scope.trim_end_matches('/').to_ascii_lowercase());
        scope.is_empty() || own == scope || own.strip_prefix(&scope).is_some_and(|rest| rest.starts_with('/'))
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|s| !s.is_empty())
    }

    fn after(&self, key: &str) -> Option<&str> {
        let mut segments = self.segments();
        segments.find(|s| s.eq_ignore_ascii_case(key))?;
        segments.next()
    }
}

impl FromStr for ResourceId {
    type Err = NotAResourceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Git Bash on Windows rewrites an argument that begins with `/subscriptions` into a path below its install
        // folder.
        let text = match text.find("/subscriptions/") {
            Some(at) if text[..at].contains(':') => &text[at..],
            _ => text,
        };
        let text = text.trim().trim_end_matches('/');
        let text = if text.starts_with("subscriptions/") { format!("/{text}") } else { text.to_owned() };
        let segments: Vec<&str> = text.split('/').skip(1).collect();
        let pairs = segments.len() >= 2
            && segments.iter().all(|s| !s.is_empty() && !s.contains(char::is_whitespace))
            && segments[0].eq_ignore_ascii_case("subscriptions")
            && (segments.len() < 3 || segments[2].eq_ignore_ascii_case("resourceGroups") || segments[2].eq_ignore_ascii_case("providers"));
        if !pairs || !segments.len().is_multiple_of(2) {
            return Err(NotAResourceId(text));
        }
        Ok(ResourceId(text))
    }
}

impl TryFrom<String> for ResourceId {
    type Error = NotAResourceId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ResourceId> for String {
    fn from(id: ResourceId) -> String {
        id.0
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ResourceId {}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// GUID of a role: the last segment of a role definition id, or a bare GUID, in lower case. Roles are compared by it.
pub fn role_guid(role_definition_id: &str) -> String {
    role_definition_id.rsplit('/').next().unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VAULT: &str = "/subscriptions/s1/resourceGroups/rg-data/providers/Microsoft.KeyVault/vaults/my-vault";

    #[test]
    fn takes_an_id_apart() {
        let id: ResourceId = VAULT.parse().unwrap();
        assert_eq!((id.subscription(), id.resource_group(), id.name()), ("s1", "rg-data", "my-vault"));
        assert_eq!(id.arm_type(), "Microsoft.KeyVault/vaults");
        assert_eq!(id.group_id().as_str(), "/subscriptions/s1/resourceGroups/rg-data");
        assert_eq!(id.child("secrets", "a").arm_type(), "Microsoft.KeyVault/vaults/secrets");
        assert_eq!((id.child("secrets", "a").top(), id.group_id().top()), (id.clone(), id.group_id()));
    }

    #[test]
    fn repairs_what_git_bash_and_people_do_to_ids() {
        for text in [
            "subscriptions/s1/resourceGroups/g",
            "C:/Program Files/Git/subscriptions/s1/resourceGroups/g",
            "/subscriptions/s1/resourceGroups/g/",
        ] {
            assert_eq!(text.parse::<ResourceId>().unwrap(), ResourceId::group("s1", "g"), "{text}");
        }
        for text in [
            "my-vault",
            "",
            "/subscriptions",
            "/subscriptions//resourceGroups/g",
            "/subscriptions/s/x/y",
            "/subscriptions/s/resourceGroups",
        ] {
            assert!(text.parse::<ResourceId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_scope_covers_itself_and_the_resources_below_it() {
        let id: ResourceId = VAULT.parse().unwrap();
        assert!(id.is_within(VAULT) && id.is_within("/subscriptions/S1/resourcegroups/RG-data") && id.is_within("/"));
        assert!(!id.is_within("/subscriptions/s1/resourceGroups/rg"));
    }

    proptest! {
        #[test]
        fn ids_are_equal_whatever_their_case(sub in "[a-f0-9]{8}", group in "[A-Za-z][A-Za-z0-9-]{0,20}", name in "[A-Za-z][A-Za-z0-9-]{0,20}") {
            let id = ResourceId::resource(&sub, &group, "Microsoft.KeyVault/vaults", &name);
            let shouted: ResourceId = id.as_str().to_ascii_uppercase().parse().unwrap();
            prop_assert_eq!(&id, &shouted);
            let again: ResourceId = id.to_string().parse().unwrap();
            prop_assert_eq!(again.as_str(), id.as_str());
        }
    }
}
