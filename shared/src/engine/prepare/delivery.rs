//! Vault objects as files: checks everything that the custom resource would accept unchecked, and derives the parts
//! of the plan. Pure.

use crate::catalogue::{Service, keyvault};
use crate::kube::Workload;
use crate::model::access::Grant;
use crate::model::request::{ConnectRequest, Csi};
use crate::model::target::Target;
use crate::model::variable::Variable;
use crate::model::vault::{CsiIdentity, ObjectKind, mount_path_fault};
use crate::model::{Auth, Cloud, Event, Events, Kind, Problem, ResourceId, Result};
use crate::plan::spec;
use crate::steps::addon_identity;

/// Default mount path; the driver's documentation uses the same one.
pub const MOUNT_PATH: &str = "/mnt/secrets-store";

/// Whether the request means `--auth csi` because of its flags.
pub(crate) fn means_csi(request: &ConnectRequest) -> bool {
    request.auth.is_none() && request.csi != Csi::default()
}

/// Checks the request.
pub(crate) fn check(service: &Service, request: &ConnectRequest, auth: Auth) -> Result<()> {
    let csi = &request.csi;
    if auth != Auth::Csi {
        if *csi == Csi::default() {
            return Ok(());
        }
        return Err(Problem::new(
            Kind::Usage,
            "KC1625",
            format!("--secret, --key, --cert, --mount-path and --csi-identity have no meaning with --auth {auth}"),
        )
        .why("they tell the CSI driver what to mount")
        .fix("say --auth csi"));
    }
    if csi.objects.is_empty() {
        return Err(Problem::new(Kind::Usage, "KC1620", "no object to mount was named")
            .why("the driver mounts the objects that it is told, and none besides")
            .fix(format!("kubectl connect {} {} --auth csi --secret NAME --workload KIND/NAME", service.name, request.target)));
    }
    if let Some((path, why)) = csi.mount_path.as_deref().and_then(|p| mount_path_fault(p).map(|why| (p, why))) {
        return Err(Problem::new(Kind::Usage, "KC1623", format!("--mount-path `{path}` can't be used: it {why}"))
            .fix(format!("--mount-path {MOUNT_PATH}")));
    }
    for (at, object) in csi.objects.iter().enumerate() {
        let before = &csi.objects[..at];
        if let Some(other) = before.iter().find(|o| o.file() == object.file()) {
            let both = format!("--{} {} and --{} {}", other.kind.word(), other.name, object.kind.word(), object.name);
            return Err(Problem::new(Kind::Usage, "KC1621", format!("{both} would both be the file `{}`", object.file()))
                .why("the driver keeps the last one only")
                .fix(format!("call one of them otherwise: --{} {}:FILE", object.kind.word(), object.name)));
        }
    }
    let strange = [("--access", request.access.is_some()), ("--object-id", request.principal.object_id.is_some())];
    if let Some((flag, _)) = strange.iter().find(|(_, given)| *given) {
        return Err(Problem::new(Kind::Usage, "KC1615", format!("{flag} has no meaning with --auth csi"))
            .why("the driver reads, and only what is named")
            .fix("leave it away"));
    }
    let of_nodes = csi.identity.as_ref().is_some_and(|i| *i != CsiIdentity::Workload);
    if of_nodes && (request.identity.is_some() || request.service_account.is_some()) {
        return Err(Problem::new(Kind::Usage, "KC1615", "--identity and --service-account have no meaning with this --csi-identity")
            .why("the driver then reads as an identity of the nodes, whatever account the pods have")
            .fix("leave them away"));
    }
    if of_nodes && request.workload.is_none() {
        return Err(Problem::new(Kind::Usage, "KC1006", "no workload was named")
            .why("an identity of the nodes needs no service account: there is nothing to prepare")
            .fix(format!("kubectl connect {} {} --auth csi --workload deployment/NAME", service.name, request.target)));
    }
    Ok(())
}

/// The identity with which the driver reads, if vault objects are mounted.
pub(crate) fn mode(request: &ConnectRequest, auth: Auth) -> Option<CsiIdentity> {
    (auth == Auth::Csi).then(|| request.csi.identity.clone().unwrap_or_default())
}

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
        format!("access narrowed to `{name}` does not reach the {} `{}`", outside.kind.word(), outside.name),
    )
    .why("the driver mounts all objects or none")
    .fix("leave --scope away, or mount that one secret only"))
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

/// The mount, after checks against the variables and the vault.
pub(crate) fn mount(
    csi: &Csi,
    vault: &Target,
    cloud: &Cloud,
    (namespace, connection, tenant): (&str, &str, &str),
    variables: &[Variable],
) -> Result<spec::Mount> {
    let tenant = vault.text("/tenantId").unwrap_or(tenant);
    if uuid::Uuid::parse_str(tenant).is_err() {
        return Err(Problem::new(Kind::Failed, "KC1318", format!("the tenant of vault `{}` is not known", vault.name()))
            .why(format!("`{tenant}` is no tenant id, and the driver signs in there"))
            .fix(format!("az keyvault show --name {} --query properties.tenantId", vault.name())));
    }
    let class = spec::SecretProviderClass {
        namespace: namespace.to_owned(),
        name: connection.to_owned(),
        vault: vault.name().to_owned(),
        tenant: tenant.to_owned(),
        cloud: keyvault::provider_cloud(cloud).map(str::to_owned),
        identity: csi.identity.clone().unwrap_or_default(),
        objects: csi.objects.clone(),
    };
    let mut seen: Vec<&str> = variables.iter().map(|v| v.name.as_str()).collect();
    for name in class.variables() {
        if seen.contains(&name) {
            return Err(Problem::new(Kind::Usage, "KC1610", format!("two variables would be called {name}"))
                .fix("choose another name behind the `=`"));
        }
        seen.push(name);
    }
    let path = csi.mount_path.clone().unwrap_or_else(|| MOUNT_PATH.into());
    Ok(spec::Mount { path, class })
}

/// Notes for the user about facts that the plan does not show.
pub(crate) fn notes(events: &Events, mode: &CsiIdentity, workload: Option<&Workload>, nodes_were_seen: bool) {
    let note = |text: &str| events.say(Event::Note(text.to_owned()));
    match mode {
        CsiIdentity::Workload => {}
        CsiIdentity::Addon => note("every pod that reaches the metadata service of its node can act as the add-on's identity"),
        CsiIdentity::Vm(_) if nodes_were_seen => note("every pod on nodes with that identity can act as it"),
        CsiIdentity::Vm(_) => note("the identity must be assigned to the nodes' scale sets, and every pod on them can act as it"),
    }
    if workload.is_none() {
        note("no workload was named: the class is there to be mounted, no pod mounts it yet");
    }
}
