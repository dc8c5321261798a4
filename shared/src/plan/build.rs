//! From facts to steps: which things must be so for this connection. Pure.

use super::spec::{self, StepSpec};
use crate::catalogue::Service;
use crate::model::access::Grant;
use crate::model::target::Target;
use crate::model::variable::Client;
use crate::model::{Cloud, ResourceId};

/// Everything that decides the steps.
pub struct Facts<'a> {
    /// Catalogue entry.
    pub service: &'a Service,
    /// The target as it is now.
    pub target: &'a Target,
    /// The cloud it lives in.
    pub cloud: &'a Cloud,
    /// The managed cluster.
    pub cluster: ResourceId,
    /// The identity.
    pub identity: spec::Identity,
    /// What lets it in.
    pub grants: Vec<Grant>,
    /// The service account.
    pub service_account: spec::ServiceAccount,
    /// Name of the Secret.
    pub secret: String,
    /// Client type.
    pub client: Client,
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

/// The steps of the connection, in the order in which they are shown.
pub fn specs(facts: &Facts<'_>) -> Vec<StepSpec> {
    let namespace = facts.service_account.namespace.clone();
    let identity = facts.identity.id.clone();
    let variables = (facts.service.variables)(facts.target, facts.cloud, facts.client);
    let mut specs = vec![
        StepSpec::ClusterFeatures(spec::ClusterFeatures { cluster: facts.cluster.clone() }),
        StepSpec::Identity(facts.identity.clone()),
    ];
    for grant in &facts.grants {
        specs.push(match grant {
            Grant::Role(role) => StepSpec::RoleAssignment(spec::RoleAssignment {
                scope: facts.target.id.clone(),
                role: role.clone(),
                identity: identity.clone(),
            }),
            Grant::VaultPolicy { secrets } => StepSpec::VaultPolicy(spec::VaultPolicy {
                vault: facts.target.id.clone(),
                secrets: secrets.clone(),
                identity: identity.clone(),
            }),
        });
    }
    specs.push(StepSpec::FederatedCredential(spec::FederatedCredential {
        identity,
        namespace: namespace.clone(),
        service_account: facts.service_account.name.clone(),
    }));
    specs.push(StepSpec::ServiceAccount(facts.service_account.clone()));
    specs.push(StepSpec::Secret(spec::Secret { namespace: namespace.clone(), name: facts.secret.clone(), variables: variables.clone() }));
    if let Some(workload) = &facts.workload {
        specs.push(StepSpec::Workload(spec::Workload {
            kind: workload.kind.clone(),
            namespace,
            name: workload.name.clone(),
            containers: workload.containers.clone(),
            service_account: workload.on_default_account.then(|| facts.service_account.name.clone()),
            secret: facts.secret.clone(),
            variables,
        }));
    }
    specs
}
