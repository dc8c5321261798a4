//! Output: log levels, colour, quiet mode, formats for programs.

use serde_json::Value;

use harness::{Case, Ran};

const CREATE: &str = "keyvault my-vault -n shop --workload deployment/web --yes";

async fn with(case: &Case, words: &str, environment: &[(&str, &str)]) -> Ran {
    let mut command = case.command(words);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    case.finish(command).await
}

#[track_caller]
fn has(text: &str, pattern: &str) -> bool {
    regex::Regex::new(pattern).unwrap().is_match(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn log_levels_are_kubectl_s_and_show_no_secret() {
    let case = Case::on("aks-ready").await;
    let kube = r"GET https://\S+azmk8s\.io/api/v1/\S*configmaps\S* 200 \d+ ms \S+";
    let azure = r"GET https://management\.azure\.com/\S+\?api-version=\S+ 200 \d+ ms [0-9a-f-]{36}";
    for (level, requests, headers, bodies) in [
        ("", false, false, false),
        ("-v2", false, false, false),
        ("-v6", true, false, false),
        ("--v=8", true, true, false),
        ("-v 9", true, true, true),
    ] {
        let made = case.run(&format!("{CREATE} -q {level}")).await.ended(0);
        let said = format!("{}{}", made.stderr, case.run(&format!("list -n shop -q {level}")).await.ended(0).stderr);
        case.run("delete keyvault-my-vault -n shop --yes -q").await.ended(0);
        assert_eq!(has(&said, kube) && has(&said, azure), requests, "{level}: {said}");
        assert_eq!(
            has(&said, r"(?m) > (PUT \S+ )?\[.*user-agent: kubectl-connect/") || has(&said, r"(?i)authorization: \*\*\*"),
            headers,
            "{level}: {said}"
        );
        assert_eq!(said.contains("\"principalId\""), bodies, "{level}: {said}");
        assert!(!said.contains("TokenRequest"), "{level}: a token's request is not shown");
        for secret in ["eyJ", "planted-cluster-token", "planted-secret-value"] {
            assert!(!said.contains(secret), "{level} shows {secret}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn colour_is_used_where_it_is_wanted() {
    let case = Case::on("aks-ready").await;
    for (flag, environment, coloured) in [
        ("", &[][..], false),
        ("--color always", &[], true),
        ("--color=never", &[("CLICOLOR_FORCE", "1")], false),
        ("", &[("CLICOLOR_FORCE", "1")], true),
        ("", &[("NO_COLOR", "1")], false),
        ("--color always", &[("NO_COLOR", "1")], true),
        ("", &[("KUBECTL_CONNECT_COLOR", "always")], true),
    ] {
        let ran = with(&case, &format!("show nothing -n shop {flag}"), environment).await.ended(3);
        assert_eq!(ran.stderr.contains('\u{1b}'), coloured, "{flag} {environment:?}: {:?}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_leaves_results_and_errors() {
    let case = Case::on("aks-ready").await;
    let made = case.run(&format!("{CREATE} -q")).await.ended(0);
    assert_eq!((made.stdout.as_str(), made.stderr.as_str()), ("Connected deployment/web to my-vault as keyvault-my-vault.\n", ""));
    let listed = case.run("list -n shop").await.ended(0);
    let bare = case.run("list -n shop --no-headers").await.ended(0);
    let (heads, rows) = listed.stdout.split_once('\n').unwrap();
    // Everything except the age, which may have changed.
    let words = |row: &str| row.split_whitespace().rev().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert!(heads.starts_with("NAME ") && words(rows) == words(&bare.stdout), "{listed:?} {bare:?}");
    case.run("show nothing -n shop -q").await.ended(3).says(&["KC1201"]);
    for words in ["services", "config view"] {
        let (with, without) = (case.run(words).await.ended(0), case.run(&format!("{words} --no-headers")).await.ended(0));
        assert_eq!(with.stdout.lines().count(), without.stdout.lines().count() + 1, "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_for_programs_is_json_to_the_last_line() {
    let case = Case::on("aks-ready").await;
    let events = |ran: &Ran| -> Vec<Value> {
        ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    };
    let made = case.run(&format!("{CREATE} --progress=json")).await.ended(0);
    let told = events(&made);
    let of = |kind: &str| told.iter().filter(|e| e["event"] == kind).count();
    assert!(of("started") >= 4 && of("finished") >= 4 && of("note") >= 1, "{told:#?}");
    let failed = case.run("show nothing -n shop --progress=json").await.ended(3);
    let last = events(&failed).pop().unwrap();
    assert_eq!((last["event"].as_str(), last["error"]["code"].as_str()), (Some("failed"), Some("KC1201")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_programs_read_says_which_form_it_has() {
    let case = Case::on("aks-ready").await;
    assert_eq!(case.run("plan keyvault my-vault -n shop --workload deployment/web -o json").await.ended(0).json()["formatVersion"], "2.0");
    let made = case.run(&format!("{CREATE} -o json")).await.ended(0).json();
    let shown = case.run("show keyvault-my-vault -n shop -o json").await.ended(0).json();
    let listed = case.run("list -n shop -o json").await.ended(0).json();
    for (value, kind) in [(&made, "Connection"), (&shown, "Connection"), (&listed, "ConnectionList"), (&listed["items"][0], "Connection")] {
        assert_eq!((value["apiVersion"].as_str(), value["kind"].as_str()), (Some("kubectl-connect.dev/v1alpha1"), Some(kind)), "{value:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_come_in_the_form_that_was_asked_for() {
    let case = Case::on("aks-ready").await;
    let made =
        case.run("keyvault my-vault -n shop --workload deployment/web --yes --progress=json -o jsonpath={.metadata.name}").await.ended(0);
    assert_eq!(made.stdout, "keyvault-my-vault\n");
    let told = made.stderr.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(told.filter(|event| event["event"] == "finished").count() >= 4, "{}", made.stderr);
    let listed = case.run("list -n shop -o custom-columns=NAME:.metadata.name,TARGET:.spec.service").await.ended(0);
    assert_eq!(listed.stdout, "NAME                TARGET\nkeyvault-my-vault   keyvault\n");
    // Every command with a list has rows.
    for (words, columns, row) in [
        ("services", "N:.name,R:.defaultAccess", "keyvault"),
        ("plan keyvault my-vault -n shop --workload deployment/web", "K:.kind,A:.action", "Secret"),
        ("diff keyvault-my-vault -n shop", "K:.kind,A:.action", "Deployment"),
        ("tree keyvault-my-vault -n shop", "S:.step,L:.layer", "identity"),
        ("events keyvault-my-vault -n shop", "R:.reason,T:.type", "ScalingReplicaSet"),
        ("verify keyvault-my-vault -n shop", "C:.code,R:.result", "KC5003"),
        ("doctor deployment/web -n shop", "C:.code,R:.result", "KC5003"),
        ("doctor --list", "C:.code,W:.title", "KC5110"),
        ("config view", "K:.key,F:.from", "identity-name"),
    ] {
        // No webhook runs on real API servers, which is a finding.
        let found = harness::real::is_on() && (words.starts_with("verify") || words.starts_with("doctor deployment"));
        let ran = case.run(&format!("{words} --no-headers -o custom-columns={columns}")).await.ended(i32::from(found));
        let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
        assert!(rows.len() > 2 && rows.iter().any(|cells| cells[0] == row && cells.len() > 1 && cells[1] != "<none>"), "{words}: {ran:?}");
    }
    case.run("list -o xml").await.ended(2).says(&["jsonpath="]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_where_nobody_can_answer() {
    let case = Case::on("aks-ready").await;
    for (words, said) in [
        ("keyvault", "<TARGET>"),
        ("plan keyvault", "<TARGET>"),
        ("delete --yes", "<CONNECTION>"),
        ("show", "<CONNECTION>"),
        ("verify -n shop", "<CONNECTION>"),
        ("plan", "Usage: kubectl connect plan"),
        ("", "Usage: kubectl connect"),
        ("keyvault my-vault -n shop", "no workload is given"),
    ] {
        case.run(words).await.ended(2).says(&[said]);
    }
    assert_eq!(case.writes(), Vec::<String>::new());
}
