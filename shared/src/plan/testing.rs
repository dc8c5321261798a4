//! Literal ids, steps and records for tests. Every room that reads records tests its judgement on the same connection, so
//! that a test only names what differs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::record::{Origin, Phase, RECORD_VERSION, Record};
use super::spec::{self, StepSpec};
use crate::model::access::Access;
use crate::model::target::Target;
use crate::model::variable::Client;
use crate::model::{Auth, ResourceId};

pub(crate) const SUBSCRIPTION: &str = "11111111-aaaa-4bbb-8ccc-000000000001";
pub(crate) const TENANT: &str = "22222222-aaaa-4bbb-8ccc-000000000002";
pub(crate) const VAULTS: &str = "Microsoft.KeyVault/vaults";

/// A resource in the group `shop-rg`.
pub(crate) fn id(arm_type: &str, name: &str) -> ResourceId {
    ResourceId::resource(SUBSCRIPTION, "shop-rg", arm_type, name)
}

pub(crate) fn cluster() -> ResourceId {
    id("Microsoft.ContainerService/managedClusters", "aks")
}

pub(crate) fn identity_id(name: &str) -> ResourceId {
    id("Microsoft.ManagedIdentity/userAssignedIdentities", name)
}

/// A resource with these `properties`.
pub(crate) fn target(arm_type: &str, name: &str, properties: Value) -> Target {
    Target::from_arm(id(arm_type, name), &json!({"location": "westeurope", "properties": properties}))
}

/// A vault that uses roles.
pub(crate) fn vault(name: &str) -> Target {
    target(VAULTS, name, json!({"enableRbacAuthorization": true, "tenantId": TENANT}))
}

pub(crate) fn identity(name: &str) -> spec::Identity {
    spec::Identity {
        id: identity_id(name),
        location: "westeurope".into(),
        create: true,
        owner: "aks/shop/web".into(),
        addon_of: None,
        tags: BTreeMap::new(),
    }
}

/// A service account of namespace `shop` that the connection creates.
pub(crate) fn account(name: &str) -> spec::ServiceAccount {
    spec::ServiceAccount { namespace: "shop".into(), name: name.into(), create: true, foreign: false, image_pull_secrets: vec![] }
}

/// The finished connection of `deployment/web` in namespace `shop` to a target.
pub(crate) fn record(name: &str, service: &str, target: ResourceId, steps: Vec<StepSpec>) -> Record {
    Record {
        version: RECORD_VERSION,
        name: name.into(),
        namespace: "shop".into(),
        service: service.into(),
        target,
        workload: Some("deployment/web".into()),
        cluster: cluster(),
        tenant: TENANT.into(),
        access: Access::Read,
        auth: Auth::WorkloadIdentity,
        client: Client::None,
        client_id: None,
        principal_id: None,
        phase: Phase::Ready,
        origin: Origin::Made,
        created: "2026-11-01T10:00:00Z".into(),
        steps,
        receipts: BTreeMap::new(),
        retired: vec![],
        verified: None,
    }
}
