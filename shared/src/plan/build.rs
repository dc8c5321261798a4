//! Builds the steps of a connection from facts. Pure.

use super::spec::access::Grantee;
use super::spec::{self, StepSpec};
use crate::model::ResourceId;
use crate::model::access::{Grant, Role};
use crate::model::variable::Variable;

/// All inputs for the steps.
pub struct Facts {
    /// The target.
    pub target: ResourceId,
    /// ARM path, below the target, of the part to which access is limited; empty for the whole target.
    pub scope: String,
    /// The managed cluster.
    pub cluster: ResourceId,
    /// Issuer, for a cluster outside AKS. Such a cluster has no features that this tool could enable.
    pub issuer: Option<String>,
    /// Namespace of the connection.
    pub namespace: String,
    /// The managed identity that gets the grants.
    pub identity: Option<spec::Identity>,
    /// The service account, if the workload acts as that identity.
    pub account: Option<spec::ServiceAccount>,
    /// Object id of the service principal that gets the grants, if there is no identity.
    pub principal: Option<String>,
    /// The permissions to grant.
    pub grants: Vec<Grant>,
    /// Name of the Secret; `None` if the connection has none.
    pub secret: Option<String>,
    /// Variables in the Secret.
    pub variables: Vec<Variable>,
    /// Secrets stored in a vault. The vault is then the target of the grants.
    pub stored: Vec<spec::VaultSecret>,
    /// Key Vault objects to mount.
    pub mount: Option<spec::Mount>,
    /// The workload, if it is to be patched.
    pub workload: Option<WorkloadFacts>,
}

/// The workload to patch.
#[derive(Clone, Debug)]
pub struct WorkloadFacts {
    /// `deployment`, `statefulset`, `daemonset` or `cronjob`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Containers that get the variables, in the order of the live object.
    pub containers: Vec<String>,
    /// Whether the workload runs with the default service account, which this tool may replace.
    pub on_default_account: bool,
}

/// The steps of the connection, in display order. With keys or a service principal there is no identity, and the
/// cluster needs no features enabled.
pub fn specs(facts: &Facts) -> Vec<StepSpec> {
    let mut specs = Vec::new();
    // A cluster outside AKS has no features that could be enabled.
    if facts.issuer.is_none() && (facts.account.is_some() || facts.mount.is_some()) {
        specs.push(StepSpec::ClusterFeatures(spec::ClusterFeatures {
            cluster: facts.cluster.clone(),
            federation: facts.account.is_some(),
            secrets_provider: facts.mount.is_some(),
        }));
    }
    specs.extend(facts.identity.iter().cloned().map(StepSpec::Identity));
    let to = match (&facts.identity, &facts.principal) {
        (Some(identity), _) => Some(Grantee::Identity(identity.id.clone())),
        (None, Some(principal)) => Some(Grantee::Principal(principal.clone())),
        (None, None) => None,
    };
    if let Some(to) = to {
        specs.extend(facts.grants.iter().flat_map(|grant| granted(facts, grant, &to)));
    }
    if let (Some(identity), Some(account)) = (&facts.identity, &facts.account) {
        specs.push(StepSpec::FederatedCredential(spec::FederatedCredential {
            identity: identity.id.clone(),
            namespace: account.namespace.clone(),
            service_account: account.name.clone(),
            issuer: facts.issuer.clone(),
        }));
        specs.push(StepSpec::ServiceAccount(account.clone()));
    }
    let (namespace, variables) = (facts.namespace.clone(), facts.variables.clone());
    specs.extend(facts.stored.iter().cloned().map(StepSpec::VaultSecret));
    if let Some(name) = facts.secret.clone().filter(|_| facts.stored.is_empty() || !variables.is_empty()) {
        let namespace = namespace.clone();
        specs.push(StepSpec::Secret(spec::Secret { namespace, name, variables: variables.clone(), foreign: false }));
    }
    specs.extend(facts.mount.iter().map(|mount| StepSpec::SecretProviderClass(mount.class.clone())));
    if let Some(workload) = &facts.workload {
        let account = facts.account.as_ref().map(|account| account.name.clone());
        specs.push(StepSpec::Workload(spec::Workload {
            kind: workload.kind.clone(),
            namespace,
            name: workload.name.clone(),
            containers: workload.containers.clone(),
            foreign: false,
            identity: account.is_some(),
            service_account: account.filter(|_| workload.on_default_account),
            secret: facts.secret.clone().unwrap_or_default(),
            variables,
            mount: facts.mount.clone(),
        }));
    }
    specs
}

/// The steps for one grant. If the target is a vault that stores this connection's secrets, the role is assigned on
/// each of those secrets and not on the whole vault.
fn granted(facts: &Facts, grant: &Grant, to: &Grantee) -> Vec<StepSpec> {
    match grant {
        Grant::Role(role) if !facts.stored.is_empty() => {
            let at = |s: &spec::VaultSecret| spec::RoleAssignment {
                scope: facts.target.below(&format!("secrets/{}", s.name)),
                role: role.clone(),
                part: Some(s.variable.name.clone()),
                to: to.clone(),
            };
            facts.stored.iter().map(|s| StepSpec::RoleAssignment(at(s))).collect()
        }
        _ => vec![grant_step(&facts.target, &facts.scope, grant, to.clone())],
    }
}

/// The step that gives `grant` to `to`, on a target or on the part of it at the path `scope`.
pub fn grant_step(target: &ResourceId, scope: &str, grant: &Grant, to: Grantee) -> StepSpec {
    let target = target.clone();
    match grant {
        Grant::Role(role) => {
            let scope = if scope.is_empty() { target } else { target.below(scope) };
            StepSpec::RoleAssignment(spec::RoleAssignment { scope, role: role.clone(), part: None, to })
        }
        Grant::VaultPolicy { secrets, keys, certificates } => {
            let (secrets, keys, certificates) = (secrets.clone(), keys.clone(), certificates.clone());
            StepSpec::VaultPolicy(spec::VaultPolicy { vault: target, secrets, keys, certificates, to })
        }
        Grant::CosmosRole { name, id } => {
            let role = Role { name: name.clone(), id: id.clone() };
            StepSpec::CosmosRole(spec::CosmosRole { account: target, path: scope.to_owned(), role, to })
        }
        Grant::RedisPolicy { policy } => StepSpec::RedisPolicy(spec::RedisPolicy { cache: target, policy: policy.clone(), to }),
    }
}

#[cfg(test)]
mod tests;
