//! Azure Cache for Redis and Azure Managed Redis. An identity gets access by an access policy of the cache, not by an
//! Azure role.

use super::{
    Access, Ask, Auth, Client, Cloud, DEFAULTS, Grant, OwnKey, Parameter, PrivateLink, Probe, Refusal, Row, SDKS, Service, Target,
    keys_are_off, rows, signed,
};

/// Azure Cache for Redis.
pub(super) static REDIS: Service = Service {
    name: "redis",
    aliases: &["cache"],
    title: "Azure Cache for Redis",
    noun: "cache",
    arm_type: "Microsoft.Cache/redis",
    api_version: "2024-11-01",
    auths: &[Auth::WorkloadIdentity, Auth::Secret, Auth::ServicePrincipal],
    clients: SDKS,
    parameters: &[Parameter { name: "database", help: "Number of the database", default: "0", child: "databases" }],
    keys: |_| &[OwnKey { word: "key", under: "", operation: "listKeys", field: "/primaryKey" }],
    prefixes: &["AZURE_REDIS"],
    default_access: Access::ReadWrite,
    private_link: Ok(&[PrivateLink { group: "redisCache", zones: &["privatelink.redis.cache.windows.net"] }]),
    docs: "https://learn.microsoft.com/azure/azure-cache-for-redis/cache-azure-active-directory-for-authentication",
    grants: |_, access| {
        // Built-in policies of the cache (product documentation, configure role-based access control with data access policy).
        let policy = match access {
            Access::Read => "Data Reader",
            Access::ReadWrite => "Data Contributor",
            Access::Admin => "Data Owner",
        };
        vec![Grant::RedisPolicy { policy: policy.into() }]
    },
    refusal,
    rows: variables,
    texts: |cache, cloud| {
        let host =
            cache.text("/hostName").map_or_else(|| format!("{}.{}", cache.name(), cloud.suffix("redis.cache.windows.net")), str::to_owned);
        let port = cache.properties["sslPort"].as_u64().unwrap_or(6380).to_string();
        vec![("host", host), ("port", port)]
    },
    probe: no_probe,
    ..DEFAULTS
};

/// Azure Managed Redis and Redis Enterprise: keys only, as in Service Connector.
pub(super) static ENTERPRISE: Service = Service {
    name: "redis-enterprise",
    aliases: &["managed-redis"],
    title: "Azure Managed Redis",
    noun: "cluster",
    arm_type: "Microsoft.Cache/redisEnterprise",
    api_version: "2025-04-01",
    auths: &[Auth::Secret],
    clients: SDKS,
    parameters: &[Parameter { name: "database", help: "Number of the database", default: "0", child: "" }],
    // The only database of a cluster is called `default`.
    keys: |_| &[OwnKey { word: "key", under: "databases/default", operation: "listKeys", field: "/primaryKey" }],
    prefixes: &["AZURE_REDIS"],
    default_access: Access::ReadWrite,
    private_link: Ok(&[PrivateLink { group: "redisEnterprise", zones: &["privatelink.redisenterprise.cache.azure.net"] }]),
    docs: "https://learn.microsoft.com/azure/service-connector/how-to-integrate-redis-cache",
    ungranted: "the database's key gives access",
    rows: variables,
    texts: |cluster, _| {
        let host =
            cluster.text("/hostName").map_or_else(|| format!("{}.{}.redis.azure.net", cluster.name(), cluster.location), str::to_owned);
        vec![("host", host), ("port", "10000".into())]
    },
    probe: no_probe,
    ..DEFAULTS
};

fn no_probe(_: &Target, _: &Cloud) -> Result<Probe, &'static str> {
    Err("Redis does not use HTTP")
}

/// Azure returns this setting as a text, in varying case.
fn refusal(cache: &Target, auth: Auth) -> Option<Refusal> {
    if auth == Auth::Secret {
        let off = cache.flag("/disableAccessKeyAuthentication") == Some(true);
        let fix = format!("az redis update --ids {} --set disableAccessKeyAuthentication=false", cache.id);
        return keys_are_off(cache, auth, off, fix);
    }
    let on = cache.text("/redisConfiguration/aad-enabled").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    (!on).then(|| Refusal {
        code: "KC1606",
        what: format!("Microsoft Entra authentication is off in cache `{}`", cache.name()),
        why: "without it the cache accepts only keys, and access policies have no effect",
        fix: format!("az redis update --ids {} --set redisConfiguration.aad-enabled=true", cache.id),
    })
}

fn variables(ask: &Ask<'_>) -> Vec<Row> {
    match (ask.auth, ask.client) {
        (Auth::Secret, Client::Dotnet | Client::DotnetInternal) => {
            rows(&[("AZURE_REDIS_CONNECTIONSTRING", "<host>:<port>,password=<key>,ssl=True,defaultDatabase=<database>")])
        }
        (Auth::Secret, Client::None) => rows(&[
            ("AZURE_REDIS_HOST", "<host>"),
            ("AZURE_REDIS_PORT", "<port>"),
            ("AZURE_REDIS_DATABASE", "<database>"),
            ("AZURE_REDIS_PASSWORD", "<key>"),
            ("AZURE_REDIS_SSL", "true"),
        ]),
        (Auth::Secret, Client::SpringBoot) => rows(&[
            ("spring.redis.host", "<host>"),
            ("spring.redis.port", "<port>"),
            ("spring.redis.database", "<database>"),
            ("spring.redis.password", "<key>"),
            ("spring.redis.ssl", "true"),
        ]),
        // Keys are base64. An unescaped `/` would end the host part of the URL.
        (Auth::Secret, _) => rows(&[("AZURE_REDIS_CONNECTIONSTRING", "rediss://:<key|url>@<host>:<port>/<database>")]),
        (auth, _) => signed(auth, "AZURE_REDIS", rows(&[("AZURE_REDIS_HOST", "<host>")])),
    }
}
