use serde_json::json;

use super::*;
use crate::kube::resources::{CONFIG_MAP, SECRET, SECRET_PROVIDER_CLASS};
use crate::kube::testing::{Answer, Server, kubeconfig, remembered, status};
use crate::kube::{Access, Applied, Apply, Failure, Only, Why};

fn entry(server: &str) -> ClusterEntry {
    ClusterEntry { server: Some(server.into()), ..ClusterEntry::default() }
}

#[test]
fn a_server_that_would_panic_is_refused() {
    for bad in ["", " ", "a.example:443", "a.example", "ftp://a", "https://", "https://:443", "http//a"] {
        let problem = server(&entry(bad)).unwrap_err();
        assert_eq!(problem.code(), "KC3008", "{bad}");
    }
    assert_eq!(server(&entry("https://A.Example/prefix")).unwrap().path(), "/prefix");
}

#[test]
fn certificate_authorities_are_checked() {
    assert_eq!(root_certificates(&entry("https://a")).unwrap(), None);
    for data in ["!!", "bm90IHBlbQ=="] {
        let cluster = ClusterEntry { certificate_authority_data: Some(data.into()), ..ClusterEntry::default() };
        assert_eq!(root_certificates(&cluster).unwrap_err().code(), "KC3009");
    }
    let gone = ClusterEntry { certificate_authority: Some("/nowhere/ca.crt".into()), ..ClusterEntry::default() };
    assert!(root_certificates(&gone).unwrap_err().what().contains("/nowhere/ca.crt"));
}

#[tokio::test]
async fn a_connection_reports_its_names_and_authenticates_requests() {
    let server = Server::start(vec![]).await;
    let cluster = server.cluster().await;
    assert_eq!((cluster.context(), cluster.cluster_name(), cluster.user_name(), cluster.namespace()), ("ctx", "c", "u", "shop"));
    assert_eq!(cluster.host(), "127.0.0.1");
    assert!(server.asked().is_empty(), "connecting sends nothing");
    cluster.get(&SECRET, Some("shop"), "a").await.unwrap();
    let asked = server.asked();
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("GET", "/api/v1/namespaces/shop/secrets/a"));
    assert_eq!(asked[0].header("authorization"), Some("Bearer t0ken"));
    assert!(asked[0].header("user-agent").unwrap().starts_with("kubectl-connect/"));
    assert!(!format!("{cluster:?}").contains("t0ken"));
}

