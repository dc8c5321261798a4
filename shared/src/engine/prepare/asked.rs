//! Stage 1: checks the request against the catalogue, and adds the values that follow from the request alone. Pure.

use super::delivery::MOUNT_PATH;
use crate::catalogue::{self, Service};
use crate::lookup::given_ids;
use crate::model::request::{ConnectRequest, Csi, Principal};
use crate::model::vault::{CsiIdentity, mount_path_fault};
use crate::model::{Auth, Kind, Problem, ResourceId, Result, names};

/// A checked and completed request. Only this stage changes the request.
pub(crate) struct Asked {
    /// The service.
    pub service: &'static Service,
    /// The way of authentication.
    pub auth: Auth,
    /// ARM path of the part of the target to which access is limited; empty for the whole target.
    pub scope: String,
    /// Identity with which the CSI driver reads the vault, if vault objects are mounted.
    pub mounting: Option<CsiIdentity>,
    /// The request; completed with the nodes' identity if the driver uses it, and with the children in the target's
    /// id.
    pub request: ConnectRequest,
}

impl Asked {
    /// Checks a request.
    ///
    /// # Errors
    /// If a flag is missing, contradicts another one, or does not exist for the service.
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

    /// Whether the workload's service account uses an identity. If the driver uses the nodes' identity, the account
    /// does not matter.
    pub(crate) fn needs_account(&self) -> bool {
        let by_pods = self.mounting.as_ref().is_none_or(|mode| *mode == CsiIdentity::Workload);
        self.request.secret_store.is_some() || self.auth.has_identity() && by_pods
    }

    /// Whether the CSI driver reads the vault with an identity of the nodes.
    pub(crate) fn reads_as_nodes(&self) -> bool {
        matches!(self.mounting, Some(CsiIdentity::Vm(_)))
    }
}

/// Children in the id of a target, by the service's flag for each. Empty for a name, and for an id that the search
/// will refuse.
fn children(service: &Service, target: &str) -> Vec<(String, String)> {
    let id = target.contains('/').then(|| target.parse::<ResourceId>()).and_then(Result::ok);
    id.filter(|_| !service.is_outside()).map(|id| given_ids::children(service, &id)).unwrap_or_default()
}

/// The way of authentication: the requested one, if the service supports it.
fn auth(service: &Service, request: &ConnectRequest) -> Result<Auth> {
    let auth = request.auth.unwrap_or_else(|| if means_csi(request) { Auth::Csi } else { service.default_auth() });
    if !service.auths.contains(&auth) {
        let problem = Problem::new(Kind::Usage, "KC1601", format!("{} can't be connected to with --auth {auth}", service.title))
            .fix(format!("choose one of: {}", service.auth_words()));
        return Err(if auth == Auth::Csi { problem.why("the CSI driver mounts only Key Vault objects") } else { problem });
    }
    check_mounting(service, request, auth)?;
    if request.secret_store.is_some() {
        refuse_store(service, auth)?;
    }
    if request.auth == Some(Auth::WorkloadIdentity) || request.auth.is_none() {
        let stray =
            [("--secret-stdin or --secret-file", !request.secrets.is_empty()), ("--client-id", request.principal != Principal::default())];
        if let Some((flag, _)) = stray.iter().find(|(_, given)| *given && auth == Auth::WorkloadIdentity) {
            return Err(Problem::new(Kind::Usage, "KC1615", format!("{flag} can't be used with --auth {auth}"))
                .fix("use --auth secret or --auth service-principal"));
        }
    }
    if !auth.has_identity() && request.secret_store.is_none() && (request.identity.is_some() || request.service_account.is_some()) {
        return Err(Problem::new(Kind::Usage, "KC1615", format!("--identity and --service-account can't be used with --auth {auth}"))
            .why("without a managed identity the workload keeps its service account")
            .fix("omit them"));
    }
    if auth == Auth::ServicePrincipal && request.principal.client_id.is_none() {
        return Err(Problem::new(Kind::Usage, "KC1614", "--auth service-principal needs the client id of an app registration")
            .fix("--client-id ID, with its secret on standard input: --secret-stdin"));
    }
    Ok(auth)
}

/// The part of the target to which access is limited, as an ARM path below the target.
fn scope(service: &Service, request: &ConnectRequest) -> Result<String> {
    let Some(asked) = &request.scope else { return Ok(String::new()) };
    let refuse = |why: &str| {
        let problem = Problem::new(Kind::Usage, "KC1608", format!("access to {} can't be limited to `{asked}`", service.title));
        let problem = problem.why(why.to_owned());
        if service.scopes.is_empty() {
            return problem.fix("omit --scope");
        }
        problem.fix(format!("write {}", service.scopes.iter().map(|s| format!("--scope {}", s.form())).collect::<Vec<_>>().join(" or ")))
    };
    let Some((word, name)) = asked.split_once('=') else { return Err(refuse("a scope must be KIND=NAME")) };
    let Some(found) = service.scopes.iter().find(|s| s.word.eq_ignore_ascii_case(word)) else {
        return Err(refuse("the service has no such parts to which access can be limited"));
    };
    found.of(name).ok_or_else(|| refuse("a part can't have that name"))
}

