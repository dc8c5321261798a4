//! The Azure resource that is connected to, as Azure describes it.

use serde_json::Value;

use super::ResourceId;

/// One existing Azure resource. `properties` are kept untyped: a newer api-version may say more than we know.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its resource id.
    pub id: ResourceId,
    /// Its kind, where its type has kinds (`OpenAI`, `AIServices`, `StorageV2` …).
    pub kind: Option<String>,
    /// Its region, as ARM spells it (`westeurope`).
    pub location: String,
    /// The `properties` object of the resource.
    pub properties: Value,
}

impl Target {
    /// Reads a resource as ARM answers it (a GET of the resource) or as Resource Graph lists it.
    pub fn from_arm(id: ResourceId, resource: &Value) -> Self {
        Target {
            id,
            kind: resource["kind"].as_str().filter(|k| !k.is_empty()).map(str::to_owned),
            location: resource["location"].as_str().unwrap_or_default().to_owned(),
            properties: resource["properties"].clone(),
        }
    }

    /// The resource's own name.
    pub fn name(&self) -> &str {
        self.id.name()
    }

    /// A text property by JSON pointer; null and empty count as absent, which real answers mix freely.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.properties.pointer(pointer).and_then(Value::as_str).filter(|s| !s.is_empty())
    }

    /// A boolean property by JSON pointer.
    pub fn flag(&self, pointer: &str) -> Option<bool> {
        self.properties.pointer(pointer).and_then(Value::as_bool)
    }

    /// Whether the resource is of this kind, case aside.
    pub fn is_kind(&self, kind: &str) -> bool {
        self.kind.as_deref().is_some_and(|k| k.eq_ignore_ascii_case(kind))
    }
}
