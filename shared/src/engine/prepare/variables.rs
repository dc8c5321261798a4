//! Choices that follow from request and catalogue: way of authentication, client type, scope, variables and their
//! names. Pure.

use std::collections::BTreeMap;

use super::{delivery, secret_store};
use crate::catalogue::{self, Ask, Inputs, Missing, Service};
use crate::lookup::cluster::Survey;
use crate::lookup::records::Stored;
use crate::model::access::Access;
use crate::model::request::{ConnectRequest, Principal};
use crate::model::target::Target;
use crate::model::variable::{Client, Part, Variable};
use crate::model::vault::fits_variable;
use crate::model::{Auth, Cloud, Kind, Problem, Result};

/// The way of authentication: the requested one, if the service supports it.
pub(crate) fn auth(service: &Service, request: &ConnectRequest) -> Result<Auth> {
    let auth = request.auth.unwrap_or_else(|| if delivery::means_csi(request) { Auth::Csi } else { service.default_auth() });
    if !service.auths.contains(&auth) {
        let problem = Problem::new(Kind::Usage, "KC1601", format!("{} can't be connected to with --auth {auth}", service.title))
            .fix(format!("choose one of: {}", service.auth_words()));
        return Err(if auth == Auth::Csi { problem.why("the CSI driver mounts objects of Key Vault alone") } else { problem });
    }
    delivery::check(service, request, auth)?;
    if request.secret_store.is_some() {
        secret_store::refuse_store(service, auth)?;
    }
    if request.auth == Some(Auth::WorkloadIdentity) || request.auth.is_none() {
        let stray =
            [("--secret-stdin or --secret-file", !request.secrets.is_empty()), ("--client-id", request.principal != Principal::default())];
        if let Some((flag, _)) = stray.iter().find(|(_, given)| *given && auth == Auth::WorkloadIdentity) {
            return Err(Problem::new(Kind::Usage, "KC1615", format!("{flag} has no meaning with --auth {auth}"))
                .fix("say --auth secret or --auth service-principal"));
        }
    }
    if !auth.has_identity() && request.secret_store.is_none() && (request.identity.is_some() || request.service_account.is_some()) {
        return Err(Problem::new(Kind::Usage, "KC1615", format!("--identity and --service-account have no meaning with --auth {auth}"))
            .why("without a managed identity the workload keeps the service account that it has")
            .fix("leave them away"));
    }
    if auth == Auth::ServicePrincipal && request.principal.client_id.is_none() {
        return Err(Problem::new(Kind::Usage, "KC1614", "--auth service-principal needs the client id of an app registration")
            .fix("--client-id ID, with its secret on standard input: --secret-stdin"));
    }
    Ok(auth)
}

/// The part of the target to which access is limited, as an ARM path below the target.
pub(crate) fn scope(service: &Service, request: &ConnectRequest) -> Result<String> {
    let Some(asked) = &request.scope else { return Ok(String::new()) };
    let refuse = |why: &str| {
        let problem = Problem::new(Kind::Usage, "KC1608", format!("access to {} can't be narrowed to `{asked}`", service.title));
        let problem = problem.why(why.to_owned());
        if service.scopes.is_empty() {
            return problem.fix("leave --scope away");
        }
        problem.fix(format!("write {}", service.scopes.iter().map(|s| format!("--scope {}", s.form())).collect::<Vec<_>>().join(" or ")))
    };
    let Some((word, name)) = asked.split_once('=') else { return Err(refuse("a scope is a kind and a name")) };
    let Some(found) = service.scopes.iter().find(|s| s.word.eq_ignore_ascii_case(word)) else {
        return Err(refuse("the service has no part of that kind that access can be given for"));
    };
    found.of(name).ok_or_else(|| refuse("the name can't be one of such a part"))
}

/// The client type: the requested one or, with `auto`, the one detected in the workload's containers.
pub(crate) fn client(service: &Service, request: &ConnectRequest, survey: &Survey) -> Result<(Client, Option<String>)> {
    let Some(asked) = request.client else {
        let seen = survey.workload.as_ref().and_then(|w| {
            survey.containers.iter().find_map(|name| runtime(w.container(name)?).filter(|(client, _)| service.clients.contains(client)))
        });
        return Ok(match seen {
            Some((client, sign)) => (client, Some(format!("client type {}: {sign}", client.word()))),
            None => (Client::None, Some("client type none: the image does not tell the language".into())),
        });
    };
    if service.clients.contains(&asked) {
        return Ok((asked, None));
    }
    let known = service.clients.iter().map(|c| c.word()).collect::<Vec<_>>().join(", ");
    Err(Problem::new(Kind::Usage, "KC1005", format!("{} has no variables for client type `{}`", service.title, asked.word()))
        .fix(format!("choose one of: {known}")))
}

