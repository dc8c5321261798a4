//! Key Vault's data plane. The order of checks matters: missing token, network, token, permissions.

use serde_json::{Value, json};

use crate::azure::{Azure, Store};
use crate::data::{Network, find, network, objects, secrets};
use crate::entra::{self, Caller, Refusal, VAULT};
use crate::http::{Request, Response, percent_decode};

const VERSIONS: &[&str] = &["7.4", "7.5", "7.6"];

pub(crate) fn handle(azure: &Azure, request: &Request) -> Response {
    let name = request.host.split('.').next().unwrap_or_default();
    let Some(vault) = find(&azure.store(), "Microsoft.KeyVault/vaults", "name", name).cloned() else {
        return Response::empty(502);
    };
    let answer = serve(azure, request, &vault);
    answer
        .with("x-ms-keyvault-region", "westeurope")
        .with("x-ms-request-id", uuid::Uuid::new_v4().to_string())
        .with("x-ms-keyvault-service-version", "1.9.2276.1")
}

fn serve(azure: &Azure, request: &Request, vault: &Value) -> Response {
    if request.bearer().is_none() {
        return challenge(azure, "AKV10000: Request is missing a Bearer or PoP token.");
    }
    match network(&vault["properties"]) {
        Network::Open => {}
        Network::Closed => {
            return forbidden(
                "ForbiddenByConnection",
                "Public network access is disabled and the request is not from a trusted service nor via an approved private link.",
            );
        }
        Network::Filtered => {
            return forbidden(
                "ForbiddenByFirewall",
                "Client address is not authorized and caller is not a trusted service. Client address: 203.0.113.7",
            );
        }
    }
    let caller = match entra::check(azure, request, VAULT) {
        Ok(caller) => caller,
        Err(Refusal::Tenant(tenant)) => return challenge(azure, &format!("AKV10032: Invalid issuer: the token is of tenant {tenant}.")),
        Err(Refusal::Audience(audience)) => return challenge(azure, &format!("AKV10022: Invalid audience: '{audience}'.")),
        Err(_) => return challenge(azure, "AKV10046: Unable to validate the token."),
    };
    match request.q("api-version") {
        Some(version) if VERSIONS.contains(&version) => {}
        Some(version) => return error(400, "BadParameter", &format!("The specified version ({version}) is not recognized.")),
        None => return error(400, "BadParameter", "api-version must be specified."),
    }
    let path = percent_decode(request.path.trim_matches('/'));
    let parts: Vec<&str> = path.split('/').collect();
    if request.method != "GET" {
        return secrets::write(azure, request, vault, &caller, &parts);
    }
    let (kind, right, verb) = match parts.as_slice() {
        ["secrets"] | ["secrets", _, "versions"] => ("secrets", "secrets/readMetadata/action", "list"),
        ["secrets", _] | ["secrets", _, _] => ("secrets", "secrets/getSecret/action", "get"),
        ["keys"] => ("keys", "keys/read", "list"),
        ["keys", _] | ["keys", _, _] => ("keys", "keys/read", "get"),
        ["certificates"] => ("certificates", "certificates/read", "list"),
        ["certificates", _] | ["certificates", _, _] => ("certificates", "certificates/read", "get"),
        _ => return error(404, "NotFound", "Nothing is served at this path."),
    };
    let store = azure.store();
    if let Some(refusal) = refuse(azure, &store, vault, &caller, (kind, parts.get(1).copied().unwrap_or_default()), (right, verb)) {
        return refusal;
    }
    let name = vault["name"].as_str().unwrap_or_default();
    match parts.as_slice() {
        [collection] => list(request, name, collection, &store.objects.names(name, collection)),
        [collection, object, ..] => match store.objects.get(name, collection, object).filter(|item| !item.deleted) {
            Some(item) => Response::json(200, &objects::bundle(name, collection, &object.to_ascii_lowercase(), item)),
            None => {
                let what = match *collection {
                    "keys" => "Key",
                    "certificates" => "Certificate",
                    _ => "Secret",
                };
                let said = format!("A {} with (name/id) {object} was not found in this key vault.", what.to_lowercase());
                error(404, &format!("{what}NotFound"), &said)
            }
        },
        [] => Response::empty(404),
    }
}

