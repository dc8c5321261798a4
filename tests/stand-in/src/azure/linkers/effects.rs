//! What Service Connector does for a connection with workload identity: enables the cluster's features, creates a
//! credential and role assignments for the identity, and a Secret and a service account in the cluster. As
//! documented; the name of the credential is a guess.

use serde_json::{Value, json};

use crate::azure::lists::under;
use crate::azure::{Assignment, Azure, Resource, Store};

const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
const CREDENTIAL: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials";

const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
const CERTIFICATE_USER: &str = "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba";
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const OPENAI_CONTRIBUTOR: &str = "a001fd3d-188f-4b5d-821b-7da978bf7442";
const COGNITIVE_USER: &str = "a97b65f3-24c7-4388-baec-2e87135dc908";

/// The resource of a target id, which may name a child: a storage account is named by its blob service.
pub(super) fn target<'a>(store: &'a Store, id: &str) -> Option<&'a Value> {
    let parts: Vec<&str> = id.trim_matches('/').split('/').take(8).collect();
    let top = format!("/{}", parts.join("/").to_ascii_lowercase());
    store.resources.get(&top).map(|one| &one.body)
}

fn target_of<'a>(store: &'a Store, linker: &Value) -> Option<&'a Value> {
    target(store, linker["properties"]["targetService"]["id"].as_str()?)
}

fn of_kind(body: &Value, kind: &str) -> bool {
    body["type"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(kind))
}

/// The variables of a connection, as names and values.
pub(super) fn configurations(azure: &Azure, store: &Store, linker: &Value) -> Vec<(String, String)> {
    let properties = &linker["properties"];
    let Some(target) = target_of(store, linker) else {
        return Vec::new();
    };
    let text = |at: &str| target.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let client = properties["authInfo"]["clientId"].as_str().unwrap_or_default().to_owned();
    let named = |prefix: &str, all: Vec<(&str, String)>| all.into_iter().map(|(name, value)| (format!("{prefix}_{name}"), value)).collect();
    if of_kind(target, "Microsoft.KeyVault/vaults") {
        if properties["targetService"]["resourceProperties"]["connectAsKubernetesCsiDriver"] == true {
            let all = vec![("TENANTID", azure.world.tenant.clone()), ("NAME", text("/name")), ("CLIENTID", client)];
            return named("AZURE_KEYVAULT", all);
        }
        let all = vec![
            ("RESOURCEENDPOINT", text("/properties/vaultUri")),
            ("CLIENTID", client),
            ("SCOPE", "https://vault.azure.net/.default".to_owned()),
        ];
        return named("AZURE_KEYVAULT", all);
    }
    if of_kind(target, "Microsoft.Storage/storageAccounts") && properties["authInfo"]["authType"] == "secret" {
        let name = text("/name");
        let key = crate::azure::targets::first_key(azure, &name);
        let all = format!("DefaultEndpointsProtocol=https;AccountName={name};AccountKey={key};EndpointSuffix=core.windows.net");
        return named("AZURE_STORAGEBLOB", vec![("CONNECTIONSTRING", all)]);
    }
    if of_kind(target, "Microsoft.Storage/storageAccounts") {
        return named("AZURE_STORAGEBLOB", vec![("RESOURCEENDPOINT", text("/properties/primaryEndpoints/blob")), ("CLIENTID", client)]);
    }
    if target["kind"] == "AIServices" {
        let endpoint = |service: &str| format!("https://{}.{service}/", text("/properties/customSubDomainName"));
        let all = vec![
            ("OPENAI_BASE", endpoint("openai.azure.com")),
            ("COGNITIVESERVICES_ENDPOINT", endpoint("cognitiveservices.azure.com")),
            ("SPEECH_ENDPOINT", endpoint("cognitiveservices.azure.com")),
            ("CLIENTID", client),
        ];
        return named("AZURE_AISERVICES", all);
    }
    let base = if target["kind"] == "OpenAI" { ("AZURE_OPENAI", "BASE") } else { ("AZURE_COGNITIVESERVICES", "ENDPOINT") };
    named(base.0, vec![(base.1, text("/properties/endpoint")), ("CLIENTID", client)])
}

fn roles(target: &Value) -> &'static [&'static str] {
    if of_kind(target, "Microsoft.KeyVault/vaults") {
        return if target["properties"]["enableRbacAuthorization"] == true { &[SECRETS_USER, CERTIFICATE_USER] } else { &[] };
    }
    if of_kind(target, "Microsoft.Storage/storageAccounts") {
        return &[BLOB_CONTRIBUTOR];
    }
    if target["kind"] == "OpenAI" { &[OPENAI_CONTRIBUTOR] } else { &[COGNITIVE_USER] }
}

fn identity(store: &Store, client: &Value) -> Option<Value> {
    let wanted = client.as_str()?;
    let is = |body: &&Value| body["properties"]["clientId"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(wanted));
    under(store, IDENTITY, "/").find(is).cloned()
}

