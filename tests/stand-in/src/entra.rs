//! The directory: checks tokens, and issues them.
//!
//! [`token`] distinguishes the grants; a further kind of sign-in is a further arm there. The exchange of a cluster's
//! token is in this file. What other clients need to sign in is in [`grants`] and [`discovery`].

use serde_json::{Value, json};

use crate::azure::Azure;
use crate::azure::errors::gateway;
use crate::azure::lists::under;
use crate::http::{Request, Response, parse_pairs};
use crate::keys::{peek_claims, verify_jwt};

mod discovery;
mod grants;
pub(crate) mod people;

/// Names that mean the user's own tenant, whichever that is.
const MANY: &[&str] = &["common", "organizations"];
/// Application id of the Azure CLI.
const AZ_CLIENT: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
/// ARM accepts tokens for either of its names.
pub(crate) const ARM: &[&str] = &["https://management.azure.com", "https://management.core.windows.net"];
pub(crate) const VAULT: &[&str] = &["https://vault.azure.net"];
pub(crate) const STORAGE: &[&str] = &["https://storage.azure.com"];
pub(crate) const AI: &[&str] = &["https://cognitiveservices.azure.com", "https://ai.azure.com"];

/// Resources for which tokens are issued; the last one is the server application of clusters with Entra sign-in.
const RESOURCES: &[&str] = &[
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://vault.azure.net",
    "https://storage.azure.com",
    "https://cognitiveservices.azure.com",
    "https://ai.azure.com",
    "https://azconfig.io",
    "https://eventhubs.azure.net",
    "https://search.azure.com",
    "https://servicebus.azure.net",
    "https://signalr.azure.com",
    "https://webpubsub.azure.com",
    "https://graph.microsoft.com",
    "https://ossrdbms-aad.database.windows.net",
    "https://database.windows.net",
    "6dae42f8-4368-4678-94ff-3960e28e3630",
];

/// The principal of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) oid: String,
    pub(crate) app: String,
    pub(crate) name: String,
}

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Missing,
    Invalid(String),
    Audience(String),
    Expired { at: u64 },
    Tenant(String),
}

/// Checks a request's token for one of these audiences.
pub(crate) fn check(azure: &Azure, request: &Request, audiences: &[&str]) -> Result<Caller, Refusal> {
    let token = request.bearer().ok_or(Refusal::Missing)?;
    let claims = verify_jwt(&azure.key.jwks(), token).map_err(Refusal::Invalid)?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let audience = text("aud");
    if !audiences.contains(&audience.trim_end_matches('/')) {
        return Err(Refusal::Audience(audience));
    }
    let at = claims["exp"].as_u64().unwrap_or(0);
    if at <= azure.control.epoch() {
        return Err(Refusal::Expired { at });
    }
    if text("tid") != azure.world.tenant {
        return Err(Refusal::Tenant(text("tid")));
    }
    let name = claims["upn"].as_str().or(claims["appid"].as_str()).unwrap_or_default().to_owned();
    Ok(Caller { oid: text("oid"), app: text("appid"), name })
}

/// Checks a token as ARM does, with ARM's answers.
pub(crate) fn check_arm(azure: &Azure, request: &Request) -> Result<Caller, Response> {
    let tenant = &azure.world.tenant;
    check(azure, request, ARM).map_err(|refusal| {
        let (code, message) = match refusal {
            Refusal::Missing => ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.".to_owned()),
            Refusal::Invalid(why) => ("InvalidAuthenticationToken", format!("The access token is invalid: {why}.")),
            Refusal::Audience(audience) => ("InvalidAuthenticationTokenAudience", format!("The access token is for the audience '{audience}', not for '{}'.", ARM.join("' or '"))),
            Refusal::Expired { at } => (
                "ExpiredAuthenticationToken",
                format!("The access token expiry UTC time '{at}' is earlier than current UTC time '{}'.", azure.timestamp()),
            ),
            Refusal::Tenant(other) => (
                "InvalidAuthenticationTokenTenant",
                format!("The access token is from the wrong issuer 'https://sts.windows.net/{other}/'. It must match the tenant 'https://sts.windows.net/{tenant}/' associated with this subscription."),
            ),
        };
        gateway(401, code, &message).with(
            "www-authenticate",
            format!("Bearer authorization_uri=\"https://login.microsoftonline.com/{tenant}\", error=\"invalid_token\", error_description=\"{code}\""),
        )
    })
}

