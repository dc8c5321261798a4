//! The list of all kinds of steps, and the only one. A new kind of step is one line here, one struct with its
//! [`Spec`](super::family::Spec) in the file of its family, and one file in `steps` with its behaviour.

/// Hands the list to the macro `$then`. A line is: kind, its family, its word in records, its title for users.
/// Records hold the word, so a word never changes.
macro_rules! every_step {
    ($then:ident) => {
        $then! {
            /// The cluster publishes an OIDC issuer and runs the workload identity webhook.
            ClusterFeatures: Cluster, "clusterFeatures", "cluster features";
            /// The managed identity exists.
            Identity: Identity, "identity", "managed identity";
            /// The identity holds a role at a scope.
            RoleAssignment: Grant, "roleAssignment", "role assignment";
            /// The identity has an entry in a vault's access policies.
            VaultPolicy: Grant, "vaultPolicy", "vault access policy";
            /// The identity holds a role of a Cosmos DB account's own data plane.
            CosmosRole: Grant, "cosmosRole", "Cosmos DB role assignment";
            /// The identity is assigned an access policy of a Redis cache.
            RedisPolicy: Grant, "redisPolicy", "Redis access policy";
            /// Entra trusts tokens of the service account for the identity.
            FederatedCredential: Trust, "federatedCredential", "federated credential";
            /// The service account exists and names the identity's client id.
            ServiceAccount: Trust, "serviceAccount", "service account";
            /// The Secret exists and holds the connection's variables.
            Secret: Delivery, "secret", "secret";
            /// A Key Vault secret exists and holds a key or connection string of the service.
            VaultSecret: Delivery, "vaultSecret", "vault secret";
            /// The SecretProviderClass exists: it tells the CSI driver what to mount and with which identity.
            SecretProviderClass: Delivery, "secretProviderClass", "secret provider class";
            /// The workload's pods use the service account, carry the webhook's label and see the variables.
            Workload: Workload, "workload", "workload";
        }
    };
}

pub(crate) use every_step;
