//! The Azure resource that a connection accesses, as read from Azure.

use serde_json::Value;

use super::ResourceId;

/// An existing Azure resource. `properties` stay untyped, since newer api-versions may return fields unknown to this
/// tool.
#[derive(Clone, Debug)]
pub struct Target {
    /// Resource id.
    pub id: ResourceId,
    /// Kind, for resource types that have kinds (`OpenAI`, `AIServices`, `StorageV2` …).
    pub kind: Option<String>,
    /// Kind, for resource types that have kinds (`OpenAI`, `AIServices`, `StorageV2` …).
    pub location: String,
    /// The `properties` object of the resource.
    pub properties: Value,
}

impl Target {
    /// Builds a target from a resource as ARM returns it or as Resource Graph lists it.
    pub fn from_arm(id: ResourceId, resource: &Value) -> Self {
        Target {
            id,
            kind: resource["kind"].as_str().filter(|k| !k.is_empty()).map(str::to_owned),
            location: resource["location"].as_str().unwrap_or_default().to_owned(),
            properties: resource["properties"].clone(),
        }
    }

    /// The resource's name.
    pub fn name(&self) -> &str {
        self.id.name()
    }

    /// A text property by JSON pointer. Null and the empty string count as absent: services use both.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.properties.pointer(pointer).and_then(Value::as_str).filter(|s| !s.is_empty())
    }

    /// A boolean property by JSON pointer.
    pub fn flag(&self, pointer: &str) -> Option<bool> {
        self.properties.pointer(pointer).and_then(Value::as_bool)
    }

    /// Whether the resource is of this kind, ignoring case.
    pub fn is_kind(&self, kind: &str) -> bool {
        self.kind.as_deref().is_some_and(|k| k.eq_ignore_ascii_case(kind))
    }
}