/// The audience of a scope or resource, if tokens are issued for it.
pub(crate) fn audience(scope: &str) -> Option<String> {
    let resource = scope.strip_suffix("/.default").unwrap_or(scope);
    let name = resource.trim_end_matches('/');
    // Cosmos DB has one audience per account.
    let account = name.starts_with("https://") && name.ends_with(".documents.azure.com");
    (account || RESOURCES.contains(&name)).then(|| resource.to_owned())
}

/// A token for the signed-in user.
pub(crate) fn user_token(azure: &Azure, tenant: &str, audience: &str) -> (String, u64) {
    let user = &azure.world.user;
    let claims = json!({"appid": AZ_CLIENT, "oid": user.object_id, "upn": user.name, "unique_name": user.name, "idtyp": "user", "sub": user.object_id});
    sign(azure, tenant, audience, claims)
}

fn sign(azure: &Azure, tenant: &str, audience: &str, claims: Value) -> (String, u64) {
    let now = azure.control.epoch();
    let exp = now + azure.control.knobs(|knobs| knobs.token_lifetime);
    let mut all = json!({
        "aud": audience, "iss": format!("https://sts.windows.net/{tenant}/"), "iat": now, "nbf": now, "exp": exp,
        "tid": tenant, "ver": "1.0", "uti": uuid::Uuid::new_v4().simple().to_string(),
    });
    if let (Some(all), Value::Object(own)) = (all.as_object_mut(), claims) {
        all.extend(own);
    }
    (azure.key.sign_jwt(&all), exp)
}

/// Answers requests to the directory's host.
pub(crate) fn handle(azure: &Azure, request: &Request) -> Response {
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => token(azure, tenant, request),
        ("POST", [tenant, "oauth2", "v2.0", "devicecode"]) => grants::device_code(azure, tenant, request),
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => discovery::openid(azure, tenant),
        ("GET", [_, "discovery", "v2.0", "keys"]) => Response::json(200, &azure.key.jwks()),
        ("GET", ["common", "discovery", "instance"]) => discovery::instance(azure, request),
        _ => Response::empty(404),
    }
}

fn is_tenant(azure: &Azure, name: &str) -> bool {
    name.eq_ignore_ascii_case(&azure.world.tenant) || name.eq_ignore_ascii_case(&azure.world.domain)
}

fn token(azure: &Azure, tenant: &str, request: &Request) -> Response {
    let form = parse_pairs(&String::from_utf8_lossy(&request.body));
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty());
    match field("grant_type") {
        Some("urn:ietf:params:oauth:grant-type:device_code" | "device_code") => return grants::by_device_code(azure, tenant, &field),
        Some("refresh_token") => return grants::by_refresh_token(azure, tenant, &field),
        _ => {}
    }
    // Applications belong to one tenant: `common` and `organizations` don't work for them.
    if !is_tenant(azure, tenant) {
        return refuse(azure, 400, "invalid_request", 90002, &format!("Tenant '{tenant}' not found."));
    }
    match field("grant_type") {
        Some("client_credentials") if field("client_assertion").is_some() => exchange(azure, &field),
        Some("client_credentials") => grants::by_secret(azure, &field),
        Some(other) => refuse(azure, 400, "unsupported_grant_type", 70003, &format!("The grant type '{other}' is not supported.")),
        None => refuse(azure, 400, "invalid_request", 900_144, "The request body must contain the parameter 'grant_type'."),
    }
}

