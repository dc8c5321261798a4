//! Defaults set once by a user or a company. A flag takes precedence over the environment, the environment over the
//! file, and the file over the built-in defaults. Settings have the names of flags, so a value means the same
//! everywhere and is checked by the same rules.

use std::path::PathBuf;

use clap::Command;
use serde_json::{Map, Value, json};

use crate::model::{Kind, Problem, Result};
use crate::sys;

/// A flag whose value may come from the settings.
pub struct Setting {
    /// Name of the flag without its dashes; also the key in the file.
    pub key: &'static str,
    /// Its name in clap.
    pub id: &'static str,
    /// Whether the flag may be repeated: then it is a map in the file, and `a=b,c=d` in the environment.
    many: bool,
}

static SETTINGS: [Setting; 12] = [
    one("access", "access"),
    one("client-type", "client_type"),
    one("patch", "patch"),
    one("verify", "verify"),
    one("env-prefix", "env_prefix"),
    one("identity-group", "identity_group"),
    one("identity-name", "identity_name"),
    Setting { key: "tags", id: "tags", many: true },
    one("timeout", "timeout"),
    one("request-timeout", "request_timeout"),
    one("color", "color"),
    one("progress", "progress"),
];

const fn one(key: &'static str, id: &'static str) -> Setting {
    Setting { key, id, many: false }
}

impl Setting {
    fn variable(&self) -> String {
        format!("KUBECTL_CONNECT_{}", self.key.to_uppercase().replace('-', "_"))
    }

    fn flag(&self) -> String {
        format!("--{}", if self.many { self.key.trim_end_matches('s') } else { self.key })
    }
}

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File { path: PathBuf, line: usize },
    Environment(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => f.write_str(name),
        }
    }
}

/// The values that are set, and where.
#[derive(Default)]
pub struct Settings(Vec<(&'static Setting, Vec<String>, Origin)>);

/// Commands that work even with invalid settings.
const ALWAYS: [&str; 3] = ["version", "completion", "services"];

impl Settings {
    /// Reads file and environment. `probe` builds a command with every flag that settings can set; its rules check
    /// the values.
    ///
    /// # Errors
    /// If a value is invalid: names the key and the file with its line, or the variable.
    pub fn load(probe: impl FnOnce() -> Command) -> Result<Settings> {
        let mut found = match file()? {
            Some((path, text)) => read(&path, &text)?,
            None => Vec::new(),
        };
        for setting in &SETTINGS {
            let Some(text) = sys::var(&setting.variable()) else { continue };
            let values = if setting.many { text.split(',').map(|v| v.trim().to_owned()).collect() } else { vec![text] };
            found.retain(|(other, ..)| other.key != setting.key);
            found.push((setting, values, Origin::Environment(setting.variable())));
        }
        if !found.is_empty() {
            let probe = probe();
            found.iter().try_for_each(|(setting, values, from)| check(&probe, setting, values, from))?;
        }
        Ok(Settings(found))
    }

    /// Every setting; with its values and their origin if it is set.
    pub fn all(&self) -> impl Iterator<Item = (&'static Setting, Option<(&[String], &Origin)>)> {
        SETTINGS.iter().map(|setting| {
            let found = self.0.iter().find(|(other, ..)| other.key == setting.key);
            (setting, found.map(|(_, values, from)| (values.as_slice(), from)))
        })
    }

    /// The command line with these values as defaults.
    pub fn apply(&self, command: Command) -> Command {
        self.0.iter().fold(command, |command, (setting, values, _)| {
            // Leaked: a run has only one command line, which exists until the end.
            let values: Vec<&'static str> = values.iter().map(|value| &*value.clone().leak()).collect();
            with_default(command, setting.id, &values)
        })
    }
}

/// Whether a command works without settings.
pub fn does_without(word: &str) -> bool {
    ALWAYS.contains(&word)
}

fn with_default(mut command: Command, id: &'static str, values: &[&'static str]) -> Command {
    if command.get_arguments().any(|a| a.get_id() == id) {
        command = command.mut_arg(id, |arg| arg.default_values(values.iter().copied()));
    }
    let subcommands: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    subcommands.iter().fold(command, |command, name| command.mut_subcommand(name, |sub| with_default(sub, id, values)))
}

/// The settings file and its content. The default file may be missing.
fn file() -> Result<Option<(PathBuf, String)>> {
    let named = sys::var("KUBECTL_CONNECT_CONFIG").map(PathBuf::from);
    let Some(path) = named.clone().or_else(usual_path) else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok(None),
        Err(error) => Err(Problem::new(Kind::Usage, "KC1012", format!("the settings in {} can't be read", path.display()))
            .why(error.to_string())
            .fix("correct the file, or use another one: KUBECTL_CONNECT_CONFIG=FILE")),
    }
}

