//! The doctor needs no connection. It checks the machine, the sign-in, the permissions, and any workload, whoever set
//! it up.

use futures::future::join_all;

use super::check::Check;
use super::check::found;
use super::connection::{Looking, everything, judge};
use super::evidence::seen::Evidence;
use super::findings;
use crate::azure::role_for;
use crate::azure::{Arm, Exchange};
use crate::kube::{Access, Cluster, Flags, WorkloadRef, machine, resources};
use crate::lookup::azure_session::AzureSession;
use crate::lookup::records::{Writing, record_rights};
use crate::lookup::session::Session;
use crate::lookup::{azure, outside_aks};
use crate::model::{Events, Kind, Problem, ResourceId, Result, TOKEN_EXCHANGE_AUDIENCE};
use secrecy::ExposeSecret;

const MACHINE: &str = "machine";
const RIGHTS: &str = "rights";

/// Runs all possible checks. `words` are the subcommands of this program, to find kubectl plugins that hide one.
///
/// # Errors
/// If the workload does not exist, or the cluster stops answering.
pub async fn doctor(flags: &Flags, azure: &AzureSession, events: &Events, workload: Option<&str>, words: &[&str]) -> Result<Vec<Check>> {
    let named = workload.map(str::parse::<WorkloadRef>).transpose()?;
    let mut checks = programs(flags, words).await;
    let session = match open(flags, azure, events, &mut checks).await {
        Some(session) => session,
        None => return Ok(checks),
    };
    let cluster = match azure::cluster_behind(&session).await {
        Ok(id) => {
            checks.push(Check::ok(
                "KC5908",
                MACHINE,
                format!("context {}", session.kube.context()),
                format!("{} ({})", id.name(), id.resource_group()),
            ));
            Some(id)
        }
        Err(_) if !outside_aks::is_aks(session.kube.host()) => elsewhere(&session, &mut checks).await,
        Err(problem) => {
            let fix = problem.fixes().first().cloned().unwrap_or_default();
            checks.push(found("KC5908", problem.to_string(), "an AKS cluster of this tenant", &[("fix", &fix)]));
            None
        }
    };
    checks.extend(rights(&session, cluster.as_ref()).await);
    if let Some(named) = named {
        checks.extend(of_workload(&session, &named, cluster).await?);
    }
    Ok(checks)
}

/// For a cluster outside AKS: checks that Entra can read its issuer.
async fn elsewhere(session: &Session, checks: &mut Vec<Check>) -> Option<ResourceId> {
    match outside_aks::public_issuer(session).await {
        Ok(issuer) => {
            let id = outside_aks::id(session.profile.active().map_or("none", |s| s.id.as_str()), "GROUP", &issuer);
            checks.push(Check::ok("KC5908", MACHINE, format!("context {}, not an AKS cluster", session.kube.context()), issuer));
            Some(id)
        }
        Err(problem) => {
            let fix = problem.fixes().first().cloned().unwrap_or_default();
            checks.push(found(
                "KC5908",
                problem.to_string(),
                "an AKS cluster of this tenant, or a publicly readable issuer",
                &[("fix", &fix)],
            ));
            None
        }
    }
}

