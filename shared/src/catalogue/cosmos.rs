//! Azure Cosmos DB, one entry per API. The API for NoSQL has a data plane with its own roles. The other APIs accept
//! only keys, so the identity gets permission to fetch the keys, as in Service Connector's samples.

use super::cosmos_rows::{self as shapes, keys, texts};
use super::{
    Access, Auth, Client, DEFAULTS, Grant, Parameter, PrivateLink, Probe, Refusal, SDKS, Scope, Service, Target, keys_are_off, role,
};

const ARM_TYPE: &str = "Microsoft.DocumentDB/databaseAccounts";
const API_VERSION: &str = "2025-04-15";
const AUTHS: &[Auth] = &[Auth::WorkloadIdentity, Auth::Secret, Auth::ServicePrincipal];
const NO_PROBE: &str = "this API accepts only keys; the permission to fetch them is checked";

/// Common base of all APIs. By default an API accepts only keys.
const API: Service = Service {
    noun: "Cosmos DB account",
    arm_type: ARM_TYPE,
    api_version: API_VERSION,
    auths: AUTHS,
    keys,
    prefixes: &["AZURE_COSMOS"],
    default_access: Access::ReadWrite,
    grants: fetch_keys,
    refusal,
    texts,
    probe: |_, _| Err(NO_PROBE),
    ..DEFAULTS
};

/// The API for NoSQL.
pub(super) static SQL: Service = Service {
    name: "cosmos-sql",
    aliases: &["cosmos", "cosmosdb", "cosmos-nosql"],
    title: "Cosmos DB for NoSQL",
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::SpringBoot, Client::Nodejs, Client::Python],
    parameters: &[Parameter { name: "database", help: "Name of the database", default: "", child: "sqlDatabases" }],
    scopes: &[Scope { word: "database", path: "dbs" }, Scope { word: "container", path: "dbs/*/colls" }],
    private_link: Ok(&[PrivateLink { group: "Sql", zones: &["privatelink.documents.azure.com"] }]),
    docs: "https://learn.microsoft.com/azure/cosmos-db/nosql/how-to-connect-role-based-access-control",
    grants: |_, access| {
        // Roles built into every account (product documentation, data plane role-based access control).
        let (name, id) = match access {
            Access::Read => ("Cosmos DB Built-in Data Reader", "00000000-0000-0000-0000-000000000001"),
            Access::ReadWrite | Access::Admin => ("Cosmos DB Built-in Data Contributor", "00000000-0000-0000-0000-000000000002"),
        };
        vec![Grant::CosmosRole { name: name.into(), id: id.into() }]
    },
    rows: shapes::sql,
    probe: |account, cloud| {
        let endpoint = shapes::endpoint(account, cloud);
        Ok(Probe {
            scope: format!("{}/.default", endpoint.trim_end_matches('/').trim_end_matches(":443")),
            what: "read the account's metadata",
            url: endpoint,
            headers: &[("x-ms-version", "2018-12-31")],
            decisive: true,
            cosmos: true,
        })
    },
    ..API
};

/// The API for MongoDB.
pub(super) static MONGO: Service = Service {
    name: "cosmos-mongo",
    aliases: &["cosmos-mongodb"],
    title: "Cosmos DB for MongoDB",
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::SpringBoot, Client::Nodejs, Client::Go],
    parameters: &[Parameter { name: "database", help: "Name of the database", default: "", child: "mongodbDatabases" }],
    private_link: Ok(&[PrivateLink { group: "MongoDB", zones: &["privatelink.mongo.cosmos.azure.com"] }]),
    docs: "https://learn.microsoft.com/azure/service-connector/how-to-integrate-cosmos-db",
    rows: shapes::mongo,
    ..API
};

/// The API for Table.
pub(super) static TABLE: Service = Service {
    name: "cosmos-table",
    title: "Cosmos DB for Table",
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::SpringBoot, Client::Nodejs, Client::Python],
    parameters: &[Parameter { name: "table", help: "Name of the table", default: "", child: "tables" }],
    private_link: Ok(&[PrivateLink { group: "Table", zones: &["privatelink.table.cosmos.azure.com"] }]),
    docs: "https://learn.microsoft.com/azure/service-connector/how-to-integrate-cosmos-table",
    rows: shapes::table,
    ..API
};

