//! The variables that a connection gives to a workload.

use serde::{Deserialize, Serialize};

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
    /// The value itself; no secret.
    Text(String),
    /// The client id of the connection's identity.
    ClientId,
}

impl Variable {
    /// A variable with a value known now.
    pub fn text(name: impl Into<String>, value: impl Into<String>) -> Self {
        Variable { name: name.into(), source: Source::Text(value.into()) }
    }

    /// A variable that carries the identity's client id.
    pub fn client_id(name: impl Into<String>) -> Self {
        Variable { name: name.into(), source: Source::ClientId }
    }
}

/// The kind of client library that reads the variables, named as Service Connector names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Client {
    /// No particular library.
    None,
    /// .NET.
    Dotnet,
    /// .NET, first-party flavour that az knows.
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
}

impl Client {
    /// Every client type.
    pub const ALL: [Client; 8] = [
        Client::None,
        Client::Dotnet,
        Client::DotnetInternal,
        Client::Java,
        Client::SpringBoot,
        Client::Nodejs,
        Client::Python,
        Client::Go,
    ];

    /// az's word for it.
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
        }
    }

    /// The client type with this word, case aside.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.word().eq_ignore_ascii_case(word))
    }
}
