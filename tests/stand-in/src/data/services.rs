//! The data planes of the other services: each answers the one read that proves access, if the caller's roles allow
//! it.

use serde_json::{Value, json};

use crate::azure::{Azure, Store, data_roles};
use crate::data::{Network, find, network};
use crate::entra::{self, Caller, Refusal};
use crate::http::{Request, Response, percent_decode};

/// One data plane.
struct Plane {
    domain: &'static str,
    /// ARM type of the resources with names there.
    kind: &'static str,
    audiences: &'static [&'static str],
    /// Path of the read, with a query if that distinguishes it from others.
    path: &'static str,
    right: Right,
    answer: fn(&str) -> Response,
    refuse: fn(u16, &str, &str) -> Response,
    /// Version parameter that a request must have.
    needs: Needs,
}

/// Permission that the read needs.
enum Right {
    /// None: no token is needed.
    Open,
    /// Control-plane or data action: these services accept control-plane reads for lists.
    Action(&'static str),
    /// Data action only.
    Data(&'static str),
    /// Role of the account's own data plane.
    Cosmos(&'static str),
}

/// How the protocol version is given.
enum Needs {
    Query,
    Header(&'static str),
    Nothing,
}

const PLANES: &[Plane] = &[
    Plane {
        domain: "azconfig.io",
        kind: "Microsoft.AppConfiguration/configurationStores",
        audiences: &["https://azconfig.io"],
        path: "/keys",
        right: Right::Data("Microsoft.AppConfiguration/configurationStores/keyValues/read"),
        answer: |_| Response::json(200, &json!({"items": [{"name": "shop:color"}]})),
        refuse: |status, _, message| {
            let body = json!({"type": "https://azconfig.io/errors/authorization", "title": message, "status": status, "detail": ""});
            Response::json(status, &body).with("content-type", "application/problem+json; charset=utf-8")
        },
        needs: Needs::Query,
    },
    Plane {
        domain: "queue.core.windows.net",
        kind: STORAGE,
        audiences: entra::STORAGE,
        path: "/?comp=list",
        right: Right::Action("Microsoft.Storage/storageAccounts/queueServices/queues/read"),
        answer: |name| {
            xml(
                200,
                &format!(
                    "<EnumerationResults ServiceEndpoint=\"https://{name}.queue.core.windows.net/\"><Queues><Queue><Name>orders</Name></Queue></Queues><NextMarker /></EnumerationResults>"
                ),
            )
        },
        refuse: |status, code, message| {
            xml(status, &format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>")).with("x-ms-error-code", code)
        },
        needs: Needs::Header("x-ms-version"),
    },
    Plane {
        domain: "table.core.windows.net",
        kind: STORAGE,
        audiences: entra::STORAGE,
        path: "/Tables",
        right: Right::Action("Microsoft.Storage/storageAccounts/tableServices/tables/read"),
        answer: |_| Response::json(200, &json!({"value": [{"TableName": "carts"}]})),
        refuse: |status, code, message| {
            Response::json(status, &json!({"odata.error": {"code": code, "message": {"lang": "en-US", "value": message}}}))
        },
        needs: Needs::Header("x-ms-version"),
    },
    Plane {
        domain: "servicebus.windows.net",
        kind: "Microsoft.ServiceBus/namespaces",
        audiences: &["https://servicebus.azure.net"],
        path: "/$Resources/Queues",
        right: Right::Action("Microsoft.ServiceBus/namespaces/queues/read"),
        answer: |_| feed("Queues"),
        refuse: detail,
        needs: Needs::Query,
    },
    Plane {
        domain: "servicebus.windows.net",
        kind: "Microsoft.EventHub/namespaces",
        audiences: &["https://eventhubs.azure.net", "https://servicebus.azure.net"],
        path: "/$Resources/EventHubs",
        right: Right::Action("Microsoft.EventHub/namespaces/eventhubs/read"),
        answer: |_| feed("EventHubs"),
        refuse: detail,
        needs: Needs::Query,
    },
    Plane {
        domain: "search.windows.net",
        kind: "Microsoft.Search/searchServices",
        audiences: &["https://search.azure.com"],
        path: "/indexes",
        right: Right::Action("Microsoft.Search/searchServices/indexes/read"),
        answer: |name| {
            Response::json(
                200,
                &json!({"@odata.context": format!("https://{name}.search.windows.net/$metadata#indexes"), "value": [{"name": "products"}]}),
            )
        },
        // The service answers with only a status.
        refuse: |status, _, _| Response::empty(status),
        needs: Needs::Query,
    },
    Plane {
        domain: "service.signalr.net",
        kind: "Microsoft.SignalRService/SignalR",
        audiences: &["https://signalr.azure.com"],
        path: "/api/v1/health",
        right: Right::Open,
        answer: |_| Response::empty(200),
        refuse: |status, _, _| Response::empty(status),
        needs: Needs::Nothing,
    },
    Plane {
        domain: "webpubsub.azure.com",
        kind: "Microsoft.SignalRService/WebPubSub",
        audiences: &["https://webpubsub.azure.com"],
        path: "/api/health",
        right: Right::Open,
        answer: |_| Response::empty(200),
        refuse: |status, _, _| Response::empty(status),
        needs: Needs::Query,
    },
    Plane {
        domain: "documents.azure.com",
        kind: "Microsoft.DocumentDB/databaseAccounts",
        // The audience is the account itself.
        audiences: &[],
        path: "/",
        right: Right::Cosmos("Microsoft.DocumentDB/databaseAccounts/readMetadata"),
        answer: |name| {
            Response::json(
                200,
                &json!({"_self": "", "id": name, "_rid": format!("{name}.documents.azure.com"), "media": "//media/", "_dbs": "//dbs/"}),
            )
        },
        refuse: |status, code, message| {
            Response::json(status, &json!({"code": code, "message": message})).with("x-ms-activity-id", uuid::Uuid::new_v4().to_string())
        },
        needs: Needs::Header("x-ms-version"),
    },
];

const STORAGE: &str = "Microsoft.Storage/storageAccounts";

/// Whether a host belongs to an existing resource.
pub(crate) fn serves(store: &Store, host: &str) -> bool {
    found(store, host).is_some()
}

fn found<'a>(store: &'a Store, host: &str) -> Option<(&'static Plane, &'a Value)> {
    let (name, domain) = host.split_once('.')?;
    PLANES.iter().filter(|plane| plane.domain == domain).find_map(|plane| Some((plane, find(store, plane.kind, "name", name)?)))
}

pub(crate) fn handle(azure: &Azure, request: &Request) -> Response {
    let (plane, body) = match found(&azure.store(), &request.host) {
        Some((plane, body)) => (plane, body.clone()),
        None => return Response::empty(502),
    };
    let name = body["name"].as_str().unwrap_or_default();
    let (path, query) = plane.path.split_once('?').unwrap_or((plane.path, ""));
    let same = percent_decode(&request.path) == path
        && query.split_once('=').is_none_or(|(key, value)| request.q(key).is_some_and(|sent| sent == value));
    if request.method != "GET" || !same {
        return (plane.refuse)(404, "ResourceNotFound", "The sandbox knows one read on this plane.");
    }
    if network(&body["properties"]) != Network::Open {
        return (plane.refuse)(403, "AuthorizationFailure", "This request is not authorized to perform this operation.");
    }
    let versioned = match plane.needs {
        Needs::Query => request.q("api-version").is_some(),
        Needs::Header(header) => request.header(header).is_some(),
        Needs::Nothing => true,
    };
    if !versioned {
        return (plane.refuse)(400, "MissingRequiredHeader", "The version of the protocol is missing.");
    }
    let action = match &plane.right {
        Right::Open => return (plane.answer)(name),
        Right::Action(action) | Right::Data(action) | Right::Cosmos(action) => *action,
    };
    let caller = match caller(azure, plane, name, request) {
        Ok(caller) => caller,
        Err(why) => return (plane.refuse)(401, "Unauthorized", &format!("The token is not taken: {why:?}.")),
    };
    let (store, id) = (azure.store(), body["id"].as_str().unwrap_or_default());
    let allowed = match plane.right {
        Right::Open => true,
        Right::Action(_) => azure.may_data(&store, &caller.oid, action, id),
        Right::Data(_) => azure.may_data_only(&store, &caller.oid, action, id),
        Right::Cosmos(_) => data_roles::cosmos_allows(azure, &store, id, &caller.oid, action),
    };
    if allowed {
        return (plane.answer)(name);
    }
    // Namespaces refuse with 401 where the others use 403.
    let status = if plane.domain == "servicebus.windows.net" { 401 } else { 403 };
    (plane.refuse)(
        status,
        "Forbidden",
        &format!(
            "Request blocked by Auth {name}: principal [{}] does not have required RBAC permissions to perform action [{action}].",
            caller.oid
        ),
    )
}

/// The caller. Cosmos DB has its own format for the token, with URL escapes.
fn caller(azure: &Azure, plane: &Plane, name: &str, request: &Request) -> Result<Caller, Refusal> {
    if !matches!(plane.right, Right::Cosmos(_)) {
        return entra::check(azure, request, plane.audiences);
    }
    let header = request.header("authorization").map(percent_decode).unwrap_or_default();
    let token = header.strip_prefix("type=aad&ver=1.0&sig=").ok_or(Refusal::Missing)?;
    if request.header("x-ms-date").is_none_or(|date| !date.ends_with(" GMT")) {
        return Err(Refusal::Invalid("x-ms-date is missing".into()));
    }
    let own = format!("https://{name}.documents.azure.com");
    let again = Request { headers: vec![("authorization".into(), format!("Bearer {token}"))], ..Request::default() };
    entra::check(azure, &again, &[own.as_str()])
}

fn xml(status: u16, body: &str) -> Response {
    Response::text(status, &format!("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>{body}")).with("content-type", "application/xml")
}

fn feed(title: &str) -> Response {
    xml(200, &format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title type=\"text\">{title}</title></feed>"))
}

fn detail(status: u16, _: &str, message: &str) -> Response {
    xml(status, &format!("<Error><Code>{status}</Code><Detail>{message}</Detail></Error>"))
}
