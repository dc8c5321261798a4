//! Turns Azure failures into messages: what failed, the reason in the service's own words, and a command that helps.

use super::error::{Failure, ServiceError};
use super::roles::role_for;
use crate::model::{Kind, Problem};

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        match failure {
            Failure::Problem(problem) => problem,
            Failure::Service(error) => service(&error),
            Failure::Network { host, message, timed_out, maybe_done } => network(&host, &message, timed_out, maybe_done),
        }
    }
}

/// Whom a role would have to be given to, as `az role assignment create` takes it: a refusal of a data plane names the object
/// id of the caller.
pub fn assignee(refusal: &str) -> &str {
    let told = refusal.split_once("oid=").map(|(_, rest)| rest.split([';', ' ', ',']).next().unwrap_or_default());
    told.filter(|id| id.len() == 36).unwrap_or("YOU")
}

fn network(host: &str, message: &str, timed_out: bool, maybe_done: bool) -> Problem {
    let lower = message.to_ascii_lowercase();
    let problem = if ["certificate", "unknownissuer", "self-signed"].iter().any(|word| lower.contains(word)) {
        Problem::new(Kind::Failed, "KC4021", format!("the certificate of {host} is not trusted"))
            .fix("if a company proxy inspects traffic, point SSL_CERT_FILE (or REQUESTS_CA_BUNDLE, as for az) at its CA certificates")
    } else if timed_out {
        Problem::new(Kind::TimedOut, "KC4022", format!("{host} did not answer in time"))
            .fix("run the same command again: it continues where it stopped")
    } else {
        Problem::new(Kind::Failed, "KC4020", format!("can't reach {host}")).fix("check the network, HTTPS_PROXY and NO_PROXY")
    };
    let doubt = if maybe_done { "; the request may nevertheless have taken effect" } else { "" };
    problem.why(format!("{message}{doubt}"))
}

fn service(error: &ServiceError) -> Problem {
    let (code, message) = error.telling();
    let subscription = after(message, "subscription '");
    let is = |wanted: &str| error.is(wanted);
    let problem = if is("LinkedAuthorizationFailed") {
        linked(message)
    } else if is("AuthorizationFailed") {
        unauthorised(message)
    } else if is("RequestDisallowedByPolicy") {
        policy(error)
    } else if is("ScopeLocked") {
        locked(message)
    } else if is("MissingSubscriptionRegistration") {
        let namespace = after(message, "namespace '").or(error.target.as_deref()).unwrap_or("<namespace>");
        Problem::new(Kind::Failed, "KC4005", format!("the subscription is not registered for {namespace}"))
            .fix(format!("az provider register --namespace {namespace} --wait"))
    } else if is("SubscriptionNotFound") || is("InvalidSubscriptionId") {
        let named = subscription.map(|s| format!(" {s}")).unwrap_or_default();
        Problem::new(Kind::NotFound, "KC4008", format!("the signed-in user has no subscription{named}"))
            .fix("az account list --refresh --output table")
            .fix("az login --tenant <tenant of the subscription>")
    } else if is("InvalidAuthenticationTokenTenant") {
        let tenant = message
            .rsplit("sts.windows.net/")
            .next()
            .and_then(|rest| rest.split('/').next())
            .filter(|t| t.len() == 36)
            .unwrap_or("<tenant>");
        Problem::new(Kind::NotSignedIn, "KC4009", "you are signed in to another tenant than the subscription's")
            .fix(format!("az login --tenant {tenant}"))
    } else if is_quota(error) {
        Problem::new(Kind::Failed, "KC4010", "a quota of the subscription or of the service is exhausted")
            .fix("delete resources that are no longer needed, or request a higher limit: az quota, or a support request")
    } else {
        by_status(error, code)
    };
    let why = if message.is_empty() { code.to_owned() } else { message.to_owned() };
    let problem = problem.why(shortened(&why));
    match ids(error) {
        Some(ids) => problem.request(ids),
        None => problem,
    }
}

fn by_status(error: &ServiceError, code: &str) -> Problem {
    let status = error.status;
    match status {
        401 => Problem::new(Kind::NotSignedIn, "KC4011", format!("Azure did not accept the sign-in ({code})")).fix("az login"),
        403 => Problem::new(Kind::NotPermitted, "KC4012", format!("Azure refused the request ({code})")),
        404 => Problem::new(Kind::NotFound, "KC4013", format!("Azure did not find the resource ({code})")),
        // 409 OperationNotAllowed and EtagMismatch, 412: somebody else is writing.
        409 | 412 => Problem::new(
            Kind::Failed,
            "KC4014",
            format!(
                "the request conflicts with the resource's current state or with \
            another operation ({code})"
            ),
        )
        .fix("wait until the other operation has ended and run the same command again"),
        429 => Problem::new(Kind::Failed, "KC4006", format!("Azure is throttling the requests ({code})")).fix(match error.retry_after {
            Some(seconds) => format!("run the same command again after {seconds} s"),
            None => "run the same command again in a few minutes".into(),
        }),
        500..=599 => Problem::new(Kind::Failed, "KC4007", format!("Azure failed with an internal error (HTTP {status}, {code})"))
            .fix("run the same command again: it continues where it stopped")
            .fix("see https://azure.status.microsoft"),
        _ => Problem::new(Kind::Failed, "KC4000", format!("Azure refused the request ({code})")),
    }
}