#[tokio::test]
async fn impersonation_and_flags_reach_the_server() {
    let server = Server::start(vec![]).await;
    let flags = Flags {
        token: Some("other\n".into()),
        as_user: Some("ann".into()),
        as_uid: Some("7".into()),
        as_groups: vec!["dev".into()],
        as_user_extra: vec!["example.com/scope=x".into()],
        ..Flags::default()
    };
    let cluster = server.cluster_with(json!({ "exec": { "command": "/never/run" } }), &flags, &Events::silent()).await.unwrap();
    cluster.list(&SECRET, Some("shop"), Some("a=b")).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.path, "/api/v1/namespaces/shop/secrets?limit=250&labelSelector=a%3Db");
    for (name, value) in [
        ("authorization", "Bearer other"),
        ("impersonate-user", "ann"),
        ("impersonate-uid", "7"),
        ("impersonate-group", "dev"),
        ("impersonate-extra-example.com%2fscope", "x"),
    ] {
        assert_eq!(asked.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn reads_and_applies_are_retried_and_other_writes_are_not() {
    let busy = || Answer::After(429, "0", "slow down");
    let server = Server::start(vec![busy(), Answer::Text(503, "<html>"), Answer::Json(200, json!({ "kind": "Secret" }))]).await;
    let (events, notes) = remembered();
    let cluster = server.cluster_with(json!({ "token": "t" }), &Flags::default(), &events).await.unwrap();
    assert_eq!(cluster.get(&SECRET, Some("shop"), "a").await.unwrap().unwrap()["kind"], "Secret");
    assert_eq!(server.asked().len(), 3);
    assert!(notes.lock().unwrap()[0].contains("trying again"), "{notes:?}");

    let server = Server::start(vec![busy(), busy(), busy(), busy()]).await;
    let cluster = server.cluster().await;
    let failure = cluster
        .apply(&Applied { kind: &SECRET, namespace: "shop", name: "a", manager: "kubectl-connect/x", body: &json!({}) }, Apply::default())
        .await
        .unwrap_err();
    assert_eq!((failure.status(), server.asked().len()), (Some(429), 3));
    assert_eq!(Problem::from(failure).code(), "KC3311");

    let body = json!({ "metadata": { "name": "a" } });
    for at in 0..4 {
        let server = Server::start(vec![busy()]).await;
        let cluster = server.cluster().await;
        let failed = match at {
            0 => cluster.create(&SECRET, Some("shop"), &body).await.err(),
            1 => cluster.replace(&SECRET, Some("shop"), "a", &body).await.err(),
            2 => cluster.merge(&SECRET, Some("shop"), "a", "m", &body).await.err(),
            _ => cluster.delete(&SECRET, Some("shop"), "a", Only::default()).await.err(),
        };
        assert_eq!((failed.unwrap().status(), server.asked().len()), (Some(429), 1), "{at}");
    }
}

#[tokio::test]
async fn writes_send_exactly_the_given_fields() {
    let server = Server::start(vec![]).await;
    let cluster = server.cluster().await;
    let how = Apply { force: true, dry_run: true };
    cluster
        .apply(&Applied { kind: &SECRET, namespace: "shop", name: "a", manager: "kubectl-connect/x", body: &json!({ "data": {} }) }, how)
        .await
        .unwrap();
    let only = Only { uid: Some("u1".into()), resource_version: Some("7".into()) };
    assert!(cluster.delete(&SECRET, Some("shop"), "a", only).await.unwrap());
    cluster.merge(&SECRET, Some("shop"), "a", "m", &json!({ "data": null })).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].path, "/api/v1/namespaces/shop/secrets/a?fieldManager=kubectl-connect%2Fx&force=true&dryRun=All");
    assert_eq!(asked[0].header("content-type"), Some("application/apply-patch+yaml"));
    assert_eq!(asked[0].body, json!({ "data": {}, "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" } }));
    assert_eq!(asked[1].body["preconditions"], json!({ "uid": "u1", "resourceVersion": "7" }));
    assert_eq!(asked[2].body, json!({ "data": null }));
    assert!(asked[2].path.contains("fieldValidation=Strict"));
}

#[tokio::test]
async fn absent_objects_unknown_kinds_and_foreign_servers_are_distinguished() {
    let absent = || Answer::Json(404, status(404, "NotFound", "secrets \"a\" not found"));
    let server = Server::start(vec![
        absent(),
        absent(),
        Answer::Text(404, "404 page not found\n"),
        Answer::Json(404, json!({ "kind": "Status", "code": 404, "reason": "NotFound", "message": "the server could not find the requested resource", "details": {} })),
        Answer::Text(200, "<html><head><title>Hotel Wi-Fi</title></head></html>"),
        Answer::Text(302, ""),
    ])
    .await;
    let cluster = server.cluster().await;
    assert!(cluster.get(&SECRET, Some("shop"), "a").await.unwrap().is_none());
    assert!(!cluster.delete(&SECRET, Some("shop"), "a", Only::default()).await.unwrap());
    for _ in 0..2 {
        let failure = cluster.get(&SECRET_PROVIDER_CLASS, Some("shop"), "a").await.unwrap_err();
        assert!(matches!(failure, Failure::NoSuchKind { kind: "SecretProviderClass", .. }), "{failure:?}");
    }
    for seen in ["Hotel Wi-Fi", "302"] {
        let problem = Problem::from(cluster.get(&SECRET, Some("shop"), "a").await.unwrap_err());
        assert_eq!(problem.code(), "KC3312");
        assert!(problem.reason().unwrap().contains(seen), "{problem}");
    }
}

