//! Values of variables: from the plan, from the created identity, keys fetched from the service, and secrets given by
//! the user. Keys and given secrets exist only in this process's memory and in the Kubernetes Secret.

use std::fmt;
use std::sync::PoisonError;

use secrecy::ExposeSecret;

use crate::model::variable::{Key, Part, Variable, escape};
use crate::model::{Kind, Problem, Result};
use crate::steps::context::{Cx, Keys};
use crate::steps::step::Right;

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(hidden)")
    }
}

impl Cx {
    /// The value of each variable; `None` while the identity is unknown.
    ///
    /// # Errors
    /// If the service does not return its keys, or a secret was not given.
    pub(crate) async fn values(&self, variables: &[Variable]) -> Result<Option<Vec<String>>> {
        let mut values = Vec::new();
        for variable in variables {
            let mut value = String::new();
            for part in variable.parts() {
                match self.part(&part).await? {
                    Some(text) => value.push_str(&text),
                    None => return Ok(None),
                }
            }
            values.push(value);
        }
        Ok(Some(values))
    }

    async fn part(&self, part: &Part) -> Result<Option<String>> {
        let form = |text: &str, escaped: bool| if escaped { escape(text) } else { text.to_owned() };
        Ok(match part {
            Part::Text(text) => Some(text.clone()),
            Part::ClientId => self.client_id(),
            Part::PrincipalId => self.principal_id(),
            Part::Key { key, escaped } => Some(form(&self.key(key).await?, *escaped)),
            Part::Given { name, escaped } => {
                let given = self.given.get(name).ok_or_else(|| {
                    Problem::new(Kind::Usage, "KC1603", format!("the {name} was not given"))
                        .why("given secrets are stored only in the Kubernetes Secret, so every run needs them")
                        .fix("give it on standard input: --secret-stdin")
                })?;
                Some(form(given.expose_secret(), *escaped))
            }
        })
    }

    async fn key(&self, key: &Key) -> Result<String> {
        let path = key.path();
        let cell = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).entry(path.to_ascii_lowercase()).or_default().clone();
        let answer = cell
            .get_or_try_init(|| async {
                match key.operation {
                    Some(_) => self.arm.action(&path, &key.api_version, &[]).await,
                    None => Ok(self.arm.get(&path, &key.api_version).await?.unwrap_or_default()),
                }
            })
            .await
            .map_err(|failure| Problem::from(failure).context(format!("fetching the keys of `{}`", key.resource.name())))?;
        key.pick(answer).map(str::to_owned).ok_or_else(|| {
            Problem::new(Kind::Failed, "KC1611", format!("`{}` did not return the requested key", key.resource.name()))
                .why(format!("its answer to {} has nothing at {}", key.operation.as_deref().unwrap_or("a read"), key.field))
                .fix("check the resource in the portal: the key may have been removed or disabled")
        })
    }
}

/// The permissions required to fetch the keys of these variables.
pub(crate) fn rights(variables: &[Variable]) -> Vec<Right> {
    let mut rights = Vec::new();
    for key in keys(variables) {
        let Some(operation) = &key.operation else { continue };
        let action = format!("{}/{operation}/action", key.resource.arm_type());
        let right = Right::Keys { scope: key.resource.to_string(), action };
        if !rights.contains(&right) {
            rights.push(right);
        }
    }
    rights
}

/// Whether any value contains a secret.
pub(crate) fn are_secret(variables: &[Variable]) -> bool {
    variables.iter().any(Variable::is_secret)
}

fn keys(variables: &[Variable]) -> Vec<Key> {
    let parts = variables.iter().flat_map(Variable::parts);
    parts
        .filter_map(|p| match p {
            Part::Key { key, .. } => Some(key),
            _ => None,
        })
        .collect()
}
