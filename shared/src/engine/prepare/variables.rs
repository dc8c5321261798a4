//! The variables of a connection: their values come from the catalogue, their names from the request. Pure.

use std::collections::BTreeMap;

use super::asked::Asked;
use super::subject::Subject;
use crate::catalogue::{self, Ask, Inputs, Missing, Service};
use crate::lookup::cluster::Survey;
use crate::model::request::ConnectRequest;
use crate::model::target::Target;
use crate::model::variable::{Part, Variable};
use crate::model::vault::fits_variable;
use crate::model::{Auth, Cloud, Kind, Mode, Problem, Result};
use crate::plan::record::Record;

/// Variables under their final names.
pub(crate) struct Named {
    /// The variables.
    pub variables: Vec<Variable>,
    /// Why they have other names than the catalogue's.
    pub note: Option<String>,
}

/// Everything from which variables and their names are built.
#[derive(Clone, Copy)]
pub(crate) struct Naming<'a> {
    /// The request.
    pub asked: &'a Asked,
    /// The cluster's body.
    pub survey: &'a Survey,
    /// The connection.
    pub subject: &'a Subject,
    /// The target.
    pub target: &'a Target,
    /// The current cloud.
    pub cloud: &'a Cloud,
    /// Tenant of the cluster.
    pub tenant: &'a str,
}

impl Naming<'_> {
    /// The variables, under the names that the user requested, without collisions.
    ///
    /// # Errors
    /// If a value is missing, or a name can't be used.
    pub(crate) fn variables(&self) -> Result<Named> {
        let Naming { asked: Asked { service, request, .. }, subject, target, cloud, tenant, .. } = *self;
        let Mode { auth, client, access } = subject.mode;
        let connection = &subject.connection.name;
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
        let mut note = None;
        if self.is_twin(&made) {
            let first_name = |all: &[Variable]| all.first().map(|v| v.name.clone()).unwrap_or_default();
            let plain = first_name(&made);
            made.iter_mut().for_each(|v| v.name = catalogue::renamed(service, &v.name, connection));
            note = self.renaming_note(&plain, &first_name(&made));
        }
        Ok(Named { variables: rename(made, request)?, note })
    }

    /// Why the variables of a new connection have long names, unless the user chose a prefix.
    fn renaming_note(&self, plain: &str, renamed: &str) -> Option<String> {
        if self.subject.former.is_some() || self.asked.request.env_prefix.is_some() || renamed == plain {
            return None;
        }
        let connection = &self.subject.connection;
        let sets = |r: &&Record| r.secret().is_some_and(|secret| secret.variables.iter().any(|v| v.name == plain));
        let others = self.subject.others.iter().filter(|r| r.namespace == connection.namespace);
        let first = others.filter(sets).map(|r| format!("connection {} sets {plain}: ", r.name)).next().unwrap_or_default();
        Some(format!("{first}this connection's variables contain its name, such as {renamed}; choose other names with --env-prefix"))
    }

    /// Whether another connection of the workload to the same kind of service already has the plain names.
    fn is_twin(&self, made: &[Variable]) -> bool {
        let Naming { asked: Asked { service, .. }, survey, subject, target, .. } = *self;
        let connection = &subject.connection;
        // An existing connection keeps its names, whatever other connections exist: its application reads them.
        if let Some(delivered) = subject.past().and_then(Record::secret) {
            let has = |name: &str| delivered.variables.iter().any(|v| v.name == name);
            if made.iter().any(|v| has(&v.name)) {
                return false;
            }
            if made.iter().any(|v| has(&catalogue::renamed(service, &v.name, &connection.name))) {
                return true;
            }
        }
        let Some(workload) = &survey.workload else { return false };
        let workload = workload.to_string();
        let is_other =
            |r: &&Record| r.namespace == connection.namespace && r.workload.as_deref() == Some(workload.as_str()) && r.target != target.id;
        let same_prefix = |word: &str| catalogue::find(word).is_some_and(|s| s.prefixes.iter().any(|p| service.prefixes.contains(p)));
        let mut others = subject.others.iter().filter(is_other).filter(|r| same_prefix(&r.service));
        // If the recorded names don't decide, the older connection has the plain names.
        match subject.past() {
            Some(former) => others.any(|o| o.created < former.created),
            None => others.next().is_some(),
        }
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
            return Err(Problem::new(Kind::Usage, "KC1610", format!("`{name}` is not a valid name of a variable"))
                .why("names may contain letters, digits, `_`, `-` and `.`, and must not begin with a digit")
                .fix("choose another one with --map or --env-prefix"));
        }
        if seen.insert(name.clone(), ()).is_some() {
            return Err(Problem::new(Kind::Usage, "KC1610", format!("two variables would have the name {name}"))
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
        .why("given secrets are stored only in the Kubernetes Secret, so every run needs them");
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
        "user" => ("--username".to_owned(), "the user name for the password".to_owned(), "NAME"),
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
mod tests;