#[tokio::test]
async fn lists_read_all_pages() {
    let page = |name: &str, next: &str| {
        Answer::Json(200, json!({ "metadata": { "continue": next }, "items": [{ "metadata": { "name": name } }] }))
    };
    let server = Server::start(vec![page("a", "n/1"), page("b", "")]).await;
    let items = server.cluster().await.list(&CONFIG_MAP, None, None).await.unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(server.asked()[1].path, "/api/v1/configmaps?limit=250&continue=n%2F1");
}

#[tokio::test]
async fn no_answer_ends_at_the_limit_and_refusal_at_once() {
    let server = Server::start(vec![Answer::Never]).await;
    let flags = Flags { request_timeout: Some(Duration::from_millis(200)), ..Flags::default() };
    let cluster = server.cluster_with(json!({ "token": "t" }), &flags, &Events::silent()).await.unwrap();
    let failure = cluster.create(&SECRET, Some("shop"), &json!({})).await.unwrap_err();
    assert!(matches!(&failure, Failure::Unreachable { why: Why::NoAnswer(_), may_have_happened: true, .. }), "{failure:?}");
    assert_eq!(Problem::from(failure).kind(), Kind::TimedOut);

    let closed = Server::at(1);
    let failure = closed.cluster().await.get(&SECRET, Some("shop"), "a").await.unwrap_err();
    assert!(matches!(&failure, Failure::Unreachable { why: Why::Refused, may_have_happened: false, .. }), "{failure:?}");
    assert_eq!(Problem::from(failure).code(), "KC3201");
}

#[tokio::test]
async fn an_unknown_host_name_is_a_dns_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = kubeconfig(dir.path(), "http://nowhere.invalid:80", json!({ "token": "t" }));
    let cluster = Cluster::connect(&Flags { kubeconfig: Some(file), ..Flags::default() }, &Events::silent()).await.unwrap();
    let failure = cluster.get(&SECRET, Some("shop"), "a").await.unwrap_err();
    assert!(matches!(&failure, Failure::Unreachable { why: Why::Dns, .. }), "{failure:?}");
}

#[tokio::test]
async fn a_connection_that_is_cut_off_may_have_written() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::AsyncReadExt;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0_u8; 1024]).await;
        }
    });
    let server = Server::at(port);
    let failure = server.cluster().await.create(&SECRET, Some("shop"), &json!({})).await.unwrap_err();
    assert!(matches!(&failure, Failure::Unreachable { why: Why::CutOff, may_have_happened: true, .. }), "{failure:?}");
}

#[tokio::test]
async fn a_refused_sign_in_names_the_credentials() {
    let server = Server::start(vec![Answer::Json(
        401,
        json!({ "kind": "Status", "code": 401, "reason": "Unauthorized", "message": "Unauthorized" }),
    )])
    .await;
    let problem = Problem::from(server.cluster().await.get(&SECRET, Some("shop"), "a").await.unwrap_err());
    assert_eq!((problem.code(), problem.kind()), ("KC3101", Kind::NotSignedIn));
    assert!(problem.reason().unwrap().contains("the kubeconfig's token"), "{problem}");
    assert_eq!(problem.request_ids(), Some("audit id audit-1"));
}

#[tokio::test]
async fn rights_and_tokens_are_asked_for() {
    use base64::Engine;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(
        json!({ "iss": "https://i/", "sub": "system:serviceaccount:shop:web", "aud": "api://x", "exp": 1_800_000_000 }).to_string(),
    );
    let token = format!("h.{payload}.s");
    let server = Server::start(vec![
        Answer::Json(201, json!({ "status": { "allowed": false, "reason": "no role" } })),
        Answer::Json(201, json!({ "status": { "token": token } })),
    ])
    .await;
    let cluster = server.cluster().await;
    let allowed = cluster.may(&Access::to("patch", &SECRET, Some("shop")).named("a")).await.unwrap();
    assert_eq!((allowed.yes, allowed.reason.as_str()), (false, "no role"));
    let minted = cluster.mint_token("shop", "web", "api://x", 10).await.unwrap();
    assert_eq!((minted.subject.as_str(), minted.audience), ("system:serviceaccount:shop:web", vec!["api://x".to_owned()]));
    let asked = server.asked();
    assert_eq!(
        asked[0].body["spec"]["resourceAttributes"],
        json!({ "verb": "patch", "resource": "secrets", "namespace": "shop", "name": "a" })
    );
    assert_eq!(asked[1].path, "/api/v1/namespaces/shop/serviceaccounts/web/token");
    assert_eq!(asked[1].body["spec"], json!({ "audiences": ["api://x"], "expirationSeconds": 600 }));
}

