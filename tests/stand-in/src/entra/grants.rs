//! Grants of other clients: a service principal's secret, a device code, a refresh token.
//!
//! Codes and refresh tokens are signed by the sandbox and contain their data, so no state is needed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::azure::Azure;
use crate::entra::{MANY, audience, is_tenant, refuse, sign, user_token};
use crate::http::{Request, Response, parse_pairs};
use crate::keys::verify_jwt;

/// Scopes that name no resource but request additional contents of the token.
const EXTRAS: &[&str] = &["openid", "profile", "email", "offline_access"];
const DEVICE: &str = "sandbox:device-code";
const REFRESH: &str = "sandbox:refresh-token";
/// Seconds until the user has typed the code; before that the answer says that the sign-in is pending.
const TYPING: u64 = 1;
const CODE_LIFE: u64 = 900;

type Field<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// `POST …/devicecode`: returns the codes for client and user. The sandbox simulates the user's sign-in.
pub(super) fn device_code(azure: &Azure, tenant: &str, request: &Request) -> Response {
    let form = parse_pairs(&String::from_utf8_lossy(&request.body));
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if let Some(refusal) = refuse_tenant(azure, tenant) {
        return refusal;
    }
    let (Some(client), Some(scope)) = (field("client_id"), field("scope")) else {
        return refuse(azure, 400, "invalid_request", 900_144, "client_id and scope are required.");
    };
    if let Err(refusal) = resource(azure, scope) {
        return refusal;
    }
    let code = note(azure, DEVICE, json!({"client": client, "scope": scope}));
    let page = "https://login.microsoft.com/device";
    Response::json(
        200,
        &json!({
            "user_code": "SANDBOX99", "device_code": code, "verification_uri": page, "expires_in": CODE_LIFE, "interval": TYPING,
            "message": format!("To sign in, use a web browser to open the page {page} and enter the code SANDBOX99 to authenticate."),
        }),
    )
}

/// A token for a device code, after the user has signed in.
pub(super) fn by_device_code<'a>(azure: &Azure, tenant: &str, field: &Field<'a>) -> Response {
    if let Some(refusal) = refuse_tenant(azure, tenant) {
        return refusal;
    }
    let Some(kept) = field("device_code").and_then(|code| read(azure, DEVICE, code)) else {
        return refuse(azure, 400, "invalid_grant", 70000, "The provided device code is not valid.");
    };
    let since = azure.control.epoch().saturating_sub(kept["iat"].as_u64().unwrap_or(0));
    if field("client_id") != kept["client"].as_str() {
        return refuse(azure, 400, "invalid_grant", 700_005, "The provided device code is intended for use by another client.");
    }
    if since < TYPING {
        return refuse(azure, 400, "authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending.");
    }
    if since > CODE_LIFE {
        return refuse(azure, 400, "expired_token", 70020, "The device code has expired.");
    }
    let scope = kept["scope"].as_str().unwrap_or_default();
    for_user(azure, field("client_id").unwrap_or_default(), scope)
}

/// A token for another resource, or a newer one, for a user who is already signed in.
pub(super) fn by_refresh_token<'a>(azure: &Azure, tenant: &str, field: &Field<'a>) -> Response {
    if let Some(refusal) = refuse_tenant(azure, tenant) {
        return refusal;
    }
    let Some(kept) = field("refresh_token").and_then(|token| read(azure, REFRESH, token)) else {
        return refuse(azure, 400, "invalid_grant", 9_002_313, "Invalid request. Request is malformed or invalid.");
    };
    if field("client_id") != kept["client"].as_str() {
        return refuse(azure, 400, "invalid_grant", 700_005, "The provided refresh token is intended for use by another client.");
    }
    for_user(azure, field("client_id").unwrap_or_default(), field("scope").unwrap_or_default())
}

