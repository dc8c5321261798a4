//! Which workloads are patched, and the patch that is printed for the others.

use serde_json::json;

use super::*;
use crate::engine::prepare::testing::{request, survey, workload};
use crate::model::variable::Variable;
use crate::plan::spec::Secret;
use crate::plan::testing::account;

fn argo() -> Value {
    json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}})
}

fn helm() -> Value {
    json!({"annotations": {"meta.helm.sh/release-name": "shop-web"}})
}

/// Why a workload of `kind` with this metadata is not patched; `None` where it is.
fn why(kind: WorkloadKind, metadata: &Value, patch: Patch) -> Option<String> {
    let asked = ConnectRequest { patch, ..request("keyvault", "vault") };
    match Patching::decide(&asked, &survey(Some(workload(kind, "web", metadata))), None) {
        Patching::Patch(facts) => {
            assert_eq!((facts.kind.as_str(), facts.name.as_str(), facts.containers), (kind.as_str(), "web", vec!["app".to_owned()]));
            None
        }
        Patching::Print { why, facts } => {
            assert_eq!((facts.kind.as_str(), facts.name.as_str()), (kind.as_str(), "web"));
            Some(why)
        }
        Patching::Leave => panic!("a workload was named"),
    }
}

#[test]
fn a_workload_is_patched_unless_something_else_would_revert_it() {
    let plain = json!({});
    assert_eq!(why(WorkloadKind::Deployment, &plain, Patch::Auto), None);
    assert_eq!(why(WorkloadKind::CronJob, &plain, Patch::Auto), None);
    for (metadata, manager) in [(argo(), "Argo CD (application shop)"), (helm(), "Helm (release shop-web)")] {
        let said = why(WorkloadKind::Deployment, &metadata, Patch::Auto).unwrap();
        assert!(said.contains(manager) && said.contains("deployment/web") && said.contains("--patch=always"), "{said}");
        assert_eq!(why(WorkloadKind::Deployment, &metadata, Patch::Always), None);
    }
}

#[test]
fn the_users_word_and_the_nature_of_jobs_come_first() {
    let never = why(WorkloadKind::Deployment, &argo(), Patch::Never).unwrap();
    assert!(never.contains("--patch=never"), "{never}");
    let job = why(WorkloadKind::Job, &json!({}), Patch::Always).unwrap();
    assert!(job.contains("Job"), "{job}");
}

#[test]
fn without_a_workload_nothing_is_patched() {
    assert!(matches!(Patching::decide(&request("keyvault", "vault"), &survey(None), None), Patching::Leave));
}

#[test]
fn a_service_account_is_set_where_the_workload_has_none_of_its_own() {
    let runs_as = |name: Option<&str>, account: Option<&spec::ServiceAccount>| {
        let mut web = workload(WorkloadKind::Deployment, "web", &json!({}));
        web.object["spec"]["template"]["spec"]["serviceAccountName"] = json!(name);
        match Patching::decide(&request("keyvault", "vault"), &survey(Some(web)), account) {
            Patching::Patch(facts) => facts.on_default_account,
            Patching::Print { .. } | Patching::Leave => panic!("nothing else manages the workload"),
        }
    };
    assert!(runs_as(None, None));
    assert!(runs_as(Some("default"), None));
    assert!(!runs_as(Some("shop"), None));
    assert!(runs_as(Some("web"), Some(&account("web"))), "this tool created the account and set it before");
    assert!(!runs_as(Some("web"), Some(&spec::ServiceAccount { create: false, ..account("web") })));
}

fn facts(kind: &str, on_default_account: bool) -> WorkloadFacts {
    WorkloadFacts { kind: kind.into(), name: "web".into(), containers: vec!["app".into()], on_default_account }
}

fn steps() -> Vec<StepSpec> {
    let variables = vec![Variable::text("AZURE_KEYVAULT_SCOPE", "s")];
    vec![
        StepSpec::ServiceAccount(account("web")),
        StepSpec::Secret(Secret { namespace: "shop".into(), name: "keyvault-vault".into(), variables, foreign: false }),
    ]
}

#[test]
fn the_step_of_a_printed_patch_follows_from_the_other_steps() {
    let step = workload_of(&facts("deployment", true), &steps(), None);
    assert_eq!((step.namespace.as_str(), step.name.as_str(), step.secret.as_str()), ("shop", "web", "keyvault-vault"));
    assert_eq!((step.identity, step.service_account.as_deref()), (true, Some("web")));
    assert_eq!(workload_of(&facts("deployment", false), &steps(), None).service_account, None);
    let keys = workload_of(&facts("deployment", true), &steps()[1..], None);
    assert_eq!((keys.identity, keys.service_account), (false, None));
}

#[test]
fn a_printed_patch_is_a_whole_document_in_the_order_of_manifests() {
    let step = workload_of(&facts("deployment", true), &steps(), None);
    let printed = print_patch("why".into(), WorkloadKind::Deployment, &step, "keyvault-vault");
    assert_eq!(
        printed.patch.to_string(),
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},"spec":{"template":{"metadata":{"labels":{"azure.workload.identity/use":"true"}},"spec":{"containers":[{"name":"app","env":[{"name":"AZURE_KEYVAULT_SCOPE","valueFrom":{"secretKeyRef":{"name":"keyvault-vault","key":"AZURE_KEYVAULT_SCOPE"}}}]}],"serviceAccountName":"web"}}}}"#
    );
    assert_eq!(printed.why, "why");
    let cron = print_patch("why".into(), WorkloadKind::CronJob, &workload_of(&facts("cronjob", true), &steps(), None), "keyvault-vault");
    assert_eq!((&cron.patch["apiVersion"], &cron.patch["kind"]), (&json!("batch/v1"), &json!("CronJob")));
    assert_eq!(cron.patch["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"], "web");
}
