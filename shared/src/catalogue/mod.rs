//! The catalogue: all knowledge about the services, as data, with one file per service or family.
//!
//! A new service needs one file here and one line in [`SERVICES`]. Subcommands, aliases, help, the `services` table
//! and the contract tests follow from that list.

mod appconfig;
mod cognitiveservices;
mod cosmos;
mod cosmos_rows;
mod fill;
mod insights;
pub mod keyvault;
mod messaging;
mod mysql;
mod outside;
mod postgres;
mod realtime;
mod redis;
mod resource;
mod search;
mod sql;
mod storage;
mod storage_blob;
#[cfg(test)]
mod tests;

use crate::model::access::{Access, Grant, Role};
use crate::model::target::Target;
use crate::model::variable::Client;
use crate::model::{Auth, Cloud, names};

pub use fill::{Inputs, Missing, renamed};

/// All services, in display order.
pub static SERVICES: &[&Service] = &[
    &keyvault::SERVICE,
    &storage_blob::SERVICE,
    &storage::QUEUE,
    &storage::TABLE,
    &storage::FILE,
    &cognitiveservices::SERVICE,
    &search::SERVICE,
    &appconfig::SERVICE,
    &messaging::SERVICE_BUS,
    &messaging::EVENT_HUBS,
    &realtime::SIGNALR,
    &realtime::WEB_PUBSUB,
    &redis::REDIS,
    &redis::ENTERPRISE,
    &cosmos::SQL,
    &cosmos::MONGO,
    &cosmos::TABLE,
    &cosmos::GREMLIN,
    &cosmos::CASSANDRA,
    &postgres::SERVICE,
    &mysql::SERVICE,
    &sql::SERVICE,
    &sql::FABRIC,
    &insights::SERVICE,
    &outside::CONFLUENT,
    &outside::NEON,
    &outside::ATLAS,
    &resource::SERVICE,
];

/// Names of retired services: words, title, and the name of the successor.
const RETIRED: &[(&[&str], &str, &str)] = &[
    (&["postgres", "postgresql"], "Azure Database for PostgreSQL single server", "postgres-flexible"),
    (&["mysql"], "Azure Database for MySQL single server", "mysql-flexible"),
];

/// A kind of Azure resource that workloads can be connected to.
pub struct Service {
    /// Name on the command line; the same as in Service Connector if the service exists there.
    pub name: &'static str,
    /// Alternative names on the command line.
    pub aliases: &'static [&'static str],
    /// Title for users: `Key Vault`.
    pub title: &'static str,
    /// Noun for one resource in a sentence: `vault`.
    pub noun: &'static str,
    /// ARM type of the resource. Services outside Azure Resource Manager have an artificial type that begins with
    /// [`OUTSIDE`].
    pub arm_type: &'static str,
    /// api-version for reading the resource; empty if the resource is not read.
    pub api_version: &'static str,
    /// Kinds of the resource that belong to this service; empty for all.
    pub kinds: &'static [&'static str],
    /// Supported ways of authentication, the default first.
    pub auths: &'static [Auth],
    /// Client types with documented variables: those that az accepts and those that the documentation lists.
    pub clients: &'static [Client],
    /// Additional inputs for the variables, as flags of the subcommand.
    pub parameters: &'static [Parameter],
    /// Parts of the resource to which access can be limited.
    pub scopes: &'static [Scope],
    /// Secrets that the user gives with `--auth secret`, by name; if empty, the service's own keys are fetched.
    pub secrets: &'static [&'static str],
    /// The service's own keys, by access level.
    pub keys: fn(Access) -> &'static [OwnKey],
    /// Prefixes of the variables' names. If a workload has two connections of a kind, the connection's name is
    /// inserted after the prefix.
    pub prefixes: &'static [&'static str],
    /// Default access level: the lowest with which the usual client libraries work.
    pub default_access: Access,
    /// Private endpoint facts, or why there are none.
    pub private_link: Result<&'static [PrivateLink], &'static str>,
    /// Documentation page about the service's authentication.
    pub docs: &'static str,
    /// The grants for an access level.
    pub grants: fn(&Target, Access) -> Vec<Grant>,
    /// Why nothing is granted, for services without grants.
    pub ungranted: &'static str,
    /// Why this resource does not support this way of authentication, if so.
    pub refusal: fn(&Target, Auth) -> Option<Refusal>,
    /// The variables by way of authentication and client type, with placeholders.
    pub rows: fn(&Ask<'_>) -> Vec<Row>,
    /// Values of the placeholders that the resource provides.
    pub texts: fn(&Target, &Cloud) -> Vec<(&'static str, String)>,
    /// A data-plane read that proves access without reading a secret, or why there is none.
    pub probe: fn(&Target, &Cloud) -> Result<Probe, &'static str>,
}

/// Base for catalogue entries (`..DEFAULTS`, directly or through a family's base). Required fields are empty here; the
/// tests of this room find entries that don't set them.
const DEFAULTS: Service = Service {
    name: "",
    aliases: &[],
    title: "",
    noun: "",
    arm_type: "",
    api_version: "",
    kinds: &[],
    auths: &[],
    clients: &[],
    parameters: &[],
    scopes: &[],
    secrets: &[],
    keys: |_| &[],
    prefixes: &[],
    default_access: Access::Read,
    private_link: Err(""),
    docs: "",
    grants: |_, _| Vec::new(),
    ungranted: "",
    refusal: |_, _| None,
    rows: |_| Vec::new(),
    texts: |_, _| Vec::new(),
    probe: |_, _| Err(""),
};

/// The client types of most services: those with an Azure client library.
const SDKS: &[Client] =
    &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::SpringBoot, Client::Nodejs, Client::Python, Client::Go];