/// Checks az, kubelogin, kubectl and plugins.
async fn programs(flags: &Flags, words: &[&str]) -> Vec<Check> {
    let mut checks = Vec::new();
    match machine::program("az") {
        Some(path) => checks.push(Check::ok("KC5900", MACHINE, "az", path.display().to_string())),
        None => checks.push(found("KC5900", "no az on PATH", "az", &[])),
    }
    if machine::program("kubectl").is_none() {
        checks.push(found("KC5904", "no kubectl on PATH", "kubectl", &[]));
    }
    let command = machine::sign_in_program(flags);
    if let Some(command) = command.filter(|c| c.rsplit(['/', '\\']).next().is_some_and(|n| n.trim_end_matches(".exe") == "kubelogin")) {
        checks.push(kubelogin(&command).await);
    }
    let plugins = machine::plugins("kubectl-connect");
    let name = |p: &std::path::PathBuf| p.file_stem().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
    let ours: Vec<String> = plugins.iter().filter(|p| name(p) == "kubectl-connect").map(|p| p.display().to_string()).collect();
    if ours.len() > 1 {
        checks.push(found("KC5905", ours.join(", "), "one", &[("paths", &ours.join(", "))]));
    }
    for plugin in &plugins {
        let name = name(plugin);
        let word = name.strip_prefix("kubectl-connect-").unwrap_or_default().split('-').next().unwrap_or_default().replace('_', "-");
        if words.contains(&word.as_str()) {
            let path = plugin.display().to_string();
            checks.push(found("KC5906", path.clone(), "no such file", &[("word", &word), ("path", &path)]));
        }
    }
    checks
}

async fn kubelogin(command: &str) -> Check {
    let Some(path) = machine::program(command) else { return found("KC5902", format!("no {command} on PATH"), "Azure/kubelogin", &[]) };
    let says = machine::version_of(&path).await;
    let shown = says.lines().next().unwrap_or_default().to_owned();
    if machine::is_azures_kubelogin(&says) {
        return Check::ok("KC5903", MACHINE, "kubelogin", path.display().to_string());
    }
    let place = path.display().to_string();
    found("KC5903", format!("{place} prints: {shown}"), "Azure/kubelogin, which prints a git hash", &[("place", &place), ("seen", &shown)])
}

/// Opens both sides; problems become findings.
async fn open(flags: &Flags, azure: &AzureSession, events: &Events, checks: &mut Vec<Check>) -> Option<Session> {
    let (profile, arm) = match azure.open(events) {
        Ok(both) => both,
        Err(problem) => {
            checks.push(found("KC5901", problem.to_string(), "a sign-in", &[]));
            return None;
        }
    };
    let scope = profile.cloud.arm_scope();
    let (token, kube) = tokio::join!(arm.token(&scope), reach(flags, events));
    let signed_in = match token {
        Ok(_) => {
            let who = profile.active().map(|s| format!("{} in subscription {}", s.user.clone().unwrap_or_default(), s.name));
            checks.push(Check::ok("KC5901", MACHINE, "az is signed in", who.unwrap_or_default()));
            true
        }
        Err(problem) => {
            let mut check = found("KC5901", problem.to_string(), "a sign-in", &[]);
            check.fix = problem.fixes().first().cloned().or(check.fix);
            checks.push(check);
            false
        }
    };
    match kube {
        Ok(kube) if signed_in => Some(Session { profile, arm, kube, events: events.clone() }),
        Ok(_) => None,
        Err(problem) => {
            let fix = problem.fixes().first().cloned().unwrap_or_default();
            checks.push(found("KC5907", problem.to_string(), "an answer of the API server", &[("fix", &fix)]));
            None
        }
    }
}

async fn reach(flags: &Flags, events: &Events) -> Result<Cluster> {
    let kube = Cluster::connect(flags, events).await?;
    kube.may(&Access::to("get", &resources::CONFIG_MAP, Some(kube.namespace()))).await?;
    Ok(kube)
}

