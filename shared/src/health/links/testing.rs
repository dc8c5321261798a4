//! The evidence of a connection that works: `deployment/web` in namespace `shop` reads the vault `vault` as identity
//! `id-web`. A test changes the part that it is about.

use serde_json::{Value, json};

use crate::catalogue;
use crate::health::check::{Check, Outcome};
use crate::health::evidence::seen::{Evidence, TokenSays};
use crate::kube::{Workload, WorkloadKind};
use crate::model::access::Role;
use crate::model::variable::Variable;
use crate::plan::spec::{self, Grantee, StepSpec};
use crate::plan::testing::{TENANT, account, cluster, identity, identity_id, record, vault};

pub(super) const ISSUER: &str = "https://westeurope.oic.prod-aks.azure.com/t/c/";
pub(super) const SUBJECT: &str = "system:serviceaccount:shop:web";
pub(super) const CLIENT: &str = "66666666-aaaa-4bbb-8ccc-000000000012";
pub(super) const PRINCIPAL: &str = "77777777-aaaa-4bbb-8ccc-000000000013";
pub(super) const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
const TOKEN: &str = "/var/run/secrets/azure/tokens/azure-identity-token";

/// What a link says about the evidence after a change: codes and results.
pub(super) fn judged(judge: fn(&Evidence) -> Vec<Check>, change: impl FnOnce(&mut Evidence)) -> Vec<(&'static str, Outcome)> {
    checks(judge, change).iter().map(|check| (check.code, check.result)).collect()
}

/// The checks of a link after a change.
pub(super) fn checks(judge: fn(&Evidence) -> Vec<Check>, change: impl FnOnce(&mut Evidence)) -> Vec<Check> {
    let mut evidence = sound();
    change(&mut evidence);
    judge(&evidence)
}

/// The only check of a link after a change that does not succeed.
pub(super) fn fault(judge: fn(&Evidence) -> Vec<Check>, change: impl FnOnce(&mut Evidence)) -> Check {
    let mut found: Vec<Check> = checks(judge, change).into_iter().filter(|check| check.result != Outcome::Success).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// What was seen.
pub(super) fn seen(check: &Check) -> &str {
    check.message.as_deref().unwrap_or_default()
}

/// How to mend it.
pub(super) fn fix(check: &Check) -> &str {
    check.fix.as_deref().unwrap_or_default()
}

pub(super) fn role_assignment() -> StepSpec {
    let role = Role { name: "Key Vault Secrets User".into(), id: SECRETS_USER.into() };
    let to = Grantee::Identity(identity_id("id-web"));
    StepSpec::RoleAssignment(spec::RoleAssignment { scope: vault("vault").id, role, part: None, to })
}

/// A role that the identity holds at `scope`, since `at`.
pub(super) fn held(role: &str, scope: &str, at: &str) -> Value {
    let definition = format!("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{role}");
    json!({"properties": {"roleDefinitionId": definition, "scope": scope, "updatedOn": at}})
}

pub(super) fn credential(name: &str, issuer: &str, subject: &str) -> Value {
    json!({"name": name, "properties": {"issuer": issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]}})
}

/// The workload step of the connection, which may mount a vault.
pub(super) fn workload_step(mount: Option<spec::Mount>) -> StepSpec {
    StepSpec::Workload(spec::Workload {
        kind: "deployment".into(),
        namespace: "shop".into(),
        name: "web".into(),
        containers: vec!["app".into()],
        foreign: false,
        identity: true,
        service_account: Some("web".into()),
        secret: "keyvault-vault".into(),
        variables: vec![Variable::text("AZURE_KEYVAULT_SCOPE", "s")],
        mount,
    })
}

fn steps() -> Vec<StepSpec> {
    let variables = vec![Variable::text("AZURE_KEYVAULT_SCOPE", "s")];
    vec![
        StepSpec::Identity(identity("id-web")),
        role_assignment(),
        StepSpec::ServiceAccount(account("web")),
        StepSpec::Secret(spec::Secret { namespace: "shop".into(), name: "keyvault-vault".into(), variables, foreign: false }),
        workload_step(None),
    ]
}