/// "The client '{name}' with object id '{oid}' does not have authorization to perform action '{action}' over scope
/// '{scope}' or the scope is invalid. …" (recorded).
fn unauthorised(message: &str) -> Problem {
    let (action, scope) = (after(message, "perform action '"), after(message, "over scope '"));
    let (Some(action), Some(scope)) = (action, scope) else {
        return Problem::new(Kind::NotPermitted, "KC4001", "the signed-in user lacks a permission in Azure");
    };
    not_permitted("KC4001", action, scope, after(message, "object id '"))
}

/// The text names the permitted action first, and then the linked action that is not permitted. So the last pair
/// counts.
fn linked(message: &str) -> Problem {
    let linked = message.find("does not have permission").map_or(message, |at| &message[at..]);
    let action = after(linked, "action(s) '").or_else(|| after(linked, "action '"));
    let scope = after(linked, "linked scope(s) '").or_else(|| after(linked, "linked scope '")).or_else(|| after(linked, "scope '"));
    let (Some(action), Some(scope)) = (action, scope) else {
        return Problem::new(
            Kind::NotPermitted,
            "KC4002",
            "the signed-in user lacks a permission on another resource that this change \
            affects",
        );
    };
    not_permitted("KC4002", first(action), first(scope), after(message, "object id '"))
}

fn not_permitted(code: &'static str, action: &str, scope: &str, object_id: Option<&str>) -> Problem {
    let (who, role) = (object_id.unwrap_or("<your object id>"), role_for(action));
    Problem::new(Kind::NotPermitted, code, format!("the signed-in user lacks the permission {action} on {scope}"))
        .fix(format!("ask an owner to run: az role assignment create --assignee {who} --role \"{role}\" --scope {scope}"))
        .fix("if the role was assigned a moment ago, wait a few minutes and run the same command again")
}

fn policy(error: &ServiceError) -> Problem {
    let policies: Vec<&str> = error.details.iter().filter(|(code, _)| code == "PolicyViolation").map(|(_, told)| told.as_str()).collect();
    let what = match policies[..] {
        [] => "an Azure Policy forbids the change".to_owned(),
        _ => format!("an Azure Policy forbids the change: {}", policies.join(", ")),
    };
    Problem::new(Kind::NotPermitted, "KC4003", what)
        .fix("ask the owner of the policy for an exemption, or create the resource as the policy requires and name it in the command")
}

/// "The scope '{scope}' cannot perform write operation because following scope(s) are locked: '{locked}'. …" (recorded).
fn locked(message: &str) -> Problem {
    let scope = after(message, "locked: '").map(first);
    let problem = Problem::new(
        Kind::NotPermitted,
        "KC4004",
        match scope {
            Some(scope) => format!("a lock on {scope} forbids the change"),
            None => "a lock forbids the change".into(),
        },
    );
    // `az lock list` accepts a resource group or a resource id.
    match scope {
        Some(scope) if scope.contains("/providers/") => problem.fix(format!("az lock list --resource {scope}")),
        Some(scope) => match after_unquoted(scope, "resourcegroups/") {
            Some(group) => problem.fix(format!("az lock list --resource-group {group}")),
            None => problem.fix("az lock list"),
        },
        None => problem.fix("az lock list"),
    }
}

fn is_quota(error: &ServiceError) -> bool {
    let (code, _) = error.telling();
    let code = code.to_ascii_lowercase();
    error.status != 429 && (code.contains("quota") || code.contains("limitexceeded") || code.contains("limitreached"))
}

fn ids(error: &ServiceError) -> Option<String> {
    let named = |name: &str, id: &Option<String>| id.as_ref().map(|id| format!("{name} {id}"));
    let ids: Vec<String> =
        [named("correlation", &error.correlation_id), named("request", &error.request_id)].into_iter().flatten().collect();
    (!ids.is_empty()).then(|| ids.join(", "))
}

/// The quoted text after `mark`; `mark` ends with the opening quote.
fn after<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    let rest = &text[text.find(mark)? + mark.len()..];
    rest.split('\'').next().map(|f| f.trim_end_matches('.')).filter(|f| !f.is_empty())
}

fn after_unquoted<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    let at = text.to_ascii_lowercase().find(mark)?;
    text[at + mark.len()..].split('/').next()
}

/// The first item of a comma-separated list.
fn first(list: &str) -> &str {
    list.split(',').next().unwrap_or(list).trim()
}

