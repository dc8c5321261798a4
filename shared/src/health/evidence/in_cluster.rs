//! The Kubernetes half of the evidence: workload and pods, service account and token, webhook, and mounted classes.

use futures::future::join_all;
use serde_json::Value;

use super::seen::{Evidence, TokenSays};
use super::token::Mint;
use crate::kube::workload_identity::{CSI_DRIVER, WEBHOOK_DEPLOYMENT, WEBHOOK_NAMESPACES};
use crate::kube::{Cluster, Resource, Workload, WorkloadRef, resources};
use crate::lookup::outside_aks;
use crate::lookup::session::Session;
use crate::model::{Problem, Result};
use crate::plan::record::Record;

/// DaemonSets of the add-on on Linux nodes (AKS documentation of the add-on).
const DRIVER_SETS: [&str; 2] = ["aks-secrets-store-csi-driver", "aks-secrets-store-provider-azure"];
const HOOK: &str = "mutation.azure-workload-identity.io";

/// The subject of the evidence in the cluster.
pub(crate) struct Question<'a> {
    /// Namespace of the workload.
    pub namespace: &'a str,
    /// The workload; `None` for a connection of a service account alone.
    pub workload: Option<&'a WorkloadRef>,
    /// The service account; if absent, the workload's.
    pub account: Option<String>,
    /// The record, if the evidence is for a connection.
    pub record: Option<&'a Record>,
}

/// Reads everything in the cluster concurrently.
///
/// # Errors
/// If the cluster can't be reached.
pub(crate) async fn in_cluster(session: &Session, question: Question<'_>, mint: &Mint) -> Result<Evidence> {
    let kube = &session.kube;
    let Question { namespace, workload: named, account, record } = question;
    // If the service account is not given, the workload must be read first.
    let (account_name, known) = match account {
        Some(account) => (account, None),
        None => {
            let workload = read_workload(kube, namespace, named).await?;
            (workload.as_ref().and_then(Workload::service_account).unwrap_or("default").to_owned(), Some(workload))
        }
    };
    let of_workload = async {
        let workload = match known {
            Some(known) => known,
            None => read_workload(kube, namespace, named).await?,
        };
        Ok::<_, Problem>(workload_facts(kube, namespace, workload, record).await)
    };
    let secret = async {
        let secret = record?.secret().map(|s| s.name.clone())?;
        kube.get(&resources::SECRET, Some(namespace), &secret).await.ok()
    };
    let (webhook, workload, events, services, secret, accounts, token, driver) = tokio::join!(
        webhook_facts(kube),
        of_workload,
        may_fail(kube, &resources::EVENT, Some(namespace)),
        may_fail(kube, &resources::SERVICE, Some(namespace)),
        secret,
        service_accounts(kube, namespace),
        token_facts(session, namespace, &account_name, mint),
        async { kube.get(&resources::CSI_DRIVER, None, CSI_DRIVER).await.ok() },
    );
    let (workload, accounts) = (workload?, accounts.unwrap_or_default());
    let (token, issuer_fault) = token.unzip();
    let accounts = Accounts::sort(kube, namespace, &account_name, accounts).await?;
    Ok(Evidence {
        namespace: namespace.to_owned(),
        authority: session.cloud().authority.clone(),
        webhook_fix: outside_aks::install_webhook(session),
        hooks: webhook.hooks,
        hook_deployments: webhook.deployments,
        accounts: accounts.here,
        workload: workload.workload,
        pods: workload.pods,
        events: events.unwrap_or_default().into_iter().filter(|e| e["type"] == "Warning").collect(),
        account_name,
        account: accounts.own,
        elsewhere: accounts.elsewhere,
        services: services.unwrap_or_default(),
        secret,
        token,
        issuer_fault: issuer_fault.flatten(),
        classes: workload.classes,
        driver,
        driver_pods: workload.driver_pods,
        ..Evidence::default()
    })
}