pub(super) fn attributes() -> Value {
    json!({"enabled": true, "created": 1_740_000_000, "updated": 1_740_000_000, "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90})
}

fn list(request: &Request, vault: &str, collection: &str, names: &[String]) -> Response {
    let most = match request.q("maxresults").map(str::parse::<usize>) {
        None => 25,
        Some(Ok(most)) if (1..=25).contains(&most) => most,
        Some(_) => return error(400, "BadParameter", "maxresults must be a number from 1 to 25."),
    };
    let start = request.q("$skiptoken").and_then(|token| token.parse::<usize>().ok()).unwrap_or(0);
    let host = format!("https://{vault}.vault.azure.net");
    let value: Vec<Value> = names
        .iter()
        .skip(start)
        .take(most)
        .map(|name| match collection {
            "secrets" => json!({"id": format!("{host}/secrets/{name}"), "contentType": "text/plain", "attributes": attributes(), "tags": {}}),
            "keys" => json!({"kid": format!("{host}/keys/{name}"), "attributes": attributes(), "tags": {}}),
            _ => json!({"id": format!("{host}/certificates/{name}"), "x5t": "fLi3U52HunIVNXubkEnf8tP6Wbo", "attributes": attributes(), "tags": {}}),
        })
        .collect();
    let end = start + value.len();
    let next = if end < names.len() {
        let version = request.q("api-version").unwrap_or_default();
        Value::from(format!("{host}/{collection}?api-version={version}&$skiptoken={end}&maxresults={most}"))
    } else {
        Value::Null
    };
    Response::json(200, &json!({"value": value, "nextLink": next}))
}

/// If the vault uses roles, only roles count, otherwise only access policies. Grants of the other kind are stored but
/// have no effect.
pub(super) fn refuse(
    azure: &Azure,
    store: &Store,
    vault: &Value,
    caller: &Caller,
    (kind, object): (&str, &str),
    (right, verb): (&str, &str),
) -> Option<Response> {
    let who = format!("appid={};oid={};iss=https://sts.windows.net/{}/", caller.app, caller.oid, azure.world.tenant);
    let id = vault["id"].as_str().unwrap_or_default();
    let properties = &vault["properties"];
    if properties["enableRbacAuthorization"] == true {
        let action = format!("Microsoft.KeyVault/vaults/{right}");
        // A role can be assigned on one object; its scope is below the vault's.
        let scope = if object.is_empty() { id.to_owned() } else { format!("{id}/{kind}/{object}") };
        let allowed = azure.may_data_only(store, &caller.oid, &action, &scope);
        return (!allowed).then(|| {
            forbidden("ForbiddenByRbac", &format!("Caller is not authorized to perform action on resource.\r\nIf role assignments were changed recently, wait for them to take effect.\r\nCaller: {who}\r\nAction: '{action}'\r\nResource: '{}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null\r\nVault: {};location=westeurope\r\n", id.to_lowercase(), vault["name"].as_str().unwrap_or_default()))
        });
    }
    let mut own = properties["accessPolicies"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|policy| policy["objectId"].as_str().is_some_and(|oid| oid.eq_ignore_ascii_case(&caller.oid)))
        .peekable();
    if own.peek().is_none() {
        return Some(forbidden("AccessDenied", &format!("Access denied. Caller was not found on any access policy. Caller: {who}")));
    }
    let granted = own.any(|policy| {
        policy["permissions"][kind]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|one| one.eq_ignore_ascii_case(verb) || one.eq_ignore_ascii_case("all"))
    });
    (!granted).then(|| {
        forbidden(
            "ForbiddenByPolicy",
            &format!("The user, group or application '{who}' does not have {kind} {verb} permission on this key vault."),
        )
    })
}

fn challenge(azure: &Azure, message: &str) -> Response {
    error(401, "Unauthorized", message).with(
        "www-authenticate",
        format!("Bearer authorization=\"https://login.microsoftonline.com/{}\", resource=\"https://vault.azure.net\"", azure.world.tenant),
    )
}

fn forbidden(inner: &str, message: &str) -> Response {
    Response::json(403, &json!({"error": {"code": "Forbidden", "message": message, "innererror": {"code": inner}}}))
}

pub(super) fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, &json!({"error": {"code": code, "message": message}}))
}