/// Cuts a reason to a readable length, at a word boundary.
fn shortened(text: &str) -> String {
    const MOST: usize = 700;
    match text.char_indices().nth(MOST) {
        None => text.trim_end_matches('.').to_owned(),
        Some((at, _)) => format!("{}…", text[..at].rsplit_once(' ').map_or(&text[..at], |(head, _)| head)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, code: &str, message: &str) -> Problem {
        Failure::from(ServiceError { status, code: code.into(), message: message.into(), ..ServiceError::default() }).into()
    }

    #[test]
    fn a_refusal_names_the_action_the_scope_and_the_fix() {
        let p = problem(
            403,
            "AuthorizationFailed",
            "The client 'me@example.com' with object id 'OID' does not have authorization to perform action \
             'Microsoft.Authorization/roleAssignments/write' over scope '/subscriptions/s/resourceGroups/g' or the scope is invalid. If access was …",
        );
        assert_eq!((p.code(), p.kind()), ("KC4001", Kind::NotPermitted));
        assert!(p.what().contains("Microsoft.Authorization/roleAssignments/write on /subscriptions/s/resourceGroups/g"), "{p}");
        assert!(p.fixes()[0].contains(
            "az role assignment create --assignee OID --role \"Role Based Access Control Administrator\" --scope /subscriptions/s/resourceGroups/g"
        ));
    }

    #[test]
    fn a_linked_refusal_names_the_linked_scope() {
        let p = problem(
            403,
            "LinkedAuthorizationFailed",
            "The client 'x' with object id 'OID' has permission to perform action 'Microsoft.Network/privateEndpoints/write' on scope '/a'; \
             however, it does not have permission to perform action(s) 'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) \
             '/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v/subnets/n' (respectively) or the linked scope(s) are invalid.",
        );
        assert_eq!(p.code(), "KC4002");
        assert!(p.what().contains("subnets/join/action on /subscriptions/s/resourceGroups/net/"), "{p}");
        assert!(p.fixes()[0].contains("\"Network Contributor\""));
    }

    #[test]
    fn every_usual_refusal_has_its_code_and_a_command() {
        for (status, code, message, expected, fix) in [
            (
                409,
                "MissingSubscriptionRegistration",
                "The subscription is not registered to use namespace 'Microsoft.X'. See",
                "KC4005",
                "az provider register --namespace Microsoft.X --wait",
            ),
            (
                409,
                "ScopeLocked",
                "The scope '/s/x' cannot perform write operation because following scope(s) are locked: '/subscriptions/s/resourceGroups/g'. Please",
                "KC4004",
                "az lock list --resource-group g",
            ),
            (
                404,
                "SubscriptionNotFound",
                "The subscription 'abc' could not be found.",
                "KC4008",
                "az account list --refresh --output table",
            ),
            (
                401,
                "InvalidAuthenticationTokenTenant",
                "The access token is from the wrong issuer 'https://sts.windows.net/11111111-1111-1111-1111-111111111111/'. It must match the tenant 'https://sts.windows.net/22222222-2222-2222-2222-222222222222/' associated",
                "KC4009",
                "az login --tenant 22222222-2222-2222-2222-222222222222",
            ),
            (400, "RoleAssignmentLimitExceeded", "No more", "KC4010", "delete resources"),
            (429, "TooManyRequests", "slow", "KC4006", "run the same command again"),
            (503, "ServerBusy", "later", "KC4007", "run the same command again"),
            (409, "OperationNotAllowed", "in progress", "KC4014", "wait until"),
            (401, "X", "y", "KC4011", "az login"),
        ] {
            let p = problem(status, code, message);
            assert_eq!(p.code(), expected, "{code}");
            assert!(p.fixes()[0].starts_with(fix), "{code}: {:?}", p.fixes());
            assert!(p.reason().is_some());
        }
        assert_eq!(problem(400, "Odd", "strange thing").to_string(), "Azure refused the request (Odd): strange thing");
        assert_eq!(problem(403, "AuthorizationFailed", "in other words").code(), "KC4001");
        assert_eq!(problem(403, "LinkedAuthorizationFailed", "in other words").code(), "KC4002");
    }

    #[test]
    fn policies_are_named_and_request_ids_are_kept() {
        let p = Problem::from(Failure::from(ServiceError {
            status: 403,
            code: "RequestDisallowedByPolicy".into(),
            message: "Resource 'x' was disallowed by policy.".into(),
            details: vec![("PolicyViolation".into(), "`Tags needed`".into())],
            request_id: Some("r".into()),
            correlation_id: Some("c".into()),
            ..ServiceError::default()
        }));
        assert!(p.what().contains("`Tags needed`"));
        assert_eq!(p.request_ids(), Some("correlation c, request r"));
    }

    #[test]
    fn network_errors_are_distinguished() {
        let of = |message: &str, timed_out| {
            Problem::from(Failure::Network { host: "h".into(), message: message.into(), timed_out, maybe_done: true })
        };
        assert_eq!(of("invalid peer certificate: UnknownIssuer", false).code(), "KC4021");
        assert_eq!((of("x", true).code(), of("x", true).kind()), ("KC4022", Kind::TimedOut));
        let refused = of("connection refused", false);
        assert_eq!(refused.code(), "KC4020");
        assert!(refused.reason().unwrap().contains("may nevertheless have taken effect"));
    }
}
