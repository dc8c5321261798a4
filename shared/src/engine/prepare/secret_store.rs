//! Keys and connection strings in a vault: they are stored as vault secrets and reach the pods through the CSI
//! driver, not through a Secret of this tool.

use serde_json::Value;

use super::delivery;
use crate::catalogue::{self, Service, keyvault};
use crate::lookup::resources::quoted;
use crate::lookup::session::Session;
use crate::model::request::{ConnectRequest, Csi};
use crate::model::target::Target;
use crate::model::variable::Variable;
use crate::model::vault::{CsiIdentity, ObjectKind, VaultObject};
use crate::model::{Auth, Event, Kind, Problem, ResourceId, Result, names};
use crate::plan::spec;

/// Checks that there are secrets to store.
///
/// # Errors
/// If the way of authentication has no secrets.
pub fn refuse_store(service: &Service, auth: Auth) -> Result<()> {
    if auth == Auth::Secret {
        return Ok(());
    }
    let problem = Problem::new(Kind::Usage, "KC1626", format!("--secret-store has no meaning with --auth {auth}"))
        .why("it is for the keys and connection strings of a service");
    Err(if service.auths.contains(&Auth::Secret) { problem.fix("say --auth secret") } else { problem.fix("leave it away") })
}

/// The vault named in the request.
pub(crate) async fn vault(session: &Session, request: &ConnectRequest) -> Result<Option<Target>> {
    let Some(named) = &request.secret_store else { return Ok(None) };
    let service = catalogue::find("keyvault").ok_or_else(|| missing(named))?;
    let id: ResourceId = if named.contains('/') {
        named.parse().map_err(|fault| Problem::new(Kind::Usage, "KC1001", format!("--secret-store: {fault}")))?
    } else {
        let query = format!("resources | where type =~ '{}' and name =~ {} | project id, name, type", service.arm_type, quoted(named));
        let rows = session.arm.graph(&query, &[]).await?;
        let ids: Vec<ResourceId> = rows.iter().filter_map(|r: &Value| r["id"].as_str()?.parse().ok()).collect();
        match ids.as_slice() {
            [one] => one.clone(),
            [] => return Err(missing(named)),
            all => {
                let problem = Problem::new(Kind::Usage, "KC1308", format!("{} vaults are called `{named}`", all.len()));
                return Err(all.iter().fold(problem, |p, id| p.fix(format!("--secret-store keyvault:{id}"))));
            }
        }
    };
    let body = session.arm.read(id.as_str(), service.api_version, &[]).await?.ok_or_else(|| missing(named))?;
    Ok(Some(Target::from_arm(id, &body)))
}

fn missing(named: &str) -> Problem {
    Problem::new(Kind::NotFound, "KC1301", format!("there is no vault `{named}` that you can see")).fix("az keyvault list -o table")
}

/// The secrets to store, and the request to mount them. Variables with secrets are removed from `variables`.
pub(crate) fn put(
    session: &Session,
    vault: &Target,
    (cluster, namespace, connection): (&ResourceId, &str, &str),
    variables: &mut Vec<Variable>,
) -> (Vec<spec::VaultSecret>, Csi) {
    let (secret, plain): (Vec<Variable>, Vec<Variable>) = variables.drain(..).partition(Variable::is_secret);
    *variables = plain;
    let uri = keyvault::address(vault.name(), session.cloud());
    let owner = format!("{}/{namespace}/{connection}", cluster.name());
    let stored: Vec<spec::VaultSecret> = secret
        .into_iter()
        .map(|variable| spec::VaultSecret {
            vault: vault.id.clone(),
            uri: uri.clone(),
            name: names::vault_secret(cluster.as_str(), namespace, connection, &variable.name),
            owner: owner.clone(),
            variable,
        })
        .collect();
    let object = |s: &spec::VaultSecret| VaultObject {
        kind: ObjectKind::Secret,
        name: s.name.clone(),
        version: None,
        alias: Some(s.variable.name.clone()),
        variable: Some(s.variable.name.clone()),
    };
    let objects = stored.iter().map(object).collect();
    let mount_path = Some(format!("{}-{connection}", delivery::MOUNT_PATH));
    session
        .events
        .say(Event::Note(format!("`delete` also deletes these secrets from {} (soft delete keeps them recoverable)", vault.name())));
    (stored, Csi { objects, mount_path, identity: Some(CsiIdentity::Workload) })
}
