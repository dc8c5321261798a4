//! The planted resource of each service, and the arguments for connecting to it. A new service of the catalogue has
//! no resource here, so every test that uses this file fails for it.

use connect_core::catalogue::Service;
use connect_core::model::Auth;
use stand_in::world::{APPLICATION, APPLICATION_OBJECT, SUBSCRIPTION};

use harness::{Case, Ran};

/// Contains characters that cause errors in URLs, connection strings and YAML.
pub const GIVEN: &str = "planted/given+secret=1 &2";
/// The secret of the service principal.
pub const CLIENT_SECRET: &str = "planted~client.secret=1";
/// The user name for a given password.
pub const USER: &str = "dbuser";

/// A service, with the kind of its resource if that matters.
#[derive(Clone, Copy)]
pub struct Entry {
    pub service: &'static Service,
    pub kind: Option<&'static str>,
}

/// Every service of the catalogue, once per kind.
pub fn all() -> Vec<Entry> {
    let services = connect_core::catalogue::SERVICES.iter().copied();
    services
        .flat_map(|service| {
            let kinds: Vec<Option<&str>> =
                if service.kinds.is_empty() { vec![None] } else { service.kinds.iter().copied().map(Some).collect() };
            kinds.into_iter().map(move |kind| Entry { service, kind })
        })
        .collect()
}

/// One entry by the service's name.
pub fn one(name: &str) -> Entry {
    all().into_iter().find(|entry| entry.service.name == name).unwrap_or_else(|| panic!("there is no service {name}"))
}

impl Entry {
    /// The planted resource: its name, its id, or a host outside Azure.
    pub fn target(self) -> String {
        let name = match (self.service.name, self.kind) {
            ("keyvault", _) => "my-vault",
            (name, _) if name.starts_with("storage-") => "shopdata",
            ("cognitiveservices", Some("OpenAI")) => "shop-openai",
            ("cognitiveservices", Some("AIServices")) => "shop-ai",
            ("cognitiveservices", Some("CognitiveServices")) => "shop-vision",
            ("search", _) => "shop-search",
            ("appconfig", _) => "shop-config",
            ("servicebus", _) => "shop-bus",
            ("eventhub", _) => "shop-hubs",
            ("signalr", _) => "shop-signalr",
            ("webpubsub", _) => "shop-pubsub",
            ("redis", _) => "shop-cache",
            ("redis-enterprise", _) => "shop-redis",
            ("cosmos-sql", _) => "shop-cosmos",
            ("cosmos-mongo", _) => "shop-mongo",
            ("cosmos-table", _) => "shop-tables",
            ("cosmos-gremlin", _) => "shop-graph",
            ("cosmos-cassandra", _) => "shop-cassandra",
            ("postgres-flexible", _) => "shop-pg",
            ("mysql-flexible", _) => "shop-mysql",
            ("sql", _) => "shop-sql",
            ("app-insights", _) => "shop-insights",
            ("fabric-sql", _) => "shop.database.fabric.microsoft.com",
            ("confluent-cloud", _) => "pkc-1a2b3.westeurope.azure.confluent.cloud:9092",
            ("neon-postgres", _) => "ep-shop-1a2b3c4d.westeurope.azure.neon.tech",
            ("mongodb-atlas", _) => "shop.1a2b3.mongodb.net",
            ("resource", _) => {
                return format!(
                    "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-data/providers/Microsoft.Storage/storageAccounts/shopdata"
                );
            }
            (name, kind) => panic!("{name} {kind:?} has no planted resource: plant one in the sandbox and name it here"),
        };
        name.to_owned()
    }

    /// Whether the user gives the secrets, instead of the service.
    pub fn takes_given(self, auth: Auth) -> bool {
        auth == Auth::ServicePrincipal || (auth == Auth::Secret && !self.service.secrets.is_empty())
    }

    /// `SERVICE TARGET` with all flags that the service and the way of authentication need.
    pub fn words(self, auth: Auth) -> String {
        let service = self.service;
        let mut words = format!("{} {} --auth {auth}", service.name, self.target());
        for parameter in service.parameters {
            // The number of a database, or a name.
            let value = if parameter.default.is_empty() { "orders" } else { "2" };
            words.push_str(&format!(" --{} {value}", parameter.name));
        }
        if service.takes_any() {
            words.push_str(" --role Reader");
        }
        if auth == Auth::Secret && service.secrets.contains(&"password") {
            words.push_str(&format!(" --secret-name {USER}"));
        }
        if auth == Auth::ServicePrincipal {
            words.push_str(&format!(" --client-id {APPLICATION} --object-id {APPLICATION_OBJECT}"));
        }
        if self.takes_given(auth) {
            words.push_str(" --secret-stdin");
        }
        words
    }

    /// The content of standard input.
    pub fn stdin(self, auth: Auth) -> String {
        match (auth, self.service.secrets) {
            (Auth::ServicePrincipal, _) => CLIENT_SECRET.to_owned(),
            (Auth::Secret, []) | (Auth::WorkloadIdentity | Auth::Csi, _) => String::new(),
            (Auth::Secret, [_]) => GIVEN.to_owned(),
            (Auth::Secret, several) => {
                several.iter().enumerate().map(|(at, name)| format!("{name}={GIVEN}-{at}\n")).collect::<String>().trim_end().to_owned()
            }
        }
    }

    /// Connects with the arguments plus `more`, and with the secrets on standard input.
    pub async fn connect(self, case: &Case, auth: Auth, more: &str) -> Ran {
        with_stdin(case, &format!("{} -w deployment/web -n shop --yes {more}", self.words(auth)), &self.stdin(auth)).await
    }
}

/// Runs a command with something on its standard input.
pub async fn with_stdin(case: &Case, words: &str, text: &str) -> Ran {
    if text.is_empty() {
        return case.run(words).await;
    }
    // An unlinked file as standard input is immediately complete.
    use std::io::{Seek as _, Write as _};
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(text.as_bytes()).and_then(|()| file.rewind()).expect("it is written");
    let mut command = case.command(words);
    command.stdin(std::process::Stdio::from(file));
    case.finish(command).await
}