/// Permissions that connecting needs, in Kubernetes and Azure.
async fn rights(session: &Session, cluster: Option<&ResourceId>) -> Vec<Check> {
    let namespace = Some(session.kube.namespace());
    let mut wanted = record_rights(session.kube.namespace(), Writing::New);
    wanted.extend([
        Access::to("create", &resources::SECRET, namespace),
        Access::to("create", &resources::SERVICE_ACCOUNT, namespace),
        Access::to("patch", &resources::DEPLOYMENT, namespace),
        Access::to("create", &resources::SERVICE_ACCOUNT, namespace).subresource("token"),
    ]);
    let asked = join_all(wanted.iter().map(|access| session.kube.may(access))).await;
    let mut checks: Vec<Check> = wanted
        .iter()
        .zip(asked)
        .filter(|(_, answer)| answer.as_ref().is_ok_and(|a| !a.yes))
        .map(|(access, _)| found("KC5909", format!("missing permission: {access}"), "allowed", &[("access", &access.to_string())]))
        .collect();
    // For clusters outside AKS the resource group is only known when connecting.
    if let Some(cluster) = cluster.filter(|c| !outside_aks::is_one(c)) {
        let scope = cluster.group_id();
        let action = "Microsoft.ManagedIdentity/userAssignedIdentities/write";
        if let Ok(listed) = crate::lookup::permissions::permissions(session, scope.as_str()).await
            && !crate::lookup::permissions::is_allowed(&listed, action)
        {
            let user = session.profile.active().and_then(|s| s.user.clone()).unwrap_or_default();
            let facts = [("user", user.as_str()), ("role", role_for(action)), ("scope", scope.as_str())];
            checks.push(found("KC5910", format!("missing permission: {action} on {}", scope.name()), "allowed", &facts));
        }
    }
    if checks.is_empty() {
        checks.push(Check::ok("KC5909", RIGHTS, "you have all permissions for connecting", ""));
    }
    checks
}

/// Checks a workload through its connections; without connections, as it is.
async fn of_workload(session: &Session, named: &WorkloadRef, cluster: Option<ResourceId>) -> Result<Vec<Check>> {
    let namespace = session.kube.namespace().to_owned();
    let word = named.to_string();
    let records = crate::lookup::records::list_in(&session.kube, &namespace).await.unwrap_or_default();
    let mut checks: Vec<Check> = Vec::new();
    for stored in records.iter().filter(|s| s.record.workload.as_deref() == Some(&word)) {
        for check in everything(session, &stored.record, Looking::default()).await? {
            // Connections of one workload share most links.
            if !checks.iter().any(|c| (c.code, &c.message) == (check.code, &check.message)) {
                checks.push(check);
            }
        }
    }
    if !checks.is_empty() {
        return Ok(checks);
    }
    let evidence = Evidence::of_workload(session, named, cluster).await?;
    if !evidence.has_workload() {
        return Err(Problem::new(
            Kind::NotFound,
            "KC1202",
            format!("there is no {} `{}` in namespace `{namespace}`", named.kind, named.name),
        )
        .fix(format!("kubectl get {} -n {namespace}", named.kind.resource().plural)));
    }
    let mut checks = judge(&evidence);
    if checks.is_empty() {
        checks.push(Check::skipped("KC5502", "workload", word, "uses neither workload identity nor mounted vaults"));
    }
    let wrong = |c: &Check| matches!(c.group, "service account" | "trust" | "cluster") && c.result == super::check::Outcome::Error;
    if !checks.iter().any(wrong) {
        checks.extend(exchange(session, &evidence).await);
    }
    Ok(checks)
}

/// Tries the token exchange at Entra, if all compared values are right.
async fn exchange(session: &Session, evidence: &Evidence) -> Option<Check> {
    let (account, client_id, tenant) = evidence.signs_in_as()?;
    let arm: &Arm = &session.arm;
    let minted = session.kube.mint_token(session.kube.namespace(), &account, TOKEN_EXCHANGE_AUDIENCE, 600).await.ok()?;
    let scope = arm.cloud().arm_scope();
    let ask = Exchange { tenant: &tenant, client_id: &client_id, assertion: minted.token.expose_secret(), scope: &scope };
    match arm.exchange(&ask).await.ok()? {
        Ok(_) => Some(Check::ok("KC5002", "proof", "Entra accepts the token of the service account", client_id)),
        Err(refused) => {
            let finding = refused.codes.iter().find_map(|n| findings::of_aadsts(*n));
            let seen = refused.message.clone();
            Some(match finding {
                Some(finding) => evidence.tell(finding.code, seen),
                None => Check::failed("KC5002", "proof", "exchange a token at Entra".into(), seen, None),
            })
        }
    }
}
