//! `kubectl connect explain SERVICE`: variables, grants and steps of one combination, from the catalogue only.

use std::collections::BTreeMap;

use clap::{Args, Command};
use serde_json::{Value, json};

use crate::catalogue::{self, Ask, Row, Service};
use crate::cli::flags::auth;
use crate::cli::flags::connect::Level;
use crate::cli::invocation::Invocation;
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::engine::refuse_store;
use crate::model::access::Grant;
use crate::model::target::Target;
use crate::model::variable::{Client, Variable};
use crate::model::vault::{CsiIdentity, ObjectKind};
use crate::model::{Auth, Kind, Problem, ResourceId, Result};
use crate::plan::build::{self, WorkloadFacts};
use crate::plan::spec::{self, Family, StepSpec};
use crate::ui::Table;

/// The verb.
pub const VERB: Verb = Verb {
    name: "explain",
    aliases: &[],
    about: "Show a service's variables and roles, offline",
    group: Group::Connect,
    takes_service: false,
    examples: &["explain keyvault --client-type python", "explain storage-blob --auth secret"],
    flags,
    run: Run::AtOnce(explain),
    az: Az::Shown(AzTable::PLAIN),
};

// Flags of explaining.
#[derive(Args, Debug)]
struct Explain {
    /// The service
    service: String,
    /// Way of authentication [default: the service's first]
    #[arg(long, value_name = "WAY")]
    auth: Option<String>,
    /// Client library that reads the variables
    #[arg(long, value_name = "TYPE", default_value = "none")]
    client_type: String,
    /// How much the workload may do [default: the least that the usual client libraries need]
    #[arg(long, value_enum, value_name = "LEVEL")]
    access: Option<Level>,
    /// Kind of the account, where that decides
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// With the keys and connection strings in this vault (keyvault:NAME)
    #[arg(long, value_name = "STORE")]
    secret_store: Option<String>,
}

fn flags(command: Command) -> Command {
    Explain::augment_args(command)
}

/// The service, or what to name instead.
fn service_named(word: &str) -> Result<&'static Service> {
    catalogue::find(word).ok_or_else(|| {
        let problem = Problem::new(Kind::Usage, "KC1004", format!("there is no service `{word}`"));
        match catalogue::retired(word) {
            Some((title, next)) => problem.why(format!("{title} is retired")).fix(format!("kubectl connect explain {next}")),
            None => problem.fix("kubectl connect services"),
        }
    })
}

/// The way of authentication, if the service has it.
fn auth_of(asked: &Explain, service: &Service) -> Result<Auth> {
    let auth = asked.auth.as_deref().map_or_else(|| Some(service.default_auth()), Auth::parse).filter(|a| service.auths.contains(a));
    auth.ok_or_else(|| {
        let word = asked.auth.clone().unwrap_or_default();
        Problem::new(Kind::Usage, "KC1601", format!("{} can't be connected to with --auth {word}", service.title))
            .fix(format!("choose one of: {}", service.auth_words()))
    })
}

/// The client type, if the service has variables for it.
fn client_of(asked: &Explain, service: &Service) -> Result<Client> {
    Client::parse(&asked.client_type).filter(|c| service.clients.contains(c)).ok_or_else(|| {
        let known = service.clients.iter().map(|c| c.word()).collect::<Vec<_>>().join(", ");
        Problem::new(Kind::Usage, "KC1005", format!("{} has no variables for client type `{}`", service.title, asked.client_type))
            .fix(format!("choose one of: {known}"))
    })
}

/// The kind of target, if the service has it.
fn kind_of<'a>(asked: &'a Explain, service: &Service) -> Result<Option<&'a str>> {
    match &asked.kind {
        Some(kind) if !service.kinds.iter().any(|k| k.eq_ignore_ascii_case(kind)) => {
            let known =
                if service.kinds.is_empty() { "omit --kind".into() } else { format!("choose one of: {}", service.kinds.join(", ")) };
            Err(Problem::new(Kind::Usage, "KC1618", format!("{} has no kind `{kind}`", service.title)).fix(known))
        }
        other => Ok(other.as_deref()),
    }
}

