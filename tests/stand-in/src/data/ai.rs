//! Azure OpenAI and the other AI services: one account type with several kinds; tokens work only with a custom
//! subdomain.

use serde_json::{Value, json};

use crate::azure::{Azure, Store, lists};
use crate::data::{Network, network};
use crate::entra::{self, AI, Refusal};
use crate::http::{Request, Response};

const KIND: &str = "Microsoft.CognitiveServices/accounts";
/// Host for accounts without a subdomain; it accepts keys, never tokens.
pub(crate) const REGIONAL: &str = "westeurope.api.cognitive.microsoft.com";

/// The account of a host, if its kind is served under that domain.
pub(crate) fn account<'a>(store: &'a Store, host: &str) -> Option<&'a Value> {
    let (name, domain) = host.split_once('.')?;
    store.resources.values().map(|one| &one.body).find(|body| {
        let serves = match domain {
            "openai.azure.com" => body["kind"] == "OpenAI" || body["kind"] == "AIServices",
            "services.ai.azure.com" => body["kind"] == "AIServices",
            _ => true,
        };
        serves
            && body["type"].as_str().is_some_and(|is| is.eq_ignore_ascii_case(KIND))
            && body["properties"]["customSubDomainName"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(name))
    })
}

pub(crate) fn handle(azure: &Azure, request: &Request) -> Response {
    let found = account(&azure.store(), &request.host).cloned();
    let Some(account) = found else {
        // The region's shared host name can't tell to which account a token belongs.
        return error(400, "BadRequest", "Please provide a custom subdomain for token authentication, otherwise API key is required.");
    };
    serve(azure, request, &account).with("apim-request-id", uuid::Uuid::new_v4().to_string()).with("x-ms-region", "West Europe")
}

fn serve(azure: &Azure, request: &Request, account: &Value) -> Response {
    match network(&account["properties"]) {
        Network::Open => {}
        Network::Closed => return error(403, "403", "Public access is disabled. Please configure private endpoint."),
        Network::Filtered => return error(403, "403", "Access denied due to Virtual Network/Firewall rules."),
    }
    if request.bearer().is_none() {
        return error(401, "401", "Access denied due to missing subscription key or token.");
    }
    let caller = match entra::check(azure, request, AI) {
        Ok(caller) => caller,
        Err(Refusal::Tenant(_)) => {
            return error(
                400,
                "Tenant provided in token does not match resource token",
                "The token is of another tenant than the account.",
            );
        }
        Err(_) => {
            return error(
                401,
                "Unauthorized",
                "Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or has expired.",
            );
        }
    };
    let path = request.path.trim_end_matches('/');
    let kind = account["kind"].as_str().unwrap_or_default();
    let Some((part, needs_version)) = operation(kind, path) else {
        return error(404, "404", "Resource not found");
    };
    if request.method != "GET" {
        return error(405, "405", "The sandbox only reads on this plane.");
    }
    if needs_version && request.q("api-version").is_none() {
        return error(404, "404", "Resource not found");
    }
    let action = format!("Microsoft.CognitiveServices/accounts/{part}");
    let id = account["id"].as_str().unwrap_or_default();
    // Control-plane actions of a role don't count: an owner can't list models.
    let store = azure.store();
    if !azure.may_data_only(&store, &caller.oid, &action, id) {
        return error(
            401,
            "PermissionDenied",
            &format!("The principal `{}` lacks the required data action `{action}` to perform `GET {path}` operation.", caller.oid),
        );
    }
    let deployments: Vec<&Value> = lists::under(&store, "Microsoft.CognitiveServices/accounts/deployments", id).collect();
    match path {
        "/openai/deployments" => {
            let data: Vec<Value> = deployments
                .iter()
                .map(|one| json!({
                    "id": one["name"], "model": one["properties"]["model"]["name"], "owner": "organization-owner", "status": "succeeded",
                    "object": "deployment", "created_at": 1_740_000_000, "updated_at": 1_740_000_000, "scale_settings": {"scale_type": "standard"},
                }))
                .collect();
            Response::json(200, &json!({"data": data, "object": "list"}))
        }
        "/openai/models" | "/openai/v1/models" => Response::json(
            200,
            &json!({"data": [{
            "id": "gpt-4o-2024-11-20", "status": "succeeded", "object": "model", "lifecycle_status": "generally-available", "created_at": 1_732_000_000, "updated_at": 1_732_000_000,
            "capabilities": {"fine_tune": false, "inference": true, "completion": false, "chat_completion": true, "embeddings": false},
            "deprecation": {"inference": 1_790_000_000},
        }], "object": "list"}),
        ),
        "/vision/v3.2/models" | "/vision/v3.1/models" => Response::json(
            200,
            &json!({"models": [{"name": "celebrities", "categories": ["people_"]}, {"name": "landmarks", "categories": ["outdoor_", "building_"]}]}),
        ),
        _ => Response::json(200, &json!({"customDocumentModels": {"count": 0, "limit": 20000}})),
    }
}

/// The data action of a path, and whether the path requires an api-version.
fn operation(kind: &str, path: &str) -> Option<(&'static str, bool)> {
    let language_models = kind == "OpenAI" || kind == "AIServices";
    let several = kind == "CognitiveServices" || kind == "AIServices";
    Some(match path {
        "/openai/models" if language_models => ("OpenAI/models/read", true),
        "/openai/v1/models" if language_models => ("OpenAI/models/read", false),
        "/openai/deployments" if language_models => ("OpenAI/deployments/read", true),
        "/vision/v3.2/models" | "/vision/v3.1/models" if several || kind == "ComputerVision" => ("ComputerVision/models/read", false),
        "/formrecognizer/info" | "/documentintelligence/info" if several || kind == "FormRecognizer" => ("FormRecognizer/info/read", true),
        _ => return None,
    })
}

fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, &json!({"error": {"code": code, "message": message}}))
}
