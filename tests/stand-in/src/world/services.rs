//! One resource of every other supported service, as a real GET returns it. Vaults, storage and AI accounts are in
//! [`super::targets`].

use serde_json::{Value, json};

use crate::world::{LOCATION, SUBSCRIPTION, TENANT};

/// Resource group of all these resources.
const GROUP: &str = "rg-data";
const BORN: &str = "2025-03-01T09:00:00.123Z";
/// Policies of every cache (documentation, data access policies), with their permissions.
const POLICIES: [(&str, &str); 3] = [
    ("Data Owner", "+@all allkeys"),
    ("Data Contributor", "+@all -@dangerous +cluster|info +cluster|nodes +cluster|slots allkeys"),
    ("Data Reader", "+@read +@connection +cluster|info +cluster|nodes +cluster|slots allkeys"),
];
/// Data-plane roles of every Cosmos DB account (documentation, data plane role-based access control).
const DATA_ROLES: [(&str, &str, &[&str]); 2] = [
    (
        "00000000-0000-0000-0000-000000000001",
        "Cosmos DB Built-in Data Reader",
        &[
            "Microsoft.DocumentDB/databaseAccounts/readMetadata",
            "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/read",
            "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/executeQuery",
            "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/readChangeFeed",
        ],
    ),
    (
        "00000000-0000-0000-0000-000000000002",
        "Cosmos DB Built-in Data Contributor",
        &[
            "Microsoft.DocumentDB/databaseAccounts/readMetadata",
            "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/*",
            "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/*",
        ],
    ),
];

pub(super) fn all() -> Vec<Value> {
    [messaging(), realtime(), caches(), cosmos_accounts(), databases(), others()].concat()
}

fn id(kind: &str, name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{kind}/{name}")
}

/// A resource with the common fields and its own.
fn resource(kind: &str, name: &str, own: Value) -> Value {
    let mut body = json!({"id": id(kind, name), "name": name, "type": kind, "location": LOCATION, "tags": {}});
    if let (Some(body), Value::Object(own)) = (body.as_object_mut(), own) {
        body.extend(own);
    }
    body
}

/// A child resource, by its path below the parent: `queues/orders`.
fn child(parent: &Value, path: &str, properties: Value) -> Value {
    let text = |at: &str| parent[at].as_str().unwrap_or_default();
    let (kind, name) = path.split_once('/').unwrap_or((path, ""));
    json!({"id": format!("{}/{path}", text("id")), "name": name, "type": format!("{}/{kind}", text("type")), "properties": properties})
}

fn system_data() -> Value {
    json!({
        "createdBy": "dev@contoso.example", "createdByType": "User", "createdAt": BORN,
        "lastModifiedBy": "dev@contoso.example", "lastModifiedByType": "User", "lastModifiedAt": BORN,
    })
}

fn messaging() -> Vec<Value> {
    let properties = |name: &str| {
        json!({
            "disableLocalAuth": false, "minimumTlsVersion": "1.2", "publicNetworkAccess": "Enabled", "zoneRedundant": false,
            "provisioningState": "Succeeded", "status": "Active", "metricId": format!("{SUBSCRIPTION}:{name}"),
            "createdAt": BORN, "updatedAt": BORN, "serviceBusEndpoint": format!("https://{name}.servicebus.windows.net:443/"),
        })
    };
    let rule =
        |parent: &Value| child(parent, "authorizationRules/RootManageSharedAccessKey", json!({"rights": ["Listen", "Manage", "Send"]}));
    let (standard, more) =
        (json!({"name": "Standard", "tier": "Standard"}), json!({"name": "Standard", "tier": "Standard", "capacity": 1}));
    let bus = resource("Microsoft.ServiceBus/namespaces", "shop-bus", json!({"sku": standard, "properties": properties("shop-bus")}));
    let hubs = resource("Microsoft.EventHub/namespaces", "shop-hubs", json!({"sku": more, "properties": properties("shop-hubs")}));
    let queue = json!({"lockDuration": "PT1M", "maxSizeInMegabytes": 1024, "requiresSession": false, "maxDeliveryCount": 10, "status": "Active", "createdAt": BORN, "updatedAt": BORN});
    let topic = json!({"maxSizeInMegabytes": 1024, "enableBatchedOperations": true, "status": "Active", "supportOrdering": true, "createdAt": BORN, "updatedAt": BORN, "subscriptionCount": 0});
    let hub = json!({"messageRetentionInDays": 1, "partitionCount": 2, "status": "Active", "createdAt": BORN, "updatedAt": BORN, "partitionIds": ["0", "1"]});
    vec![
        rule(&bus),
        child(&bus, "queues/orders", queue),
        child(&bus, "topics/events", topic),
        bus,
        rule(&hubs),
        child(&hubs, "eventhubs/clicks", hub),
        hubs,
    ]
}