/// Explains one combination.
fn explain(call: &Invocation<'_>) -> Result<u8> {
    let (ui, asked) = (call.ui, call.read::<Explain>()?);
    let service = service_named(&asked.service)?;
    let auth = auth_of(&asked, service)?;
    let store = asked.secret_store.as_deref().map(auth::store).transpose()?;
    if store.is_some() {
        refuse_store(service, auth)?;
    }
    let (client, kind) = (client_of(&asked, service)?, kind_of(&asked, service)?);
    let access = asked.access.map_or(service.default_access, Level::into);
    let rows = rows(service, kind, auth, client);
    let grants = match auth {
        Auth::Secret => match store.as_ref().and_then(|_| catalogue::find("keyvault")) {
            Some(vault) => catalogue::keyvault::mounting(&imagined(vault, None), &[ObjectKind::Secret]),
            None => Vec::new(),
        },
        // One grant for each kind of mounted object.
        Auth::Csi => catalogue::keyvault::mounting(&imagined(service, kind), &[ObjectKind::Secret, ObjectKind::Key, ObjectKind::Cert]),
        _ => (service.grants)(&imagined(service, kind), access),
    };
    let (kept, held): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|r| store.is_some() && service.is_secret(&r.value));
    let combination = Combination { auth, stored: store.is_some(), grants: &grants, kept: &kept, held: &held };
    let steps = combination.steps(imagined(service, kind).id);
    let grants = names(&grants);
    let source = |row: &Row| match (service.is_secret(&row.value), row.value.as_str()) {
        (true, _) => "key",
        (false, "<client-id>") => "identity",
        (false, value) if value.contains('<') => "resource",
        (false, _) => "constant",
    };
    let variables: Vec<Value> = rows
        .iter()
        .map(|r| json!({"name": r.name, "source": source(r), "value": r.value, "secret": service.is_secret(&r.value)}))
        .collect();
    let mut value = json!({
        "service": service.name, "auth": auth, "clientType": client.word(), "kind": kind, "access": access,
        "variables": variables, "grants": grants, "steps": steps, "docs": service.docs,
    });
    if let Some(store) = &store {
        value["secretStore"] = json!(store);
    }
    let text = || {
        let mut table = Table::new(&["VARIABLE", "VALUE", "SECRET"]);
        for r in &rows {
            let secret = match (service.is_secret(&r.value), &store) {
                (false, _) => String::new(),
                (true, None) => "yes".into(),
                (true, Some(vault)) => format!("yes, in vault {vault}"),
            };
            table.row(vec![r.name.clone(), r.value.clone(), secret]);
        }
        let granted = if grants.is_empty() { "none".to_owned() } else { grants.join(", ") };
        format!("{}\nGrants  {granted}\nSteps   {}\nSee     {}\n", table.render(ui.no_headers), steps.join(", "), service.docs)
    };
    let all: Vec<String> = rows.iter().map(|r| r.name.clone()).collect();
    ui.result(&value, text, &all);
    Ok(0)
}

/// What decides which steps a connection has.
struct Combination<'a> {
    auth: Auth,
    stored: bool,
    grants: &'a [Grant],
    /// Variables that are kept in the vault.
    kept: &'a [&'a Row],
    /// Variables in the Secret.
    held: &'a [&'a Row],
}

impl Combination<'_> {
    /// Titles of the steps in the order of their families, each once.
    fn steps(&self, target: ResourceId) -> Vec<&'static str> {
        let mut steps = build::specs(&self.facts(target));
        steps.sort_by_key(StepSpec::family);
        // The grants stand beside the steps by name.
        let title = |step: &StepSpec| if step.family() == Family::Grant { "grant" } else { step.kind().title() };
        let mut titles: Vec<&'static str> = steps.iter().map(title).collect();
        titles.dedup();
        titles
    }

    /// The facts of a connection of which nothing but the combination is known. With a store the pods read the vault with an
    /// identity of their own.
    fn facts(&self, target: ResourceId) -> build::Facts {
        let word = |word: &str| word.to_owned();
        let acts = self.auth.has_identity() || self.stored;
        let identity = spec::Identity {
            id: target.clone(),
            location: word("<region>"),
            create: true,
            owner: String::new(),
            tags: BTreeMap::new(),
            addon_of: None,
        };
        let (namespace, name) = (word("<namespace>"), word("<name>"));
        let account = spec::ServiceAccount { namespace, name, create: true, foreign: false, image_pull_secrets: Vec::new() };
        let class = spec::SecretProviderClass {
            namespace: word("<namespace>"),
            name: word("<name>"),
            vault: word("<vault>"),
            tenant: word("<tenant>"),
            cloud: None,
            identity: CsiIdentity::Workload,
            objects: Vec::new(),
        };
        let stored = |row: &&Row| spec::VaultSecret {
            vault: target.clone(),
            uri: word("<vault>"),
            name: row.name.clone(),
            owner: String::new(),
            variable: Variable::text(&row.name, &row.value),
        };
        let workload = WorkloadFacts { kind: word("deployment"), name: word("<name>"), containers: Vec::new(), on_default_account: true };
        build::Facts {
            scope: String::new(),
            cluster: target.clone(),
            issuer: None,
            namespace: word("<namespace>"),
            identity: acts.then_some(identity),
            account: acts.then_some(account),
            principal: Some(word("<object-id>")),
            grants: self.grants.to_vec(),
            secret: Some(word("<name>")),
            variables: self.held.iter().map(|row| Variable::text(&row.name, &row.value)).collect(),
            stored: self.kept.iter().map(stored).collect(),
            mount: (self.auth == Auth::Csi || self.stored).then(|| spec::Mount { path: word("<path>"), class }),
            workload: Some(workload),
            target,
        }
    }
}

/// A resource of the service without properties, except that it uses roles.
pub fn imagined(service: &Service, kind: Option<&str>) -> Target {
    let id = ResourceId::resource("<subscription>", "<group>", service.arm_type, "<name>");
    let kind = kind.or(service.kinds.first().copied());
    Target::from_arm(id, &json!({"kind": kind, "location": "<region>", "properties": {"enableRbacAuthorization": true}}))
}

/// The rows of one combination.
pub fn rows(service: &Service, kind: Option<&str>, auth: Auth, client: Client) -> Vec<Row> {
    (service.rows)(&Ask { target: &imagined(service, kind), auth, client })
}

/// Grants in words.
pub fn names(grants: &[Grant]) -> Vec<String> {
    grants
        .iter()
        .map(|grant| match grant {
            Grant::Role(role) => role.name.clone(),
            Grant::VaultPolicy { secrets, .. } => format!("access policy: {}", secrets.join(", ")),
            Grant::CosmosRole { name, .. } => name.clone(),
            Grant::RedisPolicy { policy } => format!("access policy {policy}"),
        })
        .collect()
}