/// A token for an application with its secret.
pub(super) fn by_secret<'a>(azure: &Azure, field: &Field<'a>) -> Response {
    let (Some(client), Some(secret), Some(scope)) = (field("client_id"), field("client_secret"), field("scope")) else {
        return refuse(azure, 401, "invalid_client", 7_000_216, "client_assertion or client_secret is required.");
    };
    let Some(own) = azure.world.applications.iter().find(|one| one.client_id.eq_ignore_ascii_case(client)) else {
        let text = format!("Application with identifier '{client}' was not found in the directory.");
        return refuse(azure, 400, "unauthorized_client", 700_016, &text);
    };
    if secret != own.secret {
        return refuse(azure, 401, "invalid_client", 7_000_215, "Invalid client secret provided.");
    }
    if !scope.ends_with("/.default") {
        return refuse(azure, 400, "invalid_scope", 1_002_012, &format!("The provided value for scope {scope} is not valid."));
    }
    let (_, audience) = match resource(azure, scope) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let claims = json!({"appid": own.client_id, "appidacr": "1", "idtyp": "app", "oid": own.object_id, "sub": own.object_id});
    let (token, exp) = sign(azure, &azure.world.tenant, &audience, claims);
    let left = exp.saturating_sub(azure.control.epoch());
    Response::json(200, &json!({"token_type": "Bearer", "expires_in": left, "ext_expires_in": left, "access_token": token}))
}

fn refuse_tenant(azure: &Azure, tenant: &str) -> Option<Response> {
    let known = MANY.contains(&tenant) || is_tenant(azure, tenant);
    (!known).then(|| refuse(azure, 400, "invalid_request", 90002, &format!("Tenant '{tenant}' not found.")))
}

/// The one resource in a list of scopes: as requested, and as the token's audience.
fn resource<'a>(azure: &Azure, scope: &'a str) -> Result<(&'a str, String), Response> {
    let mut wanted = scope.split_ascii_whitespace().filter(|word| !EXTRAS.contains(word));
    let (Some(one), None) = (wanted.next(), wanted.next()) else {
        return Err(refuse(azure, 400, "invalid_scope", 70011, &format!("The provided value for scope {scope} is not valid.")));
    };
    match audience(one) {
        Some(found) => Ok((one, found)),
        None => {
            let text = format!("The resource principal named {one} was not found in the tenant named Contoso.");
            Err(refuse(azure, 400, "invalid_resource", 500_011, &text))
        }
    }
}

/// The answer with a user's tokens.
fn for_user(azure: &Azure, client: &str, scope: &str) -> Response {
    let (asked, audience) = match resource(azure, scope) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let (tenant, user) = (&azure.world.tenant, &azure.world.user);
    let (token, exp) = user_token(azure, tenant, &audience);
    let left = exp.saturating_sub(azure.control.epoch());
    let mut body = json!({
        "token_type": "Bearer", "scope": format!("{audience}/user_impersonation {asked}"),
        "expires_in": left, "ext_expires_in": left, "access_token": token,
    });
    let has = |word: &str| scope.split_ascii_whitespace().any(|one| one == word);
    if has("offline_access") {
        body["refresh_token"] = note(azure, REFRESH, json!({"client": client})).into();
        body["foci"] = "1".into();
    }
    if has("openid") {
        let (own, name) = (&user.object_id, &user.name);
        let (id, _) = sign(
            azure,
            tenant,
            client,
            json!({
                "iss": format!("https://login.microsoftonline.com/{tenant}/v2.0"), "ver": "2.0",
                "name": name, "preferred_username": name, "oid": own, "sub": own,
            }),
        );
        body["id_token"] = id.into();
    }
    body["client_info"] = URL_SAFE_NO_PAD.encode(json!({"uid": user.object_id, "utid": tenant}).to_string()).into();
    Response::json(200, &body).with("cache-control", "no-store, no-cache")
}

fn note(azure: &Azure, kind: &str, content: Value) -> String {
    let mut all = json!({"aud": kind, "iat": azure.control.epoch()});
    if let (Some(all), Value::Object(own)) = (all.as_object_mut(), content) {
        all.extend(own);
    }
    azure.key.sign_jwt(&all)
}

fn read(azure: &Azure, kind: &str, text: &str) -> Option<Value> {
    verify_jwt(&azure.key.jwks(), text).ok().filter(|claims| claims["aud"] == kind)
}
