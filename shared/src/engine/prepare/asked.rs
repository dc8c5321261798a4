//! Stage 1: the request, checked against the catalogue and completed by what its own words imply. Pure.

use super::delivery::MOUNT_PATH;
use crate::catalogue::{self, Service};
use crate::lookup::given_ids;
use crate::model::request::{ConnectRequest, Csi, Principal};
use crate::model::vault::{CsiIdentity, mount_path_fault};
use crate::model::{Auth, Kind, Problem, ResourceId, Result, names};

/// A request that makes sense by itself. The request is completed here, and nowhere else.
pub(crate) struct Asked {
    /// The service.
    pub service: &'static Service,
    /// The way of authentication.
    pub auth: Auth,
    /// ARM path of the part of the target that access is narrowed to; empty for the whole target.
    pub scope: String,
    /// Identity that the CSI driver reads as, where vault objects are mounted.
    pub mounting: Option<CsiIdentity>,
    /// The request, with the identity of the nodes where the driver reads as one, and with what the target's id says about
    /// its children.
    pub request: ConnectRequest,
}

impl Asked {
    /// Checks a request.
    ///
    /// # Errors
    /// Flags that are missing, that contradict each other, or that the service does not have.
    pub(crate) fn check(request: &ConnectRequest) -> Result<Asked> {
        let service = catalogue::find(&request.service).ok_or_else(|| {
            Problem::new(Kind::Usage, "KC1004", format!("there is no service `{}`", request.service)).fix("kubectl connect services")
        })?;
        let auth = auth(service, request)?;
        let scope = scope(service, request)?;
        check_input(service, request, auth)?;
        let mounting = (auth == Auth::Csi).then(|| request.csi.identity.clone().unwrap_or_default());
        let mut request = request.clone();
        if let Some(CsiIdentity::Vm(client_id)) = &mounting {
            request.identity = Some(client_id.clone());
        }
        for (name, value) in children(service, &request.target) {
            request.parameters.entry(name).or_insert(value);
        }
        Ok(Asked { service, auth, scope, mounting, request })
    }

    /// Whether the workload's service account acts as an identity. With an identity of the nodes the account does not matter.
    pub(crate) fn needs_account(&self) -> bool {
        let by_pods = self.mounting.as_ref().is_none_or(|mode| *mode == CsiIdentity::Workload);
        self.request.secret_store.is_some() || self.auth.has_identity() && by_pods
    }

    /// Whether the CSI driver reads as an identity of the nodes.
    pub(crate) fn reads_as_nodes(&self) -> bool {
        matches!(self.mounting, Some(CsiIdentity::Vm(_)))
    }
}

/// Children that the id of a target names, by the service's flag for them; empty for a name, and for an id that the search
/// will refuse.
fn children(service: &Service, target: &str) -> Vec<(String, String)> {
    let id = target.contains('/').then(|| target.parse::<ResourceId>()).and_then(Result::ok);
    id.filter(|_| !service.is_outside()).map(|id| given_ids::children(service, &id)).unwrap_or_default()
}

/// The way of authentication: the one asked for, if the service has it.
fn auth(service: &Service, request: &ConnectRequest) -> Result<Auth> {
    let auth = request.auth.unwrap_or_else(|| if means_csi(request) { Auth::Csi } else { service.default_auth() });
    if !service.auths.contains(&auth) {
        let problem = Problem::new(Kind::Usage, "KC1601", format!("{} can't be connected to with --auth {auth}", service.title))
            .fix(format!("choose one of: {}", service.auth_words()));
        return Err(if auth == Auth::Csi { problem.why("the CSI driver mounts objects of Key Vault alone") } else { problem });
    }
    check_mounting(service, request, auth)?;
    if request.secret_store.is_some() {
        refuse_store(service, auth)?;
    }
    if request.auth == Some(Auth::WorkloadIdentity) || request.auth.is_none() {
        let stray =
            [("--secret-stdin or --secret-file", !request.secrets.is_empty()), ("--client-id", request.principal != Principal::default())];
        if let Some((flag, _)) = stray.iter().find(|(_, given)| *given && auth == Auth::WorkloadIdentity) {
            return Err(Problem::new(Kind::Usage, "KC1615", format!("{flag} has no meaning with --auth {auth}"))
                .fix("say --auth secret or --auth service-principal"));
        }
    }
    if !auth.has_identity() && request.secret_store.is_none() && (request.identity.is_some() || request.service_account.is_some()) {
        return Err(Problem::new(Kind::Usage, "KC1615", format!("--identity and --service-account have no meaning with --auth {auth}"))
            .why("without a managed identity the workload keeps the service account that it has")
            .fix("leave them away"));
    }
    if auth == Auth::ServicePrincipal && request.principal.client_id.is_none() {
        return Err(Problem::new(Kind::Usage, "KC1614", "--auth service-principal needs the client id of an app registration")
            .fix("--client-id ID, with its secret on standard input: --secret-stdin"));
    }
    Ok(auth)
}

