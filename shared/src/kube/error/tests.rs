use serde_json::json;

use super::*;
use crate::kube::resources::{DEPLOYMENT, JOB, POD, SECRET};

fn doing(verb: &'static str, kind: Resource) -> Doing {
    Doing { verb, kind, namespace: Some("shop".into()), name: Some("web".into()) }
}

fn told(code: u16, reason: &str, message: &str, details: Value) -> Problem {
    let body = json!({ "kind": "Status", "code": code, "reason": reason, "message": message, "details": details });
    from_answer(&doing("applying", DEPLOYMENT), "h", code, body.to_string().as_bytes(), None).into()
}

#[test]
fn a_conflict_names_managers_and_fields() {
    let cause = |manager: &str, field: &str| json!({ "reason": "FieldManagerConflict", "message": format!("conflict with \"{manager}\" using apps/v1"), "field": field });
    let body = json!({ "kind": "Status", "code": 409, "reason": "Conflict", "message": "Apply failed with 2 conflicts",
        "details": { "causes": [cause("kubectl-client-side-apply", ".spec.a"), cause("helm", ".spec.b")] } });
    let failure = from_answer(&doing("applying", DEPLOYMENT), "h", 409, body.to_string().as_bytes(), None);
    let held = failure.is_conflict_of_managers().unwrap();
    assert_eq!(held, [("kubectl-client-side-apply".into(), ".spec.a".into()), ("helm".into(), ".spec.b".to_owned())]);
    assert!(!failure.is_stale() && !failure.is_already_exists());
    let problem = Problem::from(failure);
    assert_eq!(problem.code(), "KC3301");
    assert_eq!(
        problem.what(),
        "applying deployments/web in namespace shop: helm and your manifest (kubectl apply) set fields that the connection needs"
    );
    assert_eq!(problem.reason(), Some(".spec.a (set by kubectl-client-side-apply); .spec.b (set by helm)"));
}

#[test]
fn a_missing_right_is_told_with_the_command_that_checks_it() {
    let text = "deployments.apps \"web\" is forbidden: User \"dev@contoso.com\" cannot patch resource \"deployments\" in API group \"apps\" in the namespace \"shop\"";
    let problem = told(403, "Forbidden", text, json!({ "kind": "deployments", "name": "web" }));
    assert_eq!((problem.code(), problem.kind()), ("KC3102", Kind::NotPermitted));
    assert_eq!(problem.what(), "user `dev@contoso.com` may not patch deployments.apps in namespace shop");
    assert_eq!(problem.fixes()[0], "kubectl auth can-i patch deployments.apps -n shop");
    let text = "serviceaccounts \"web\" is forbidden: User \"d\" cannot create resource \"serviceaccounts/token\" in API group \"\" in the namespace \"shop\"";
    assert_eq!(told(403, "Forbidden", text, json!({ "kind": "x" })).fixes()[0], "kubectl auth can-i create serviceaccounts/token -n shop");
    let text =
        "namespaces is forbidden: User \"system:anonymous\" cannot list resource \"namespaces\" in API group \"\" at the cluster scope";
    let problem = told(403, "Forbidden", text, json!({ "kind": "namespaces" }));
    assert!(problem.what().contains("in the whole cluster") && problem.fixes()[0].contains("the request had no credentials"), "{problem}");
}

#[test]
fn other_403_answers_are_not_taken_for_a_missing_permission() {
    // Columns: code, reason, message, expected KC code.
    let table = [
        (
            403,
            "Forbidden",
            "secrets \"a\" is forbidden: exceeded quota: quota, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1",
            "KC3305",
        ),
        (
            422,
            "Invalid",
            "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'no-identity' with binding 'b' denied request: not here",
            "KC3304",
        ),
        (403, "Forbidden", "admission webhook \"validation.gatekeeper.sh\" denied the request: [x] no", "KC3304"),
        (
            403,
            "Forbidden",
            "configmaps \"y\" is forbidden: unable to create new content in namespace shop because it is being terminated",
            "KC3309",
        ),
        (
            403,
            "Forbidden",
            "pods \"none\" is forbidden: error looking up service account shop/none: serviceaccount \"none\" not found",
            "KC3308",
        ),
        (
            500,
            "InternalError",
            "Internal error occurred: failed calling webhook \"m.io\": failed to call webhook: Post \"https://x\": service \"s\" not found",
            "KC3314",
        ),
        (404, "NotFound", "namespaces \"nowhere\" not found", "KC3307"),
        (409, "AlreadyExists", "secrets \"a\" already exists", "KC3303"),
        (409, "Conflict", "Operation cannot be fulfilled on configmaps \"x\": the object has been modified", "KC3302"),
        (500, "", "failed to create typed patch object: .spec.x: field not declared in schema", "KC3306"),
        (418, "", "", "KC3313"),
    ];
    for (code, reason, message, want) in table {
        let problem = told(code, reason, message, json!({ "kind": "namespaces", "name": "nowhere" }));
        // Only the 404 is about the namespace.
        assert_eq!(problem.code(), want, "{message}: {problem:?}");
        assert!(problem.reason().is_some(), "{message}");
    }
}

