//! The world of a sandbox as plain data: a small company with two clusters. Change it before the start.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::knobs::Knobs;

mod cluster;
mod services;
mod targets;
mod workloads;

pub use workloads::workloads;

/// The tenant.
pub const TENANT: &str = "11111111-aaaa-4bbb-8ccc-000000000001";
/// The subscription in use.
pub const SUBSCRIPTION: &str = "22222222-aaaa-4bbb-8ccc-000000000001";
/// The active subscription.
pub const OTHER_SUBSCRIPTION: &str = "22222222-aaaa-4bbb-8ccc-000000000002";
/// Object id of the signed-in user.
pub const USER: &str = "33333333-aaaa-4bbb-8ccc-000000000001";
/// Application id of the service principal, see [`World::with_service_principal`].
pub const APPLICATION: &str = "33333333-aaaa-4bbb-8ccc-000000000002";
/// Object id of the service principal.
pub const APPLICATION_OBJECT: &str = "33333333-aaaa-4bbb-8ccc-000000000003";
/// Secret.
pub const APPLICATION_SECRET: &str = "planted-client-secret";
/// The Owner role, which allows everything.
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
/// The directory's domain.
pub const DOMAIN: &str = "contoso.example";
/// Region of all resources.
pub const LOCATION: &str = "westeurope";

/// A subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// GUID.
    pub id: String,
    /// Display name.
    pub name: String,
}

/// The signed-in user.
#[derive(Clone, Debug)]
pub struct User {
    /// Sign-in name.
    pub name: String,
    /// Object id.
    pub object_id: String,
}

/// An application with a secret, for sign-in as a service principal.
#[derive(Clone, Debug)]
pub struct Application {
    /// Display name.
    pub name: String,
    /// Application id.
    pub client_id: String,
    /// Object id of the service principal.
    pub object_id: String,
    /// Secret.
    pub secret: String,
}

/// A cluster: connects an ARM object with an API server.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Name.
    pub name: String,
    /// Resource id as ARM spells it.
    pub id: String,
    /// Host of the API server.
    pub fqdn: String,
    /// The issuer that the cluster has, or gets when it is enabled.
    pub issuer: String,
    /// Bearer token of the kubeconfig's user.
    pub token: String,
}

impl Cluster {
    /// Whether the cluster is outside AKS.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        !self.id.starts_with("/subscriptions/")
    }
}

/// The cluster outside AKS, see [`World::with_cluster_elsewhere`].
pub const ELSEWHERE: &str = "edge";

/// The complete world.
#[derive(Clone, Debug)]
pub struct World {
    /// Real API servers to use, by cluster name; without an entry, the built-in stand-in.
    pub real: std::collections::BTreeMap<String, crate::kube::real::RealOptions>,
    /// Tenant id.
    pub tenant: String,
    /// Verified domain.
    pub domain: String,
    /// Subscriptions, all in the tenant.
    pub subscriptions: Vec<Subscription>,
    /// The user of `az login`.
    pub user: User,
    /// Applications of the tenant.
    pub applications: Vec<Application>,
    /// ARM objects.
    pub resources: Vec<Value>,
    /// Role assignments: scope, principal, its type, and role GUID or name of a custom role.
    pub assignments: Vec<(String, String, &'static str, String)>,
    /// Custom roles, in the input format of `az role definition create`.
    pub roles: Vec<Value>,
    /// Secrets by vault.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// Blob containers by account.
    pub containers: BTreeMap<String, Vec<String>>,
    /// Clusters.
    pub clusters: Vec<Cluster>,
    /// The current context of the kubeconfig.
    pub current_context: String,
    /// Behaviour of the services.
    pub knobs: Knobs,
}

impl Default for World {
    fn default() -> Self {
        Self::planted()
    }
}

impl World {
    /// The world used in the documentation.
    #[must_use]
    pub fn planted() -> Self {
        let subscriptions = [(SUBSCRIPTION, "Sandbox"), (OTHER_SUBSCRIPTION, "Other")]
            .map(|(id, name)| Subscription { id: id.to_owned(), name: name.to_owned() });
        let clusters = vec![
            cluster::handle("aks-shop", "aks-shop-dns-1a2b3c4d", "000000000001"),
            cluster::handle("aks-ready", "aks-ready-dns-5e6f7a8b", "000000000002"),
        ];
        let mut resources: Vec<Value> = [
            (SUBSCRIPTION, "rg-shop"),
            (SUBSCRIPTION, "rg-data"),
            (SUBSCRIPTION, "MC_rg-shop_aks-shop_westeurope"),
            (SUBSCRIPTION, "MC_rg-shop_aks-ready_westeurope"),
            (OTHER_SUBSCRIPTION, "rg-other"),
        ]
        .iter()
        .map(|(subscription, name)| json!({
            "id": format!("/subscriptions/{subscription}/resourceGroups/{name}"), "name": name, "type": "Microsoft.Resources/resourceGroups",
            "location": LOCATION, "tags": {}, "properties": {"provisioningState": "Succeeded"},
        }))
        .collect();
        resources.extend(clusters.iter().enumerate().map(|(at, one)| cluster::body(one, at, one.name == "aks-ready")));
        resources.extend(targets::all());
        resources.extend(services::all());
        let secrets = [("my-vault", vec!["db-password", "stripe-key", "jwt-signing-key"]), ("policy-vault", vec!["legacy-password"])]
            .into_iter()
            .map(|(vault, names)| {
                (vault.to_owned(), names.into_iter().map(|name| (name.to_owned(), format!("planted-secret-value-{name}"))).collect())
            })
            .collect();
        Self {
            real: std::collections::BTreeMap::new(),
            tenant: TENANT.into(),
            domain: DOMAIN.into(),
            assignments: subscriptions
                .iter()
                .map(|one| (format!("/subscriptions/{}", one.id), USER.to_owned(), "User", OWNER.into()))
                .collect(),
            roles: Vec::new(),
            applications: Vec::new(),
            subscriptions: subscriptions.into(),
            user: User { name: "dev@contoso.example".into(), object_id: USER.into() },
            resources,
            secrets,
            containers: [("shopdata".to_owned(), vec!["images".to_owned(), "orders".to_owned()])].into(),
            clusters,
            current_context: "aks-shop".into(),
            knobs: Knobs::default(),
        }
    }

