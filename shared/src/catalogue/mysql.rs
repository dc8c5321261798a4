//! Azure Database for MySQL, flexible server.

use super::postgres::{DATABASE_SERVER, spring};
use super::{Ask, Auth, Client, PrivateLink, Row, Service, row, signed};

const PREFIX: &str = "AZURE_MYSQL";

pub(super) static SERVICE: Service = Service {
    name: "mysql-flexible",
    title: "Azure Database for MySQL",
    arm_type: "Microsoft.DBforMySQL/flexibleServers",
    api_version: "2024-12-30",
    prefixes: &[PREFIX],
    private_link: Ok(&[PrivateLink { group: "mysqlServer", zones: &["privatelink.mysql.database.azure.com"] }]),
    docs: "https://learn.microsoft.com/azure/mysql/flexible-server/how-to-azure-ad",
    rows: variables,
    texts: |server, cloud| {
        let own = server.text("/fullyQualifiedDomainName").map(str::to_owned);
        vec![("host", own.unwrap_or_else(|| format!("{}.{}", server.name(), cloud.suffix("mysql.database.azure.com"))))]
    },
    ..DATABASE_SERVER
};

fn variables(ask: &Ask<'_>) -> Vec<Row> {
    let (auth, secret) = (ask.auth, ask.auth == Auth::Secret);
    let named = |pairs: &[(&str, &str)]| -> Vec<Row> { pairs.iter().map(|(key, value)| row(format!("{PREFIX}_{key}"), *value)).collect() };
    let password = |text: &str| if secret { text.to_owned() } else { String::new() };
    let string = |value: String| vec![row(format!("{PREFIX}_CONNECTIONSTRING"), value)];
    let mut all = match ask.client {
        Client::SpringBoot => return spring(auth, "jdbc:mysql://<host>:3306/<database>?sslmode=required"),
        Client::Django | Client::Python => named(&[("NAME", "<database>"), ("HOST", "<host>"), ("USER", "<user>")]),
        Client::Nodejs => named(&[("HOST", "<host>"), ("USER", "<user>"), ("DATABASE", "<database>"), ("PORT", "3306"), ("SSL", "true")]),
        Client::Php => {
            named(&[("DBNAME", "<database>"), ("HOST", "<host>"), ("PORT", "3306"), ("FLAG", "MySQL_CLIENT_SSL"), ("USERNAME", "<user>")])
        }
        Client::Ruby => named(&[("DATABASE", "<database>"), ("HOST", "<host>"), ("USERNAME", "<user>"), ("SSLMODE", "required")]),
        Client::Dotnet | Client::DotnetInternal => string(format!(
            "Server=<host>;Database=<database>;Port=3306;User Id=<user>;{}SSL Mode=Required",
            password("Password=<password>;")
        )),
        Client::Java => {
            string(format!("jdbc:mysql://<host>:3306/<database>?sslmode=required&user=<user|url>{}", password("&password=<password|url>")))
        }
        Client::Go => string(format!("<user>{}@tcp(<host>:3306)/<database>?tls=true", password(":<password>"))),
        _ => named(&[("HOST", "<host>"), ("USERNAME", "<user>"), ("DATABASE", "<database>"), ("PORT", "3306"), ("SSL", "true")]),
    };
    if !secret {
        return signed(auth, PREFIX, all);
    }
    if !all.iter().any(|r| r.name.ends_with("_CONNECTIONSTRING")) {
        all.push(row("AZURE_MYSQL_PASSWORD", "<password>"));
    }
    all
}
