//! Turns failures into messages: what failed, why, and the command that fixes it. One code per cause.

use super::error::{Failure, Status, Why};
use crate::model::{Kind, Problem};

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        match failure {
            Failure::Credentials(problem) | Failure::Other(problem) => problem,
            Failure::NoSuchKind { kind, api_version } => no_such_kind(kind, &api_version),
            Failure::Unreachable { host, why, may_have_happened } => unreachable(&host, &why, may_have_happened),
            Failure::Status(status) => {
                let problem = refused(&status);
                match &status.audit_id {
                    Some(id) => problem.request(format!("audit id {id}")),
                    None => problem,
                }
            }
        }
    }
}

fn no_such_kind(kind: &str, api_version: &str) -> Problem {
    let problem = Problem::new(Kind::NotFound, "KC3310", format!("the cluster does not know the kind {kind}"))
        .why(format!("nothing in the cluster provides {api_version}"));
    let group = api_version.split('/').next().unwrap_or(api_version);
    problem.fix(format!("kubectl api-resources --api-group={group}   # shows whether it is installed"))
}

fn unreachable(host: &str, why: &Why, may_have_happened: bool) -> Problem {
    let what = format!("the API server {host} can't be reached");
    let seen = why.to_string();
    let problem = match why {
        Why::Refused => Problem::new(Kind::Failed, "KC3201", what)
            .why("connection refused: nothing listens there")
            .fix("kubectl cluster-info   # is it the right context, and is the cluster running?"),
        Why::Dns => Problem::new(Kind::Failed, "KC3202", what)
            .why("its name can't be resolved: the name of a private cluster is known only inside its network")
            .fix("connect to the cluster's network first (VPN, jump host), or run this where kubectl works: kubectl cluster-info"),
        Why::ConnectTimeout => Problem::new(Kind::TimedOut, "KC3203", what)
            .why("connecting timed out: a firewall, authorized IP ranges or a private network may block it")
            .fix("kubectl cluster-info   # run it in a network with access to the API server (VPN, authorized IP range)"),
        Why::Certificate(_) => Problem::new(Kind::Failed, "KC3204", what)
            .why(certificate(why))
            .fix("fetch the cluster's credentials again, or give its CA: --certificate-authority FILE (a company proxy's CA: SSL_CERT_FILE=FILE)"),
        Why::Proxy(_) => Problem::new(Kind::Failed, "KC3205", what)
            .why(seen)
            .fix("check HTTPS_PROXY, or bypass the proxy for this host: NO_PROXY=".to_owned() + host),
        Why::CutOff => Problem::new(Kind::Failed, "KC3206", format!("the API server {host} did not answer")).why(seen),
        Why::NoAnswer(_) => Problem::new(Kind::TimedOut, "KC3207", format!("the API server {host} did not answer in time"))
            .why(seen)
            .fix("try again, or allow more time: --request-timeout=2m"),
        Why::Other(_) => Problem::new(Kind::Failed, "KC3208", what).why(seen).fix("kubectl cluster-info"),
    };
    if may_have_happened {
        return problem.fix("run the same command again: it continues where it stopped");
    }
    problem
}

fn certificate(why: &Why) -> String {
    let text = why.to_string();
    if text.contains("UnknownIssuer") {
        return "its certificate is signed by an unknown CA: the kubeconfig's CA is out of date, or a proxy intercepts TLS".into();
    }
    if text.contains("Expired") || text.contains("expired") {
        return "its certificate has expired, or this machine's clock is wrong".into();
    }
    if let Some((_, seen)) = text.split_once("certificate not valid for name") {
        return format!("its certificate is not valid for name{seen}");
    }
    text
}