/// Detects the runtime of a container by its image name and by variables that only one runtime reads.
fn runtime(container: &serde_json::Value) -> Option<(Client, String)> {
    const VARIABLES: [(&str, Client); 8] = [
        ("SPRING_", Client::SpringBoot),
        ("DJANGO_", Client::Django),
        ("ASPNETCORE_", Client::Dotnet),
        ("DOTNET_", Client::Dotnet),
        ("PYTHON", Client::Python),
        ("NODE_", Client::Nodejs),
        ("JAVA_", Client::Java),
        ("GOMEMLIMIT", Client::Go),
    ];
    const IMAGES: [(&str, Client); 11] = [
        ("spring", Client::SpringBoot),
        ("django", Client::Django),
        ("dotnet", Client::Dotnet),
        ("aspnet", Client::Dotnet),
        ("python", Client::Python),
        ("node", Client::Nodejs),
        ("openjdk", Client::Java),
        ("temurin", Client::Java),
        ("golang", Client::Go),
        ("php", Client::Php),
        ("ruby", Client::Ruby),
    ];
    let names = container["env"].as_array().into_iter().flatten().filter_map(|e| e["name"].as_str());
    for name in names {
        if let Some((_, client)) = VARIABLES.iter().find(|(sign, _)| name.starts_with(sign)) {
            return Some((*client, format!("it sets {name}")));
        }
    }
    let image = container["image"].as_str()?;
    let words: Vec<&str> = image.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    IMAGES.iter().find(|(sign, _)| words.contains(sign)).map(|(_, client)| (*client, format!("its image is {image}")))
}

/// The variables with the names that the user wants, without collisions.
#[expect(clippy::too_many_arguments, reason = "variables are made from everything that is known, in one place")]
pub(crate) fn variables(
    service: &Service,
    request: &ConnectRequest,
    survey: &Survey,
    former: Option<&Stored>,
    target: &Target,
    cloud: &Cloud,
    (auth, client, access): (Auth, Client, Access),
    (tenant, connection): (&str, &str),
) -> Result<(Vec<Variable>, Option<String>)> {
    let inputs = Inputs {
        parameters: &request.parameters,
        user: request.user.as_deref(),
        client_id: request.principal.client_id.as_deref(),
        tenant: request.principal.tenant.as_deref().filter(|_| auth == Auth::ServicePrincipal).unwrap_or(tenant),
        access,
        connection,
    };
    let made = service.variables(&Ask { target, auth, client }, cloud, &inputs).map_err(|Missing(word)| missing(service, &word))?;
    given(&made, &request.secrets)?;
    let mut made = made;
    let note = if twin(service, survey, former, target, connection, &made) {
        let plain = made.first().map(|v| v.name.clone()).unwrap_or_default();
        made.iter_mut().for_each(|v| v.name = catalogue::renamed(service, &v.name, connection));
        let renamed = made.first().map(|v| v.name.clone()).unwrap_or_default();
        let first =
            plain_names_of(survey, connection, &plain).map_or_else(String::new, |other| format!("connection {other} sets {plain}: "));
        (former.is_none() && request.env_prefix.is_none() && renamed != plain)
            .then(|| format!("{first}this connection's variables hold its name, such as {renamed}; choose other names with --env-prefix"))
    } else {
        None
    };
    Ok((rename(made, request)?, note))
}

/// The other connection that sets a variable of this name.
fn plain_names_of<'a>(survey: &'a Survey, connection: &str, variable: &str) -> Option<&'a str> {
    let sets = |s: &&Stored| s.record.secret().is_some_and(|secret| secret.variables.iter().any(|v| v.name == variable));
    let others = survey.records.iter().filter(|s| s.record.namespace == survey.namespace && s.record.name != connection);
    others.filter(|s| sets(s)).map(|s| s.record.name.as_str()).next()
}

/// Whether another connection of the workload to the same kind of service already has the plain names.
fn twin(service: &Service, survey: &Survey, former: Option<&Stored>, target: &Target, connection: &str, made: &[Variable]) -> bool {
    // An existing connection keeps its names, whatever other connections exist: its application reads them.
    if let Some(delivered) = former.and_then(|f| f.record.secret()) {
        let has = |name: &str| delivered.variables.iter().any(|v| v.name == name);
        if made.iter().any(|v| has(&v.name)) {
            return false;
        }
        if made.iter().any(|v| has(&catalogue::renamed(service, &v.name, connection))) {
            return true;
        }
    }
    let Some(workload) = &survey.workload else { return false };
    let workload = workload.to_string();
    let is_other = |s: &&Stored| {
        let r = &s.record;
        r.namespace == survey.namespace && r.name != connection && r.workload.as_deref() == Some(workload.as_str()) && r.target != target.id
    };
    let same_prefix = |word: &str| catalogue::find(word).is_some_and(|s| s.prefixes.iter().any(|p| service.prefixes.contains(p)));
    let mut others = survey.records.iter().filter(is_other).filter(|s| same_prefix(&s.record.service));
    // If the recorded names don't decide, the older connection has the plain names.
    match former {
        Some(former) => others.any(|o| o.record.created < former.record.created),
        None => others.next().is_some(),
    }
}

