//! Service Bus and Event Hubs. Both use namespaces with the same form of host name and the same operation for keys.

use super::{
    Access, Ask, Auth, Client, Cloud, DEFAULTS, OwnKey, PrivateLink, Probe, Refusal, Row, SDKS, Scope, Service, Target, keys_are_off, role,
    rows, signed,
};

/// Common base of both kinds of namespace.
const NAMESPACE: Service = Service {
    noun: "namespace",
    api_version: "2024-01-01",
    auths: &[Auth::WorkloadIdentity, Auth::Secret, Auth::ServicePrincipal],
    keys,
    default_access: Access::ReadWrite,
    private_link: Ok(&[PrivateLink { group: "namespace", zones: &["privatelink.servicebus.windows.net"] }]),
    texts,
    ..DEFAULTS
};

/// Service Bus.
pub(super) static SERVICE_BUS: Service = Service {
    name: "servicebus",
    aliases: &["service-bus", "sb"],
    title: "Service Bus",
    arm_type: "Microsoft.ServiceBus/namespaces",
    clients: SDKS,
    scopes: &[Scope { word: "queue", path: "queues" }, Scope { word: "topic", path: "topics" }],
    prefixes: &["AZURE_SERVICEBUS"],
    docs: "https://learn.microsoft.com/azure/service-bus-messaging/service-bus-managed-service-identity",
    grants: |_, access| {
        let receiver = || role("Azure Service Bus Data Receiver", "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0");
        match access {
            Access::Read => vec![receiver()],
            Access::ReadWrite => vec![receiver(), role("Azure Service Bus Data Sender", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39")],
            Access::Admin => vec![role("Azure Service Bus Data Owner", "090c5cfd-751d-490a-894a-3ce6f1109419")],
        }
    },
    refusal: |target, auth| refusal(target, auth, "servicebus"),
    rows: bus_rows,
    probe: |target, cloud| Ok(probe(target, cloud, "https://servicebus.azure.net/.default", "list the namespace's queues", "Queues")),
    ..NAMESPACE
};

/// Event Hubs.
pub(super) static EVENT_HUBS: Service = Service {
    name: "eventhub",
    aliases: &["event-hubs", "eventhubs", "event-hub"],
    title: "Event Hubs",
    arm_type: "Microsoft.EventHub/namespaces",
    clients: &[
        Client::None,
        Client::Dotnet,
        Client::DotnetInternal,
        Client::Java,
        Client::SpringBoot,
        Client::KafkaSpringBoot,
        Client::Nodejs,
        Client::Python,
        Client::Go,
    ],
    scopes: &[Scope { word: "hub", path: "eventhubs" }],
    prefixes: &["AZURE_EVENTHUB"],
    docs: "https://learn.microsoft.com/azure/event-hubs/authenticate-managed-identity",
    grants: |_, access| {
        let receiver = || role("Azure Event Hubs Data Receiver", "a638d3c7-ab3a-418d-83e6-5f17a39d4fde");
        match access {
            Access::Read => vec![receiver()],
            Access::ReadWrite => vec![receiver(), role("Azure Event Hubs Data Sender", "2b629674-e913-4c01-ae53-ef4638d8f975")],
            Access::Admin => vec![role("Azure Event Hubs Data Owner", "f526a384-b230-433a-b45c-95f59c4a2dec")],
        }
    },
    refusal: |target, auth| refusal(target, auth, "eventhubs"),
    rows: hub_rows,
    probe: |target, cloud| Ok(probe(target, cloud, "https://eventhubs.azure.net/.default", "list the namespace's hubs", "EventHubs")),
    ..NAMESPACE
};

/// Azure creates this rule with every namespace; Service Connector uses it too.
fn keys(_: Access) -> &'static [OwnKey] {
    const KEYS: &[OwnKey] =
        &[OwnKey { word: "key", under: "authorizationRules/RootManageSharedAccessKey", operation: "listKeys", field: "/primaryKey" }];
    KEYS
}

fn refusal(namespace: &Target, auth: Auth, group: &str) -> Option<Refusal> {
    let off = namespace.flag("/disableLocalAuth") == Some(true);
    let (name, resource_group) = (namespace.name(), namespace.id.resource_group());
    let fix = format!("az {group} namespace update --name {name} --resource-group {resource_group} --disable-local-auth false");
    keys_are_off(namespace, auth, off, fix)
}

/// The host name from the endpoint that the namespace reports: `https://name.servicebus.windows.net:443/`.
fn host(namespace: &Target, cloud: &Cloud) -> String {
    let given = namespace.text("/serviceBusEndpoint").and_then(|url| url.strip_prefix("https://")?.split([':', '/']).next());
    given.map_or_else(|| format!("{}.{}", namespace.name(), cloud.suffix("servicebus.windows.net")), str::to_owned)
}

fn texts(namespace: &Target, cloud: &Cloud) -> Vec<(&'static str, String)> {
    vec![("host", host(namespace, cloud))]
}

const CONNECTION_STRING: &str = "Endpoint=sb://<host>/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=<key>";

/// For Spring the documentation swaps the descriptions of tenant and secret; its variable names are right.
fn bus_rows(ask: &Ask<'_>) -> Vec<Row> {
    match (ask.client, ask.auth) {
        (Client::SpringBoot, Auth::Secret) => rows(&[("spring.cloud.azure.servicebus.connection-string", CONNECTION_STRING)]),
        (Client::SpringBoot, auth) => {
            let mut all = rows(&[("spring.cloud.azure.servicebus.namespace", "<host>"), ("spring.cloud.azure.client-id", "<client-id>")]);
            if auth == Auth::ServicePrincipal {
                all.extend(rows(&[
                    ("spring.cloud.azure.tenant-id", "<tenant-id>"),
                    ("spring.cloud.azure.client-secret", "<client-secret>"),
                ]));
            }
            all
        }
        (_, Auth::Secret) => rows(&[("AZURE_SERVICEBUS_CONNECTIONSTRING", CONNECTION_STRING)]),
        (_, auth) => signed(auth, "AZURE_SERVICEBUS", rows(&[("AZURE_SERVICEBUS_FULLYQUALIFIEDNAMESPACE", "<host>")])),
    }
}

fn hub_rows(ask: &Ask<'_>) -> Vec<Row> {
    let principal = ask.auth == Auth::ServicePrincipal;
    match (ask.client, ask.auth) {
        (Client::KafkaSpringBoot, Auth::Secret) => rows(&[("spring.cloud.azure.eventhubs.connection-string", CONNECTION_STRING)]),
        (Client::KafkaSpringBoot, _) => {
            let mut all = rows(&[
                ("spring.kafka.bootstrap-servers", "<host>"),
                ("spring.kafka.properties.azure.credential.client-id", "<client-id>"),
            ]);
            all.extend(if principal {
                rows(&[
                    ("spring.kafka.properties.azure.credential.client-secret", "<client-secret>"),
                    ("spring.kafka.properties.azure.profile.tenant-id", "<tenant-id>"),
                ])
            } else {
                rows(&[("spring.kafka.properties.azure.credential.managed-identity-enabled", "true")])
            });
            all
        }
        (Client::SpringBoot, Auth::Secret) => rows(&[
            ("spring.cloud.azure.storage.connection-string", CONNECTION_STRING),
            ("spring.cloud.azure.eventhubs.connection-string", CONNECTION_STRING),
        ]),
        (Client::SpringBoot, _) => {
            let mut all = rows(&[
                ("spring.cloud.azure.eventhub.namespace", "<host>"),
                ("spring.cloud.azure.client-id", "<client-id>"),
                ("spring.cloud.azure.eventhubs.namespace", "<host>"),
                ("spring.cloud.azure.eventhubs.credential.client-id", "<client-id>"),
            ]);
            all.extend(if principal {
                rows(&[
                    ("spring.cloud.azure.tenant-id", "<tenant-id>"),
                    ("spring.cloud.azure.client-secret", "<client-secret>"),
                    ("spring.cloud.azure.eventhubs.credential.client-secret", "<client-secret>"),
                    ("spring.cloud.azure.eventhubs.profile.tenant-id", "<tenant-id>"),
                ])
            } else {
                rows(&[("spring.cloud.azure.eventhubs.credential.managed-identity-enabled", "true")])
            });
            all
        }
        (_, Auth::Secret) => rows(&[("AZURE_EVENTHUB_CONNECTIONSTRING", CONNECTION_STRING)]),
        (_, auth) => signed(auth, "AZURE_EVENTHUB", rows(&[("AZURE_EVENTHUB_FULLYQUALIFIEDNAMESPACE", "<host>")])),
    }
}

/// Lists entities on the data plane. Roles for sending and receiving don't include this call, so a refusal proves
/// nothing.
fn probe(namespace: &Target, cloud: &Cloud, scope: &str, what: &'static str, entities: &str) -> Probe {
    let url = format!("https://{}/$Resources/{entities}?$top=1&api-version=2017-04", host(namespace, cloud));
    Probe { scope: scope.into(), what, url, headers: &[], decisive: false, cosmos: false }
}
