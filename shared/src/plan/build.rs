//! From facts to steps: which things must be so for this connection. Pure.

use super::spec::{self, Grantee, StepSpec};
use crate::model::ResourceId;
use crate::model::access::{Grant, Role};
use crate::model::variable::Variable;

/// Everything that decides the steps.
pub struct Facts {
    /// The target.
    pub target: ResourceId,
    /// ARM path of the part of the target that access is narrowed to; empty: all of it.
    pub scope: String,
    /// The managed cluster.
    pub cluster: ResourceId,
    /// Issuer of a cluster that Azure does not know: then there is nothing to switch on.
    pub issuer: Option<String>,
    /// Namespace of the connection.
    pub namespace: String,
    /// Identity and service account, where the workload acts as a managed identity.
    pub identity: Option<(spec::Identity, spec::ServiceAccount)>,
    /// Object id of the service principal that grants are for, where there is no identity.
    pub principal: Option<String>,
    /// What lets it in.
    pub grants: Vec<Grant>,
    /// Name of the Secret.
    pub secret: String,
    /// What the Secret holds.
    pub variables: Vec<Variable>,
    /// The workload to patch, if it is to be patched.
    pub workload: Option<WorkloadFacts>,
}

/// The workload to patch.
#[derive(Clone, Debug)]
pub struct WorkloadFacts {
    /// `deployment`, `statefulset`, `daemonset` or `cronjob`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Containers that get the variables, in their live order.
    pub containers: Vec<String>,
    /// Whether its service account is ours to set.
    pub on_default_account: bool,
}

/// The steps of the connection, in the order in which they are shown. With keys or a service principal there is no
/// identity, and the cluster needs nothing switched on.
pub fn specs(facts: &Facts) -> Vec<StepSpec> {
    let mut specs = Vec::new();
    if let Some((identity, _)) = &facts.identity {
        if facts.issuer.is_none() {
            specs.push(StepSpec::ClusterFeatures(spec::ClusterFeatures { cluster: facts.cluster.clone() }));
        }
        specs.push(StepSpec::Identity(identity.clone()));
    }
    let to = match (&facts.identity, &facts.principal) {
        (Some((identity, _)), _) => Some(Grantee::Identity(identity.id.clone())),
        (None, Some(principal)) => Some(Grantee::Principal(principal.clone())),
        (None, None) => None,
    };
    if let Some(to) = to {
        specs.extend(facts.grants.iter().map(|grant| grant_step(&facts.target, &facts.scope, grant, to.clone())));
    }
    if let Some((identity, account)) = &facts.identity {
        specs.push(StepSpec::FederatedCredential(spec::FederatedCredential {
            identity: identity.id.clone(),
            namespace: account.namespace.clone(),
            service_account: account.name.clone(),
            issuer: facts.issuer.clone(),
        }));
        specs.push(StepSpec::ServiceAccount(account.clone()));
    }
    let (namespace, variables) = (facts.namespace.clone(), facts.variables.clone());
    let secret = spec::Secret { namespace: namespace.clone(), name: facts.secret.clone(), variables: variables.clone(), foreign: false };
    specs.push(StepSpec::Secret(secret));
    if let Some(workload) = &facts.workload {
        let account = facts.identity.as_ref().map(|(_, account)| account.name.clone());
        specs.push(StepSpec::Workload(spec::Workload {
            kind: workload.kind.clone(),
            namespace,
            name: workload.name.clone(),
            containers: workload.containers.clone(),
            foreign: false,
            identity: account.is_some(),
            service_account: account.filter(|_| workload.on_default_account),
            secret: facts.secret.clone(),
            variables,
        }));
    }
    specs
}

/// The step that gives `grant` on a target, or on the part of it at the path `scope`, to somebody.
pub fn grant_step(target: &ResourceId, scope: &str, grant: &Grant, to: Grantee) -> StepSpec {
    let target = target.clone();
    match grant {
        Grant::Role(role) => {
            let scope = if scope.is_empty() { target } else { target.below(scope) };
            StepSpec::RoleAssignment(spec::RoleAssignment { scope, role: role.clone(), to })
        }
        Grant::VaultPolicy { secrets } => StepSpec::VaultPolicy(spec::VaultPolicy { vault: target, secrets: secrets.clone(), to }),
        Grant::CosmosRole { name, id } => {
            let role = Role { name: name.clone(), id: id.clone() };
            StepSpec::CosmosRole(spec::CosmosRole { account: target, path: scope.to_owned(), role, to })
        }
        Grant::RedisPolicy { policy } => StepSpec::RedisPolicy(spec::RedisPolicy { cache: target, policy: policy.clone(), to }),
    }
}