/// Exchanges a Kubernetes token for one of a managed identity, if a federated credential matches.
fn exchange<'a>(azure: &Azure, field: &dyn Fn(&str) -> Option<&'a str>) -> Response {
    let (Some(client), Some(assertion), Some(scope)) = (field("client_id"), field("client_assertion"), field("scope")) else {
        return refuse(azure, 400, "invalid_request", 900_144, "client_id, client_assertion and scope are required.");
    };
    if field("client_assertion_type") != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
        return refuse(azure, 400, "invalid_request", 900_144, "The client assertion type is not jwt-bearer.");
    }
    if !scope.ends_with("/.default") {
        return refuse(azure, 400, "invalid_scope", 70011, &format!("The scope '{scope}' is not valid."));
    }
    let Some(audience) = audience(scope) else {
        return refuse(azure, 400, "invalid_resource", 500_011, &format!("The resource of '{scope}' is not known in the tenant."));
    };
    let mut store = azure.store();
    let replication = azure.control.knobs(|knobs| knobs.identity_replication);
    let identity = under(&store, "Microsoft.ManagedIdentity/userAssignedIdentities", "/")
        .find(|body| body["properties"]["clientId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(client)))
        .cloned();
    let known = identity.filter(|body| {
        let key = body["id"].as_str().unwrap_or_default().to_ascii_lowercase();
        store.resources.get(&key).is_some_and(|one| azure.is_older(one.created, replication))
    });
    let Some(identity) = known else {
        return refuse(
            azure,
            400,
            "unauthorized_client",
            700_016,
            &format!("Application with identifier '{client}' was not found in the directory."),
        );
    };
    let claims = match peek_claims(assertion) {
        Ok(claims) => claims,
        Err(why) => return refuse(azure, 401, "invalid_client", 50027, &format!("The JWT token is invalid: {why}.")),
    };
    let credential = match vouching(azure, &mut store, &identity, &claims) {
        Ok(key) => key,
        Err((number, why)) => return refuse(azure, 401, "invalid_client", number, &why),
    };
    let issuer = claims["iss"].as_str().unwrap_or_default();
    let Some(cluster) = azure.kube_of_issuer(&store, issuer) else {
        return refuse(azure, 401, "invalid_client", 5_000_224, &format!("The keys of the issuer '{issuer}' cannot be fetched."));
    };
    if let Err(why) = verify_jwt(&cluster.jwks(), assertion) {
        return refuse(azure, 401, "invalid_client", 700_027, &format!("The client assertion failed the signature check: {why}."));
    }
    let now = azure.control.epoch();
    let valid = claims["exp"].as_u64().is_some_and(|exp| exp > now) && claims["nbf"].as_u64().is_none_or(|nbf| nbf <= now + 300);
    if !valid {
        return refuse(azure, 401, "invalid_client", 700_024, "The client assertion is not within its valid time range.");
    }
    let relapse = azure.control.knobs(|knobs| knobs.credential_relapse);
    store.relapses.entry(credential).or_insert(relapse);
    drop(store);
    let properties = &identity["properties"];
    let (token, exp) = sign(
        azure,
        &azure.world.tenant,
        &audience,
        json!({
            "appid": properties["clientId"], "oid": properties["principalId"], "sub": properties["principalId"],
            "idtyp": "app", "appidacr": "2", "xms_mirid": identity["id"],
        }),
    );
    let left = exp - now;
    Response::json(200, &json!({"token_type": "Bearer", "expires_in": left, "ext_expires_in": left, "access_token": token}))
}

/// The credential of an identity that matches a token byte for byte, or the error code for the part that does not
/// match.
pub(crate) fn vouching(azure: &Azure, store: &mut crate::azure::Store, identity: &Value, claims: &Value) -> Result<String, (u64, String)> {
    let parent = identity["id"].as_str().unwrap_or_default().to_ascii_lowercase();
    let (issuer, subject) = (claims["iss"].as_str().unwrap_or_default(), claims["sub"].as_str().unwrap_or_default());
    let audiences: Vec<&str> = match &claims["aud"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let kind = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials";
    let all: Vec<Value> = under(store, kind, &parent).cloned().collect();
    let is = |one: &Value, name: &str, wanted: &str| one["properties"][name] == wanted;
    if all.is_empty() {
        return Err((70025, "The client has no configured federated identity credentials.".into()));
    }
    let issued: Vec<&Value> = all.iter().filter(|one| is(one, "issuer", issuer)).collect();
    if issued.is_empty() {
        return Err((700_211, format!("No matching federated identity record found for presented assertion issuer '{issuer}'.")));
    }
    let subjects: Vec<&&Value> = issued.iter().filter(|one| is(one, "subject", subject)).collect();
    if subjects.is_empty() {
        let nearly = issued.iter().any(|one| one["properties"]["subject"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(subject)));
        return Err(if nearly {
            (7_002_138, format!("The presented subject '{subject}' differs from the federated identity record in letter case only."))
        } else {
            (700_213, format!("No matching federated identity record found for presented assertion subject '{subject}'."))
        });
    }
    let fits = subjects
        .iter()
        .find(|one| one["properties"]["audiences"].as_array().into_iter().flatten().any(|own| audiences.iter().any(|given| own == given)));
    let Some(found) = fits else {
        return Err((
            700_212,
            format!("No matching federated identity record found for presented assertion audience '{}'.", audiences.join(",")),
        ));
    };
    let key = found["id"].as_str().unwrap_or_default().to_ascii_lowercase();
    let delay = azure.control.knobs(|knobs| knobs.credential_propagation);
    let unknown = (70021, "No matching federated identity record found for presented assertion.".to_owned());
    if store.resources.get(&key).is_none_or(|one| !azure.is_older(one.created, delay)) {
        return Err(unknown);
    }
    match store.relapses.get_mut(&key) {
        Some(left) if *left > 0 => {
            *left -= 1;
            Err(unknown)
        }
        _ => Ok(key),
    }
}

fn refuse(azure: &Azure, status: u16, code: &str, number: u64, message: &str) -> Response {
    let stamp = azure.timestamp();
    let stamp = format!("{}Z", stamp.get(..19).unwrap_or_default().replace('T', " "));
    let (trace, correlation) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    Response::json(
        status,
        &json!({
            "error": code,
            "error_description": format!("AADSTS{number}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"),
            "error_codes": [number],
            "timestamp": stamp,
            "trace_id": trace.to_string(),
            "correlation_id": correlation.to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
        }),
    )
    .with("cache-control", "no-store, no-cache")
    .with("x-ms-request-id", trace.to_string())
}

/// Answers requests to the host on which clusters publish their keys.
pub(crate) fn published_keys(azure: &Azure, request: &Request) -> Response {
    let address = format!("https://{}{}", request.host, request.path);
    let store = azure.store();
    for (end, keys) in [(".well-known/openid-configuration", false), ("openid/v1/jwks", true)] {
        if let Some(issuer) = address.strip_suffix(end)
            && let Some(cluster) = azure.kube_of_issuer(&store, issuer)
        {
            return Response::json(200, &if keys { cluster.jwks() } else { cluster.discovery() });
        }
    }
    Response::empty(404)
}

impl Azure {
    /// The cluster with this issuer, if the issuer is enabled.
    fn kube_of_issuer(&self, store: &crate::azure::Store, issuer: &str) -> Option<&crate::kube::KubeCluster> {
        let cluster = self.world.clusters.iter().find(|one| one.issuer == issuer)?;
        let key = cluster.id.to_ascii_lowercase();
        let on = store.resources.get(&key).is_some_and(|one| one.body["properties"]["oidcIssuerProfile"]["enabled"] == true);
        // A cluster outside AKS publishes its issuer itself; no setting in Azure is involved.
        let reachable = cluster.is_elsewhere() && !cluster.issuer.contains(".svc.cluster.local");
        self.kube.get(&key).filter(|_| on || reachable)
    }
}
