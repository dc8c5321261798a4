//! Flags for authentication and delivery, service-specific flags, and secrets from standard input or a file. No flag
//! takes a secret itself, since a command line is visible to all users of the machine and stored in histories.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command};
use secrecy::SecretString;

use crate::catalogue::{self, Service};
use crate::model::request::Principal;
use crate::model::{Auth, Kind, Problem, Result};

// Flags of authentication and delivery.
#[derive(Args, Debug)]
pub struct AuthArgs {
    /// How the workload signs in [default: the first one listed below]
    #[arg(long = "auth", value_name = "WAY", help_heading = "Access")]
    way: Option<String>,
    /// Grant access to a part only, such as container=images
    #[arg(long, value_name = "KIND=NAME", help_heading = "Access")]
    pub scope: Option<String>,
    /// User name for the given password
    #[arg(long = "username", alias = "secret-name", value_name = "USER", help_heading = "Access", hide_short_help = true)]
    pub username: Option<String>,
    /// Read the password or client secret from standard input; several as NAME=VALUE lines
    #[arg(long, conflicts_with = "secret_file", help_heading = "Access", hide_short_help = true)]
    secret_stdin: bool,
    /// Read the password or client secret from FILE
    #[arg(long, value_name = "FILE", help_heading = "Access", hide_short_help = true)]
    secret_file: Option<PathBuf>,
    /// Client id of the service principal
    #[arg(long, value_name = "ID", help_heading = "Access", hide_short_help = true)]
    client_id: Option<String>,
    /// Object id of the service principal; needed to grant the role to it
    #[arg(long, value_name = "ID", help_heading = "Access", hide_short_help = true)]
    object_id: Option<String>,
    /// Tenant of the service principal [default: the cluster's]
    #[arg(long, value_name = "ID", help_heading = "Access", hide_short_help = true)]
    tenant: Option<String>,
    /// Keep keys and connection strings in this vault (keyvault:NAME), and mount them from there
    #[arg(long, value_name = "STORE", help_heading = "Delivery", hide_short_help = true)]
    secret_store: Option<String>,
    /// Rename a variable: OLD=NEW (repeatable)
    #[arg(long = "map", value_name = "OLD=NEW", help_heading = "Delivery")]
    map: Vec<String>,
    /// Prefix for the names of all variables
    #[arg(long, value_name = "TEXT", help_heading = "Delivery", hide_short_help = true)]
    pub env_prefix: Option<String>,
}

impl AuthArgs {
    /// The way of authentication.
    pub fn auth(&self) -> Result<Option<Auth>> {
        let Some(word) = &self.way else { return Ok(None) };
        Auth::parse(word).map(Some).ok_or_else(|| {
            let known = Auth::ALL.iter().map(|a| a.word()).collect::<Vec<_>>().join(", ");
            Problem::new(Kind::Usage, "KC1601", format!("`{word}` is not a way of authentication")).fix(format!("choose one of: {known}"))
        })
    }

    /// The vault that stores the secrets.
    pub fn secret_store(&self) -> Result<Option<String>> {
        self.secret_store.as_deref().map(store).transpose()
    }

    /// Variables to rename, with their new names.
    pub fn map(&self) -> Result<Vec<(String, String)>> {
        let pair =
            |text: &String| text.split_once('=').filter(|(a, b)| !a.is_empty() && !b.is_empty()).map(|(a, b)| (a.to_owned(), b.to_owned()));
        let bad = |text: &String| {
            Problem::new(Kind::Usage, "KC1609", format!("--map {text}: the new name is missing")).fix("write --map OLD=NEW")
        };
        self.map.iter().map(|text| pair(text).ok_or_else(|| bad(text))).collect()
    }

    /// The service principal.
    pub fn principal(&self) -> Principal {
        Principal { client_id: self.client_id.clone(), object_id: self.object_id.clone(), tenant: self.tenant.clone() }
    }

    /// Secrets by name; a single secret has an empty name.
    pub fn secrets(&self) -> Result<BTreeMap<String, SecretString>> {
        let unreadable = |from: &str, e: std::io::Error| {
            Problem::new(Kind::Usage, "KC1613", format!("the secret can't be read from {from}"))
                .why(e.to_string())
                .fix("it must be UTF-8 text")
        };
        let mut text = String::new();
        if self.secret_stdin {
            std::io::stdin().lock().read_to_string(&mut text).map_err(|e| unreadable("standard input", e))?;
        } else if let Some(file) = &self.secret_file {
            text = std::fs::read_to_string(file).map_err(|e| unreadable(&file.display().to_string(), e))?;
        } else {
            return Ok(BTreeMap::new());
        }
        let text = text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
        if text.is_empty() {
            return Err(Problem::new(Kind::Usage, "KC1613", "the secret is empty").fix("pass it on standard input or in the file"));
        }
        Ok(parse(text))
    }
}

/// The vault in `keyvault:NAME` or `keyvault:ID`.
pub fn store(text: &str) -> Result<String> {
    let fits = |name: &str| (3..=24).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    match text.split_once(':') {
        Some((word, vault)) if word.eq_ignore_ascii_case("keyvault") && (vault.contains('/') || fits(vault)) => Ok(vault.to_owned()),
        _ => Err(Problem::new(Kind::Usage, "KC1627", format!("--secret-store `{text}` can't be used"))
            .why("the store must be a vault's name (3 to 24 letters, digits and hyphens) or resource id")
            .fix("use --secret-store keyvault:NAME")),
    }
}

/// Parses lines `name=value` whose names are secrets of a service. Any other text is a single secret, including its
/// `=` characters.
fn parse(text: &str) -> BTreeMap<String, SecretString> {
    let known = |name: &str| name == "client-secret" || catalogue::SERVICES.iter().any(|s| s.secrets.contains(&name));
    let named: Option<BTreeMap<String, SecretString>> = text
        .lines()
        .map(|line| line.split_once('=').filter(|(name, _)| known(name)).map(|(n, v)| (n.to_owned(), v.to_owned().into())))
        .collect();
    named.unwrap_or_else(|| BTreeMap::from([(String::new(), text.to_owned().into())]))
}

/// Adds the flags that only this service has.
pub fn with_parameters(command: Command, service: &Service) -> Command {
    service.parameters.iter().fold(command, |command, parameter| {
        let default = if parameter.default.is_empty() { String::new() } else { format!(" [default: {}]", parameter.default) };
        let arg = Arg::new(parameter.name).long(parameter.name).value_name("NAME").help_heading("Target");
        command.arg(arg.help(format!("{}{default}", parameter.help)))
    })
}

/// Values of the service-specific flags.
pub fn parameters(service: &str, matches: &ArgMatches) -> BTreeMap<String, String> {
    let parameters = catalogue::find(service).map_or(&[][..], |s| s.parameters);
    let given = |name: &str| matches.get_one::<String>(name).cloned();
    parameters.iter().filter_map(|p| Some((p.name.to_owned(), given(p.name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn only_lines_with_known_names_are_several_secrets() {
        let two = parse("kafka-secret=a=b\nschema-secret=c");
        assert_eq!((two["kafka-secret"].expose_secret(), two["schema-secret"].expose_secret()), ("a=b", "c"));
        for one in ["p=w", "a\nb", "kafka-secret=x\nother"] {
            assert_eq!(parse(one)[""].expose_secret(), one);
        }
    }
}