    /// Enables or disables issuer and workload identity of a cluster before the start.
    #[must_use]
    pub fn with_workload_identity(mut self, cluster: &str, on: bool) -> Self {
        let issuer = self.clusters.iter().find(|one| one.name == cluster).map(|one| one.issuer.clone());
        if let Some(body) = self.resource_mut(cluster) {
            body["properties"]["oidcIssuerProfile"] =
                if on { json!({"enabled": true, "issuerURL": issuer}) } else { json!({"enabled": false}) };
            body["properties"]["securityProfile"] = if on { json!({"workloadIdentity": {"enabled": true}}) } else { json!({}) };
        }
        self
    }

    /// Adds a cluster outside AKS: it publishes its issuer, and the workload identity webhook is installed with helm.
    #[must_use]
    pub fn with_cluster_elsewhere(mut self) -> Self {
        self.clusters.push(Cluster {
            name: ELSEWHERE.into(),
            id: format!("elsewhere/{ELSEWHERE}"),
            fqdn: "kube.edge.contoso.example".into(),
            issuer: "https://oidc.contoso.example/edge/".into(),
            token: format!("planted-cluster-token-{ELSEWHERE}"),
        });
        self
    }

    /// Enables the Key Vault add-on of a cluster before the start.
    #[must_use]
    pub fn with_secrets_provider(mut self, cluster: &str) -> Self {
        if let Some(body) = self.resource_mut(cluster) {
            body["properties"]["addonProfiles"]["azureKeyvaultSecretsProvider"] =
                json!({"enabled": true, "config": {"enableSecretRotation": "false", "rotationPollInterval": "2m"}});
            let identity = addon_identity(body);
            self.resources.push(identity);
        }
        self
    }

    /// Adds a service principal that owns the subscriptions, for clients that sign in as one.
    #[must_use]
    pub fn with_service_principal(mut self) -> Self {
        self.applications.push(Application {
            name: "deployer".into(),
            client_id: APPLICATION.into(),
            object_id: APPLICATION_OBJECT.into(),
            secret: APPLICATION_SECRET.into(),
        });
        let scopes = self.subscriptions.iter().map(|one| format!("/subscriptions/{}", one.id));
        self.assignments.extend(scopes.map(|scope| (scope, APPLICATION_OBJECT.to_owned(), "ServicePrincipal", OWNER.to_owned())));
        self
    }