#[test]
fn an_immutable_job_gets_advice() {
    let body = json!({ "kind": "Status", "code": 422, "reason": "Invalid", "message": "Job.batch \"web\" is invalid: spec.template: field is immutable",
        "details": { "kind": "Job", "name": "web", "causes": [{ "field": "spec.template", "message": "field is immutable" }, { "field": "spec.template", "message": "field is immutable" }] } });
    let problem = Problem::from(from_answer(&doing("applying", JOB), "h", 422, body.to_string().as_bytes(), None));
    assert_eq!(problem.reason(), Some("spec.template: field is immutable"));
    assert!(problem.fixes()[0].contains("CronJob"));
}

#[test]
fn gateways_are_not_taken_for_the_api_server() {
    let html = b"<!DOCTYPE html><html><head><title>Blocked</title></head><body>secret</body></html>";
    let problem = Problem::from(from_answer(&doing("reading", POD), "h", 403, html, None));
    assert_eq!(problem.code(), "KC3312");
    assert_eq!(problem.reason(), Some("it answered 403 with a web page titled \"Blocked\""));
    let failure = from_answer(&doing("reading", POD), "h", 502, html, None);
    assert_eq!(failure.status(), Some(502), "one that may pass is tried again");
    assert_eq!(Problem::from(failure).code(), "KC3311");
    let failure = from_answer(&doing("reading", SECRET), "h", 404, b"404 page not found\n", None);
    assert!(matches!(failure, Failure::NoSuchKind { .. }));
}

#[test]
fn errors_below_http_are_classified_by_their_causes() {
    #[derive(Debug)]
    struct Wrap(&'static str, Box<dyn StdError + Send + Sync>);
    impl fmt::Display for Wrap {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }
    impl StdError for Wrap {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(self.1.as_ref())
        }
    }
    let connect = |inner: Box<dyn StdError + Send + Sync>| Wrap("client error (Connect)", inner);
    let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let tls = connect(Box::new(io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls))));
    assert!(matches!(why(&tls), Why::Certificate(text) if text.contains("UnknownIssuer")));
    let refused = connect(Box::new(Wrap("tcp connect error", Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)))));
    assert_eq!(why(&refused), Why::Refused);
    assert_eq!(why(&connect(Box::new(Wrap("dns error", Box::new(io::Error::other("no such host")))))), Why::Dns);
    assert_eq!(why(&connect(Box::new(io::Error::new(io::ErrorKind::TimedOut, "deadline has elapsed")))), Why::ConnectTimeout);
    let proxy = connect(Box::new(Wrap(
        "tunnel error: failed to create underlying connection",
        Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)),
    )));
    assert!(matches!(why(&proxy), Why::Proxy(text) if text.contains("refused")), "the proxy, not the API server, refused");
    let plain = connect(Box::new(io::Error::other("tunnel error: proxy authorization required")));
    assert_eq!(why(&plain), Why::Proxy("proxy authorization required".into()));
    assert_eq!(why(&Wrap("client error (SendRequest)", Box::new(io::Error::other("x")))), Why::CutOff);
}

/// Every recorded refusal of a real API server gets a specific code and a reason.
#[test]
fn recorded_refusals_are_classified() {
    let Some(recorded) = crate::kube::testing::recordings("recorded_refusals_are_classified") else { return };
    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    for case in recorded["cases"].as_array().unwrap() {
        for step in case["steps"].as_array().unwrap() {
            let (request, answer) = (&step["request"], &step["response"]);
            let code = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
            if code < 400 {
                continue;
            }
            let body = match &answer["body"] {
                Value::String(text) => text.clone(),
                body => body.to_string(),
            };
            let verb = if request["method"] == "GET" { "reading" } else { "applying" };
            let failure = from_answer(&doing(verb, DEPLOYMENT), "h", code, body.as_bytes(), None);
            let conflict = body.contains("FieldManagerConflict");
            assert_eq!(failure.is_conflict_of_managers().is_some(), conflict, "{body}");
            if let Some(held) = failure.is_conflict_of_managers() {
                assert!(held.iter().all(|(manager, field)| !manager.contains('"') && field.starts_with('.')), "{held:?}");
            }
            assert_eq!(failure.is_forbidden(), code == 403 && body.contains(" cannot "), "{body}");
            let problem = Problem::from(failure);
            assert!(problem.reason().is_some_and(|why| !why.trim().is_empty()), "{} {} {body}", case["name"], request["path"]);
            assert_ne!(problem.code(), "KC3312", "{body}");
            *seen.entry(problem.code()).or_default() += 1;
        }
    }
    let known =
        ["KC3101", "KC3102", "KC3301", "KC3302", "KC3303", "KC3304", "KC3305", "KC3306", "KC3307", "KC3308", "KC3309", "KC3310", "KC3314"];
    for code in known {
        assert!(seen.contains_key(code), "{code} is not among {seen:?}");
    }
}