fn reads_secret() -> Value {
    json!({"name": "AZURE_KEYVAULT_SCOPE", "valueFrom": {"secretKeyRef": {"name": "keyvault-vault", "key": "AZURE_KEYVAULT_SCOPE"}}})
}

fn deployment() -> Workload {
    let object = json!({
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web", "azure.workload.identity/use": "true"}},
                "spec": {"serviceAccountName": "web", "containers": [{"name": "app", "env": [reads_secret()]}]},
            },
        },
    });
    Workload::new(WorkloadKind::Deployment, object)
}

fn pod() -> Value {
    let env = [json!({"name": "AZURE_CLIENT_ID", "value": CLIENT}), json!({"name": "AZURE_FEDERATED_TOKEN_FILE", "value": TOKEN})];
    let env: Vec<Value> = env.into_iter().chain([reads_secret()]).collect();
    let mounts = json!([{"name": "token", "mountPath": "/var/run/secrets/azure/tokens/"}]);
    let token = json!({"serviceAccountToken": {"audience": "api://AzureADTokenExchange", "path": "azure-identity-token"}});
    json!({
        "metadata": {"name": "web-1", "labels": {"app": "web", "azure.workload.identity/use": "true"}},
        "spec": {
            "serviceAccountName": "web",
            "containers": [{"name": "app", "env": env, "volumeMounts": mounts}],
            "volumes": [{"name": "token", "projected": {"sources": [token]}}],
        },
    })
}

/// Evidence about which no link has anything to say.
pub(super) fn sound() -> Evidence {
    let hook = json!({"metadata": {"name": "azure-wi-webhook"}, "webhooks": [{"failurePolicy": "Fail"}]});
    let deployed = json!({
        "metadata": {"namespace": "kube-system"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": "example.test/webhook:v1.6.0"}]}}},
        "status": {"readyReplicas": 2},
    });
    let body = json!({"properties": {
        "oidcIssuerProfile": {"enabled": true, "issuerURL": ISSUER},
        "securityProfile": {"workloadIdentity": {"enabled": true}},
    }});
    let properties = json!({"clientId": CLIENT, "principalId": PRINCIPAL, "tenantId": TENANT});
    Evidence {
        namespace: "shop".into(),
        record: Some(record("keyvault-vault", "keyvault", vault("vault").id, steps())),
        cluster: Some(cluster()),
        cluster_body: Some(body),
        hooks: Some(vec![hook]),
        hook_deployments: vec![deployed],
        workload: Some(deployment()),
        pods: Some(vec![pod()]),
        account_name: "web".into(),
        account: Some(json!({"metadata": {"name": "web", "annotations": {"azure.workload.identity/client-id": CLIENT}}})),
        identity: Some(json!({"id": identity_id("id-web").as_str(), "properties": properties})),
        credentials: Some(vec![credential("shop-web", ISSUER, SUBJECT)]),
        assignments: Some(vec![held(SECRETS_USER, vault("vault").id.as_str(), "2026-11-01T10:00:00Z")]),
        service: catalogue::find("keyvault"),
        target: Some(vault("vault")),
        host: "vault.vault.azure.net".into(),
        secret: Some(Some(json!({}))),
        token: Some(TokenSays { issuer: ISSUER.into(), subject: SUBJECT.into(), audience: "api://AzureADTokenExchange".into() }),
        ..Evidence::default()
    }
}

/// Sets a value of the pod template, by JSON pointer below the workload; the parent must exist.
pub(super) fn set(e: &mut Evidence, parent: &str, key: &str, value: Value) {
    let object = &mut e.workload.as_mut().unwrap().object;
    object.pointer_mut(parent).unwrap()[key] = value;
}