/// Applies a connection in Azure and in the cluster. Complete only for user-assigned identities; other kinds create
/// only the Secret.
pub(super) fn carry_out(azure: &Azure, store: &mut Store, linker: &Value) {
    let properties = &linker["properties"];
    let id = linker["id"].as_str().unwrap_or_default().to_ascii_lowercase();
    let Some((cluster, _)) = id.rsplit_once("/providers/") else {
        return;
    };
    let namespace = properties["scope"].as_str().unwrap_or("default");
    let variables = configurations(azure, store, linker);
    let target = target_of(store, linker).cloned();
    if let (Some(identity), Some(target)) = (identity(store, &properties["authInfo"]["clientId"]), target) {
        switch_on(azure, store, cluster);
        let client = identity["properties"]["clientId"].as_str().unwrap_or_default();
        let account = format!("sc-account-{client}");
        let subject = format!("system:serviceaccount:{namespace}:{account}");
        federate(azure, store, &identity, azure.issuer_of(cluster), &subject, namespace);
        roles(&target).iter().for_each(|role| grant(azure, store, &identity, &target, role));
        if let Some(kube) = azure.kube.get(cluster) {
            kube.apply_object(
                "sc-operator",
                json!({
                    "apiVersion": "v1", "kind": "ServiceAccount",
                    "metadata": {"name": account, "namespace": namespace, "annotations": {"azure.workload.identity/client-id": client}},
                }),
            );
        }
    }
    if let Some(kube) = azure.kube.get(cluster) {
        let plain: String = linker["name"].as_str().unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
        let data: serde_json::Map<String, Value> = variables.into_iter().map(|(name, value)| (name, encoded(&value).into())).collect();
        kube.apply_object(
            "sc-operator",
            json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
                "metadata": {"name": format!("sc-{plain}-secret").to_ascii_lowercase(), "namespace": namespace},
            }),
        );
    }
}

fn encoded(value: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(value)
}

fn switch_on(azure: &Azure, store: &mut Store, cluster: &str) {
    let issuer = azure.issuer_of(cluster).to_owned();
    let Some(found) = store.resources.get_mut(cluster) else {
        return;
    };
    found.body["properties"]["oidcIssuerProfile"] = json!({"enabled": true, "issuerURL": issuer});
    found.body["properties"]["securityProfile"]["workloadIdentity"] = json!({"enabled": true});
    if let Some(kube) = azure.kube.get(cluster) {
        kube.set_issuer(&issuer);
        kube.install_webhook(&azure.world.tenant);
    }
}

fn federate(azure: &Azure, store: &mut Store, identity: &Value, issuer: &str, subject: &str, namespace: &str) {
    let parent = identity["id"].as_str().unwrap_or_default();
    let same = |body: &Value| body["properties"]["issuer"] == issuer && body["properties"]["subject"] == subject;
    if under(store, CREDENTIAL, &parent.to_ascii_lowercase()).any(same) {
        return;
    }
    let name = format!("sc-{namespace}-{}", uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, issuer.as_bytes()).simple());
    let id = format!("{parent}/federatedIdentityCredentials/{name}");
    let body = json!({
        "id": id, "name": name, "type": CREDENTIAL,
        "properties": {"issuer": issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]},
    });
    store.resources.insert(id.to_ascii_lowercase(), Resource { body, created: azure.control.now() });
}

fn grant(azure: &Azure, store: &mut Store, identity: &Value, target: &Value, role: &str) {
    let (scope, principal) = (
        target["id"].as_str().unwrap_or_default().to_owned(),
        identity["properties"]["principalId"].as_str().unwrap_or_default().to_owned(),
    );
    let there = |one: &Assignment| one.scope.eq_ignore_ascii_case(&scope) && one.principal == principal && one.role == role;
    if store.assignments.values().any(there) {
        return;
    }
    let name = uuid::Uuid::new_v4().to_string();
    let properties = json!({"principalType": "ServicePrincipal"});
    let created = azure.control.now();
    store.assignments.insert(name.clone(), Assignment { name, scope, principal, role: role.to_owned(), properties, created });
}

/// The result of a validation, which checks only Azure. The real answer repeats all of it as text in `Message`.
pub(super) fn report(store: &Store, linker: &Value) -> Value {
    let properties = &linker["properties"];
    let found = target_of(store, linker);
    let known = identity(store, &properties["authInfo"]["clientId"]);
    let granted = |one: &Assignment| {
        found.is_some_and(|target| one.scope.eq_ignore_ascii_case(target["id"].as_str().unwrap_or_default()))
            && known.as_ref().is_some_and(|identity| identity["properties"]["principalId"] == one.principal.as_str())
    };
    let mut checks = vec![
        ("Target resource existence validated.", found.is_some()),
        ("Target service firewall validated.", found.is_some()),
        ("Configured connection information validated.", true),
    ];
    if !properties["authInfo"]["clientId"].is_null() {
        checks.push(("Managed Identity existence validated.", known.is_some()));
        checks.push(("Managed Identity permissions validated.", store.assignments.values().any(granted)));
    }
    let good = checks.iter().all(|(_, good)| *good);
    let word = |good: &bool| if *good { "success" } else { "failure" };
    let details: Vec<Value> = checks.iter().map(|(name, good)| json!({"name": name, "description": null, "result": word(good)})).collect();
    json!({
        "linkerName": linker["name"], "isConnectionAvailable": good, "validationDetail": details,
        "sourceId": null, "targetId": null, "authType": properties["authInfo"]["authType"],
    })
}
