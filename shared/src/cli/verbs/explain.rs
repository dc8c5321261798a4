//! `kubectl connect explain SERVICE`: variables, grants and steps of one combination, from the catalogue only.

use clap::{Args, Command};
use serde_json::{Value, json};

use crate::catalogue::{self, Ask, Row, Service};
use crate::cli::flags::auth;
use crate::cli::invocation::Invocation;
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::engine::refuse_store;
use crate::model::access::Grant;
use crate::model::target::Target;
use crate::model::variable::Client;
use crate::model::vault::ObjectKind;
use crate::model::{Auth, Kind, Problem, ResourceId, Result};
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
    /// Kind of the account, if the variables depend on it
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// With the keys and connection strings in this vault (keyvault:NAME)
    #[arg(long, value_name = "STORE")]
    secret_store: Option<String>,
}

fn flags(command: Command) -> Command {
    Explain::augment_args(command)
}

/// Explains one combination.
fn explain(call: &Invocation<'_>) -> Result<u8> {
    let (ui, asked) = (call.ui, call.read::<Explain>()?);
    let service = catalogue::find(&asked.service).ok_or_else(|| {
        let problem = Problem::new(Kind::Usage, "KC1004", format!("there is no service `{}`", asked.service));
        match catalogue::retired(&asked.service) {
            Some((title, next)) => problem.why(format!("{title} is retired")).fix(format!("kubectl connect explain {next}")),
            None => problem.fix("kubectl connect services"),
        }
    })?;
    let auth = asked.auth.as_deref().map_or_else(|| Some(service.default_auth()), Auth::parse).filter(|a| service.auths.contains(a));
    let auth = auth.ok_or_else(|| {
        let word = asked.auth.clone().unwrap_or_default();
        Problem::new(Kind::Usage, "KC1601", format!("{} can't be connected to with --auth {word}", service.title))
            .fix(format!("choose one of: {}", service.auth_words()))
    })?;
    let store = asked.secret_store.as_deref().map(auth::store).transpose()?;
    if store.is_some() {
        refuse_store(service, auth)?;
    }
    let client = Client::parse(&asked.client_type).filter(|c| service.clients.contains(c)).ok_or_else(|| {
        let known = service.clients.iter().map(|c| c.word()).collect::<Vec<_>>().join(", ");
        Problem::new(Kind::Usage, "KC1005", format!("{} has no variables for client type `{}`", service.title, asked.client_type))
            .fix(format!("choose one of: {known}"))
    })?;
    let kind = match &asked.kind {
        Some(kind) if !service.kinds.iter().any(|k| k.eq_ignore_ascii_case(kind)) => {
            let known =
                if service.kinds.is_empty() { "omit --kind".into() } else { format!("choose one of: {}", service.kinds.join(", ")) };
            return Err(Problem::new(Kind::Usage, "KC1618", format!("{} has no kind `{kind}`", service.title)).fix(known));
        }
        other => other.as_deref(),
    };
    let rows = rows(service, kind, auth, client);
    let grants = match auth {
        Auth::Secret => match store.as_ref().and_then(|_| catalogue::find("keyvault")) {
            Some(vault) => names(&catalogue::keyvault::mounting(&imagined(vault, None), &[ObjectKind::Secret])),
            None => Vec::new(),
        },
        // One grant for each kind of mounted object.
        Auth::Csi => {
            names(&catalogue::keyvault::mounting(&imagined(service, kind), &[ObjectKind::Secret, ObjectKind::Key, ObjectKind::Cert]))
        }
        _ => names(&(service.grants)(&imagined(service, kind), service.default_access)),
    };
    let plain = rows.iter().any(|r| !service.is_secret(&r.value));
    let steps = steps(auth, !grants.is_empty(), store.is_some(), plain);
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
        "service": service.name, "auth": auth, "clientType": client.word(), "kind": kind, "access": service.default_access,
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

/// Kinds of steps in their logical order. With a secret store, the pods read the vault with an identity, and the
/// Secret has only variables that are not secret.
fn steps(auth: Auth, granted: bool, stored: bool, plain: bool) -> Vec<&'static str> {
    let mut steps = Vec::new();
    if auth.has_identity() || stored {
        steps.extend(["cluster features", "managed identity", "federated credential", "service account"]);
    }
    if granted {
        steps.push("grant");
    }
    if stored {
        steps.push("vault secret");
    }
    if plain || !stored {
        steps.push("secret");
    }
    if auth == Auth::Csi || stored {
        steps.push("secret provider class");
    }
    steps.push("workload");
    steps
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
