//! Partner services outside Azure Resource Manager: the user names the server and gives the secrets.

use super::postgres::{self, Shape};
use super::{Access, Auth, Client, DEFAULTS, Parameter, Row, SDKS, Service, Target, rows};

const DATABASE: Parameter = Parameter { name: "database", help: "Name of the database", default: "", child: "" };

/// Common base of the partner services.
const PARTNER: Service = Service {
    auths: &[Auth::Secret],
    default_access: Access::ReadWrite,
    private_link: Err("depends on the partner's network"),
    ungranted: "the partner manages access",
    ..DEFAULTS
};

/// Confluent Cloud. The variable names are those of the live service; the documentation has others.
pub(super) static CONFLUENT: Service = Service {
    name: "confluent-cloud",
    aliases: &["confluent"],
    title: "Apache Kafka on Confluent Cloud",
    noun: "bootstrap server",
    arm_type: "Outside.Azure/confluentCloud",
    clients: SDKS,
    parameters: &[
        Parameter { name: "kafka-key", help: "Name of the Kafka API key", default: "", child: "" },
        Parameter { name: "schema-registry", help: "URL of the schema registry", default: "", child: "" },
        Parameter { name: "schema-key", help: "Name of the schema registry's API key", default: "", child: "" },
    ],
    secrets: &["kafka-secret", "schema-secret"],
    prefixes: &["CONFLUENTCLOUD_KAFKA", "CONFLUENTCLOUD_SCHEMAREGISTRY"],
    docs: "https://learn.microsoft.com/azure/service-connector/how-to-integrate-confluent-kafka",
    rows: |ask| {
        const JAAS: &str =
            "org.apache.kafka.common.security.plain.PlainLoginModule required username='<kafka-key>' password='<kafka-secret>';";
        if ask.client == Client::SpringBoot {
            return rows(&[
                ("spring.kafka.properties.bootstrap.servers", "<server>"),
                ("spring.kafka.properties.sasl.jaas.config", JAAS),
                ("spring.kafka.properties.schema.registry.url", "<schema-registry>"),
                ("spring.kafka.properties.schema.registry.basic.auth.user.info", "<schema-key>:<schema-secret>"),
            ]);
        }
        rows(&[
            ("CONFLUENTCLOUD_KAFKA_BOOTSTRAPSERVER", "<server>"),
            ("CONFLUENTCLOUD_KAFKA_SASLUSERNAME", "<kafka-key>"),
            ("CONFLUENTCLOUD_KAFKA_SASLPASSWORD", "<kafka-secret>"),
            ("CONFLUENTCLOUD_SCHEMAREGISTRY_URL", "<schema-registry>"),
            ("CONFLUENTCLOUD_SCHEMAREGISTRY_USERINFO", "<schema-key>:<schema-secret>"),
        ])
    },
    texts: |target, _| vec![("server", server(target))],
    probe: |_, _| Err("Kafka does not use HTTP"),
    ..PARTNER
};

/// Neon Serverless Postgres.
pub(super) static NEON: Service = Service {
    name: "neon-postgres",
    aliases: &["neon"],
    title: "Neon Serverless Postgres",
    noun: "server",
    arm_type: "Outside.Azure/neonPostgres",
    clients: postgres::CLIENTS,
    parameters: &[DATABASE],
    secrets: &["password"],
    prefixes: &["NEON_POSTGRESQL"],
    docs: "https://learn.microsoft.com/azure/service-connector/how-to-integrate-neon-postgres",
    rows: |ask| postgres::rows_of(&Shape { prefix: "NEON_POSTGRESQL", auth: ask.auth, client: ask.client }),
    texts: |target, _| vec![("host", server(target))],
    probe: |_, _| Err("the database does not use HTTP"),
    ..PARTNER
};

/// MongoDB Atlas.
pub(super) static ATLAS: Service = Service {
    name: "mongodb-atlas",
    aliases: &["atlas"],
    title: "MongoDB Atlas",
    noun: "cluster",
    arm_type: "Outside.Azure/mongodbAtlas",
    clients: postgres::CLIENTS,
    secrets: &["password"],
    prefixes: &["MONGODBATLAS_CLUSTER"],
    docs: "https://learn.microsoft.com/azure/service-connector/how-to-integrate-mongodb-atlas",
    rows: atlas_rows,
    texts: |target, _| vec![("server", server(target))],
    probe: |_, _| Err("the database does not use HTTP"),
    ..PARTNER
};

/// Spring uses another property; the string for Java begins with the JDBC scheme.
fn atlas_rows(ask: &super::Ask<'_>) -> Vec<Row> {
    const URL: &str = "mongodb+srv://<user|url>:<password|url>@<server>/?retryWrites=true&w=majority&appName=Cluster0";
    match ask.client {
        Client::Java => vec![super::row("MONGODBATLAS_CLUSTER_CONNECTIONSTRING", format!("jdbc:{URL}"))],
        Client::SpringBoot => rows(&[("spring.data.mongodb.uri", URL)]),
        _ => rows(&[("MONGODBATLAS_CLUSTER_CONNECTIONSTRING", URL)]),
    }
}

/// The server, as the user named it.
fn server(target: &Target) -> String {
    target.name().to_owned()
}