fn refused(status: &Status) -> Problem {
    let what = |text: &str| if status.doing.is_empty() { text.to_owned() } else { format!("{}: {text}", status.doing) };
    let message = status.message.as_str();
    match status.code {
        401 => unauthorized(status),
        _ if message.contains("failed calling webhook") => webhook_down(status),
        _ if is_denied(message) => {
            Problem::new(Kind::NotPermitted, "KC3304", what("an admission policy of the cluster forbids the change"))
                .why(denial(message))
                .fix("ask the cluster's administrator for an exception, or change the field that the policy checks")
        }
        403 if message.contains("exceeded quota") => Problem::new(Kind::Failed, "KC3305", what("the namespace's quota is used up"))
            .why(after(message, "exceeded quota: "))
            .fix(format!("kubectl describe resourcequota{}", in_namespace(&namespace_of(status)))),
        403 if message.contains("because it is being terminated") => {
            Problem::new(Kind::Failed, "KC3309", what("the namespace is being deleted"))
                .why(message)
                .fix("wait until it is gone, then create it again: kubectl get namespaces")
        }
        403 if message.contains("error looking up service account") => {
            Problem::new(Kind::NotFound, "KC3308", what("the service account does not exist")).why(after(message, "is forbidden: "))
        }
        403 => forbidden(status),
        404 => not_found(status),
        409 => conflict(status),
        400 | 422 => invalid(status, &what("the API server rejected the request as invalid")),
        500 if message.contains("field not declared in schema") => invalid(status, &what("the cluster's version lacks a field")),
        429 => Problem::new(Kind::Failed, "KC3311", what("the API server is overloaded"))
            .why(reason_or(message, "it rejected the request as one too many (429)"))
            .fix("run the same command again in a minute"),
        500..=599 => Problem::new(Kind::Failed, "KC3311", what("the API server failed"))
            .why(reason_or(message, &format!("it answered {}", status.code)))
            .fix("run the same command again in a minute"),
        _ => Problem::new(Kind::Failed, "KC3313", what("the API server refused"))
            .why(reason_or(message, &format!("it answered {}", status.code))),
    }
}

fn unauthorized(status: &Status) -> Problem {
    let problem = Problem::new(Kind::NotSignedIn, "KC3101", "the cluster does not accept your sign-in");
    let problem = match &status.credential {
        Some(credential) => problem.why(format!("it rejected {credential}")),
        None => problem.why("it answered 401 Unauthorized"),
    };
    if status.credential.as_deref().is_some_and(|c| c.contains("kubelogin")) {
        return problem
            .fix("kubelogin remove-tokens   # then sign in again")
            .fix("kubelogin convert-kubeconfig -l azurecli   # uses the sign-in of az login");
    }
    problem.fix("fetch the cluster's credentials again, then check: kubectl auth whoami")
}

fn forbidden(status: &Status) -> Problem {
    let message = status.message.as_str();
    let Some(right) = Right::in_message(message) else {
        return Problem::new(Kind::NotPermitted, "KC3102", format!("{}: not permitted", status.doing))
            .why(after(message, "is forbidden: "));
    };
    let place = match &right.namespace {
        Some(namespace) => format!("in namespace {namespace}"),
        None => "in the whole cluster".into(),
    };
    let problem =
        Problem::new(Kind::NotPermitted, "KC3102", format!("user `{}` may not {} {} {place}", right.user, right.verb, right.resource))
            .why(format!("{} needs this permission", status.doing));
    if right.user == "system:anonymous" {
        return problem.fix("the request had no credentials: check the context's user: kubectl config view --minify");
    }
    problem
        .fix(format!("kubectl auth can-i {} {}{}", right.verb, right.resource, in_namespace(&right.namespace)))
        .fix("ask the cluster's administrator for a role with this permission")
}

/// The permission that a 403 names.
struct Right {
    user: String,
    verb: String,
    resource: String,
    namespace: Option<String>,
}

impl Right {
    /// Parses `User "U" cannot VERB resource "R" in API group "G" in the namespace "N"`.
    fn in_message(message: &str) -> Option<Right> {
        let rest = message.split_once("User \"")?.1;
        let (user, rest) = rest.split_once("\" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once('"')?;
        let group = quoted_after(rest, "in API group \"").filter(|group| !group.is_empty());
        // `kubectl auth can-i` spells a subresource as TYPE.GROUP/SUB.
        let resource = match (resource.split_once('/'), group) {
            (Some((resource, sub)), Some(group)) => format!("{resource}.{group}/{sub}"),
            (None, Some(group)) => format!("{resource}.{group}"),
            (_, None) => resource.into(),
        };
        Some(Right { user: user.into(), verb: verb.into(), resource, namespace: quoted_after(rest, "in the namespace \"").map(Into::into) })
    }
}

fn quoted_after<'a>(text: &'a str, marker: &str) -> Option<&'a str> {
    text.split_once(marker)?.1.split_once('"').map(|(inside, _)| inside)
}