/// The default path of the settings file.
pub fn usual_path() -> Option<PathBuf> {
    let windows = || sys::var("APPDATA").filter(|_| cfg!(windows)).map(PathBuf::from);
    let folder =
        sys::var("XDG_CONFIG_HOME").map(PathBuf::from).or_else(windows).or_else(|| sys::home().map(|home| home.join(".config")))?;
    Some(folder.join("kubectl-connect").join("config.yaml"))
}

fn bad(what: String, from: &Origin) -> Problem {
    Problem::new(Kind::Usage, "KC1013", format!("{what} ({from})"))
}

fn read(path: &std::path::Path, text: &str) -> Result<Vec<(&'static Setting, Vec<String>, Origin)>> {
    let at = |line: usize| Origin::File { path: path.to_owned(), line };
    let parsed: Value = if text.lines().all(|l| l.trim().is_empty() || l.trim_start().starts_with('#')) {
        json!({})
    } else {
        serde_saphyr::from_str(text).map_err(|error| {
            let line = error.location().map_or(1, |l| usize::try_from(l.line()).unwrap_or(1));
            bad("the settings are not valid YAML".into(), &at(line))
                .why(error.without_snippet().to_string())
                .fix("write one KEY: VALUE per line")
        })?
    };
    let none = Map::new();
    let all = match &parsed {
        Value::Object(all) => all,
        Value::Null => &none,
        _ => return Err(bad("the settings are not a YAML map".into(), &at(1)).fix("write one KEY: VALUE per line")),
    };
    let line_of = |key: &str| {
        let is_it = |line: &str| {
            let line = line.trim_start_matches(['"', '\'']);
            line.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
        };
        text.lines().position(is_it).map_or(1, |at| at + 1)
    };
    let mut found = Vec::new();
    for (key, value) in all {
        let from = at(line_of(key));
        let Some(setting) = SETTINGS.iter().find(|s| s.key == key) else {
            let mut known: Vec<&str> = SETTINGS.iter().map(|s| s.key).collect();
            known.sort_by_key(|k| strsim::damerau_levenshtein(k, key));
            return Err(bad(format!("`{key}` is not a setting"), &from).fix(format!("must be one of {}", known.join(", "))));
        };
        found.push((setting, values(setting, value, &from)?, from));
    }
    Ok(found)
}

fn values(setting: &Setting, value: &Value, from: &Origin) -> Result<Vec<String>> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    let read = match value {
        Value::Object(pairs) if setting.many => {
            pairs.iter().map(|(key, value)| Some(format!("{key}={}", scalar(value)?))).collect::<Option<Vec<_>>>()
        }
        _ if setting.many => None,
        value => scalar(value).map(|value| vec![value]),
    };
    read.ok_or_else(|| {
        let fix =
            if setting.many { format!("write a map: {}: {{KEY: VALUE}}", setting.key) } else { format!("write {}: VALUE", setting.key) };
        bad(format!("`{}` can't be used like this", setting.key), from).fix(fix)
    })
}