/// Inputs that decide the variables.
pub struct Ask<'a> {
    /// The resource.
    pub target: &'a Target,
    /// Way of authentication.
    pub auth: Auth,
    /// Client type.
    pub client: Client,
}

/// A variable in the catalogue: its name, and a value with placeholders such as `<account>`. `<key|url>` is escaped
/// for use in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name of the variable.
    pub name: String,
    /// Value.
    pub value: String,
}

/// A flag of a service's subcommand.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Name of the flag and of the placeholder: `database`.
    pub name: &'static str,
    /// Help text.
    pub help: &'static str,
    /// Default value; empty for none.
    pub default: &'static str,
    /// ARM segment of the child resource that the flag names, so that a child's id can be given as the target; empty
    /// for none.
    pub child: &'static str,
}

/// A part of a resource to which access can be limited: `--scope container=images`.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Word before the equals sign: `container`.
    pub word: &'static str,
    /// Path below the resource. If it has a `*`, the user gives two names, and the first replaces the `*`:
    /// `dbs/*/colls` with `shop/orders`.
    pub path: &'static str,
}

impl Scope {
    /// The form of the flag's value: `container=NAME`.
    pub fn form(&self) -> String {
        let name = if self.path.contains('*') { "PARENT/NAME" } else { "NAME" };
        format!("{}={name}", self.word)
    }

    /// The path of the part called `name`; `None` if the name is not possible.
    pub fn of(&self, name: &str) -> Option<String> {
        let fits = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.$".contains(c));
        match self.path.split_once('*') {
            None => fits(name).then(|| format!("{}/{name}", self.path)),
            Some((before, after)) => {
                let (parent, own) = name.split_once('/').filter(|(parent, own)| fits(parent) && fits(own))?;
                Some(format!("{before}{parent}{after}/{own}"))
            }
        }
    }
}

/// One of the service's own keys.
#[derive(Clone, Copy, Debug)]
pub struct OwnKey {
    /// Placeholder: `key`.
    pub word: &'static str,
    /// Path below the resource on which the operation is called; empty for the resource itself.
    pub under: &'static str,
    /// Operation; empty if the key is a property of the resource.
    pub operation: &'static str,
    /// Path within the answer, as in [`crate::model::variable::Key`].
    pub field: &'static str,
}

/// A sub-resource for private endpoints, with its private DNS zones in the public cloud (product documentation of
/// private endpoint DNS).
pub struct PrivateLink {
    /// Group id of the private endpoint connection.
    pub group: &'static str,
    /// Zone names in the public cloud.
    pub zones: &'static [&'static str],
}

/// Why a resource can't be connected, and how to fix that.
pub struct Refusal {
    /// Stable code.
    pub code: &'static str,
    /// What is wrong with the resource.
    pub what: String,
    /// Why that matters.
    pub why: &'static str,
    /// The command that changes it.
    pub fix: String,
}

/// A read on a data plane.
pub struct Probe {
    /// Scope of the required Entra token.
    pub scope: String,
    /// The read in words: `list the names of secrets`.
    pub what: &'static str,
    /// URL of the GET.
    pub url: String,
    /// Additional headers.
    pub headers: &'static [(&'static str, &'static str)],
    /// Whether the answer decides. `false`: the service may refuse this read although the workload has access; then
    /// reaching the service counts, and the grant is checked instead.
    pub decisive: bool,
    /// Whether the token is sent in Cosmos DB's format (REST reference of Cosmos DB, access control).
    pub cosmos: bool,
}