fn not_found(status: &Status) -> Problem {
    if status.object_kind == "namespaces" || status.message.starts_with("namespaces \"") {
        let namespace = &status.object_name;
        return Problem::new(Kind::NotFound, "KC3307", format!("namespace {namespace} does not exist"))
            .why(format!("{} needs it", status.doing))
            .fix(format!("kubectl create namespace {namespace}"))
            .fix("kubectl get namespaces   # and choose one with -n");
    }
    Problem::new(Kind::NotFound, "KC3308", format!("{}: not found", status.doing)).why(status.message.clone())
}

fn conflict(status: &Status) -> Problem {
    if status.reason == "AlreadyExists" {
        return Problem::new(Kind::Failed, "KC3303", format!("{}: the object already exists", status.doing)).why(status.message.clone());
    }
    let held = Failure::Status(Box::new(status.clone())).is_conflict_of_managers();
    if let Some(held) = held {
        let mut managers: Vec<&str> = held.iter().map(|(manager, _)| manager.as_str()).collect();
        managers.sort_unstable();
        managers.dedup();
        let verb = if managers.len() == 1 { "sets" } else { "set" };
        let by: Vec<&str> = managers
            .iter()
            .map(|manager| if manager.starts_with("kubectl-client-side-apply") { "your manifest (kubectl apply)" } else { manager })
            .collect();
        let fields: Vec<String> = held.iter().map(|(manager, field)| format!("{field} (set by {manager})")).collect();
        return Problem::new(
            Kind::Failed,
            "KC3301",
            format!("{}: {} {verb} fields that the connection needs", status.doing, by.join(" and ")),
        )
        .why(fields.join("; "))
        .fix("remove these fields from the manifest that sets them, then run the same command again");
    }
    Problem::new(Kind::Failed, "KC3302", format!("{}: somebody else changed the object meanwhile", status.doing))
        .why(status.message.clone())
        .fix("run the same command again")
}

fn invalid(status: &Status, what: &str) -> Problem {
    let mut seen: Vec<String> = Vec::new();
    for cause in &status.causes {
        let text = if cause.field.is_empty() { cause.message.clone() } else { format!("{}: {}", cause.field, cause.message) };
        // For some fields the server repeats the same cause.
        if !text.is_empty() && !seen.contains(&text) {
            seen.push(text);
        }
    }
    let why = if seen.is_empty() { status.message.clone() } else { seen.join("; ") };
    let problem = Problem::new(Kind::Failed, "KC3306", what).why(super::error::shorten(&why));
    if status.message.contains("field is immutable") && status.doing.contains("jobs/") {
        return problem.fix("the pods of a Job can't be changed once it exists: delete it and create it again with the change, or connect the CronJob that makes it");
    }
    problem
}

fn webhook_down(status: &Status) -> Problem {
    let name = quoted_after(&status.message, "failed calling webhook \"").unwrap_or("?");
    Problem::new(Kind::Failed, "KC3314", format!("{}: the admission webhook {name} does not answer", status.doing))
        .why(super::error::shorten(after(&status.message, "failed to call webhook: ")))
        .fix("kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations   # then see why its service is down")
}

fn is_denied(message: &str) -> bool {
    message.contains("ValidatingAdmissionPolicy")
        || (message.contains("admission webhook") && message.contains("denied the request"))
        || message.contains("violates PodSecurity")
}

fn denial(message: &str) -> String {
    super::error::shorten(after(message, "is forbidden: "))
}

fn after<'a>(text: &'a str, marker: &str) -> &'a str {
    text.split_once(marker).map_or(text, |(_, rest)| rest)
}

fn reason_or(message: &str, otherwise: &str) -> String {
    if message.trim().is_empty() { otherwise.into() } else { super::error::shorten(message) }
}

fn namespace_of(status: &Status) -> Option<String> {
    status.doing.split_once(" in namespace ").map(|(_, namespace)| namespace.to_owned())
}

fn in_namespace(namespace: &Option<String>) -> String {
    namespace.as_ref().map(|n| format!(" -n {n}")).unwrap_or_default()
}