/// The API for Gremlin.
pub(super) static GREMLIN: Service = Service {
    name: "cosmos-gremlin",
    title: "Cosmos DB for Gremlin",
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::Nodejs, Client::Python, Client::Php],
    parameters: &[
        Parameter { name: "database", help: "Name of the database", default: "", child: "gremlinDatabases" },
        Parameter { name: "graph", help: "Name of the graph", default: "", child: "graphs" },
    ],
    private_link: Ok(&[PrivateLink { group: "Gremlin", zones: &["privatelink.gremlin.cosmos.azure.com"] }]),
    docs: "https://learn.microsoft.com/azure/service-connector/how-to-integrate-cosmos-gremlin",
    rows: shapes::gremlin,
    ..API
};

/// The API for Cassandra.
pub(super) static CASSANDRA: Service = Service {
    name: "cosmos-cassandra",
    title: "Cosmos DB for Cassandra",
    clients: SDKS,
    parameters: &[Parameter { name: "key-space", help: "Name of the keyspace", default: "", child: "cassandraKeyspaces" }],
    private_link: Ok(&[PrivateLink { group: "Cassandra", zones: &["privatelink.cassandra.cosmos.azure.com"] }]),
    docs: "https://learn.microsoft.com/azure/service-connector/how-to-integrate-cosmos-cassandra",
    rows: shapes::cassandra,
    ..API
};

/// The narrowest built-in role that may fetch connection strings (product documentation, Microsoft Entra roles of
/// Service Connector).
fn fetch_keys(_: &Target, _: Access) -> Vec<Grant> {
    vec![role("DocumentDB Account Contributor", "5bd9cd88-fe45-4216-938b-f97437e15450")]
}

fn refusal(account: &Target, auth: Auth) -> Option<Refusal> {
    let off = account.flag("/disableLocalAuth") == Some(true);
    keys_are_off(account, auth, off, format!("az resource update --ids {} --set properties.disableLocalAuth=false", account.id))
}

/// The service for the API of an account. An account has one API for its whole life; kind and capabilities tell which
/// (product documentation, "Choose an API"; `az cosmosdb create --capabilities`).
pub(super) fn api_of(account: &Target) -> &'static Service {
    let capabilities = account.properties["capabilities"].as_array();
    let can = |name: &str| capabilities.into_iter().flatten().any(|c| c["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
    if account.is_kind("MongoDB") || can("EnableMongo") {
        return &MONGO;
    }
    let apis = [("EnableTable", &TABLE), ("EnableGremlin", &GREMLIN), ("EnableCassandra", &CASSANDRA)];
    apis.into_iter().find(|(capability, _)| can(capability)).map_or(&SQL, |(_, service)| service)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ResourceId;

    #[test]
    fn an_account_speaks_the_api_that_it_was_made_for() {
        let api = |kind: &str, capabilities: &[&str]| {
            let capabilities: Vec<_> = capabilities.iter().map(|name| json!({"name": name})).collect();
            let body = json!({"kind": kind, "properties": {"capabilities": capabilities}});
            api_of(&Target::from_arm(ResourceId::resource("s", "g", ARM_TYPE, "a"), &body)).name
        };
        assert_eq!(api("GlobalDocumentDB", &[]), "cosmos-sql");
        assert_eq!(api("GlobalDocumentDB", &["EnableServerless"]), "cosmos-sql");
        assert_eq!(api("MongoDB", &["EnableMongo", "EnableServerless"]), "cosmos-mongo");
        assert_eq!(api("GlobalDocumentDB", &["EnableServerless", "EnableTable"]), "cosmos-table");
        assert_eq!(api("GlobalDocumentDB", &["EnableGremlin"]), "cosmos-gremlin");
        assert_eq!(api("GlobalDocumentDB", &["enableCassandra"]), "cosmos-cassandra");
    }
}
