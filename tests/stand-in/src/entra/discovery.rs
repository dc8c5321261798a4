//! What clients read before they sign in: the endpoints of a tenant, and the aliases of the directory's host.

use serde_json::json;

use crate::azure::Azure;
use crate::entra::{MANY, is_tenant, refuse};
use crate::http::{Request, Response};

const HOST: &str = "login.microsoftonline.com";

/// The endpoints of a tenant, or of `organizations` and `common`: there the issuer is a pattern, and the endpoints
/// keep the word.
pub(super) fn openid(azure: &Azure, tenant: &str) -> Response {
    let (name, issuer) = if MANY.contains(&tenant) {
        (tenant, "{tenantid}")
    } else if is_tenant(azure, tenant) {
        (azure.world.tenant.as_str(), azure.world.tenant.as_str())
    } else {
        return refuse(azure, 400, "invalid_tenant", 90002, &format!("Tenant '{tenant}' not found."));
    };
    let base = format!("https://{HOST}/{name}");
    Response::json(
        200,
        &json!({
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": format!("https://{HOST}/{issuer}/v2.0"),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
        }),
    )
}

/// The names under which a client may cache tokens. The answer names the endpoints of the requested authority.
pub(super) fn instance(azure: &Azure, request: &Request) -> Response {
    let asked = request.q("authorization_endpoint").and_then(|address| address.strip_prefix("https://")).unwrap_or_default();
    let mut parts = asked.split('/');
    if let (Some(host), true) = (parts.next(), !asked.is_empty())
        && host != HOST
    {
        return refuse(azure, 400, "invalid_instance", 50049, &format!("Unknown or invalid instance '{host}'."));
    }
    let tenant = parts.next().filter(|name| !name.is_empty()).unwrap_or(&azure.world.tenant);
    Response::json(
        200,
        &json!({
            "tenant_discovery_endpoint": format!("https://{HOST}/{tenant}/v2.0/.well-known/openid-configuration"),
            "api-version": request.q("api-version").unwrap_or("1.1"),
            "metadata": [{
                "preferred_network": HOST, "preferred_cache": "login.windows.net",
                "aliases": [HOST, "login.windows.net", "login.microsoft.com", "sts.windows.net"],
            }],
        }),
    )
}
