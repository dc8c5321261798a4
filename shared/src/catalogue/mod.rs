//! The catalogue: everything this tool knows about each service, as data, one file per service or family.
//!
//! Adding a service is one file here and one line in [`SERVICES`]. Subcommands, aliases, help, the `services` table and
//! the contract tests all follow from the list.

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

/// Every service, in the order in which they are shown.
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

/// Words of services that Azure has retired, each with its successor.
const RETIRED: &[(&[&str], &str, &str)] = &[
    (&["postgres", "postgresql"], "Azure Database for PostgreSQL single server", "postgres-flexible"),
    (&["mysql"], "Azure Database for MySQL single server", "mysql-flexible"),
];

/// A kind of Azure resource that workloads can be connected to.
pub struct Service {
    /// The word on the command line, equal to Service Connector's where it has one.
    pub name: &'static str,
    /// Other words for it.
    pub aliases: &'static [&'static str],
    /// What people call it: `Key Vault`.
    pub title: &'static str,
    /// What one of it is called in a sentence: `vault`.
    pub noun: &'static str,
    /// ARM type of the resource that is looked up; of what lives outside Azure Resource Manager, a type of our own.
    pub arm_type: &'static str,
    /// api-version that the resource is read with; empty: it is not read.
    pub api_version: &'static str,
    /// Kinds of the resource that belong to this service; empty: all.
    pub kinds: &'static [&'static str],
    /// Ways of authentication, the default first.
    pub auths: &'static [Auth],
    /// Client types that it has variables for: those that az accepts and those that the documentation lists.
    pub clients: &'static [Client],
    /// What else the variables may need, as flags of its subcommand.
    pub parameters: &'static [Parameter],
    /// Parts of the resource that access can be narrowed to.
    pub scopes: &'static [Scope],
    /// Secrets that the user gives with `--auth secret`, by name; empty: the service's own keys are fetched.
    pub secrets: &'static [&'static str],
    /// The service's own keys, at a level of access.
    pub keys: fn(Access) -> &'static [OwnKey],
    /// Beginnings of its variables' names, after which the connection's name goes where a workload has two of a kind.
    pub prefixes: &'static [&'static str],
    /// Access level where none is asked for: the least with which the usual client libraries work.
    pub default_access: Access,
    /// Ways to reach it privately, or why there is none.
    pub private_link: Result<&'static [PrivateLink], &'static str>,
    /// Documentation of the service's authentication.
    pub docs: &'static str,
    /// What lets an identity in at a level of access.
    pub grants: fn(&Target, Access) -> Vec<Grant>,
    /// Why there is nothing to grant, where there is nothing.
    pub ungranted: &'static str,
    /// Why this particular resource can't be used this way, if so.
    pub refusal: fn(&Target, Auth) -> Option<Refusal>,
    /// The variables, by way of authentication and client type.
    pub rows: fn(&Ask<'_>) -> Vec<Row>,
    /// What the placeholders of the rows stand for, as far as the resource knows.
    pub texts: fn(&Target, &Cloud) -> Vec<(&'static str, String)>,
    /// A read on the data plane that proves access without reading a secret, or why there is none.
    pub probe: fn(&Target, &Cloud) -> Result<Probe, &'static str>,
}

/// What a service has that has nothing special, for entries to begin from: `..PLAIN`, or a family's base that does so.
/// What is empty here and must be said by each is found lacking by the tests of this room.
const PLAIN: Service = Service {
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

/// The client types of most services: those that Azure's own client libraries are made for.
const SDKS: &[Client] =
    &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::SpringBoot, Client::Nodejs, Client::Python, Client::Go];

/// What decides the variables.
pub struct Ask<'a> {
    /// The resource.
    pub target: &'a Target,
    /// Way of authentication.
    pub auth: Auth,
    /// Client type.
    pub client: Client,
}

/// A variable as the catalogue knows it: its name, and its value with placeholders such as `<account>`. `<key|url>` is
/// escaped for URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name of the variable.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A flag of one service's subcommand.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The flag and the placeholder: `database`.
    pub name: &'static str,
    /// Help.
    pub help: &'static str,
    /// Value where none is given; empty: none.
    pub default: &'static str,
    /// ARM segment of the child resource that it names, so that a child's id can be given as the target; empty: none.
    pub child: &'static str,
}

/// A part of a resource that access can be narrowed to: `--scope container=images`.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// The word: `container`.
    pub word: &'static str,
    /// Path below the resource; a `*` stands for the first of two names: `dbs/*/colls` with `shop/orders`.
    pub path: &'static str,
}

impl Scope {
    /// How it is written: `container=NAME`.
    pub fn form(&self) -> String {
        let name = if self.path.contains('*') { "PARENT/NAME" } else { "NAME" };
        format!("{}={name}", self.word)
    }

