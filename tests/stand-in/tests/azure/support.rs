//! A small client of the sandbox: `az` for tokens, the proxy for everything else.

use std::process::{Command, Output};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stand_in::Sandbox;
use stand_in::world::{SUBSCRIPTION, World};

/// Scopes used by tests.
pub const ARM: &str = "https://management.azure.com/.default";
pub const VAULT: &str = "https://vault.azure.net/.default";
pub const STORAGE: &str = "https://storage.azure.com/.default";
pub const AI: &str = "https://cognitiveservices.azure.com/.default";

pub const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
pub const BLOB_READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";
pub const OPENAI_USER: &str = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd";
pub const COGNITIVE_USER: &str = "a97b65f3-24c7-4388-baec-2e87135dc908";

/// An answer with its body.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// Status and error code together identify a refusal.
    pub fn refusal(&self) -> (u16, String) {
        let body = self.json();
        let code = body["error"]["code"].as_str().or(body["code"].as_str()).unwrap_or_default();
        (self.status.as_u16(), code.to_owned())
    }

    pub fn inner_code(&self) -> String {
        self.json()["error"]["innererror"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }
}

/// A sandbox with a client.
pub struct Bench {
    pub sandbox: Sandbox,
    pub http: reqwest::Client,
    pub arm_token: String,
}

impl Bench {
    pub async fn start() -> Self {
        Self::with(World::planted()).await
    }

    pub async fn with(world: World) -> Self {
        // Another test of this process may have installed it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start(world).await.unwrap();
        sandbox.link("az", env!("CARGO_BIN_EXE_stand-in-az").as_ref()).unwrap();
        let authority = reqwest::Certificate::from_pem(&std::fs::read(sandbox.authority_file()).unwrap()).unwrap();
        let http = reqwest::Client::builder()
            .proxy(reqwest::Proxy::all(sandbox.proxy_url()).unwrap())
            .tls_certs_only([authority])
            .build()
            .unwrap();
        let mut bench = Self { sandbox, http, arm_token: String::new() };
        bench.arm_token = bench.user_token(ARM).await;
        bench
    }

    /// Runs a shell line in the sandbox's environment, as the product does.
    pub async fn shell(&self, line: &str) -> Output {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).envs(self.sandbox.env());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// The signed-in user's token; empty if `az` has none.
    pub async fn user_token(&self, scope: &str) -> String {
        let output = self.shell(&format!("az account get-access-token -o json --scope {scope}")).await;
        let body: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        body["accessToken"].as_str().unwrap_or_default().to_owned()
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    pub fn arm_request(&self, method: Method, path: &str, version: &str) -> reqwest::RequestBuilder {
        let join = if path.contains('?') { '&' } else { '?' };
        self.http.request(method, format!("https://management.azure.com{path}{join}api-version={version}")).bearer_auth(&self.arm_token)
    }

    pub async fn get(&self, path: &str, version: &str) -> Answer {
        self.send(self.arm_request(Method::GET, path, version)).await
    }

    pub async fn put(&self, path: &str, version: &str, body: &Value) -> Answer {
        self.send(self.arm_request(Method::PUT, path, version).json(body)).await
    }

    pub async fn delete(&self, path: &str, version: &str) -> Answer {
        self.send(self.arm_request(Method::DELETE, path, version)).await
    }

    pub async fn make_identity(&self, name: &str) -> Value {
        let answer = self.put(&identity(name), MSI, &json!({"location": "westeurope"})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    pub async fn make_credential(&self, identity_name: &str, name: &str, issuer: &str, subject: &str) -> Answer {
        self.put(&credential(identity_name, name), MSI, &federation(issuer, subject)).await
    }

    pub async fn grant(&self, scope: &str, principal: &str, role: &str) -> Answer {
        let name = uuid::Uuid::new_v4();
        let body = grant_body(principal, role);
        self.put(&format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"), ROLES, &body).await
    }

    /// A service account's token from the cluster's API server.
    pub async fn kube_token(&self, cluster: &str, namespace: &str, account: &str, audience: &str) -> String {
        let world = World::planted();
        let cluster = world.clusters.iter().find(|one| one.name == cluster).unwrap();
        let url = format!("https://{}/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", cluster.fqdn);
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": [audience], "expirationSeconds": 3600}});
        let answer = self.send(self.http.post(url).bearer_auth(&cluster.token).json(&body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["status"]["token"].as_str().unwrap().to_owned()
    }

    pub async fn exchange(&self, client: &str, assertion: &str, scope: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
            ("scope", scope),
        ];
        self.send(self.http.post(format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", stand_in::world::TENANT)).form(&form))
            .await
    }

    /// Creates an identity as which the service account `shop/web` of the ready cluster may act; returns it with a
    /// token for a scope.
    pub async fn federated(&self, name: &str, scope: &str) -> (Value, String) {
        let identity = self.make_identity(name).await;
        let answer = self.make_credential(name, "fic", READY_ISSUER, "system:serviceaccount:shop:api").await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let assertion = self.kube_token("aks-ready", "shop", "api", AUDIENCE).await;
        let answer = self.exchange(identity["properties"]["clientId"].as_str().unwrap(), &assertion, scope).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        (identity, token)
    }
}

pub const MSI: &str = "2024-11-30";
pub const ROLES: &str = "2022-04-01";
pub const AKS: &str = "2025-07-01";
pub const KEY_VAULT: &str = "2025-05-01";
pub const AUDIENCE: &str = "api://AzureADTokenExchange";
pub const READY_ISSUER: &str =
    "https://westeurope.oic.prod-aks.azure.com/11111111-aaaa-4bbb-8ccc-000000000001/44444444-aaaa-4bbb-8ccc-000000000002/";

pub fn group(name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}")
}

pub fn cluster(name: &str) -> String {
    format!("{}/providers/Microsoft.ContainerService/managedClusters/{name}", group("rg-shop"))
}

pub fn identity(name: &str) -> String {
    format!("{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}", group("rg-shop"))
}

pub fn credential(identity_name: &str, name: &str) -> String {
    format!("{}/federatedIdentityCredentials/{name}", identity(identity_name))
}

pub fn vault(name: &str) -> String {
    format!("{}/providers/Microsoft.KeyVault/vaults/{name}", group("rg-data"))
}

pub fn account(name: &str) -> String {
    format!("{}/providers/Microsoft.CognitiveServices/accounts/{name}", group("rg-data"))
}

pub fn storage(name: &str) -> String {
    format!("{}/providers/Microsoft.Storage/storageAccounts/{name}", group("rg-data"))
}

pub fn federation(issuer: &str, subject: &str) -> Value {
    json!({"properties": {"issuer": issuer, "subject": subject, "audiences": [AUDIENCE]}})
}

pub fn grant_body(principal: &str, role: &str) -> Value {
    json!({"properties": {
        "roleDefinitionId": format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
        "principalId": principal, "principalType": "ServicePrincipal",
    }})
}

pub fn principal(identity: &Value) -> &str {
    identity["properties"]["principalId"].as_str().unwrap()
}

pub fn client(identity: &Value) -> &str {
    identity["properties"]["clientId"].as_str().unwrap()
}