fn realtime() -> Vec<Value> {
    let service = |kind: &str, own: &str, name: &str, domain: &str| {
        resource(
            kind,
            name,
            json!({
                "kind": own, "sku": {"name": "Standard_S1", "tier": "Standard", "size": "S1", "capacity": 1}, "systemData": system_data(),
                "properties": {
                    "provisioningState": "Succeeded", "externalIP": "203.0.113.40", "hostName": format!("{name}.{domain}"), "publicPort": 443, "serverPort": 443,
                    "version": "1.0", "privateEndpointConnections": [], "tls": {"clientCertEnabled": false}, "publicNetworkAccess": "Enabled",
                    "networkACLs": {"defaultAction": "Deny", "publicNetwork": {"allow": ["ServerConnection", "ClientConnection", "RESTAPI"]}, "privateEndpoints": []},
                    "disableLocalAuth": false, "disableAadAuth": false,
                },
            }),
        )
    };
    vec![
        service("Microsoft.SignalRService/SignalR", "SignalR", "shop-signalr", "service.signalr.net"),
        service("Microsoft.SignalRService/WebPubSub", "WebPubSub", "shop-pubsub", "webpubsub.azure.com"),
    ]
}

fn caches() -> Vec<Value> {
    let name = "shop-cache";
    let cache = resource(
        "Microsoft.Cache/Redis",
        name,
        json!({"properties": {
            "provisioningState": "Succeeded", "redisVersion": "6.0", "sku": {"name": "Standard", "family": "C", "capacity": 1},
            "enableNonSslPort": false, "hostName": format!("{name}.redis.cache.windows.net"), "port": 6379, "sslPort": 6380,
            "redisConfiguration": {"aad-enabled": "true", "maxmemory-policy": "volatile-lru"}, "instances": [{"sslPort": 15000, "isMaster": true, "isPrimary": true}],
            "publicNetworkAccess": "Enabled", "linkedServers": [], "privateEndpointConnections": [], "minimumTlsVersion": "1.2",
            "disableAccessKeyAuthentication": false, "updateChannel": "Stable",
        }}),
    );
    let policies = POLICIES.map(|(name, permissions)| {
        let properties = json!({"provisioningState": "Succeeded", "type": "BuiltIn", "permissions": permissions});
        child(&cache, &format!("accessPolicies/{name}"), properties)
    });
    let name = "shop-redis";
    let cluster = resource(
        "Microsoft.Cache/redisEnterprise",
        name,
        json!({
            "kind": "v2", "sku": {"name": "Balanced_B5"},
            "properties": {"provisioningState": "Succeeded", "resourceState": "Running", "hostName": format!("{name}.{LOCATION}.redis.azure.net"), "redisVersion": "7.4", "minimumTlsVersion": "1.2", "highAvailability": "Enabled", "privateEndpointConnections": []},
        }),
    );
    let mut database = child(
        &cluster,
        "databases/default",
        json!({
            "provisioningState": "Succeeded", "resourceState": "Running", "clientProtocol": "Encrypted", "clusteringPolicy": "OSSCluster", "evictionPolicy": "VolatileLRU",
            "port": 10000, "accessKeysAuthentication": "Enabled", "redisVersion": "7.4", "deferUpgrade": "NotDeferred",
        }),
    );
    // The provider names children with their parent's name.
    database["name"] = json!(format!("{name}/default"));
    [vec![cache, cluster, database], policies.to_vec()].concat()
}