/// The part of the target that access is narrowed to, as an ARM path below it.
fn scope(service: &Service, request: &ConnectRequest) -> Result<String> {
    let Some(asked) = &request.scope else { return Ok(String::new()) };
    let refuse = |why: &str| {
        let problem = Problem::new(Kind::Usage, "KC1608", format!("access to {} can't be narrowed to `{asked}`", service.title));
        let problem = problem.why(why.to_owned());
        if service.scopes.is_empty() {
            return problem.fix("leave --scope away");
        }
        problem.fix(format!("write {}", service.scopes.iter().map(|s| format!("--scope {}", s.form())).collect::<Vec<_>>().join(" or ")))
    };
    let Some((word, name)) = asked.split_once('=') else { return Err(refuse("a scope is a kind and a name")) };
    let Some(found) = service.scopes.iter().find(|s| s.word.eq_ignore_ascii_case(word)) else {
        return Err(refuse("the service has no part of that kind that access can be given for"));
    };
    found.of(name).ok_or_else(|| refuse("the name can't be one of such a part"))
}

fn check_input(service: &Service, request: &ConnectRequest, auth: Auth) -> Result<()> {
    let fault =
        |flag: &str, value: &str, fault: String| Problem::new(Kind::Usage, "KC1002", format!("{flag} `{value}` can't be used: it {fault}"));
    if let Some((name, why)) = request.name.as_deref().and_then(|n| names::connection_name_fault(n).map(|w| (n, w))) {
        return Err(fault("--name", name, why).fix("name the connection otherwise: --name NAME"));
    }
    if let Some((name, why)) = request.service_account.as_deref().and_then(|n| names::object_name_fault(n).map(|w| (n, w))) {
        return Err(fault("--service-account", name, why).fix("name it otherwise: --service-account NAME"));
    }
    let target = &request.target;
    // Servers outside Azure are named with their port.
    let more = if service.is_outside() { ":" } else { "" };
    let odd = target.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.()".contains(*c) || more.contains(*c)));
    if let (Some(odd), false) = (odd, target.contains('/') && !service.is_outside()) {
        return Err(fault(service.noun, target, format!("can't hold `{odd}`")).fix("give a name or a resource id"));
    }
    if service.takes_any() && (!target.contains('/') || request.role.is_none()) {
        return Err(Problem::new(Kind::Usage, "KC1604", "a resource of any type needs its resource id and a role")
            .why("nothing else tells what it is and what the workload may do with it")
            .fix("kubectl connect resource /subscriptions/… --role NAME --workload deployment/NAME"));
    }
    if (auth.has_identity() || request.secret_store.is_some()) && request.workload.is_none() && request.service_account.is_none() {
        return Err(Problem::new(Kind::Usage, "KC1006", "no workload was named")
            .why("a connection belongs to a workload's service account")
            .fix(format!("kubectl connect {} {target} --workload deployment/NAME", service.name))
            .fix("or prepare a service account alone: --service-account NAME"));
    }
    Ok(())
}

/// The way of authentication that the request means: flags of `csi` mean `csi`.
fn means_csi(request: &ConnectRequest) -> bool {
    request.auth.is_none() && request.csi != Csi::default()
}

/// Checks the request's own words.
fn check_mounting(service: &Service, request: &ConnectRequest, auth: Auth) -> Result<()> {
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

/// A store is for secrets that the service has.
///
/// # Errors
/// The way of authentication has none.
pub fn refuse_store(service: &Service, auth: Auth) -> Result<()> {
    if auth == Auth::Secret {
        return Ok(());
    }
    let problem = Problem::new(Kind::Usage, "KC1626", format!("--secret-store has no meaning with --auth {auth}"))
        .why("it is for the keys and connection strings of a service");
    Err(if service.auths.contains(&Auth::Secret) { problem.fix("say --auth secret") } else { problem.fix("leave it away") })
}

#[cfg(test)]
mod tests;
