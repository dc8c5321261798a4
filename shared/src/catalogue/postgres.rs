//! Azure Database for PostgreSQL, flexible server, and the variables that Neon shares with it.

use super::{Access, Auth, Client, DEFAULTS, Parameter, PrivateLink, Row, Service, row, signed};

/// Every client type except Kafka's.
pub(super) const CLIENTS: &[Client] = &[
    Client::None,
    Client::Dotnet,
    Client::DotnetInternal,
    Client::Java,
    Client::SpringBoot,
    Client::Nodejs,
    Client::Python,
    Client::Django,
    Client::Go,
    Client::Php,
    Client::Ruby,
];

/// Why databases have no grants in the catalogue.
const USER: &str = "an administrator creates a database user";

/// Common base of Azure's database servers.
pub(super) const DATABASE_SERVER: Service = Service {
    noun: "server",
    auths: &[Auth::WorkloadIdentity, Auth::Secret, Auth::ServicePrincipal],
    clients: CLIENTS,
    parameters: &[Parameter { name: "database", help: "Name of the database", default: "", child: "databases" }],
    secrets: &["password"],
    default_access: Access::ReadWrite,
    ungranted: USER,
    probe: |_, _| Err("the database does not use HTTP"),
    ..DEFAULTS
};

pub(super) static SERVICE: Service = Service {
    name: "postgres-flexible",
    aliases: &["postgresql-flexible", "pg"],
    title: "Azure Database for PostgreSQL",
    arm_type: "Microsoft.DBforPostgreSQL/flexibleServers",
    api_version: "2024-08-01",
    prefixes: &["AZURE_POSTGRESQL"],
    private_link: Ok(&[PrivateLink { group: "postgresqlServer", zones: &["privatelink.postgres.database.azure.com"] }]),
    docs: "https://learn.microsoft.com/azure/postgresql/flexible-server/how-to-connect-with-managed-identity",
    rows: |ask| rows_of(&Shape { prefix: "AZURE_POSTGRESQL", auth: ask.auth, client: ask.client }),
    texts: |server, cloud| {
        let own = server.text("/fullyQualifiedDomainName").map(str::to_owned);
        vec![("host", own.unwrap_or_else(|| format!("{}.{}", server.name(), cloud.suffix("postgres.database.azure.com"))))]
    },
    ..DATABASE_SERVER
};

/// Inputs that decide the rows.
pub(super) struct Shape {
    /// Prefix of the names.
    pub(super) prefix: &'static str,
    /// Way of authentication.
    pub(super) auth: Auth,
    /// Client type.
    pub(super) client: Client,
}

/// The documented strings. The documented .NET string has no password, although it is the only variable for .NET; the
/// password is added in Npgsql's syntax, since a client could not use it otherwise.
pub(super) fn rows_of(shape: &Shape) -> Vec<Row> {
    let Shape { prefix, auth, client } = *shape;
    let secret = auth == Auth::Secret;
    let named = |pairs: &[(&str, &str)]| -> Vec<Row> { pairs.iter().map(|(key, value)| row(format!("{prefix}_{key}"), *value)).collect() };
    if client == Client::SpringBoot {
        return spring(auth, "jdbc:postgresql://<host>:5432/<database>?sslmode=require");
    }
    let password = |text: &str| if secret { text.to_owned() } else { String::new() };
    let string = |value: String| vec![row(format!("{prefix}_CONNECTIONSTRING"), value)];
    let mut all = match client {
        Client::Django => named(&[("NAME", "<database>"), ("HOST", "<host>"), ("USER", "<user>")]),
        Client::Nodejs => named(&[("HOST", "<host>"), ("USER", "<user>"), ("DATABASE", "<database>"), ("PORT", "5432"), ("SSL", "true")]),
        Client::Dotnet | Client::DotnetInternal => string(format!(
            "Server=<host>;Database=<database>;Port=5432;Ssl Mode=Require;User Id=<user>;{}",
            password("Password=<password>;")
        )),
        Client::Java => string(format!(
            "jdbc:postgresql://<host>:5432/<database>?sslmode=require&user=<user|url>{}",
            password("&password=<password|url>")
        )),
        Client::Go => string(format!("host=<host> dbname=<database> sslmode=require user=<user>{}", password(" password=<password>"))),
        Client::Python => {
            string(format!("dbname=<database> host=<host> port=5432 sslmode=require user=<user>{}", password(" password=<password>")))
        }
        Client::Php | Client::Ruby => {
            string(format!("host=<host> port=5432 dbname=<database> sslmode=require user=<user>{}", password(" password=<password>")))
        }
        _ => named(&[("HOST", "<host>"), ("USERNAME", "<user>"), ("DATABASE", "<database>"), ("PORT", "5432"), ("SSL", "true")]),
    };
    if !secret {
        return signed(auth, prefix, all);
    }
    if !all.iter().any(|r| r.name.ends_with("_CONNECTIONSTRING")) {
        all.push(row(format!("{prefix}_PASSWORD"), "<password>"));
    }
    all
}

/// Spring's properties for both open-source databases.
pub(super) fn spring(auth: Auth, url: &str) -> Vec<Row> {
    let mut all = vec![row("spring.datasource.url", url), row("spring.datasource.username", "<user>")];
    if auth == Auth::Secret {
        all.push(row("spring.datasource.password", "<password>"));
        return all;
    }
    all.push(row("spring.datasource.azure.passwordless-enabled", "true"));
    all.push(row("spring.cloud.azure.credential.client-id", "<client-id>"));
    if auth == Auth::ServicePrincipal {
        all.push(row("spring.cloud.azure.credential.client-secret", "<client-secret>"));
        all.push(row("spring.cloud.azure.credential.tenant-id", "<tenant-id>"));
    } else {
        all.push(row("spring.cloud.azure.credential.client-managed-identity-enabled", "true"));
    }
    all
}
