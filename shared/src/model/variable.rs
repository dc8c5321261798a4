//! The variables that a connection provides to a workload.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ResourceId;

/// One variable: its name in the container and where its value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Key in the Secret and name in the container.
    pub name: String,
    /// Where the value comes from.
    pub source: Source,
}

/// Where a variable's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// A literal value; not a secret.
    Text(String),
    /// The client id of the connection's identity.
    ClientId,
    /// Several pieces, concatenated: a connection string.
    Parts(Vec<Part>),
}

/// A piece of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// Literal text; not a secret.
    Text(String),
    /// The client id of the connection's identity.
    ClientId,
    /// The object id of the connection's identity.
    PrincipalId,
    /// A key of the service. Records hold only the place where the key is found, never the key itself.
    Key {
        /// The place where the key is found.
        key: Key,
        /// Whether the key is part of a URL, where some characters must be escaped.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        escaped: bool,
    },
    /// A secret that the user gives at each run, by name.
    Given {
        /// `secret`, `client-secret` …
        name: String,
        /// Whether the secret is part of a URL.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        escaped: bool,
    },
}

/// The place of a service's key: an ARM operation, and a path within its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// The resource on which the operation is called.
    pub resource: ResourceId,
    /// The operation, such as `listKeys`; `None` if the key is a property of the resource itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// api-version of the operation.
    pub api_version: String,
    /// Path within the answer: `/keys/0/value`; `name=Primary` selects a list element by its field.
    pub field: String,
}

impl Key {
    /// The value within an answer of the operation.
    pub fn pick<'a>(&self, answer: &'a Value) -> Option<&'a str> {
        let mut at = answer;
        for segment in self.field.split('/').filter(|s| !s.is_empty()) {
            at = match (at, segment.split_once('=')) {
                (Value::Array(items), Some((field, wanted))) => items.iter().find(|i| i[field] == wanted)?,
                (Value::Array(items), None) => items.get(segment.parse::<usize>().ok()?)?,
                (Value::Object(fields), _) => fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(segment)).map(|(_, v)| v)?,
                _ => return None,
            };
        }
        at.as_str().filter(|s| !s.is_empty())
    }

    /// The ARM path of the operation.
    pub fn path(&self) -> String {
        match &self.operation {
            Some(operation) => format!("{}/{operation}", self.resource),
            None => self.resource.to_string(),
        }
    }
}

impl Variable {
    /// A variable with a literal value.
    pub fn text(name: impl Into<String>, value: impl Into<String>) -> Self {
        Variable { name: name.into(), source: Source::Text(value.into()) }
    }

    /// A variable that holds the identity's client id.
    pub fn client_id(name: impl Into<String>) -> Self {
        Variable { name: name.into(), source: Source::ClientId }
    }

    /// A variable made of pieces, in its simplest form: adjacent texts are merged, a lone piece becomes a simple
    /// source.
    pub fn of(name: impl Into<String>, parts: Vec<Part>) -> Self {
        let mut merged: Vec<Part> = Vec::new();
        for part in parts {
            match (merged.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(more)) => before.push_str(&more),
                (_, part) => merged.push(part),
            }
        }
        let source = match merged.as_slice() {
            [] => Source::Text(String::new()),
            [Part::Text(text)] => Source::Text(text.clone()),
            [Part::ClientId] => Source::ClientId,
            _ => Source::Parts(merged),
        };
        Variable { name: name.into(), source }
    }

    /// The pieces of the value.
    pub fn parts(&self) -> Vec<Part> {
        match &self.source {
            Source::Text(text) => vec![Part::Text(text.clone())],
            Source::ClientId => vec![Part::ClientId],
            Source::Parts(parts) => parts.clone(),
        }
    }

    /// Whether the value holds a secret.
    pub fn is_secret(&self) -> bool {
        matches!(&self.source, Source::Parts(parts) if parts.iter().any(|p| matches!(p, Part::Key { .. } | Part::Given { .. })))
    }

    /// The value as shown to users: literal parts as they are, everything else as a placeholder.
    pub fn masked(&self) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::ClientId => "<client-id>".into(),
            Part::PrincipalId => "<object-id>".into(),
            Part::Key { .. } => "<key>".into(),
            Part::Given { name, .. } => format!("<{name}>"),
        };
        self.parts().iter().map(part).collect()
    }
}

/// `text` with everything but letters, digits and `-._~` escaped (RFC 3986), for passwords in URLs.
pub fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The kind of client library that reads the variables; named as in Service Connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Client {
    /// No particular library.
    None,
    /// .NET.
    Dotnet,
    /// .NET, the variant for Microsoft's own services that az accepts.
    #[serde(rename = "dotnet-internal")]
    DotnetInternal,
    /// Java without Spring.
    Java,
    /// Spring Boot.
    SpringBoot,
    /// Node.js.
    Nodejs,
    /// Python.
    Python,
    /// Go.
    Go,
    /// PHP.
    Php,
    /// Ruby.
    Ruby,
    /// Django.
    Django,
    /// Spring Boot with the Kafka client.
    #[serde(rename = "kafka-springBoot")]
    KafkaSpringBoot,
}

impl Client {
    /// Every client type.
    pub const ALL: [Client; 12] = [
        Client::None,
        Client::Dotnet,
        Client::DotnetInternal,
        Client::Java,
        Client::SpringBoot,
        Client::Nodejs,
        Client::Python,
        Client::Go,
        Client::Php,
        Client::Ruby,
        Client::Django,
        Client::KafkaSpringBoot,
    ];

    /// The value of `--client`, as in az.
    pub fn word(self) -> &'static str {
        match self {
            Client::None => "none",
            Client::Dotnet => "dotnet",
            Client::DotnetInternal => "dotnet-internal",
            Client::Java => "java",
            Client::SpringBoot => "springBoot",
            Client::Nodejs => "nodejs",
            Client::Python => "python",
            Client::Go => "go",
            Client::Php => "php",
            Client::Ruby => "ruby",
            Client::Django => "django",
            Client::KafkaSpringBoot => "kafka-springBoot",
        }
    }

    /// Parses a value of `--client`, ignoring case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.word().eq_ignore_ascii_case(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(field: &str) -> Key {
        let resource = ResourceId::resource("s", "g", "Microsoft.X/ys", "z");
        Key { resource, operation: Some("listKeys".into()), api_version: "v".into(), field: field.into() }
    }

    #[test]
    fn keys_are_found_by_place_and_by_name() {
        let answer = json!({"Keys": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}], "empty": ""});
        assert_eq!(key("/keys/0/value").pick(&answer), Some("1"));
        assert_eq!(key("/keys/name=b/value").pick(&answer), Some("2"));
        for none in ["/keys/name=c/value", "/keys/5/value", "/empty", "/keys"] {
            assert_eq!(key(none).pick(&answer), None, "{none}");
        }
    }

    #[test]
    fn a_serialised_variable_names_the_key_and_never_holds_it() {
        let part = Part::Key { key: key("/keys/0/value"), escaped: false };
        let variable = Variable::of("A", vec![Part::Text("x=".into()), Part::Text("y;".into()), part]);
        assert!(variable.is_secret() && variable.masked() == "x=y;<key>");
        let text = serde_json::to_string(&variable).unwrap();
        assert_eq!(serde_json::from_str::<Variable>(&text).unwrap(), variable);
        assert_eq!(Variable::of("A", vec![Part::ClientId]), Variable::client_id("A"));
    }

    #[test]
    fn passwords_in_urls_are_escaped() {
        assert_eq!(escape("a/b+c=@:é"), "a%2Fb%2Bc%3D%40%3A%C3%A9");
    }
}
