//! Vault objects as files: checks everything that the custom resource would accept unchecked, and derives the parts
//! of the plan. Pure.

use crate::catalogue::keyvault;
use crate::kube::Workload;
use crate::model::access::Grant;
use crate::model::request::{ConnectRequest, Csi};
use crate::model::target::Target;
use crate::model::variable::Variable;
use crate::model::vault::{CsiIdentity, ObjectKind};
use crate::model::{Cloud, ConnectionKey, Kind, Problem, ResourceId, Result};
use crate::plan::spec;
use crate::steps::addon_identity;

/// Default mount path; the driver's documentation uses the same one.
pub const MOUNT_PATH: &str = "/mnt/secrets-store";

/// The grants that the driver needs.
pub(crate) fn grants(request: &ConnectRequest, vault: &Target) -> Vec<Grant> {
    let kinds: Vec<ObjectKind> = request.csi.objects.iter().map(|o| o.kind).collect();
    keyvault::mounting(vault, &kinds)
}

/// With a scope, only that one secret can be mounted: other objects would not be readable.
pub(crate) fn check_scope(request: &ConnectRequest) -> Result<()> {
    let Some((_, name)) = request.scope.as_deref().and_then(|s| s.split_once('=')) else { return Ok(()) };
    let Some(outside) = request.csi.objects.iter().find(|o| o.kind != ObjectKind::Secret || !o.name.eq_ignore_ascii_case(name)) else {
        return Ok(());
    };
    Err(Problem::new(
        Kind::Usage,
        "KC1608",
        format!("access limited to `{name}` does not include the {} `{}`", outside.kind.word(), outside.name),
    )
    .why("the driver mounts either all objects or none")
    .fix("omit --scope, or mount only that secret"))
}

/// The add-on's identity. AKS determines its name and group, so both are known before it exists.
pub(crate) fn addon(cluster: &ResourceId, body: &serde_json::Value) -> spec::Identity {
    let made = addon_identity(body).and_then(|(_, _, id)| id.parse().ok());
    let id = made.unwrap_or_else(|| {
        let group = body["properties"]["nodeResourceGroup"].as_str().unwrap_or_default();
        let name = format!("azurekeyvaultsecretsprovider-{}", cluster.name());
        ResourceId::resource(cluster.subscription(), group, crate::lookup::resources::IDENTITIES, &name)
    });
    spec::Identity {
        id,
        location: String::new(),
        create: false,
        owner: String::new(),
        tags: Default::default(),
        addon_of: Some(cluster.clone()),
    }
}

/// The connection of a mount, and the tenant of its cluster.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The connection.
    pub connection: &'a ConnectionKey,
    /// Tenant of the cluster, used if the vault's tenant is unknown.
    pub tenant: &'a str,
}

/// The mount, after checks against the variables and the vault.
pub(crate) fn mount(csi: &Csi, vault: &Target, cloud: &Cloud, place: Place<'_>, variables: &[Variable]) -> Result<spec::Mount> {
    let Place { connection, tenant } = place;
    let tenant = vault.text("/tenantId").unwrap_or(tenant);
    if uuid::Uuid::parse_str(tenant).is_err() {
        return Err(Problem::new(Kind::Failed, "KC1318", format!("the tenant of vault `{}` is unknown", vault.name()))
            .why(format!("`{tenant}` is not a tenant id, which the driver needs to sign in"))
            .fix(format!("az keyvault show --name {} --query properties.tenantId", vault.name())));
    }
    let class = spec::SecretProviderClass {
        namespace: connection.namespace.clone(),
        name: connection.name.clone(),
        vault: vault.name().to_owned(),
        tenant: tenant.to_owned(),
        cloud: keyvault::provider_cloud(cloud).map(str::to_owned),
        identity: csi.identity.clone().unwrap_or_default(),
        objects: csi.objects.clone(),
    };
    let mut seen: Vec<&str> = variables.iter().map(|v| v.name.as_str()).collect();
    for name in class.variables() {
        if seen.contains(&name) {
            return Err(Problem::new(Kind::Usage, "KC1610", format!("two variables would have the name {name}"))
                .fix("choose another name behind the `=`"));
        }
        seen.push(name);
    }
    let path = csi.mount_path.clone().unwrap_or_else(|| MOUNT_PATH.into());
    Ok(spec::Mount { path, class })
}

/// Notes for the user about facts that the plan does not show.
pub(crate) fn notes(mode: &CsiIdentity, workload: Option<&Workload>, nodes_were_seen: bool) -> Vec<String> {
    let risk = match mode {
        CsiIdentity::Workload => None,
        CsiIdentity::Addon => Some("every pod with access to its node's metadata service can use the add-on's identity"),
        CsiIdentity::Vm(_) if nodes_were_seen => Some("every pod on nodes with that identity can use it"),
        CsiIdentity::Vm(_) => Some("the identity must be assigned to the nodes' scale sets, and every pod on these nodes can use it"),
    };
    let unmounted = "no workload is given: the class is created, but no pod mounts it yet";
    risk.into_iter().chain(workload.is_none().then_some(unmounted)).map(str::to_owned).collect()
}