/// One account for each API: MongoDB is distinguished by the kind, the others by a capability.
fn cosmos_accounts() -> Vec<Value> {
    let account = |name: &str, kind: &str, capability: Option<&str>| {
        let place = json!({"id": format!("{name}-{LOCATION}"), "locationName": "West Europe", "documentEndpoint": format!("https://{name}-{LOCATION}.documents.azure.com:443/"), "provisioningState": "Succeeded", "failoverPriority": 0});
        let capabilities: Vec<Value> = capability.iter().map(|name| json!({"name": name})).collect();
        resource(
            "Microsoft.DocumentDB/databaseAccounts",
            name,
            json!({
                "kind": kind, "systemData": system_data(),
                "properties": {
                    "provisioningState": "Succeeded", "documentEndpoint": format!("https://{name}.documents.azure.com:443/"), "publicNetworkAccess": "Enabled",
                    "databaseAccountOfferType": "Standard", "disableKeyBasedMetadataWriteAccess": false, "disableLocalAuth": false, "minimalTlsVersion": "Tls12",
                    "consistencyPolicy": {"defaultConsistencyLevel": "Session", "maxIntervalInSeconds": 5, "maxStalenessPrefix": 100}, "createMode": "Default",
                    "writeLocations": [place], "readLocations": [place], "locations": [place], "capabilities": capabilities, "ipRules": [],
                    "isVirtualNetworkFilterEnabled": false, "virtualNetworkRules": [], "cors": [], "networkAclBypass": "None",
                },
            }),
        )
    };
    let nosql = account("shop-cosmos", "GlobalDocumentDB", None);
    let roles: Vec<Value> = DATA_ROLES
        .iter()
        .map(|(guid, name, actions)| {
            let properties = json!({"roleName": name, "type": "BuiltInRole", "assignableScopes": [nosql["id"]], "permissions": [{"dataActions": actions, "notDataActions": []}]});
            child(&nosql, &format!("sqlRoleDefinitions/{guid}"), properties)
        })
        .collect();
    let database = child(
        &nosql,
        "sqlDatabases/orders",
        json!({"resource": {"id": "orders", "_rid": "PD5DALigDgw=", "_ts": 1_740_000_000, "_etag": "\"00005900-0000-0000-0000-56f9a2630000\""}}),
    );
    let more = vec![
        database,
        account("shop-mongo", "MongoDB", Some("EnableMongo")),
        account("shop-tables", "GlobalDocumentDB", Some("EnableTable")),
        account("shop-graph", "GlobalDocumentDB", Some("EnableGremlin")),
        account("shop-cassandra", "GlobalDocumentDB", Some("EnableCassandra")),
        nosql,
    ];
    [more, roles].concat()
}