fn rename(mut made: Vec<Variable>, request: &ConnectRequest) -> Result<Vec<Variable>> {
    for (from, to) in &request.map {
        let Some(variable) = made.iter_mut().find(|v| v.name == *from) else {
            let names = made.iter().map(|v| v.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Problem::new(Kind::Usage, "KC1609", format!("--map: this connection has no variable {from}"))
                .fix(format!("its variables are {names}")));
        };
        variable.name.clone_from(to);
    }
    if let Some(prefix) = &request.env_prefix {
        made.iter_mut().filter(|v| !request.map.iter().any(|(_, to)| *to == v.name)).for_each(|v| v.name = format!("{prefix}{}", v.name));
    }
    let mut seen = BTreeMap::new();
    for variable in &made {
        let name = &variable.name;
        if !fits_variable(name) {
            return Err(Problem::new(Kind::Usage, "KC1610", format!("`{name}` can't name a variable"))
                .why("names hold letters, digits, `_`, `-` and `.`, and begin with no digit")
                .fix("choose another one with --map or --env-prefix"));
        }
        if seen.insert(name.clone(), ()).is_some() {
            return Err(Problem::new(Kind::Usage, "KC1610", format!("two variables would be called {name}"))
                .fix("choose other names with --map or --env-prefix"));
        }
    }
    Ok(made)
}

/// Checks that all secrets of the variables are given, and no others.
fn given(made: &[Variable], secrets: &BTreeMap<String, secrecy::SecretString>) -> Result<()> {
    let mut wanted: Vec<String> = Vec::new();
    for part in made.iter().flat_map(Variable::parts) {
        if let Part::Given { name, .. } = part
            && !wanted.contains(&name)
        {
            wanted.push(name);
        }
    }
    let Some(missing) = wanted.iter().find(|w| !(secrets.contains_key(*w) || (wanted.len() == 1 && secrets.contains_key("")))) else {
        return Ok(());
    };
    let problem = Problem::new(Kind::Usage, "KC1603", format!("the {missing} was not given"))
        .why("secrets that a user gives are kept in the Kubernetes Secret alone, so they are needed at each run");
    Err(if wanted.len() == 1 {
        problem.fix("give it on standard input: --secret-stdin").fix("or in a file: --secret-file FILE")
    } else {
        problem.fix(format!(
            "give lines {} on standard input: --secret-stdin",
            wanted.iter().map(|w| format!("{w}=…")).collect::<Vec<_>>().join(", ")
        ))
    })
}

/// The secrets by the names that the variables use; a single secret needs no name.
pub(crate) fn named(made: &[Variable], secrets: &BTreeMap<String, secrecy::SecretString>) -> BTreeMap<String, secrecy::SecretString> {
    let mut all = secrets.clone();
    if let Some(only) = all.remove("") {
        for part in made.iter().flat_map(Variable::parts) {
            if let Part::Given { name, .. } = part {
                all.entry(name).or_insert_with(|| only.clone());
            }
        }
    }
    all
}

fn missing(service: &Service, word: &str) -> Problem {
    let (flag, what, value) = match word {
        "user" => ("--username".to_owned(), "the user name that goes with the password".to_owned(), "NAME"),
        word => {
            let help = service.parameters.iter().find(|p| p.name == word).map_or("Value", |p| p.help);
            let mut letters = help.chars();
            let what: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
            let value = ["Name", "URL", "Number"].into_iter().find(|value| help.starts_with(value)).unwrap_or("Value");
            (format!("--{word}"), format!("the {what}"), value)
        }
    };
    let value = value.to_uppercase();
    Problem::new(Kind::Usage, "KC1602", format!("{flag} is needed"))
        .why(format!("{} connections need {what}", service.title))
        .fix(format!("add {flag} {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_runtime_is_detected_by_variables_and_image() {
        let see = |container: serde_json::Value| runtime(&container).map(|(c, _)| c.word());
        assert_eq!(see(json!({"image": "shop/app:1", "env": [{"name": "ASPNETCORE_URLS"}]})), Some("dotnet"));
        assert_eq!(see(json!({"image": "docker.io/library/python:3.12-slim"})), Some("python"));
        assert_eq!(see(json!({"image": "registry.k8s.io/node-problem/nodexporter:1"})), Some("nodejs"));
        assert_eq!(see(json!({"image": "shop/anodetool:1"})), None);
    }
}
