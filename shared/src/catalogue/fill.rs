//! Fills the placeholders of catalogue rows, with values from the resource, the flags and the connection. Keys and
//! given secrets stay references: their values never get here.

use std::collections::BTreeMap;

use super::{Ask, Service};
use crate::model::access::Access;
use crate::model::variable::{Key, Part, Variable};
use crate::model::{Auth, Cloud};

/// Inputs for the variables, besides the resource.
pub struct Inputs<'a> {
    /// Values of the service's flags.
    pub parameters: &'a BTreeMap<String, String>,
    /// User name that belongs to a given password.
    pub user: Option<&'a str>,
    /// Client id of the service principal.
    pub client_id: Option<&'a str>,
    /// Tenant of the identity or the service principal.
    pub tenant: &'a str,
    /// Access level: decides which keys are used.
    pub access: Access,
    /// Name of the connection.
    pub connection: &'a str,
}

/// A required flag that was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub String);

impl Service {
    /// The variables of one connection.
    ///
    /// # Errors
    /// The flag that is missing.
    pub fn variables(&self, ask: &Ask<'_>, cloud: &Cloud, inputs: &Inputs<'_>) -> Result<Vec<Variable>, Missing> {
        let texts = (self.texts)(ask.target, cloud);
        let known = |word: &str| -> Option<Part> {
            let text = |text: &str| Some(Part::Text(text.to_owned()));
            if let Some((_, found)) = texts.iter().find(|(own, _)| *own == word) {
                return text(found);
            }
            match word {
                "client-id" if ask.auth == Auth::ServicePrincipal => return inputs.client_id.and_then(text),
                "client-id" => return Some(Part::ClientId),
                "object-id" => return Some(Part::PrincipalId),
                "tenant-id" => return text(inputs.tenant),
                "user" if ask.auth != Auth::Secret => {
                    return Some(Part::Text(inputs.user.map_or_else(|| database_user(inputs.connection), str::to_owned)));
                }
                "user" => return inputs.user.and_then(text),
                "client-secret" => return Some(Part::Given { name: word.into(), escaped: false }),
                _ => {}
            }
            if self.secrets.contains(&word) {
                return Some(Part::Given { name: word.into(), escaped: false });
            }
            if let Some(own) = (self.keys)(inputs.access).iter().find(|k| k.word == word) {
                let resource = if own.under.is_empty() { ask.target.id.clone() } else { ask.target.id.below(own.under) };
                let operation = (!own.operation.is_empty()).then(|| own.operation.to_owned());
                let key = Key { resource, operation, api_version: self.api_version.into(), field: own.field.into() };
                return Some(Part::Key { key, escaped: false });
            }
            let parameter = self.parameters.iter().find(|p| p.name == word)?;
            inputs.parameters.get(word).map(String::as_str).or((!parameter.default.is_empty()).then_some(parameter.default)).and_then(text)
        };
        let rows = (self.rows)(ask);
        rows.iter().map(|row| Ok(Variable::of(row.name.clone(), parts(&row.value, &known)?))).collect()
    }

    /// Whether the value of a row contains a secret.
    pub fn is_secret(&self, value: &str) -> bool {
        placeholders(value).any(|word| {
            word == "client-secret" || self.secrets.contains(&word) || (self.keys)(Access::Admin).iter().any(|k| k.word == word)
        })
    }
}

/// The database user of a connection, named as in Service Connector.
fn database_user(connection: &str) -> String {
    format!("aad_{connection}")
}

/// The placeholder names in a value.
fn placeholders(value: &str) -> impl Iterator<Item = &str> {
    value.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(inside, _)| inside.trim_end_matches("|url"))
}

fn parts(value: &str, known: &dyn Fn(&str) -> Option<Part>) -> Result<Vec<Part>, Missing> {
    let mut parts = Vec::new();
    let mut rest = value;
    while let Some((before, inside)) = rest.split_once('<') {
        let Some((inside, after)) = inside.split_once('>') else { break };
        parts.push(Part::Text(before.to_owned()));
        let (word, url) = inside.strip_suffix("|url").map_or((inside, false), |word| (word, true));
        let part = known(word).ok_or_else(|| Missing(word.to_owned()))?;
        parts.push(match part {
            Part::Key { key, .. } => Part::Key { key, escaped: url },
            Part::Given { name, .. } => Part::Given { name, escaped: url },
            Part::Text(text) if url => Part::Text(crate::model::variable::escape(&text)),
            other => other,
        });
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    parts.retain(|p| *p != Part::Text(String::new()));
    Ok(parts)
}

/// A variable's name for a second connection of the same kind on one workload: the connection's name is inserted
/// after the kind's prefix, as in Service Connector. Spring property names have no place for it and stay unchanged.
pub fn renamed(service: &Service, name: &str, connection: &str) -> String {
    let word: String = connection.to_ascii_uppercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let inside = service.prefixes.iter().find_map(|p| name.strip_prefix(p).and_then(|rest| rest.strip_prefix('_')).map(|rest| (p, rest)));
    match inside {
        Some((prefix, rest)) => format!("{prefix}_{word}_{rest}"),
        None => name.to_owned(),
    }
}