fn databases() -> Vec<Value> {
    let windows = json!({"customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0});
    let postgres = resource(
        "Microsoft.DBforPostgreSQL/flexibleServers",
        "shop-pg",
        json!({
            "sku": {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}, "systemData": system_data(),
            "properties": {
                "administratorLogin": "pgadmin", "version": "16", "minorVersion": "8", "state": "Ready", "fullyQualifiedDomainName": "shop-pg.postgres.database.azure.com",
                "authConfig": {"activeDirectoryAuth": "Enabled", "passwordAuth": "Enabled", "tenantId": TENANT}, "network": {"publicNetworkAccess": "Enabled"},
                "storage": {"storageSizeGB": 32, "autoGrow": "Disabled"}, "maintenanceWindow": windows, "availabilityZone": "1", "privateEndpointConnections": [],
            },
        }),
    );
    let mysql = resource(
        "Microsoft.DBforMySQL/flexibleServers",
        "shop-mysql",
        json!({
            "sku": {"name": "Standard_D2ds_v4", "tier": "GeneralPurpose"}, "systemData": system_data(),
            "properties": {
                "administratorLogin": "mysqladmin", "version": "8.0.21", "state": "Ready", "fullyQualifiedDomainName": "shop-mysql.mysql.database.azure.com",
                "network": {"publicNetworkAccess": "Enabled"}, "storage": {"storageSizeGB": 32, "iops": 400, "autoGrow": "Enabled"}, "availabilityZone": "1",
            },
        }),
    );
    let sql = resource(
        "Microsoft.Sql/servers",
        "shop-sql",
        json!({
            "kind": "v12.0",
            "properties": {
                "administratorLogin": "sqladmin", "version": "12.0", "state": "Ready", "fullyQualifiedDomainName": "shop-sql.database.windows.net",
                "privateEndpointConnections": [], "minimalTlsVersion": "1.2", "publicNetworkAccess": "Enabled",
            },
        }),
    );
    let plain = json!({"charset": "UTF8", "collation": "en_US.utf8"});
    let mut orders =
        child(&sql, "databases/orders", json!({"collation": "SQL_Latin1_General_CP1_CI_AS", "status": "Online", "creationDate": BORN}));
    orders["location"] = json!(LOCATION);
    vec![child(&postgres, "databases/orders", plain.clone()), child(&mysql, "databases/orders", plain), orders, postgres, mysql, sql]
}

fn others() -> Vec<Value> {
    let config = resource(
        "Microsoft.AppConfiguration/configurationStores",
        "shop-config",
        json!({
            "sku": {"name": "standard"}, "systemData": system_data(),
            "properties": {
                "provisioningState": "Succeeded", "creationDate": BORN, "endpoint": "https://shop-config.azconfig.io", "disableLocalAuth": false,
                "publicNetworkAccess": "Enabled", "softDeleteRetentionInDays": 7, "enablePurgeProtection": false, "privateEndpointConnections": [],
            },
        }),
    );
    let search = resource(
        "Microsoft.Search/searchServices",
        "shop-search",
        json!({
            "sku": {"name": "basic"}, "systemData": system_data(),
            "properties": {
                "replicaCount": 1, "partitionCount": 1, "endpoint": "https://shop-search.search.windows.net", "status": "running", "statusDetails": "", "hostingMode": "default",
                "provisioningState": "succeeded", "publicNetworkAccess": "enabled", "networkRuleSet": {"ipRules": [], "bypass": "None"}, "privateEndpointConnections": [],
                "disableLocalAuth": false, "authOptions": {"aadOrApiKey": {"aadAuthFailureMode": "http403"}},
            },
        }),
    );
    let key = "planted-key-value-shop-insights-1";
    let insights = resource(
        "Microsoft.Insights/components",
        "shop-insights",
        json!({
            "kind": "web", "etag": "\"4200b3f5-0000-0d00-0000-67c2e6d80000\"",
            "properties": {
                "Ver": "v2", "ApplicationId": "shop-insights", "AppId": "77777777-aaaa-4bbb-8ccc-000000000021", "Application_Type": "web", "Flow_Type": "Bluefield",
                "InstrumentationKey": key, "Name": "shop-insights", "CreationDate": BORN, "TenantId": SUBSCRIPTION, "provisioningState": "Succeeded",
                "ConnectionString": format!("InstrumentationKey={key};IngestionEndpoint=https://{LOCATION}-5.in.applicationinsights.azure.com/;LiveEndpoint=https://{LOCATION}.livediagnostics.monitor.azure.com/"),
                "RetentionInDays": 90, "IngestionMode": "LogAnalytics", "publicNetworkAccessForIngestion": "Enabled", "publicNetworkAccessForQuery": "Enabled",
            },
        }),
    );
    vec![config, search, insights]
}
