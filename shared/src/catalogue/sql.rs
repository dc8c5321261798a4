//! Azure SQL Database and SQL database in Fabric. SQL drivers read the way of signing in from the connection string.
//!
//! The documented values for managed identities select modes that ask the node's metadata service, where a pod would
//! get the node's identity. With workload identity, the drivers' default-credential modes find the pod's identity. So
//! this file writes those modes under the documented variable names.

use super::postgres::DATABASE_SERVER;
use super::{Access, Ask, Auth, Client, DEFAULTS, Parameter, PrivateLink, Row, Service, rows};

/// Azure SQL Database.
pub(super) static SERVICE: Service = Service {
    name: "sql",
    aliases: &["azure-sql"],
    title: "Azure SQL Database",
    arm_type: "Microsoft.Sql/servers",
    api_version: "2023-08-01",
    prefixes: &["AZURE_SQL"],
    private_link: Ok(&[PrivateLink { group: "sqlServer", zones: &["privatelink.database.windows.net"] }]),
    docs: "https://learn.microsoft.com/azure/azure-sql/database/authentication-azure-ad-user-assigned-managed-identity",
    rows: |ask| match ask.auth {
        Auth::Secret => password_rows(ask),
        Auth::ServicePrincipal => principal_rows(ask),
        Auth::WorkloadIdentity | Auth::Csi => identity_rows(ask),
    },
    texts: |server, cloud| {
        let own = server.text("/fullyQualifiedDomainName").map(str::to_owned);
        vec![("host", own.unwrap_or_else(|| format!("{}.{}", server.name(), cloud.suffix("database.windows.net"))))]
    },
    ..DATABASE_SERVER
};

/// SQL database in Microsoft Fabric. az supports it for other sources than AKS, with the same variable.
pub(super) static FABRIC: Service = Service {
    name: "fabric-sql",
    aliases: &["fabric"],
    title: "SQL database in Fabric",
    noun: "server",
    arm_type: "Outside.Azure/fabricSql",
    api_version: "",
    auths: &[Auth::WorkloadIdentity],
    clients: &[
        Client::None,
        Client::Dotnet,
        Client::DotnetInternal,
        Client::Java,
        Client::SpringBoot,
        Client::Python,
        Client::Nodejs,
        Client::Go,
        Client::Php,
    ],
    parameters: &[Parameter { name: "database", help: "Name of the database", default: "", child: "" }],
    prefixes: &["FABRIC_SQL"],
    default_access: Access::ReadWrite,
    private_link: Err("Fabric has its own private links, for tenants and workspaces"),
    docs: "https://learn.microsoft.com/azure/service-connector/how-to-integrate-fabric-sql",
    ungranted: "the database is shared with the identity in the Fabric portal",
    rows: |ask| {
        let value = match ask.client {
            Client::Java | Client::SpringBoot => {
                "jdbc:sqlserver://<host>:1433;databaseName=<database>;authentication=ActiveDirectoryDefault;"
            }
            _ => "Server=tcp:<host>,1433;Database=<database>;Authentication=Active Directory Default;User ID=<client-id>",
        };
        rows(&[("FABRIC_SQL_CONNECTIONSTRING", value)])
    },
    texts: |target, _| vec![("host", target.name().to_owned())],
    probe: |_, _| Err("the database does not use HTTP"),
    ..DEFAULTS
};

fn password_rows(ask: &Ask<'_>) -> Vec<Row> {
    match ask.client {
        Client::Dotnet | Client::DotnetInternal => {
            rows(&[("AZURE_SQL_CONNECTIONSTRING", "Data Source=<host>,1433;Initial Catalog=<database>;User ID=<user>;Password=<password>")])
        }
        Client::Java => {
            rows(&[("AZURE_SQL_CONNECTIONSTRING", "jdbc:sqlserver://<host>:1433;databaseName=<database>;user=<user>;password=<password>;")])
        }
        Client::Go => {
            rows(&[("AZURE_SQL_CONNECTIONSTRING", "server=<host>;port=1433;database=<database>;user id=<user>;password=<password>;")])
        }
        Client::SpringBoot => rows(&[
            ("spring.datasource.url", "jdbc:sqlserver://<host>:1433;databaseName=<database>;"),
            ("spring.datasource.username", "<user>"),
            ("spring.datasource.password", "<password>"),
        ]),
        Client::Php => rows(&[
            ("AZURE_SQL_SERVERNAME", "<host>,1433"),
            ("AZURE_SQL_DATABASE", "<database>"),
            ("AZURE_SQL_UID", "<user>"),
            ("AZURE_SQL_PASSWORD", "<password>"),
        ]),
        client => {
            let (server, database, user) = keys_for(client);
            rows(&[
                (server, "<host>"),
                ("AZURE_SQL_PORT", "1433"),
                (database, "<database>"),
                (user, "<user>"),
                ("AZURE_SQL_PASSWORD", "<password>"),
            ])
        }
    }
}

/// Names of the variables for server, database and user, which differ by language.
fn keys_for(client: Client) -> (&'static str, &'static str, &'static str) {
    match client {
        Client::Django => ("AZURE_SQL_HOST", "AZURE_SQL_NAME", "AZURE_SQL_USER"),
        Client::Nodejs => ("AZURE_SQL_SERVER", "AZURE_SQL_DATABASE", "AZURE_SQL_USERNAME"),
        Client::Python => ("AZURE_SQL_SERVER", "AZURE_SQL_DATABASE", "AZURE_SQL_USER"),
        _ => ("AZURE_SQL_HOST", "AZURE_SQL_DATABASE", "AZURE_SQL_USERNAME"),
    }
}