    /// Replaces all roles of the signed-in user by custom ones, on the active subscription.
    #[must_use]
    pub fn with_only_roles(mut self, definitions: &[Value]) -> Self {
        self.assignments.retain(|(_, principal, ..)| *principal != self.user.object_id);
        for definition in definitions {
            let name = definition["Name"].as_str().unwrap_or_default().to_owned();
            self.assignments.push((format!("/subscriptions/{SUBSCRIPTION}"), self.user.object_id.clone(), "User", name));
        }
        self.roles.extend_from_slice(definitions);
        self
    }

    /// The body of a resource, by name, for changes before the start.
    pub fn resource_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.resources.iter_mut().find(|body| body["name"] == name)
    }

    /// The id of a resource, by name.
    #[must_use]
    pub fn id_of(&self, name: &str) -> Option<&str> {
        self.resources.iter().find(|body| body["name"] == name).and_then(|body| body["id"].as_str())
    }

    /// The kubeconfig as written by `az aks get-credentials`.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        let text = kubeconfig(&self.clusters);
        text.replace("current-context: aks-shop", &format!("current-context: {}", self.current_context))
    }

    /// `azureProfile.json` as written by `az login`. It starts with a byte order mark, like the real file.
    #[must_use]
    pub fn azure_profile(&self) -> String {
        let subscriptions: Vec<Value> = self
            .subscriptions
            .iter()
            .enumerate()
            .map(|(at, one)| json!({
                "id": one.id, "name": one.name, "state": "Enabled", "user": {"name": self.user.name, "type": "user"}, "isDefault": at == 0,
                "tenantId": self.tenant, "environmentName": "AzureCloud", "homeTenantId": self.tenant,
                "tenantDefaultDomain": self.domain, "tenantDisplayName": "Contoso", "managedByTenants": [],
            }))
            .collect();
        format!("\u{feff}{}", json!({"installationId": "5c2b7b0e-7a11-11ef-9a3c-000000000001", "subscriptions": subscriptions}))
    }
}

/// Adds the identity to a cluster's Key Vault add-on and returns it. It is in the resource group of the nodes.
pub(crate) fn addon_identity(cluster: &mut Value) -> Value {
    let name = format!("azurekeyvaultsecretsprovider-{}", cluster["name"].as_str().unwrap_or_default());
    let group = cluster["properties"]["nodeResourceGroup"].as_str().unwrap_or_default();
    let id =
        format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}");
    // The same cluster always gets the same ids, since worlds are compared.
    let made = |what: &str| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, format!("{id}{what}").as_bytes()).to_string();
    let (client, object) = (made("client"), made("object"));
    cluster["properties"]["addonProfiles"]["azureKeyvaultSecretsProvider"]["identity"] =
        json!({"resourceId": id, "clientId": client, "objectId": object});
    json!({
        "id": id, "name": name, "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "location": LOCATION, "tags": {},
        "properties": {"isolationScope": "None", "tenantId": TENANT, "clientId": client, "principalId": object},
    })
}

/// A kubeconfig for clusters; the first is current. YAML, since people read it.
#[must_use]
pub fn kubeconfig(clusters: &[Cluster]) -> String {
    let mut text = String::from("apiVersion: v1\nkind: Config\npreferences: {}\n");
    text.push_str(&format!("current-context: {}\nclusters:\n", clusters.first().map_or("", |one| one.name.as_str())));
    for one in clusters {
        text.push_str(&format!("- name: {}\n  cluster:\n    server: https://{}:443\n", one.name, one.fqdn));
    }
    text.push_str("contexts:\n");
    for one in clusters {
        text.push_str(&format!(
            "- name: {0}\n  context:\n    cluster: {0}\n    namespace: default\n    user: clusterUser_rg-shop_{0}\n",
            one.name
        ));
    }
    text.push_str("users:\n");
    for one in clusters {
        text.push_str(&format!("- name: clusterUser_rg-shop_{}\n  user:\n    token: {}\n", one.name, one.token));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_context_can_be_another() {
        let world = World { current_context: "aks-ready".into(), ..World::planted() };
        assert!(world.kubeconfig().contains("current-context: aks-ready\n"));
    }

    #[test]
    fn ids_are_unique_and_name_their_resource() {
        let world = World::planted();
        let ids: std::collections::BTreeSet<_> = world.resources.iter().map(|one| one["id"].as_str().unwrap().to_lowercase()).collect();
        assert_eq!(ids.len(), world.resources.len());
        for one in &world.resources {
            // Some providers name a child with its parent's name.
            let name = one["name"].as_str().unwrap().rsplit('/').next().unwrap();
            assert!(one["id"].as_str().unwrap().ends_with(name));
        }
    }
}