#[tokio::test]
async fn a_verdict_on_the_body_is_not_retried() {
    let body =
        json!({ "kind": "Status", "code": 500, "message": "failed to create typed patch object: .spec.x: field not declared in schema" });
    let server = Server::start(vec![Answer::Json(500, body)]).await;
    let failure = server
        .cluster()
        .await
        .apply(&Applied { kind: &SECRET, namespace: "shop", name: "a", manager: "m", body: &json!({}) }, Apply::default())
        .await
        .unwrap_err();
    assert_eq!((failure.status(), server.asked().len()), (Some(500), 1));
}

#[tokio::test]
async fn a_failing_proxy_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0_u8; 1024];
        let count = stream.read(&mut buffer).await.unwrap();
        stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    });
    let file = kubeconfig(dir.path(), "https://a.hcp.westeurope.azmk8s.io:443", json!({ "token": "t0ken" }));
    let text =
        std::fs::read_to_string(&file).unwrap().replace(r#""server":"#, &format!(r#""proxy-url":"http://127.0.0.1:{port}","server":"#));
    std::fs::write(&file, text).unwrap();
    let cluster = Cluster::connect(&Flags { kubeconfig: Some(file), ..Flags::default() }, &Events::silent()).await.unwrap();
    let failure = cluster.get(&SECRET, Some("shop"), "a").await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Unreachable { why: Why::Proxy(text), .. } if text == "proxy authorization required"),
        "{failure:?}"
    );
    assert_eq!(Problem::from(failure).code(), "KC3205");
    let request = asked.await.unwrap();
    assert!(request.starts_with("CONNECT a.hcp.westeurope.azmk8s.io:443 ") && !request.contains("t0ken"), "{request}");
}

#[tokio::test]
async fn broken_credentials_are_reported_before_any_request() {
    let server = Server::start(vec![]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "from-file\n").unwrap();
    let cluster = server.cluster_with(json!({ "tokenFile": file }), &Flags::default(), &Events::silent()).await.unwrap();
    cluster.get(&SECRET, Some("shop"), "a").await.unwrap();
    // The token file is renewed: the next request uses the new token.
    std::fs::write(&file, "renewed").unwrap();
    cluster.get(&SECRET, Some("shop"), "a").await.unwrap();
    let sent: Vec<_> = server.asked().iter().map(|asked| asked.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent, ["Bearer from-file", "Bearer renewed"]);

    let table = [
        (json!({ "token": "a\nb" }), "KC3013"),
        (json!({ "tokenFile": "/nowhere/token" }), "KC3013"),
        (json!({ "auth-provider": { "name": "azure", "config": { "refresh-token": "s3cret" } } }), "KC3012"),
        (json!({ "client-certificate": "/nowhere/crt", "client-key": "/nowhere/key" }), "KC3009"),
        (json!({ "client-certificate-data": "QQ==" }), "KC3009"),
        (json!({ "client-certificate-data": "QQ==", "client-key-data": "s3cret" }), "KC3009"),
        (json!({ "exec": {} }), "KC3020"),
        (json!({ "token": "t", "as": "a\nb" }), "KC3011"),
    ];
    for (user, code) in table {
        let problem = server.cluster_with(user.clone(), &Flags::default(), &Events::silent()).await.unwrap_err();
        assert_eq!(problem.code(), code, "{user}: {problem:?}");
        assert!(!format!("{problem:?} {:?}", problem.cause()).contains("s3cret"));
    }
    assert_eq!(server.asked().len(), 2);
}