async fn read_workload(kube: &Cluster, namespace: &str, named: Option<&WorkloadRef>) -> Result<Option<Workload>> {
    let Some(named) = named else { return Ok(None) };
    let found = kube.get(named.kind.resource(), Some(namespace), &named.name).await?;
    Ok(found.map(|object| Workload::new(named.kind, object)))
}

/// Evidence that depends on the workload.
struct WorkloadFacts {
    workload: Option<Workload>,
    pods: Option<Vec<Value>>,
    classes: Vec<(String, Option<Value>)>,
    driver_pods: Vec<Value>,
}

async fn workload_facts(kube: &Cluster, namespace: &str, workload: Option<Workload>, record: Option<&Record>) -> WorkloadFacts {
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
    let driver_pods = driver_pods.into_iter().filter_map(Result::ok).flatten().collect();
    WorkloadFacts { workload, pods, classes, driver_pods }
}

/// The webhook's registrations and deployments.
struct WebhookFacts {
    hooks: Option<Vec<Value>>,
    deployments: Vec<Value>,
}

async fn webhook_facts(kube: &Cluster) -> WebhookFacts {
    let deployments = WEBHOOK_NAMESPACES
        .map(|place| async move { kube.get(&resources::DEPLOYMENT, Some(place), WEBHOOK_DEPLOYMENT).await.ok().flatten() });
    let (hooks, deployments) = tokio::join!(may_fail(kube, &resources::MUTATING_WEBHOOK, None), join_all(deployments));
    let is_hook = |h: &Value| h["webhooks"].as_array().into_iter().flatten().any(|w| w["name"] == HOOK);
    let hooks = hooks.map(|all| all.into_iter().filter(is_hook).collect());
    WebhookFacts { hooks, deployments: deployments.into_iter().flatten().collect() }
}

/// The service accounts that can be seen, by their part in the evidence.
struct Accounts {
    /// The workload's own.
    own: Option<Value>,
    /// All of the namespace.
    here: Vec<Value>,
    /// Other namespaces that have one of the same name.
    elsewhere: Vec<String>,
}

impl Accounts {
    /// If the user may not list service accounts, the own one is read by name.
    async fn sort(kube: &Cluster, namespace: &str, name: &str, all: Vec<Value>) -> Result<Accounts> {
        let called = |a: &&Value| a["metadata"]["name"] == name;
        let (here, others): (Vec<Value>, Vec<Value>) = all.into_iter().partition(|a| a["metadata"]["namespace"] == namespace);
        let own = match here.iter().find(called) {
            Some(found) => Some(found.clone()),
            None => kube.get(&resources::SERVICE_ACCOUNT, Some(namespace), name).await?,
        };
        let place = |a: &Value| a["metadata"]["namespace"].as_str().map(str::to_owned);
        let elsewhere = others.iter().filter(called).filter_map(place).collect();
        Ok(Accounts { own, here, elsewhere })
    }
}

/// Service accounts of all namespaces, or of this one if the user may not list all.
async fn service_accounts(kube: &Cluster, namespace: &str) -> Option<Vec<Value>> {
    match may_fail(kube, &resources::SERVICE_ACCOUNT, None).await {
        None => may_fail(kube, &resources::SERVICE_ACCOUNT, Some(namespace)).await,
        all => all,
    }
}

/// Claims of a token of the service account, and what is wrong with its issuer's published documents.
async fn token_facts(session: &Session, namespace: &str, account: &str, mint: &Mint) -> Option<(TokenSays, Option<String>)> {
    let minted = mint.token(&session.kube, namespace, account).await.as_ref().ok()?;
    let fault = session.arm.issuer_fault(&minted.issuer).await;
    let (issuer, subject) = (minted.issuer.clone(), minted.subject.clone());
    Some((TokenSays { issuer, subject, audience: minted.audience.join(",") }, fault))
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