/// Checks the value by the rules of the flag.
fn check(probe: &Command, setting: &Setting, values: &[String], from: &Origin) -> Result<()> {
    let flags = values.iter().map(|value| format!("{}={value}", setting.flag()));
    let argv = ["any", "any"].into_iter().map(str::to_owned).chain(flags);
    let Err(error) = probe.clone().try_get_matches_from(argv) else { return Ok(()) };
    let shown = error.render().to_string();
    let why =
        shown.lines().filter(|l| l.trim_start().starts_with("[possible values")).map(|l| l.trim().trim_matches(['[', ']']).to_owned());
    let why = why.chain(shown.lines().next().and_then(|l| l.rsplit_once("': ")).map(|(_, why)| why.to_owned())).next();
    let mut problem = bad(format!("`{}` can't be `{}`", setting.key, values.join(",")), from);
    if let Some(why) = why {
        problem = problem.why(why);
    }
    Err(problem.fix(format!("kubectl connect keyvault --help shows the values of {}", setting.flag())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flags::{connect, global};

    fn probe() -> Command {
        global::with_globals(connect::with_common(Command::new("any")))
    }

    fn problem(text: &str) -> String {
        let path = std::path::Path::new("config.yaml");
        let told = read(path, text).and_then(|found| found.iter().try_for_each(|(s, v, f)| check(&probe(), s, v, f)));
        told.unwrap_err().what().to_owned()
    }

    #[test]
    fn every_setting_is_a_flag() {
        let probe = probe();
        for setting in &SETTINGS {
            let arg = probe.get_arguments().find(|a| a.get_id() == setting.id);
            let arg = arg.unwrap_or_else(|| panic!("{} is no flag", setting.key));
            assert_eq!(arg.get_long().map(|l| format!("--{l}")), Some(setting.flag()), "{}", setting.key);
        }
    }

    #[test]
    fn errors_are_reported_with_their_line() {
        for (text, told) in [
            ("# mine\n\nacces: read\n", "`acces` is not a setting (config.yaml:3)"),
            ("patch: never\naccess: all\n", "`access` can't be `all` (config.yaml:2)"),
            ("timeout: soon", "`timeout` can't be `soon` (config.yaml:1)"),
            ("tags: shop", "`tags` can't be used like this (config.yaml:1)"),
            ("access: [read]", "`access` can't be used like this (config.yaml:1)"),
            ("tags:\n  'a<b': c", "`tags` can't be `a<b=c` (config.yaml:1)"),
            ("identity-name: 'id-{cluster}'", "`identity-name` can't be `id-{cluster}` (config.yaml:1)"),
            ("access: read\naccess: admin", "the settings are not valid YAML (config.yaml:2)"),
            ("access: read\n - x: [", "the settings are not valid YAML (config.yaml:2)"),
            ("- access", "the settings are not a YAML map (config.yaml:1)"),
        ] {
            assert_eq!(problem(text), told, "{text:?}");
        }
    }

    #[test]
    fn valid_files_are_read() {
        let path = std::path::Path::new("c");
        for (text, count) in
            [("", 0), ("# nothing yet\n", 0), ("access: read\nverify: false\ntimeout: 90\ntags: {team: shop, cost: 7}\n", 4)]
        {
            assert_eq!(read(path, text).unwrap().len(), count, "{text}");
        }
    }

    #[test]
    fn a_flag_takes_precedence_over_a_setting() {
        let path = std::path::Path::new("c");
        let keyvault = || connect::with_flags(Command::new("keyvault"), crate::catalogue::find("keyvault").unwrap());
        let nested = |name: &'static str| Command::new(name).subcommand(keyvault());
        let line = || Command::new("k").subcommands([keyvault(), nested("plan"), nested("create")]);
        let config = Settings(read(path, "access: admin\ntags: {a: b}\n").unwrap());
        let given = |words: &str, id: &str| {
            let matches = config.apply(line()).try_get_matches_from(words.split(' ')).unwrap();
            let mut at = matches.subcommand().unwrap().1.clone();
            if let Some((_, deeper)) = at.clone().subcommand() {
                at = deeper.clone();
            }
            at.get_raw(id).map(|v| v.map(|v| v.to_string_lossy().into_owned()).collect::<Vec<_>>().join(","))
        };
        assert_eq!(given("k keyvault v", "access").as_deref(), Some("admin"));
        assert_eq!(given("k plan keyvault v", "access").as_deref(), Some("admin"));
        assert_eq!(given("k keyvault v --access read", "access").as_deref(), Some("read"));
        assert_eq!(given("k create keyvault v --role Reader", "role").as_deref(), Some("Reader"), "a default is no conflict");
        assert_eq!(given("k keyvault v", "tags").as_deref(), Some("a=b"));
        assert_eq!(given("k keyvault v --tag c=d", "tags").as_deref(), Some("c=d"));
    }
}
