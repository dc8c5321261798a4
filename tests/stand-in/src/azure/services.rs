//! The other services: their resources can be read and listed, and their keys fetched. Grants on their data planes
//! are in [`super::data_roles`].

use serde_json::{Value, json};

use crate::azure::errors::not_allowed;
use crate::azure::path::Path;
use crate::azure::router::{stored, stored_parent};
use crate::azure::{Azure, lists};
use crate::http::{Request, Response};

/// Types as spelt in roles and messages.
pub(crate) const KINDS: &[&str] = &[
    "Microsoft.AppConfiguration/configurationStores",
    "Microsoft.Search/searchServices",
    "Microsoft.Insights/components",
    "Microsoft.ServiceBus/namespaces",
    "Microsoft.ServiceBus/namespaces/authorizationRules",
    "Microsoft.ServiceBus/namespaces/queues",
    "Microsoft.ServiceBus/namespaces/topics",
    "Microsoft.EventHub/namespaces",
    "Microsoft.EventHub/namespaces/authorizationRules",
    "Microsoft.EventHub/namespaces/eventhubs",
    "Microsoft.SignalRService/SignalR",
    "Microsoft.SignalRService/WebPubSub",
    "Microsoft.Cache/Redis",
    "Microsoft.Cache/redisEnterprise",
    "Microsoft.Cache/redisEnterprise/databases",
    "Microsoft.DocumentDB/databaseAccounts",
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases",
    "Microsoft.DBforPostgreSQL/flexibleServers",
    "Microsoft.DBforPostgreSQL/flexibleServers/databases",
    "Microsoft.DBforMySQL/flexibleServers",
    "Microsoft.DBforMySQL/flexibleServers/databases",
    "Microsoft.Sql/servers",
    "Microsoft.Sql/servers/databases",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/networkInterfaces",
];

/// Whether this file serves a type.
pub(crate) fn serves(kind: &str) -> bool {
    KINDS.iter().any(|own| own.eq_ignore_ascii_case(kind))
}

pub(crate) fn handle(azure: &Azure, path: &Path, request: &Request) -> Response {
    let child = path.kind.matches('/').count() > 1;
    if child && let Err(missing) = stored_parent(&azure.store(), path) {
        return missing;
    }
    if path.is_list() {
        let scope = if child { path.parent() } else { path.scope.clone() };
        return if request.method == "GET" { all(azure, &path.kind, &scope) } else { not_allowed(&request.method) };
    }
    let body = match stored(&azure.store(), path) {
        Ok(body) => body,
        Err(missing) => return missing,
    };
    match (request.method.as_str(), path.action.as_deref()) {
        ("GET", None) => Response::json(200, &body),
        ("POST", Some(action)) => keys(path, action, &body).map_or_else(|| not_allowed("POST"), |keys| Response::json(200, &keys)),
        _ => not_allowed(&request.method),
    }
}

/// These providers omit the next link if there is no further page.
pub(crate) fn all(azure: &Azure, kind: &str, scope: &str) -> Response {
    let store = azure.store();
    let value: Vec<&Value> = lists::under(&store, kind, scope).collect();
    Response::json(200, &json!({"value": value}))
}

/// Planted keys in each provider's format; tests check that they appear nowhere. Real keys are base64 and end in `=`,
/// which causes errors in URLs.
fn keys(path: &Path, action: &str, body: &Value) -> Option<Value> {
    let owner = if path.names.len() > 1 { path.names.first() } else { path.names.last() };
    let name = owner.map_or("", String::as_str);
    let key = |which: &str| format!("planted-key-value-{name}-{which}=");
    let both = || json!({"primaryKey": key("1"), "secondaryKey": key("2")});
    Some(match (path.kind.as_str(), action) {
        ("microsoft.appconfiguration/configurationstores", "listkeys") => json!({"value": configuration_keys(name, body)}),
        ("microsoft.search/searchservices", "listadminkeys") => both(),
        ("microsoft.search/searchservices", "listquerykeys") => json!({"value": [{"name": null, "key": key("query")}]}),
        ("microsoft.servicebus/namespaces/authorizationrules" | "microsoft.eventhub/namespaces/authorizationrules", "listkeys") => {
            let rule = path.name();
            let whole = |which: &str| {
                format!("Endpoint=sb://{name}.servicebus.windows.net/;SharedAccessKeyName={rule};SharedAccessKey={}", key(which))
            };
            json!({"primaryKey": key("1"), "secondaryKey": key("2"), "primaryConnectionString": whole("1"), "secondaryConnectionString": whole("2"), "keyName": rule})
        }
        ("microsoft.signalrservice/signalr" | "microsoft.signalrservice/webpubsub", "listkeys") => {
            let host = body["properties"]["hostName"].as_str().unwrap_or_default();
            let whole = |which: &str| format!("Endpoint=https://{host};AccessKey={};Version=1.0;", key(which));
            json!({"primaryKey": key("1"), "secondaryKey": key("2"), "primaryConnectionString": whole("1"), "secondaryConnectionString": whole("2")})
        }
        ("microsoft.cache/redis" | "microsoft.cache/redisenterprise/databases", "listkeys") => both(),
        ("microsoft.documentdb/databaseaccounts", "listkeys") => json!({
            "primaryMasterKey": key("1"), "secondaryMasterKey": key("2"), "primaryReadonlyMasterKey": key("read-1"), "secondaryReadonlyMasterKey": key("read-2"),
        }),
        ("microsoft.documentdb/databaseaccounts", "readonlykeys") => {
            json!({"primaryReadonlyMasterKey": key("read-1"), "secondaryReadonlyMasterKey": key("read-2")})
        }
        ("microsoft.documentdb/databaseaccounts", "listconnectionstrings") => {
            let endpoint = body["properties"]["documentEndpoint"].as_str().unwrap_or_default();
            let string = format!("AccountEndpoint={endpoint};AccountKey={};", key("1"));
            json!({"connectionStrings": [{"connectionString": string, "description": "Primary SQL Connection String", "keyKind": "Primary", "type": "Sql"}]})
        }
        _ => return None,
    })
}

/// Without local authentication there are no keys.
fn configuration_keys(name: &str, store: &Value) -> Vec<Value> {
    if store["properties"]["disableLocalAuth"] == true {
        return Vec::new();
    }
    [("Primary", "1", false), ("Secondary", "2", false), ("Primary Read Only", "read-1", true), ("Secondary Read Only", "read-2", true)]
        .into_iter()
        .map(|(title, which, read_only)| {
            let value = format!("planted-key-value-{name}-{which}=");
            let string = format!("Endpoint=https://{name}.azconfig.io;Id={which}-abcd;Secret={value}");
            json!({"id": format!("{which}-abcd"), "name": title, "value": value, "connectionString": string, "lastModified": "2025-03-01T09:00:00+00:00", "readOnly": read_only})
        })
        .collect()
}
