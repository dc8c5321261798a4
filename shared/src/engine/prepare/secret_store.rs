//! Keys and connection strings in a vault: they are stored as vault secrets and reach the pods through the CSI
//! driver, not through a Secret of this tool.

use serde_json::Value;

use super::delivery;
use crate::catalogue::{self, keyvault};
use crate::lookup::resources::quoted;
use crate::lookup::session::Session;
use crate::model::request::{ConnectRequest, Csi};
use crate::model::target::Target;
use crate::model::variable::Variable;
use crate::model::vault::{CsiIdentity, ObjectKind, VaultObject};
use crate::model::{Cloud, ConnectionKey, Kind, Problem, ResourceId, Result, names};
use crate::plan::spec;

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

/// What the vault keeps.
pub(crate) struct Kept {
    /// The secrets.
    pub secrets: Vec<spec::VaultSecret>,
    /// The request to mount them.
    pub csi: Csi,
}

/// What goes into the vault. The variables that hold a secret are taken out of `variables`.
pub(crate) fn put(vault: &Target, cloud: &Cloud, cluster: &ResourceId, of: &ConnectionKey, variables: &mut Vec<Variable>) -> Kept {
    let (secret, plain): (Vec<Variable>, Vec<Variable>) = variables.drain(..).partition(Variable::is_secret);
    *variables = plain;
    let uri = keyvault::address(vault.name(), cloud);
    let owner = format!("{}/{}/{}", cluster.name(), of.namespace, of.name);
    let secrets: Vec<spec::VaultSecret> = secret
        .into_iter()
        .map(|variable| spec::VaultSecret {
            vault: vault.id.clone(),
            uri: uri.clone(),
            name: names::vault_secret(cluster.as_str(), &of.namespace, &of.name, &variable.name),
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
    let objects = secrets.iter().map(object).collect();
    let mount_path = Some(format!("{}-{}", delivery::MOUNT_PATH, of.name));
    Kept { secrets, csi: Csi { objects, mount_path, identity: Some(CsiIdentity::Workload) } }
}

/// What the user should know about secrets in a vault.
pub(crate) fn note(vault: &Target) -> String {
    format!("`delete` also deletes these secrets from {} (soft delete keeps them recoverable)", vault.name())
}
