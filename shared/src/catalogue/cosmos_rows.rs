//! Variables of Cosmos DB, by API. All APIs use the same family of names with different values.

use super::{Access, Ask, Auth, Client, Cloud, OwnKey, Row, Target, rows, signed, spring_signed};

/// The api-version in the documented URLs; clients use these URLs unchanged.
const CLIENTS_VERSION: &str = "2021-04-15";

/// The account's key; for read access the read-only key.
pub(super) fn keys(access: Access) -> &'static [OwnKey] {
    const READ: &[OwnKey] = &[OwnKey { word: "key", under: "", operation: "listKeys", field: "/primaryReadonlyMasterKey" }];
    const WRITE: &[OwnKey] = &[OwnKey { word: "key", under: "", operation: "listKeys", field: "/primaryMasterKey" }];
    if access == Access::Read { READ } else { WRITE }
}

/// Document endpoint: `https://account.documents.azure.com:443/`.
pub(super) fn endpoint(account: &Target, cloud: &Cloud) -> String {
    match account.text("/documentEndpoint") {
        Some(uri) => format!("{}/", uri.trim_end_matches('/')),
        None => format!("https://{}.{}:443/", account.name(), cloud.suffix("documents.azure.com")),
    }
}

pub(super) fn texts(account: &Target, cloud: &Cloud) -> Vec<(&'static str, String)> {
    let list = |operation: &str| format!("{}{}/{operation}?api-version={CLIENTS_VERSION}", cloud.resource_manager, account.id);
    // In every cloud the host suffixes of the APIs differ from `documents.azure.com` by the first label: `cosmos`.
    let suffix = cloud.suffix("documents.azure.com").replacen("documents.", "cosmos.", 1);
    let host = |api: &str| format!("{}.{api}.{suffix}", account.name());
    vec![
        ("account", account.name().to_owned()),
        ("endpoint", endpoint(account, cloud)),
        ("location", account.location.clone()),
        ("scope", cloud.arm_scope()),
        ("list-keys", list("listKeys")),
        ("list-connection-strings", list("listConnectionStrings")),
        ("mongo", host("mongo")),
        ("table-host", host("table")),
        ("gremlin", host("gremlin")),
        ("cassandra", host("cassandra")),
    ]
}

/// The rows with which a workload can fetch the keys itself.
fn fetched(auth: Auth, url: (&str, &str), more: &[(&str, &str)]) -> Vec<Row> {
    let mut all = rows(&[url, ("AZURE_COSMOS_SCOPE", "<scope>"), ("AZURE_COSMOS_RESOURCEENDPOINT", "<endpoint>")]);
    all.extend(rows(more));
    signed(auth, "AZURE_COSMOS", all)
}

const STRINGS: (&str, &str) = ("AZURE_COSMOS_LISTCONNECTIONSTRINGURL", "<list-connection-strings>");
const KEYS: (&str, &str) = ("AZURE_COSMOS_LISTKEYURL", "<list-keys>");

pub(super) fn sql(ask: &Ask<'_>) -> Vec<Row> {
    const SPRING: &str = "spring.cloud.azure.cosmos";
    match (ask.client, ask.auth) {
        (Client::SpringBoot, Auth::Secret) => rows(&[
            ("azure.cosmos.key", "<key>"),
            ("azure.cosmos.database", "<database>"),
            ("azure.cosmos.uri", "<endpoint>"),
            ("spring.cloud.azure.cosmos.key", "<key>"),
            ("spring.cloud.azure.cosmos.database", "<database>"),
            ("spring.cloud.azure.cosmos.endpoint", "<endpoint>"),
        ]),
        (Client::SpringBoot, auth) => {
            let plain = rows(&[("spring.cloud.azure.cosmos.database", "<database>"), ("spring.cloud.azure.cosmos.endpoint", "<endpoint>")]);
            spring_signed(auth, SPRING, plain)
        }
        (_, Auth::Secret) => rows(&[("AZURE_COSMOS_CONNECTIONSTRING", "AccountEndpoint=<endpoint>;AccountKey=<key>")]),
        (_, auth) => fetched(auth, STRINGS, &[]),
    }
}

pub(super) fn mongo(ask: &Ask<'_>) -> Vec<Row> {
    const URL: &str = "mongodb://<account>:<key|url>@<mongo>:10255/?ssl=true&replicaSet=globaldb&retrywrites=false&maxIdleTimeMS=120000&appName=@<account>@";
    match (ask.client, ask.auth) {
        (Client::SpringBoot, Auth::Secret) => rows(&[("spring.data.mongodb.database", "<database>"), ("spring.data.mongodb.uri", URL)]),
        (_, Auth::Secret) => rows(&[("AZURE_COSMOS_CONNECTIONSTRING", URL)]),
        (_, auth) => fetched(auth, STRINGS, &[]),
    }
}

pub(super) fn table(ask: &Ask<'_>) -> Vec<Row> {
    const STRING: &str = "DefaultEndpointsProtocol=https;AccountName=<account>;AccountKey=<key>;TableEndpoint=https://<table-host>:443/;";
    match ask.auth {
        Auth::Secret => rows(&[("AZURE_COSMOS_CONNECTIONSTRING", STRING)]),
        auth => fetched(auth, STRINGS, &[]),
    }
}

/// The documentation shows port 10350 for one way of authentication. Everywhere else, and in the live service, the
/// port is 443.
pub(super) fn gremlin(ask: &Ask<'_>) -> Vec<Row> {
    const PLACE: [(&str, &str); 3] =
        [("AZURE_COSMOS_HOSTNAME", "<gremlin>"), ("AZURE_COSMOS_PORT", "443"), ("AZURE_COSMOS_USERNAME", "/dbs/<database>/colls/<graph>")];
    match ask.auth {
        Auth::Secret => {
            let mut all = rows(&PLACE);
            all.extend(rows(&[("AZURE_COSMOS_PASSWORD", "<key>")]));
            all
        }
        auth => fetched(auth, KEYS, &PLACE),
    }
}

pub(super) fn cassandra(ask: &Ask<'_>) -> Vec<Row> {
    const PLACE: [(&str, &str); 4] = [
        ("AZURE_COSMOS_CONTACTPOINT", "<cassandra>"),
        ("AZURE_COSMOS_PORT", "10350"),
        ("AZURE_COSMOS_KEYSPACE", "<key-space>"),
        ("AZURE_COSMOS_USERNAME", "<account>"),
    ];
    match (ask.client, ask.auth) {
        (Client::SpringBoot, Auth::Secret) => rows(&[
            ("spring.data.cassandra.contact_points", "<cassandra>"),
            ("spring.data.cassandra.port", "10350"),
            ("spring.data.cassandra.keyspace_name", "<key-space>"),
            ("spring.data.cassandra.username", "<account>"),
            ("spring.data.cassandra.password", "<key>"),
            ("spring.data.cassandra.local_datacenter", "<location>"),
            ("spring.data.cassandra.ssl", "true"),
        ]),
        (_, Auth::Secret) => {
            let mut all = rows(&PLACE);
            all.extend(rows(&[("AZURE_COSMOS_PASSWORD", "<key>")]));
            all
        }
        (_, auth) => fetched(auth, KEYS, &PLACE),
    }
}
