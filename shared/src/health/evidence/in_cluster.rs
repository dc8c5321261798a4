//! The Kubernetes half of the evidence: workload and pods, service account and token, webhook, and mounted classes.

use futures::future::join_all;
use serde_json::Value;

use super::seen::{Evidence, TokenSays};
use super::token::Mint;
use crate::kube::workload_identity::{CSI_DRIVER, WEBHOOK_DEPLOYMENT};
use crate::kube::{Cluster, Resource, Workload, WorkloadRef, resources};
use crate::lookup::outside_aks;
use crate::lookup::session::Session;
use crate::model::{Problem, Result};
use crate::plan::record::Record;

/// DaemonSets of the add-on on Linux nodes (AKS documentation of the add-on).
const DRIVER_SETS: [&str; 2] = ["aks-secrets-store-csi-driver", "aks-secrets-store-provider-azure"];
const HOOK: &str = "mutation.azure-workload-identity.io";

/// Reads everything in the cluster concurrently.
///
/// # Errors
/// If the cluster can't be reached.
pub(crate) async fn in_cluster(
    session: &Session,
    namespace: &str,
    named: Option<&WorkloadRef>,
    account: Option<String>,
    record: Option<&Record>,
    mint: &Mint,
) -> Result<Evidence> {
    let kube = &session.kube;
    let read = async || match named {
        Some(named) => {
            let found = kube.get(named.kind.resource(), Some(namespace), &named.name).await?;
            Ok::<_, Problem>(found.map(|o| Workload::new(named.kind, o)))
        }
        None => Ok(None),
    };
    // If the service account is not given, the workload must be read first.
    let (account_name, workload) = match account {
        Some(account) => (account, None),
        None => {
            let workload = read().await?;
            (workload.as_ref().and_then(Workload::service_account).unwrap_or("default").to_owned(), Some(workload))
        }
    };
    let of_workload = async {
        let workload = match workload {
            Some(known) => known,
            None => read().await?,
        };
        let mut class_names = workload.as_ref().map(mounted_classes).unwrap_or_default();
        // Also the recorded class, if the workload does not mount it although it should.
        class_names.extend(record.and_then(Record::class).map(|c| c.name.clone()).filter(|name| !class_names.contains(name)));
        let wants_driver = !class_names.is_empty();
        let classes = join_all(class_names.into_iter().map(|name| async move {
            let found = kube.get(&resources::SECRET_PROVIDER_CLASS, Some(namespace), &name).await.ok().flatten();
            (name, found)
        }));
        let driver_pods = async {
            match wants_driver {
                true => join_all(DRIVER_SETS.map(|name| kube.get(&resources::DAEMON_SET, Some("kube-system"), name))).await,
                false => Vec::new(),
            }
        };
        let (pods, classes, driver_pods) = tokio::join!(pods(kube, namespace, workload.as_ref()), classes, driver_pods);
        Ok::<_, Problem>((workload, pods, classes, driver_pods))
    };
    let hooks = may_fail(kube, &resources::MUTATING_WEBHOOK, None);
    let deployment =
        |place: &'static str| async move { kube.get(&resources::DEPLOYMENT, Some(place), WEBHOOK_DEPLOYMENT).await.ok().flatten() };
    let secret = async {
        let secret = record?.secret().map(|s| s.name.clone())?;
        kube.get(&resources::SECRET, Some(namespace), &secret).await.ok()
    };
    let accounts = async {
        match may_fail(kube, &resources::SERVICE_ACCOUNT, None).await {
            None => may_fail(kube, &resources::SERVICE_ACCOUNT, Some(namespace)).await,
            all => all,
        }
    };
    let token = async {
        let minted = mint.token(kube, namespace, &account_name).await.as_ref().ok()?;
        let fault = session.arm.issuer_fault(&minted.issuer).await;
        let (issuer, subject) = (minted.issuer.clone(), minted.subject.clone());
        Some((TokenSays { issuer, subject, audience: minted.audience.join(",") }, fault))
    };
    let driver = async { kube.get(&resources::CSI_DRIVER, None, CSI_DRIVER).await.ok() };
    let (hooks, managed, own, of_workload, events, services, secret, accounts, token, driver) = tokio::join!(
        hooks,
        deployment("kube-system"),
        deployment("azure-workload-identity-system"),
        of_workload,
        may_fail(kube, &resources::EVENT, Some(namespace)),
        may_fail(kube, &resources::SERVICE, Some(namespace)),
        secret,
        accounts,
        token,
        driver,
    );
    let (workload, pods, classes, driver_pods) = of_workload?;
    let (token, issuer_fault) = token.unzip();
    let is_hook = |h: &Value| h["webhooks"].as_array().into_iter().flatten().any(|w| w["name"] == HOOK);
    let accounts = accounts.unwrap_or_default();
    let at = |a: &&Value| a["metadata"]["namespace"] == namespace;
    let called = |a: &&Value| a["metadata"]["name"] == account_name.as_str();
    // If the user may not list service accounts, read this one by name.
    let account = match accounts.iter().filter(at).find(called) {
        Some(found) => Some(found.clone()),
        None => kube.get(&resources::SERVICE_ACCOUNT, Some(namespace), &account_name).await?,
    };
    let elsewhere =
        accounts.iter().filter(called).filter(|a| !at(a)).filter_map(|a| a["metadata"]["namespace"].as_str().map(str::to_owned)).collect();
    let warnings = events.unwrap_or_default().into_iter().filter(|e| e["type"] == "Warning").collect();
    Ok(Evidence {
        namespace: namespace.to_owned(),
        authority: session.cloud().authority.clone(),
        webhook_fix: outside_aks::install_webhook(session),
        hooks: hooks.map(|all| all.into_iter().filter(is_hook).collect()),
        hook_deployments: [managed, own].into_iter().flatten().collect(),
        accounts: accounts.iter().filter(at).cloned().collect(),
        workload,
        pods,
        events: warnings,
        account_name,
        account,
        elsewhere,
        services: services.unwrap_or_default(),
        secret,
        token,
        issuer_fault: issuer_fault.flatten(),
        classes,
        driver,
        driver_pods: driver_pods.into_iter().filter_map(Result::ok).flatten().collect(),
        ..Evidence::default()
    })
}

async fn may_fail(kube: &Cluster, kind: &Resource, namespace: Option<&str>) -> Option<Vec<Value>> {
    kube.list(kind, namespace, None).await.ok()
}

/// The workload's pods, without finished ones and those being deleted.
async fn pods(kube: &Cluster, namespace: &str, workload: Option<&Workload>) -> Option<Vec<Value>> {
    let selector = workload?.selector()?;
    let listed = kube.list(&resources::POD, Some(namespace), Some(&selector)).await.ok()?;
    let lives =
        |p: &Value| p["metadata"]["deletionTimestamp"].is_null() && !matches!(p["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    Some(listed.into_iter().filter(lives).collect())
}

/// The SecretProviderClasses mounted by the pod template.
fn mounted_classes(workload: &Workload) -> Vec<String> {
    let volumes = workload.pod_spec()["volumes"].as_array();
    let ours = volumes.into_iter().flatten().filter(|v| v["csi"]["driver"] == CSI_DRIVER);
    ours.filter_map(|v| v["csi"]["volumeAttributes"]["secretProviderClass"].as_str().map(str::to_owned)).collect()
}
