use super::*;

fn deployment() -> Workload {
    Workload::new(
        WorkloadKind::Deployment,
        json!({
            "metadata": { "name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "managedFields": [
                { "manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": { "f:metadata": { "f:labels": { "f:app.io/x": {} } },
                  "f:spec": { "f:template": { "f:spec": { "f:containers": { "k:{\"name\":\"app\"}": { "f:env": { "k:{\"name\":\"A\"}": { ".": {}, "f:value": {} } } } },
                                                          "f:serviceAccountName": {} } } } } },
                { "manager": "kubectl-connect/x", "operation": "Apply", "fieldsV1": { "f:spec": { "f:template": { "f:spec": { "f:serviceAccountName": {} } } } } },
            ] },
            "spec": { "replicas": 2, "selector": { "matchLabels": { "app": "web" } }, "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "serviceAccountName": "default",
                    "initContainers": [{ "name": "init" }],
                    "containers": [
                        { "name": "app", "env": [{ "name": "A", "value": "1" }, { "name": "B", "valueFrom": { "secretKeyRef": {} } }, { "name": "C", "value": "" }, { "name": "D" }],
                          "volumeMounts": [{ "name": "cache", "mountPath": "/cache" }] },
                        { "name": "sidecar" },
                    ],
                    "volumes": [{ "name": "cache", "emptyDir": {} }] },
            } },
        }),
    )
}

#[test]
fn workload_names_are_parsed_like_in_kubectl() {
    let table = [
        ("deployment/web", "deployment/web"),
        ("deploy/web", "deployment/web"),
        ("Deployments/web", "deployment/web"),
        ("deployments.apps/web", "deployment/web"),
        ("deployments.v1.apps/web", "deployment/web"),
        ("sts/db", "statefulset/db"),
        ("ds/agent", "daemonset/agent"),
        ("job/once", "job/once"),
        ("jobs.batch/once", "job/once"),
        ("cj/nightly", "cronjob/nightly"),
    ];
    for (text, want) in table {
        assert_eq!(text.parse::<WorkloadRef>().unwrap().to_string(), want, "{text}");
    }
    for (text, hint) in [
        ("web", "deployment/web"),
        ("pod/web", "the workload that creates it"),
        ("rs/web", "Deployment"),
        ("jobs.apps/x", "jobs.apps"),
        ("deployment/", "characters"),
        ("deployment/Web", "`W`"),
        ("deployment/a/b", "`/`"),
        ("/web", ""),
        ("", "deployment/NAME"),
    ] {
        let problem = text.parse::<WorkloadRef>().unwrap_err();
        assert_eq!((problem.code(), problem.kind()), ("KC3401", Kind::Usage), "{text}");
        assert!(format!("{problem} {:?}", problem.fixes()).contains(hint), "{text}: {problem} {:?}", problem.fixes());
    }
}

#[test]
fn a_template_patch_is_placed_at_the_kinds_template() {
    let patch = json!({ "spec": { "serviceAccountName": "web" } });
    assert_eq!(wrap_template(WorkloadKind::StatefulSet, patch.clone()), json!({ "spec": { "template": patch } }));
    assert_eq!(
        wrap_template(WorkloadKind::CronJob, patch.clone()),
        json!({ "spec": { "jobTemplate": { "spec": { "template": patch } } } })
    );
}

#[test]
fn reads_a_workload() {
    let w = deployment();
    assert_eq!((w.to_string().as_str(), w.namespace.as_str(), w.uid(), w.resource_version()), ("deployment/web", "shop", "u1", "7"));
    assert_eq!((w.service_account(), w.replicas(), w.selector().as_deref()), (Some("default"), Some(2), Some("app=web")));
    assert_eq!((w.containers(), w.init_containers()), (vec!["app", "sidecar"], vec!["init"]));
    let env: Vec<_> = w.env_of("app").into_iter().map(|(name, has_value, from)| (name, has_value, from.is_some())).collect();
    assert_eq!(env, [("A", true, false), ("B", false, true), ("C", false, false), ("D", false, false)]);
    assert!(w.env_of("sidecar").is_empty() && w.env_of("none").is_empty());
    assert_eq!((w.mounts_of("app"), w.volume("cache").is_some(), w.volume("x")), (vec![("cache", "/cache")], true, None));
    assert_eq!((w.pod_label("app"), w.label("app")), (Some("web"), None));

    let cron = Workload::new(
        WorkloadKind::CronJob,
        json!({ "metadata": { "name": "n" }, "spec": { "jobTemplate": { "spec": { "template": { "spec": { "containers": [{ "name": "c" }] } } } } } }),
    );
    assert_eq!((cron.containers(), cron.service_account(), cron.selector(), cron.replicas()), (vec!["c"], None, None, None));
}

#[test]
fn managers_are_found_by_the_path_that_conflicts_show() {
    let w = deployment();
    assert_eq!(w.manager_of(".spec.template.spec.containers[name=\"app\"].env[name=\"A\"].value"), Some("kubectl-client-side-apply"));
    assert_eq!(w.managers_of(".spec.template.spec.serviceAccountName"), ["kubectl-client-side-apply", "kubectl-connect/x"]);
    assert_eq!(w.manager_of(".spec.template.spec.containers[name=\"app\"].env[name=\"B\"]"), None);
    assert_eq!(w.manager_of(".metadata.labels.app.io/x"), Some("kubectl-client-side-apply"));
    for bad in ["", ".", "[", ".a[b", ".a[b=c]"] {
        assert_eq!(w.manager_of(bad), None, "{bad}");
    }
}

#[test]
fn gitops_tools_are_recognised() {
    use crate::kube::GitOps;
    let found = |metadata: Value| {
        let seen = Workload::new(WorkloadKind::Deployment, json!({ "metadata": metadata })).managed_by();
        seen.map(|by| (by.tool, by.owner))
    };
    let helm = json!({ "labels": { "app.kubernetes.io/managed-by": "Helm" }, "annotations": { "meta.helm.sh/release-name": "shop" } });
    assert_eq!(found(helm.clone()), Some((GitOps::Helm, "release shop".into())));
    let mut flux = helm.clone();
    flux["labels"]["helm.toolkit.fluxcd.io/name"] = "shop".into();
    assert_eq!(found(flux), Some((GitOps::Flux, "HelmRelease shop".into())));
    let mut argo = helm;
    argo["annotations"]["argocd.argoproj.io/tracking-id"] = "store:apps/Deployment:shop/web".into();
    assert_eq!(found(argo), Some((GitOps::ArgoCd, "application store".into())));
    assert_eq!(
        found(json!({ "labels": { "kustomize.toolkit.fluxcd.io/name": "apps" } })),
        Some((GitOps::Flux, "Kustomization apps".into()))
    );
    assert_eq!(found(json!({ "managedFields": [{ "manager": "argocd-controller" }] })), Some((GitOps::ArgoCd, String::new())));
    assert_eq!(
        found(json!({ "managedFields": [{ "manager": "helm-controller" }, { "manager": "helm" }] })),
        Some((GitOps::Flux, String::new()))
    );
    for own in [
        json!({ "labels": { "app.kubernetes.io/managed-by": "kustomize" } }),
        json!({ "managedFields": [{ "manager": "kubectl-client-side-apply" }, { "manager": "kube-controller-manager" }] }),
        json!({}),
    ] {
        assert_eq!(found(own.clone()), None, "{own}");
    }
}
