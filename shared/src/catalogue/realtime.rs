//! SignalR and Web PubSub. Both have data roles. The management role that Service Connector assigns for Web PubSub
//! does not allow connections, and would let the workload reconfigure the service.

use super::{Access, Auth, Client, DEFAULTS, OwnKey, PrivateLink, Probe, Refusal, Service, Target, keys_are_off, role, rows, signed};

/// Common base of both services.
const REALTIME: Service = Service {
    api_version: "2024-03-01",
    auths: &[Auth::WorkloadIdentity, Auth::Secret, Auth::ServicePrincipal],
    keys,
    default_access: Access::ReadWrite,
    ..DEFAULTS
};

/// SignalR. Client libraries read one connection string, which includes the client id of the identity.
pub(super) static SIGNALR: Service = Service {
    name: "signalr",
    title: "SignalR Service",
    noun: "SignalR service",
    arm_type: "Microsoft.SignalRService/signalR",
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal],
    prefixes: &["AZURE_SIGNALR"],
    private_link: Ok(&[PrivateLink { group: "signalr", zones: &["privatelink.service.signalr.net"] }]),
    docs: "https://learn.microsoft.com/azure/azure-signalr/signalr-concept-authorize-azure-active-directory",
    grants: |_, access| {
        vec![match access {
            Access::Read => role("SignalR REST API Reader", "ddde6b66-c0df-4114-a159-3618637b3035"),
            Access::ReadWrite => role("SignalR App Server", "420fcaa2-552c-430f-98ca-3264be4806c7"),
            Access::Admin => role("SignalR Service Owner", "7e4f1700-ea5a-4f59-8f37-079cfe29dce3"),
        }]
    },
    refusal: |target, auth| refusal(target, auth, "signalr"),
    rows: |ask| {
        let value = match ask.auth {
            Auth::Secret => "Endpoint=https://<host>;AccessKey=<key>;Version=1.0;",
            Auth::ServicePrincipal => {
                "Endpoint=https://<host>;AuthType=aad;ClientId=<client-id>;ClientSecret=<client-secret>;TenantId=<tenant-id>;Version=1.0;"
            }
            // The documentation writes `client-id=`. The live service writes `ClientId=`, and the library reads that.
            Auth::WorkloadIdentity | Auth::Csi => "Endpoint=https://<host>;AuthType=aad;ClientId=<client-id>;Version=1.0;",
        };
        rows(&[("AZURE_SIGNALR_CONNECTIONSTRING", value)])
    },
    texts: |target, _| vec![("host", host(target, "service.signalr.net"))],
    probe: |target, _| {
        let url = format!("https://{}/api/v1/health", host(target, "service.signalr.net"));
        let scope = "https://signalr.azure.com/.default".into();
        Ok(Probe { scope, what: "read the service's health", url, headers: &[], decisive: false, cosmos: false })
    },
    ..REALTIME
};

/// Web PubSub.
pub(super) static WEB_PUBSUB: Service = Service {
    name: "webpubsub",
    aliases: &["web-pubsub", "pubsub"],
    title: "Web PubSub",
    noun: "Web PubSub service",
    arm_type: "Microsoft.SignalRService/webPubSub",
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::Nodejs, Client::Python],
    prefixes: &["AZURE_WEBPUBSUB"],
    private_link: Ok(&[PrivateLink { group: "webpubsub", zones: &["privatelink.webpubsub.azure.com"] }]),
    docs: "https://learn.microsoft.com/azure/azure-web-pubsub/concept-azure-ad-authorization",
    grants: |_, access| {
        vec![match access {
            Access::Read => role("Web PubSub Service Reader", "bfb1c7d2-fb1a-466b-b2ba-aee63b92deaf"),
            Access::ReadWrite | Access::Admin => role("Web PubSub Service Owner", "12cf5a90-567b-43ae-8102-96cf46c7d9b4"),
        }]
    },
    refusal: |target, auth| refusal(target, auth, "webpubsub"),
    rows: |ask| match ask.auth {
        Auth::Secret => rows(&[("AZURE_WEBPUBSUB_CONNECTIONSTRING", "Endpoint=https://<host>;AccessKey=<key>;Version=1.0;")]),
        auth => signed(auth, "AZURE_WEBPUBSUB", rows(&[("AZURE_WEBPUBSUB_HOST", "<host>")])),
    },
    texts: |target, _| vec![("host", host(target, "webpubsub.azure.com"))],
    probe: |target, _| {
        let url = format!("https://{}/api/health?api-version=2023-07-01", host(target, "webpubsub.azure.com"));
        let scope = "https://webpubsub.azure.com/.default".into();
        Ok(Probe { scope, what: "read the service's health", url, headers: &[], decisive: false, cosmos: false })
    },
    ..REALTIME
};

fn keys(_: Access) -> &'static [OwnKey] {
    const KEYS: &[OwnKey] = &[OwnKey { word: "key", under: "", operation: "listKeys", field: "/primaryKey" }];
    KEYS
}

fn refusal(target: &Target, auth: Auth, group: &str) -> Option<Refusal> {
    let off = target.flag("/disableLocalAuth") == Some(true);
    let fix = format!("az resource update --ids {} --set properties.disableLocalAuth=false (`az {group} show` shows it)", target.id);
    keys_are_off(target, auth, off, fix)
}

fn host(target: &Target, suffix: &str) -> String {
    target.text("/hostName").map_or_else(|| format!("{}.{suffix}", target.name()), str::to_owned)
}