fn check_input(service: &Service, request: &ConnectRequest, auth: Auth) -> Result<()> {
    let fault =
        |flag: &str, value: &str, fault: String| Problem::new(Kind::Usage, "KC1002", format!("{flag} `{value}` can't be used: it {fault}"));
    if let Some((name, why)) = request.name.as_deref().and_then(|n| names::connection_name_fault(n).map(|w| (n, w))) {
        return Err(fault("--name", name, why).fix("choose another name for the connection: --name NAME"));
    }
    if let Some((name, why)) = request.service_account.as_deref().and_then(|n| names::object_name_fault(n).map(|w| (n, w))) {
        return Err(fault("--service-account", name, why).fix("choose another name: --service-account NAME"));
    }
    let target = &request.target;
    // Names of servers outside Azure may have a port.
    let more = if service.is_outside() { ":" } else { "" };
    let odd = target.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.()".contains(*c) || more.contains(*c)));
    if let (Some(odd), false) = (odd, target.contains('/') && !service.is_outside()) {
        return Err(fault(service.noun, target, format!("can't contain `{odd}`")).fix("give a name or a resource id"));
    }
    if service.takes_any() && (!target.contains('/') || request.role.is_none()) {
        return Err(Problem::new(Kind::Usage, "KC1604", "a resource of any type needs its resource id and a role")
            .why("resource type and permissions can't be determined otherwise")
            .fix("kubectl connect resource /subscriptions/… --role NAME --workload deployment/NAME"));
    }
    if (auth.has_identity() || request.secret_store.is_some()) && request.workload.is_none() && request.service_account.is_none() {
        return Err(Problem::new(Kind::Usage, "KC1006", "no workload is given")
            .why("a connection belongs to a workload's service account")
            .fix(format!("kubectl connect {} {target} --workload deployment/NAME", service.name))
            .fix("or only prepare a service account: --service-account NAME"));
    }
    Ok(())
}

/// Whether the request means `--auth csi` because of its flags.
fn means_csi(request: &ConnectRequest) -> bool {
    request.auth.is_none() && request.csi != Csi::default()
}

/// Checks the request.
fn check_mounting(service: &Service, request: &ConnectRequest, auth: Auth) -> Result<()> {
    let csi = &request.csi;
    if auth != Auth::Csi {
        if *csi == Csi::default() {
            return Ok(());
        }
        return Err(Problem::new(
            Kind::Usage,
            "KC1625",
            format!("--secret, --key, --cert, --mount-path and --csi-identity can't be used with --auth {auth}"),
        )
        .why("they configure what the CSI driver mounts")
        .fix("use --auth csi"));
    }
    if csi.objects.is_empty() {
        return Err(Problem::new(Kind::Usage, "KC1620", "no object to mount is given")
            .why("the driver mounts only the objects that are named")
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
                .why("the driver would keep only the last one")
                .fix(format!("give one of them another file name: --{} {}:FILE", object.kind.word(), object.name)));
        }
    }
    let strange = [("--access", request.access.is_some()), ("--object-id", request.principal.object_id.is_some())];
    if let Some((flag, _)) = strange.iter().find(|(_, given)| *given) {
        return Err(Problem::new(Kind::Usage, "KC1615", format!("{flag} can't be used with --auth csi"))
            .why("the driver only reads, and only the named objects")
            .fix("omit it"));
    }
    let of_nodes = csi.identity.as_ref().is_some_and(|i| *i != CsiIdentity::Workload);
    if of_nodes && (request.identity.is_some() || request.service_account.is_some()) {
        return Err(Problem::new(Kind::Usage, "KC1615", "--identity and --service-account can't be used with this --csi-identity")
            .why("the driver then reads with an identity of the nodes, whatever service account the pods use")
            .fix("omit them"));
    }
    if of_nodes && request.workload.is_none() {
        return Err(Problem::new(Kind::Usage, "KC1006", "no workload is given")
            .why("an identity of the nodes needs no service account, so there is nothing to prepare")
            .fix(format!("kubectl connect {} {} --auth csi --workload deployment/NAME", service.name, request.target)));
    }
    Ok(())
}

/// Checks that there are secrets to store.
///
/// # Errors
/// If the way of authentication has no secrets.
pub fn refuse_store(service: &Service, auth: Auth) -> Result<()> {
    if auth == Auth::Secret {
        return Ok(());
    }
    let problem = Problem::new(Kind::Usage, "KC1626", format!("--secret-store can't be used with --auth {auth}"))
        .why("it stores the keys and connection strings of a service");
    Err(if service.auths.contains(&Auth::Secret) { problem.fix("use --auth secret") } else { problem.fix("omit it") })
}

#[cfg(test)]
mod tests;
