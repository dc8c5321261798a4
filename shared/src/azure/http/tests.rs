use super::*;
use crate::azure::testing::{Service, told};
use serde_json::json;

fn call(service: &Service, method: Method) -> Call<'static> {
    Call::new(method, Url::parse(&format!("{}/a", service.base)).unwrap())
}

#[tokio::test]
async fn a_repeated_write_is_marked_as_doubtful() {
    let service = Service::telling([told(504, &[], ""), told(429, &[("retry-after", "0")], ""), told(200, &[], "{}")]).await;
    let reply = service.arm().http().send(&call(&service, Method::PUT)).await.unwrap();
    assert_eq!((reply.status, reply.doubtful, service.seen().len()), (200, true, 3));
    let agent = service.seen()[0].headers["user-agent"].to_str().unwrap().to_owned();
    assert!(
        agent.starts_with("kubectl-connect/") && agent.ends_with(&format!("({}/{})", std::env::consts::OS, std::env::consts::ARCH)),
        "{agent}"
    );
}

#[tokio::test]
async fn gives_up_after_five_throttled_tries() {
    let service =
        Service::telling([told(429, &[("retry-after", "0")], json!({"error": {"code": "TooManyRequests", "message": "m"}}))]).await;
    let reply = service.arm().http().send(&call(&service, Method::POST)).await.unwrap();
    assert_eq!((reply.status, service.seen().len()), (429, 5));
}

#[tokio::test]
async fn says_when_it_waits() {
    let service = Service::telling([told(429, &[("retry-after", "2")], ""), told(200, &[], "")]).await;
    assert_eq!(service.arm().http().send(&call(&service, Method::GET)).await.unwrap().json().unwrap(), Value::Null);
    assert_eq!(service.notes(), ["waiting 2 s for 127.0.0.1, as the service requested (HTTP 429 TooManyRequests)"]);
}

#[tokio::test]
async fn a_refused_connection_names_the_host_and_is_not_doubtful() {
    let service = Service::telling([told(200, &[], "")]).await;
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let call = Call::new(Method::POST, Url::parse(&format!("http://{unused}/a?sig=SECRET")).unwrap());
    let Err(Failure::Network { host, message, timed_out, maybe_done }) = service.arm().http().send(&call).await else {
        panic!("connected")
    };
    assert_eq!((host.as_str(), timed_out, maybe_done), ("127.0.0.1", false, false));
    assert!(message.to_lowercase().contains("refused") && !message.contains("SECRET"), "{message}");
}

#[tokio::test]
async fn the_public_client_uses_https_only_and_rejects_a_proxys_html_page() {
    let service = Service::telling([told(200, &[], "<html>")]).await;
    let arm = service.arm();
    let public = Http::over(client(&Events::silent()).unwrap(), Events::silent());
    let refused = Problem::from(public.send(&call(&service, Method::GET)).await.unwrap_err());
    assert_eq!((refused.code(), service.seen().len()), ("KC4032", 0), "{refused}");
    let page = arm.http().send(&call(&service, Method::GET)).await.unwrap().json().unwrap_err();
    assert_eq!(Problem::from(page).code(), "KC4031");
}

#[test]
fn the_log_shows_no_secret() {
    assert_eq!(mask::header("Authorization", "Bearer x"), "Authorization: ***");
    assert_eq!(mask::header("client_assertion", "x"), "client_assertion: ***");
    assert_eq!(mask::header("scope", "https://x/.default"), "scope: https://x/.default");
    let call = Call {
        token: Some(&Token::new("geheim".into(), jiff::Timestamp::UNIX_EPOCH)),
        ..Call::new(Method::GET, Url::parse("https://h/").unwrap())
    };
    let headers = Http::over(reqwest_client(), Events::silent()).headers(&call).ok().unwrap();
    assert!(!format!("{headers:?}").contains("geheim"));
}

#[test]
fn the_log_shows_only_the_api_version_of_a_query() {
    let signed = Url::parse("https://h/a/b?api-version=2017-08-31&t=638&s=SIG").unwrap();
    assert_eq!(shown_url(&signed), "https://h/a/b?api-version=2017-08-31…");
}

#[test]
fn bodies_with_secrets_are_not_logged_at_all() {
    let of = |method: Method, url: &str| holds_secrets(&Call::new(method, Url::parse(url).unwrap()));
    assert!(of(Method::POST, "https://h/a/vaults/v/listKeys?api-version=1") && of(Method::PUT, "https://h/a/vaults/v/secrets/x"));
    assert!(!of(Method::GET, "https://h/a/lists") && !of(Method::PUT, "https://h/a/b"));
}

fn reqwest_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
