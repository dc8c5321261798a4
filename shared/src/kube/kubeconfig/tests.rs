use serde_json::{Value, json};

use super::*;

fn write(dir: &Path, name: &str, content: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn config(current: &str, context: &str, namespace: Option<&str>, user: &str, token: &str) -> String {
    let mut inner = json!({ "cluster": format!("c-{context}"), "user": user });
    if let Some(namespace) = namespace {
        inner["namespace"] = namespace.into();
    }
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": current,
        "clusters": [{ "name": format!("c-{context}"), "cluster": { "server": "https://a.example" } }],
        "contexts": [{ "name": context, "context": inner }],
        "users": [{ "name": user, "user": { "token": token } }],
    })
    .to_string()
}

fn parse(config: Value) -> Kubeconfig {
    serde_json::from_value(config).unwrap()
}

fn base() -> Value {
    json!({
        "current-context": "ctx",
        "clusters": [{ "name": "c", "cluster": { "server": "https://a.example" } }],
        "contexts": [{ "name": "ctx", "context": { "cluster": "c", "user": "u" } }],
        "users": [{ "name": "u", "user": { "token": "t0ken" } }],
    })
}

#[test]
fn the_first_file_wins_and_missing_ones_are_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let first = write(dir.path(), "1", &config("", "one", Some(""), "u", "first"));
    let second = write(dir.path(), "2", &config("two", "two", Some("shop"), "u", "second"));
    let paths = [dir.path().join("missing"), first, dir.path().join("gone"), second];
    let merged = read(&paths).unwrap().unwrap();
    // An empty current-context does not win.
    let chosen = choose(&merged, &Flags::default()).unwrap();
    assert_eq!((chosen.context.as_str(), chosen.namespace.as_str(), chosen.user_name.as_str()), ("two", "shop", "u"));
    use secrecy::ExposeSecret;
    assert_eq!(chosen.user.token.unwrap().expose_secret(), "first");
    // An empty namespace means `default`, not all namespaces.
    let one = choose(&merged, &Flags { context: Some("one".into()), ..Flags::default() }).unwrap();
    assert_eq!((one.namespace.as_str(), one.cluster_name.as_str()), ("default", "c-one"));
    let flagged = Flags { namespace: Some("billing".into()), ..Flags::default() };
    assert_eq!(choose(&merged, &flagged).unwrap().namespace, "billing");
}

#[test]
fn a_missing_kubeconfig_names_the_searched_files() {
    let dir = tempfile::tempdir().unwrap();
    let paths = [dir.path().join("a"), dir.path().join("b")];
    assert!(read(&paths).unwrap().is_none());
    let problem = none_found(&paths);
    assert_eq!(problem.code(), "KC3001");
    let why = problem.reason().unwrap();
    assert!(why.contains("/a, ") && why.ends_with("/b"), "{why}");
}

#[test]
fn a_parse_error_shows_the_place_and_not_the_source() {
    let dir = tempfile::tempdir().unwrap();
    for text in ["users:\n- name: u\n  user:\n    token: s3cret\n    tokenFile: [\n", "contexts:\n- name: a\n  context: {user: s3cret}\n"] {
        let path = write(dir.path(), "bad", text);
        let problem = read(&[path]).unwrap_err();
        assert_eq!(problem.code(), "KC3003");
        let told = format!("{problem:?} {:?} {:?}", problem.fixes(), problem.cause());
        assert!(!told.contains("s3cret"), "{told}");
        assert!(told.contains("line"), "{told}");
    }
}

#[test]
fn empty_files_leave_no_context() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "empty", "# nothing\n");
    let config = read(&[path]).unwrap().unwrap();
    assert_eq!(choose(&config, &Flags::default()).err().unwrap().code(), "KC3004");
    // A server alone is enough.
    let flags = Flags { server: Some("https://a.example".into()), token: Some("t".into()), ..Flags::default() };
    assert_eq!(choose(&config, &flags).unwrap().cluster.server.as_deref(), Some("https://a.example"));
}

#[test]
fn every_name_is_checked() {
    let code = |config: Value, flags: &Flags| choose(&parse(config), flags).err().map(|problem| problem.code());
    let none = Flags::default();
    assert_eq!(code(base(), &none), None);
    assert_eq!(code(base(), &Flags { context: Some("prod".into()), ..Flags::default() }), Some("KC3005"));
    assert_eq!(code(base(), &Flags { cluster: Some("x".into()), ..Flags::default() }), Some("KC3006"));
    assert_eq!(code(base(), &Flags { user: Some("x".into()), ..Flags::default() }), Some("KC3007"));
    let mut lost = base();
    lost["users"] = json!([]);
    assert_eq!(code(lost.clone(), &none), Some("KC3007"));
    assert_eq!(code(lost, &Flags { token: Some("t".into()), ..Flags::default() }), None);
    let mut nobody = base();
    nobody["contexts"][0]["context"].as_object_mut().unwrap().remove("user");
    assert_eq!(code(nobody.clone(), &none), Some("KC3007"));
    // `kubectl proxy` signs in itself.
    nobody["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:8001".into();
    assert_eq!(code(nobody, &none), None);
    let mut wrong = base();
    wrong["contexts"][0]["context"]["cluster"] = "elsewhere".into();
    assert_eq!(code(wrong, &none), Some("KC3006"));
    assert_eq!(code(base(), &Flags { namespace: Some("a/b".into()), ..Flags::default() }), Some("KC3015"));
}

#[test]
fn flags_override_the_entries() {
    let mut entries = base();
    entries["clusters"][0]["cluster"]["certificate-authority-data"] = "QQ==".into();
    entries["clusters"][0]["cluster"]["tls-server-name"] = "inner".into();
    let entries = parse(entries);
    let flags = Flags {
        server: Some("https://b.example".into()),
        insecure_skip_tls_verify: true,
        as_user: Some("ann".into()),
        as_groups: vec!["dev".into()],
        as_user_extra: vec!["scopes=a".into(), "scopes=b".into()],
        ..Flags::default()
    };
    let chosen = choose(&entries, &flags).unwrap();
    assert_eq!(chosen.cluster.server.as_deref(), Some("https://b.example"));
    assert_eq!((chosen.cluster.certificate_authority_data, chosen.cluster.tls_server_name), (None, None));
    assert_eq!(chosen.user.impersonate_user_extra.unwrap()["scopes"], ["a", "b"]);
    let refused = [
        Flags { as_groups: vec!["dev".into()], ..Flags::default() },
        Flags { as_user: Some("ann".into()), as_user_extra: vec!["scopes".into()], ..Flags::default() },
        Flags { insecure_skip_tls_verify: true, certificate_authority: Some("ca".into()), ..Flags::default() },
    ];
    for flags in refused {
        assert_eq!(choose(&entries, &flags).err().map(|p| p.code()), Some("KC3011"), "{flags:?}");
    }
    let mut both = base();
    both["clusters"][0]["cluster"] =
        json!({ "server": "https://a.example", "certificate-authority": "/ca", "insecure-skip-tls-verify": true });
    assert_eq!(choose(&parse(both), &Flags::default()).err().map(|p| p.code()), Some("KC3011"));
}
