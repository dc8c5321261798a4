//! Company networks: proxies, trusted certificates, and missing sign-in programs.

use harness::{Case, Ran};

const LIST: &str = "list -n shop";
const PLAN: &str = "plan keyvault my-vault -n shop --workload deployment/web";

async fn with(case: &Case, words: &str, environment: &[(&str, &str)]) -> Ran {
    let mut command = case.command(words);
    command.envs(environment.iter().copied());
    case.finish(command).await
}

/// The kubeconfig with a change.
fn kubeconfig(case: &Case, change: impl FnOnce(String) -> String) -> String {
    let path = case.sandbox.dir().join("changed-kubeconfig");
    let text = std::fs::read_to_string(case.sandbox.dir().join("kubeconfig")).unwrap();
    std::fs::write(&path, change(text)).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_is_held_against_the_cluster_s_host() {
    let case = Case::on("aks-ready").await;
    case.run(LIST).await.ended(0);
    // Without the proxy, the host name does not exist.
    let (host, _) = case.api_server("aks-ready");
    for exception in [host.as_str(), ".azmk8s.io", "*"] {
        let ran = with(&case, LIST, &[("NO_PROXY", exception), ("no_proxy", exception)]).await;
        ran.ended(1).says(&[&host]);
    }
    // The proxy's address in NO_PROXY does not concern the cluster.
    with(&case, LIST, &[("NO_PROXY", "127.0.0.1,localhost"), ("no_proxy", "127.0.0.1,localhost")]).await.ended(0);
    with(&case, LIST, &[("NO_PROXY", "management.azure.com"), ("no_proxy", "management.azure.com")]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_s_own_proxy_comes_before_the_environment() {
    let case = Case::on("aks-ready").await;
    let proxy = case.sandbox.proxy_url();
    let own = |url: String| {
        kubeconfig(&case, move |text| text.replace("  cluster:\n    server:", &format!("  cluster:\n    proxy-url: {url}\n    server:")))
    };
    let none = [("HTTPS_PROXY", ""), ("https_proxy", ""), ("HTTP_PROXY", ""), ("http_proxy", "")];
    let path = own(proxy);
    with(&case, &format!("{LIST} --kubeconfig {path}"), &none).await.ended(0);
    let path = own("http://127.0.0.1:1".into());
    case.run(&format!("{LIST} --kubeconfig {path}")).await.ended(1).says(&["KC3205", "the proxy refused or failed"]);
    let path = own("ftp://someone:password@proxy".into());
    let ran = case.run(&format!("{LIST} --kubeconfig {path}")).await.ended(2);
    assert!(ran.stderr.contains("KC3010") && !ran.stderr.contains("password"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificates_that_az_trusts_are_trusted_for_azure() {
    let case = Case::on("aks-ready").await;
    let authority = case.sandbox.authority_file().display().to_string();
    // The kubeconfig has the cluster's CA, as AKS writes it.
    let path = kubeconfig(&case, |text| {
        text.replace("  cluster:\n    server:", &format!("  cluster:\n    certificate-authority: {authority}\n    server:"))
    });
    // A machine that trusts another CA, but not this one.
    let other = case.sandbox.dir().join("other-certs");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("0a1b2c3d.0"), stand_in::ca::Authority::new().unwrap().pem()).unwrap();
    let plan = async |bundle: Option<&str>, trusted: &std::path::Path| {
        let mut command = case.command(&format!("{PLAN} --kubeconfig {path}"));
        for name in ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"] {
            command.env_remove(name);
        }
        command.env("SSL_CERT_DIR", trusted).envs(bundle.map(|bundle| ("REQUESTS_CA_BUNDLE", bundle)));
        case.finish(command).await
    };
    plan(None, &other).await.ended(1).says(&["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"]);
    plan(Some(&authority), &other).await.ended(0);
    // If no CA is trusted at all, the fix is the same.
    plan(None, std::path::Path::new("/nowhere")).await.ended(1).says(&["KC4030", "SSL_CERT_FILE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_kubeconfig_may_be_missing() {
    let case = Case::on("aks-ready").await;
    let there = case.sandbox.dir().join("kubeconfig").display().to_string();
    with(&case, LIST, &[("KUBECONFIG", &format!("/nowhere/a:{there}:/nowhere/b"))]).await.ended(0);
    with(&case, LIST, &[("KUBECONFIG", "/nowhere/a:/nowhere/b")]).await.ended(2).says(&["/nowhere/a"]);
    case.run(&format!("{LIST} --kubeconfig /nowhere/a")).await.ended(2).says(&["/nowhere/a"]);
}

/// A user entry of the kubeconfig with a sign-in program.
fn by_program(case: &Case, exec: &str) -> String {
    let (_, token) = case.api_server("aks-ready");
    kubeconfig(case, |text| text.replace(&format!("    token: {token}\n"), exec))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_program_that_is_missing_is_told_with_its_hint() {
    let case = Case::on("aks-ready").await;
    let exec = "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: company-login\n      interactiveMode: IfAvailable\n      \
                installHint: ask the help desk for company-login\n";
    let path = by_program(&case, exec);
    case.run(&format!("{LIST} --kubeconfig {path}")).await.ended(4).says(&["company-login", "ask the help desk for company-login"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_kubelogin_is_missing_az_gives_the_token() {
    let case = Case::on("aks-ready").await;
    let server = "6dae42f8-4368-4678-94ff-3960e28e3630";
    let exec = format!(
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n      command: kubelogin-that-is-not-here/kubelogin\n      args:\n      - get-token\n      - --login\n      \
         - devicecode\n      - --server-id\n      - {server}\n      - --tenant-id\n      - {}\n",
        stand_in::world::TENANT
    );
    let path = by_program(&case, &exec);
    // The sandbox's API server accepts no Entra tokens; the test checks that az was asked for a token, and that it
    // was sent.
    let ran = case.run(&format!("{LIST} --kubeconfig {path}")).await;
    let asked: Vec<String> = case.control().log_of(stand_in::Kind::Az).into_iter().map(|e| e.path).collect();
    assert!(asked.iter().any(|line| line.contains(server) && line.contains(stand_in::world::TENANT)), "{asked:?} {ran:?}");
    assert!(!ran.stderr.contains("kubelogin-that-is-not-here"), "{}", ran.stderr);
    let sent = case.control().log_of(stand_in::Kind::Kube);
    assert!(
        sent.iter().any(|e| e.request_headers.iter().any(|(name, value)| name == "authorization" && value.starts_with("Bearer ey"))),
        "{ran:?}"
    );
}