fn principal_rows(ask: &Ask<'_>) -> Vec<Row> {
    match ask.client {
        Client::Dotnet | Client::DotnetInternal => rows(&[
            ("AZURE_SQL_CLIENTID", "<client-id>"),
            ("AZURE_SQL_CLIENTSECRET", "<client-secret>"),
            ("AZURE_SQL_TENANTID", "<tenant-id>"),
            (
                "AZURE_SQL_CONNECTIONSTRING",
                "Data Source=<host>,1433;Initial Catalog=<database>;User ID=<client-id>;Password=<client-secret>;Authentication=ActiveDirectoryServicePrincipal",
            ),
        ]),
        Client::Java => rows(&[(
            "AZURE_SQL_CONNECTIONSTRING",
            "jdbc:sqlserver://<host>:1433;databaseName=<database>;user=<client-id>;password=<client-secret>;authentication=ActiveDirectoryServicePrincipal;",
        )]),
        Client::Go => rows(&[(
            "AZURE_SQL_CONNECTIONSTRING",
            "server=<host>;port=1433;database=<database>;user id=<client-id>;password=<client-secret>;fedauth=ActiveDirectoryServicePrincipal;",
        )]),
        Client::SpringBoot => rows(&[
            (
                "spring.datasource.url",
                "jdbc:sqlserver://<host>:1433;databaseName=<database>;authentication=ActiveDirectoryServicePrincipal;",
            ),
            ("spring.datasource.username", "<client-id>"),
            ("spring.datasource.password", "<client-secret>"),
        ]),
        Client::Nodejs => rows(&[
            ("AZURE_SQL_SERVER", "<host>"),
            ("AZURE_SQL_PORT", "1433"),
            ("AZURE_SQL_DATABASE", "<database>"),
            ("AZURE_SQL_AUTHENTICATIONTYPE", "azure-active-directory-default"),
            ("AZURE_SQL_CLIENTID", "<client-id>"),
            ("AZURE_SQL_CLIENTSECRET", "<client-secret>"),
            ("AZURE_SQL_TENANTID", "<tenant-id>"),
        ]),
        Client::Python => rows(&[
            ("AZURE_SQL_SERVER", "<host>"),
            ("AZURE_SQL_PORT", "1433"),
            ("AZURE_SQL_DATABASE", "<database>"),
            ("AZURE_SQL_USER", "<client-id>"),
            // The driver's value. The documentation writes `ServerPrincipal`, which no driver accepts.
            ("AZURE_SQL_AUTHENTICATION", "ActiveDirectoryServicePrincipal"),
            ("AZURE_SQL_PASSWORD", "<client-secret>"),
        ]),
        _ => rows(&[
            ("AZURE_SQL_HOST", "<host>"),
            ("AZURE_SQL_PORT", "1433"),
            ("AZURE_SQL_DATABASE", "<database>"),
            ("AZURE_SQL_AUTHENTICATION", "azure-active-directory-default"),
            ("AZURE_SQL_USERNAME", "<client-id>"),
            ("AZURE_SQL_PASSWORD", "<client-secret>"),
        ]),
    }
}

fn identity_rows(ask: &Ask<'_>) -> Vec<Row> {
    match ask.client {
        Client::Dotnet | Client::DotnetInternal => rows(&[(
            "AZURE_SQL_CONNECTIONSTRING",
            "Data Source=<host>,1433;Initial Catalog=<database>;User ID=<client-id>;Authentication=Active Directory Default",
        )]),
        Client::Java => rows(&[(
            "AZURE_SQL_CONNECTIONSTRING",
            "jdbc:sqlserver://<host>:1433;databaseName=<database>;user=<client-id>;authentication=ActiveDirectoryDefault;",
        )]),
        Client::Go => rows(&[(
            "AZURE_SQL_CONNECTIONSTRING",
            "server=<host>;port=1433;database=<database>;user id=<client-id>;fedauth=ActiveDirectoryDefault;",
        )]),
        Client::SpringBoot => rows(&[(
            "spring.datasource.url",
            "jdbc:sqlserver://<host>:1433;databaseName=<database>;user=<client-id>;authentication=ActiveDirectoryDefault;",
        )]),
        Client::Nodejs => rows(&[
            ("AZURE_SQL_SERVER", "<host>"),
            ("AZURE_SQL_PORT", "1433"),
            ("AZURE_SQL_DATABASE", "<database>"),
            ("AZURE_SQL_AUTHENTICATIONTYPE", "azure-active-directory-default"),
            ("AZURE_SQL_CLIENTID", "<client-id>"),
        ]),
        Client::Python => rows(&[
            ("AZURE_SQL_SERVER", "<host>"),
            ("AZURE_SQL_PORT", "1433"),
            ("AZURE_SQL_DATABASE", "<database>"),
            ("AZURE_SQL_USER", "<object-id>"),
            ("AZURE_SQL_AUTHENTICATION", "ActiveDirectoryDefault"),
        ]),
        _ => rows(&[
            ("AZURE_SQL_HOST", "<host>"),
            ("AZURE_SQL_PORT", "1433"),
            ("AZURE_SQL_DATABASE", "<database>"),
            ("AZURE_SQL_AUTHENTICATION", "azure-active-directory-default"),
            ("AZURE_SQL_USERNAME", "<client-id>"),
        ]),
    }
}
