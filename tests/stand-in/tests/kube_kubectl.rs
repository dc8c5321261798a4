//! The real kubectl as a second client, to ensure that the stand-in is not adapted to the product.

#![expect(clippy::expect_used, reason = "a test may end where its ground gives way")]

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use stand_in::Sandbox;
use stand_in::world::World;

async fn kubectl(sandbox: &Sandbox, arguments: &[&str], stdin: Option<&Path>) -> Output {
    let mut command = tokio::process::Command::new("kubectl");
    command.args(arguments).envs(sandbox.env()).kill_on_drop(true);
    match stdin {
        Some(file) => command.stdin(std::fs::File::open(file).expect("input")),
        None => command.stdin(std::process::Stdio::null()),
    };
    let run = tokio::time::timeout(Duration::from_secs(60), command.output());
    run.await.expect("kubectl ends in time").expect("kubectl starts")
}

/// Runs kubectl, expects success, and returns its output.
async fn works(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = kubectl(sandbox, arguments, None).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "kubectl {arguments:?}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn installed() -> bool {
    #[expect(clippy::print_stderr, reason = "a skipped test must say so")]
    if which::which("kubectl").is_err() {
        eprintln!("SKIPPED: no kubectl on PATH");
        return false;
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_commands_work() {
    if !installed() {
        return;
    }
    let sandbox = Sandbox::start(World::default()).await.expect("sandbox");
    let table = works(&sandbox, &["get", "deployments", "-n", "shop"]).await;
    assert!(table.starts_with("NAME") && table.contains("READY") && table.contains("web"), "{table}");
    let wide = works(&sandbox, &["get", "all", "-A"]).await;
    assert!(wide.contains("deployment.apps/web") && wide.contains("statefulset.apps/db"), "{wide}");
    let json = works(&sandbox, &["get", "deploy", "web", "-n", "shop", "-o", "jsonpath={.status.availableReplicas}"]).await;
    assert_eq!(json, "2");
    let described = works(&sandbox, &["describe", "deployment", "web", "-n", "shop"]).await;
    assert!(described.contains("Replicas:") && described.contains("2 available"), "{described}");
    assert!(works(&sandbox, &["api-resources"]).await.contains("deployments"));
    assert!(works(&sandbox, &["version", "-o", "json"]).await.contains("serverVersion"));
    assert_eq!(works(&sandbox, &["auth", "can-i", "patch", "deployments", "-n", "shop"]).await.trim(), "yes");
    assert!(works(&sandbox, &["auth", "whoami"]).await.contains("clusterUser"));
    let token = works(&sandbox, &["create", "token", "default", "-n", "shop", "--audience", "a"]).await;
    assert_eq!(token.trim().split('.').count(), 3);
    assert!(works(&sandbox, &["rollout", "status", "deployment/web", "-n", "shop"]).await.contains("successfully rolled out"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_commands_work() {
    if !installed() {
        return;
    }
    let sandbox = Sandbox::start(World::default()).await.expect("sandbox");
    works(&sandbox, &["create", "namespace", "kc"]).await;
    works(&sandbox, &["create", "configmap", "settings", "-n", "kc", "--from-literal=a=1"]).await;
    works(&sandbox, &["create", "deployment", "one", "-n", "kc", "--image=example.com/one:1"]).await;
    works(&sandbox, &["rollout", "status", "deployment/one", "-n", "kc", "--timeout=30s"]).await;
    works(&sandbox, &["set", "env", "deployment/one", "-n", "kc", "A=1"]).await;
    works(&sandbox, &["rollout", "restart", "deployment/one", "-n", "kc"]).await;
    works(&sandbox, &["rollout", "status", "deployment/one", "-n", "kc", "--timeout=30s"]).await;
    works(&sandbox, &["scale", "deployment/one", "-n", "kc", "--replicas=2"]).await;
    works(&sandbox, &["annotate", "configmap", "settings", "-n", "kc", "note=x"]).await;
    works(&sandbox, &["patch", "configmap", "settings", "-n", "kc", "--type=merge", "-p", r#"{"data":{"b":"2"}}"#]).await;
    let patched = works(&sandbox, &["get", "configmap", "settings", "-n", "kc", "-o", "jsonpath={.data}"]).await;
    assert_eq!(patched, r#"{"a":"1","b":"2"}"#);
    works(&sandbox, &["wait", "deployment/one", "-n", "kc", "--for=condition=Available", "--timeout=30s"]).await;
    works(&sandbox, &["delete", "deployment", "one", "-n", "kc"]).await;
    works(&sandbox, &["delete", "namespace", "kc", "--timeout=30s"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_is_applied_from_either_side() {
    if !installed() {
        return;
    }
    let sandbox = Sandbox::start(World::default()).await.expect("sandbox");
    let file = sandbox.dir().join("manifest.yaml");
    let manifest = |image: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: two, namespace: shop}}\nspec:\n  selector: {{matchLabels: \
             {{app: two}}}}\n  template:\n    metadata: {{labels: {{app: two}}}}\n    spec:\n      containers:\n      - {{name: app, \
             image: \"{image}\", env: [{{name: A, value: b}}]}}\n"
        )
    };
    for (image, word) in [("example.com/two:1", "created"), ("example.com/two:2", "configured"), ("example.com/two:2", "unchanged")] {
        std::fs::write(&file, manifest(image)).expect("manifest");
        let output = kubectl(&sandbox, &["apply", "--validate=false", "-f", "-"], Some(&file)).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(word), "{text} {}", String::from_utf8_lossy(&output.stderr));
    }
    let path = file.display().to_string();
    let diff = kubectl(&sandbox, &["diff", "-f", &path], None).await;
    assert_eq!(diff.status.code(), Some(0), "{}", String::from_utf8_lossy(&diff.stderr));
    let applied = works(&sandbox, &["apply", "--server-side", "--validate=false", "-f", &path]).await;
    assert!(applied.contains("serverside-applied"), "{applied}");
}
