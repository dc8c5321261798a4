//! Built-in roles of services other than vaults, blobs and AI accounts.

use crate::azure::roles::{Role, role};

/// The roles with their permissions.
pub(crate) const ROLES: &[Role] = &[
    role(
        "19e7f393-937e-4f77-808e-94535e297925",
        "Storage Queue Data Reader",
        &["Microsoft.Storage/storageAccounts/queueServices/queues/read"],
        &["Microsoft.Storage/storageAccounts/queueServices/queues/messages/read"],
    ),
    role(
        "76199698-9eea-4c19-bc75-cec21354c6b6",
        "Storage Table Data Reader",
        &["Microsoft.Storage/storageAccounts/tableServices/tables/read"],
        &["Microsoft.Storage/storageAccounts/tableServices/tables/entities/read"],
    ),
    role(
        "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        "Storage Table Data Contributor",
        &[
            "Microsoft.Storage/storageAccounts/tableServices/tables/read",
            "Microsoft.Storage/storageAccounts/tableServices/tables/write",
            "Microsoft.Storage/storageAccounts/tableServices/tables/delete",
        ],
        &["Microsoft.Storage/storageAccounts/tableServices/tables/entities/*"],
    ),
    role(
        "516239f1-63e1-4d78-a4de-a74fb236a071",
        "App Configuration Data Reader",
        &[],
        &["Microsoft.AppConfiguration/configurationStores/*/read"],
    ),
    role(
        "5ae67dd6-50cb-40e7-96ff-dc2bfa4b606b",
        "App Configuration Data Owner",
        &[],
        &[
            "Microsoft.AppConfiguration/configurationStores/*/read",
            "Microsoft.AppConfiguration/configurationStores/*/write",
            "Microsoft.AppConfiguration/configurationStores/*/delete",
            "Microsoft.AppConfiguration/configurationStores/*/action",
        ],
    ),
    role(
        "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
        "Azure Service Bus Data Receiver",
        &["Microsoft.ServiceBus/*/queues/read", "Microsoft.ServiceBus/*/topics/read", "Microsoft.ServiceBus/*/topics/subscriptions/read"],
        &["Microsoft.ServiceBus/*/receive/action"],
    ),
    role(
        "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
        "Azure Service Bus Data Sender",
        &["Microsoft.ServiceBus/*/queues/read", "Microsoft.ServiceBus/*/topics/read", "Microsoft.ServiceBus/*/topics/subscriptions/read"],
        &["Microsoft.ServiceBus/*/send/action"],
    ),
    role("090c5cfd-751d-490a-894a-3ce6f1109419", "Azure Service Bus Data Owner", &["Microsoft.ServiceBus/*"], &["Microsoft.ServiceBus/*"]),
    role(
        "a638d3c7-ab3a-418d-83e6-5f17a39d4fde",
        "Azure Event Hubs Data Receiver",
        &["Microsoft.EventHub/*/eventhubs/consumergroups/read"],
        &["Microsoft.EventHub/*/receive/action"],
    ),
    role(
        "2b629674-e913-4c01-ae53-ef4638d8f975",
        "Azure Event Hubs Data Sender",
        &["Microsoft.EventHub/*/eventhubs/read"],
        &["Microsoft.EventHub/*/send/action"],
    ),
    role("f526a384-b230-433a-b45c-95f59c4a2dec", "Azure Event Hubs Data Owner", &["Microsoft.EventHub/*"], &["Microsoft.EventHub/*"]),
    role(
        "420fcaa2-552c-430f-98ca-3264be4806c7",
        "SignalR App Server",
        &[],
        &[
            "Microsoft.SignalRService/SignalR/auth/accessKey/action",
            "Microsoft.SignalRService/SignalR/serverConnection/write",
            "Microsoft.SignalRService/SignalR/clientConnection/write",
        ],
    ),
    role(
        "ddde6b66-c0df-4114-a159-3618637b3035",
        "SignalR REST API Reader",
        &[],
        &[
            "Microsoft.SignalRService/SignalR/group/read",
            "Microsoft.SignalRService/SignalR/clientConnection/read",
            "Microsoft.SignalRService/SignalR/user/read",
        ],
    ),
    role("7e4f1700-ea5a-4f59-8f37-079cfe29dce3", "SignalR Service Owner", &[], &["Microsoft.SignalRService/SignalR/*"]),
    role("12cf5a90-567b-43ae-8102-96cf46c7d9b4", "Web PubSub Service Owner", &[], &["Microsoft.SignalRService/WebPubSub/*"]),
    role("bfb1c7d2-fb1a-466b-b2ba-aee63b92deaf", "Web PubSub Service Reader", &[], &["Microsoft.SignalRService/WebPubSub/*/read"]),
    role(
        "1407120a-92aa-4202-b7e9-c0e197c71c8f",
        "Search Index Data Reader",
        &[],
        &["Microsoft.Search/searchServices/indexes/documents/read"],
    ),
    role(
        "8ebe5a00-799e-43f5-93ac-243d3dce84a7",
        "Search Index Data Contributor",
        &[],
        &["Microsoft.Search/searchServices/indexes/documents/*"],
    ),
    role(
        "7ca78c08-252a-4471-8644-bb5ff32d4ba0",
        "Search Service Contributor",
        &["Microsoft.Search/searchServices/*", "Microsoft.Authorization/*/read"],
        &[],
    ),
    role(
        "5bd9cd88-fe45-4216-938b-f97437e15450",
        "DocumentDB Account Contributor",
        &["Microsoft.DocumentDb/databaseAccounts/*", "Microsoft.Authorization/*/read"],
        &[],
    ),
];