    /// The path of the part called `name`, if a part can be called so.
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

/// A key of the service's own.
#[derive(Clone, Copy, Debug)]
pub struct OwnKey {
    /// Its placeholder: `key`.
    pub word: &'static str,
    /// Path below the resource that the operation is called on; empty: the resource itself.
    pub under: &'static str,
    /// The operation; empty: the key is a property of the resource.
    pub operation: &'static str,
    /// Place in the answer, as [`crate::model::variable::Key`] has it.
    pub field: &'static str,
}

/// A sub-resource for private endpoints and the private DNS zones of the public cloud that go with it
/// (product documentation of private endpoint DNS).
pub struct PrivateLink {
    /// Group id of the private endpoint connection.
    pub group: &'static str,
    /// Zone names in the public cloud.
    pub zones: &'static [&'static str],
}

/// Why a resource can't be connected to, and what to do about it.
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

/// One read on a data plane.
pub struct Probe {
    /// Scope of the Entra token that it needs.
    pub scope: String,
    /// What is read, for people: `list the names of secrets`.
    pub what: &'static str,
    /// URL of the GET.
    pub url: String,
    /// Headers besides the token.
    pub headers: &'static [(&'static str, &'static str)],
    /// Whether the answer is a verdict. `false`: the service may refuse this read although it would serve the workload;
    /// then reaching it counts, and the grant is looked at.
    pub decisive: bool,
    /// Whether the token goes in the form of Cosmos DB (its REST reference, access control).
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

    /// The way of authentication where none is asked for.
    pub fn default_auth(&self) -> Auth {
        self.auths.first().copied().unwrap_or_default()
    }

    /// Whether the resource lives outside Azure Resource Manager: nothing about it can be looked up.
    pub fn is_outside(&self) -> bool {
        self.arm_type.starts_with(OUTSIDE)
    }

    /// Whether any resource goes, by its id.
    pub fn takes_any(&self) -> bool {
        self.arm_type.is_empty()
    }

    /// Ways of authentication that can be asked for.
    pub fn auth_words(&self) -> String {
        self.auths.iter().map(|a| a.word()).collect::<Vec<_>>().join(", ")
    }
}

/// Beginning of the types that stand for what lives outside Azure Resource Manager.
const OUTSIDE: &str = "Outside.Azure/";

/// The service called `word`, by name or alias.
pub fn find(word: &str) -> Option<&'static Service> {
    SERVICES.iter().copied().find(|s| s.is_called(word))
}

/// The services that a resource of this ARM type may belong to.
pub fn of_type(arm_type: &str) -> impl Iterator<Item = &'static Service> {
    SERVICES.iter().copied().filter(move |s| s.arm_type.eq_ignore_ascii_case(arm_type))
}

/// What a retired service was called, and the word of its successor.
pub fn retired(word: &str) -> Option<(&'static str, &'static str)> {
    RETIRED.iter().find(|(words, _, _)| words.iter().any(|w| w.eq_ignore_ascii_case(word))).map(|(_, title, next)| (*title, *next))
}

/// Words of retired services.
pub fn retired_words() -> impl Iterator<Item = &'static str> {
    RETIRED.iter().flat_map(|(words, _, _)| words.iter().copied())
}

/// Short form for the catalogue's files.
fn role(name: &str, id: &str) -> Grant {
    Grant::Role(Role { name: name.into(), id: id.into() })
}

/// Short form for the catalogue's files.
fn row(name: impl Into<String>, value: impl Into<String>) -> Row {
    Row { name: name.into(), value: value.into() }
}

/// The service that a resource belongs to where its type alone does not tell.
pub fn belongs_to(asked: &'static Service, target: &Target) -> &'static Service {
    if asked.arm_type == cosmos::SQL.arm_type { cosmos::api_of(target) } else { asked }
}

/// Rows of a list of pairs.
fn rows(pairs: &[(&str, &str)]) -> Vec<Row> {
    pairs.iter().map(|(name, value)| row(*name, *value)).collect()
}

/// `rows`, and what an Entra sign-in adds under `prefix`: a client id, for a service principal also secret and tenant.
fn signed(auth: Auth, prefix: &str, mut rows: Vec<Row>) -> Vec<Row> {
    rows.push(row(format!("{prefix}_CLIENTID"), "<client-id>"));
    if auth == Auth::ServicePrincipal {
        rows.push(row(format!("{prefix}_CLIENTSECRET"), "<client-secret>"));
        rows.push(row(format!("{prefix}_TENANTID"), "<tenant-id>"));
    }
    rows
}

/// The same for Spring's credential properties under `prefix`.
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

/// The refusal of a service whose keys are switched off.
fn keys_are_off(target: &Target, auth: Auth, off: bool, fix: String) -> Option<Refusal> {
    (auth == Auth::Secret && off).then(|| Refusal {
        code: "KC1605",
        what: format!("`{}` takes no keys", target.name()),
        why: "local authentication is switched off on it, which is good: connect with --auth workload-identity",
        fix,
    })
}