impl Service {
    /// Whether `word` names this service.
    pub fn is_called(&self, word: &str) -> bool {
        self.name.eq_ignore_ascii_case(word) || self.aliases.iter().any(|a| a.eq_ignore_ascii_case(word))
    }

    /// Default name of a connection to `target`.
    pub fn connection_name(&self, target: &str) -> String {
        names::connection(self.name, target)
    }

    /// Default way of authentication.
    pub fn default_auth(&self) -> Auth {
        self.auths.first().copied().unwrap_or_default()
    }

    /// Whether the resource is outside Azure Resource Manager, so that nothing about it can be read.
    pub fn is_outside(&self) -> bool {
        self.arm_type.starts_with(OUTSIDE)
    }

    /// Whether the service accepts any resource id.
    pub fn takes_any(&self) -> bool {
        self.arm_type.is_empty()
    }

    /// The supported ways of authentication, for messages.
    pub fn auth_words(&self) -> String {
        self.auths.iter().map(|a| a.word()).collect::<Vec<_>>().join(", ")
    }
}

/// Prefix of the artificial types of services outside Azure Resource Manager.
const OUTSIDE: &str = "Outside.Azure/";

/// The service with this name or alias.
pub fn find(word: &str) -> Option<&'static Service> {
    SERVICES.iter().copied().find(|s| s.is_called(word))
}

/// The services to which a resource of this ARM type may belong.
pub fn of_type(arm_type: &str) -> impl Iterator<Item = &'static Service> {
    SERVICES.iter().copied().filter(move |s| s.arm_type.eq_ignore_ascii_case(arm_type))
}

/// Title of a retired service and the name of its successor.
pub fn retired(word: &str) -> Option<(&'static str, &'static str)> {
    RETIRED.iter().find(|(words, _, _)| words.iter().any(|w| w.eq_ignore_ascii_case(word))).map(|(_, title, next)| (*title, *next))
}

/// Names of retired services.
pub fn retired_words() -> impl Iterator<Item = &'static str> {
    RETIRED.iter().flat_map(|(words, _, _)| words.iter().copied())
}

/// Short constructor for catalogue files.
fn role(name: &str, id: &str) -> Grant {
    Grant::Role(Role { name: name.into(), id: id.into() })
}

/// Short constructor for catalogue files.
fn row(name: impl Into<String>, value: impl Into<String>) -> Row {
    Row { name: name.into(), value: value.into() }
}

/// The service of a resource, for types that several services share.
pub fn belongs_to(asked: &'static Service, target: &Target) -> &'static Service {
    if asked.arm_type == cosmos::SQL.arm_type { cosmos::api_of(target) } else { asked }
}

/// Rows from pairs of name and value.
fn rows(pairs: &[(&str, &str)]) -> Vec<Row> {
    pairs.iter().map(|(name, value)| row(*name, *value)).collect()
}

/// Adds the rows of an Entra sign-in with names under `prefix`: the client id, and for a service principal also
/// secret and tenant.
fn signed(auth: Auth, prefix: &str, mut rows: Vec<Row>) -> Vec<Row> {
    rows.push(row(format!("{prefix}_CLIENTID"), "<client-id>"));
    if auth == Auth::ServicePrincipal {
        rows.push(row(format!("{prefix}_CLIENTSECRET"), "<client-secret>"));
        rows.push(row(format!("{prefix}_TENANTID"), "<tenant-id>"));
    }
    rows
}

/// Like [`signed`], with Spring's credential properties under `prefix`.
fn spring_signed(auth: Auth, prefix: &str, mut rows: Vec<Row>) -> Vec<Row> {
    rows.push(row(format!("{prefix}.credential.client-id"), "<client-id>"));
    if auth == Auth::ServicePrincipal {
        rows.push(row(format!("{prefix}.credential.client-secret"), "<client-secret>"));
        rows.push(row(format!("{prefix}.profile.tenant-id"), "<tenant-id>"));
    } else {
        rows.push(row(format!("{prefix}.credential.managed-identity-enabled"), "true"));
    }
    rows
}

/// The refusal for a resource on which keys are disabled.
fn keys_are_off(target: &Target, auth: Auth, off: bool, fix: String) -> Option<Refusal> {
    (auth == Auth::Secret && off).then(|| Refusal {
        code: "KC1605",
        what: format!("`{}` does not accept keys", target.name()),
        why: "local authentication is disabled, which is recommended: connect with --auth workload-identity",
        fix,
    })
}
