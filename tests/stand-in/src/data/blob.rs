//! Blob storage's data plane: lists, in XML.

use crate::azure::Azure;
use crate::data::{Network, find, network};
use crate::entra::{self, STORAGE};
use crate::http::{Request, Response};

const KIND: &str = "Microsoft.Storage/storageAccounts";

pub(crate) fn handle(azure: &Azure, request: &Request) -> Response {
    let name = request.host.split('.').next().unwrap_or_default();
    let Some(account) = find(&azure.store(), KIND, "name", name).cloned() else {
        return Response::empty(502);
    };
    let id = account["id"].as_str().unwrap_or_default();
    // The network is checked first, but a call without a token gets a challenge anyway.
    if request.bearer().is_none() {
        return error(
            azure,
            401,
            "NoAuthenticationInformation",
            "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
        )
        .with(
            "www-authenticate",
            format!(
                "Bearer authorization_uri=https://login.microsoftonline.com/{}/oauth2/authorize resource_id=https://storage.azure.com",
                azure.world.tenant
            ),
        );
    }
    if network(&account["properties"]) != Network::Open {
        return error(azure, 403, "AuthorizationFailure", "This request is not authorized to perform this operation.");
    }
    // Tokens are accepted since version 2017-11-09.
    match request.header("x-ms-version") {
        Some(version) if version.len() == 10 && version >= "2017-11-09" => {}
        Some(_) => {
            return error(
                azure,
                400,
                "InvalidHeaderValue",
                "The value for one of the HTTP headers is not in the correct format: x-ms-version.",
            );
        }
        None => return error(azure, 403, "AuthenticationFailed", "Server failed to authenticate the request: x-ms-version is missing."),
    }
    let per_account = format!("https://{name}.blob.core.windows.net");
    let audiences: Vec<&str> = STORAGE.iter().copied().chain([per_account.as_str()]).collect();
    let caller = match entra::check(azure, request, &audiences) {
        Ok(caller) => caller,
        Err(_) => return error(azure, 401, "InvalidAuthenticationInfo", "Server failed to authenticate the request."),
    };
    if request.method != "GET" {
        return error(azure, 405, "UnsupportedHttpVerb", "The sandbox only reads on this plane.");
    }
    let containers = azure.world.containers.get(name).map(Vec::as_slice).unwrap_or_default();
    let path = request.path.trim_matches('/');
    let (action, scope) = match (path, request.q("comp")) {
        ("", Some("list")) => ("Microsoft.Storage/storageAccounts/blobServices/containers/read", id.to_owned()),
        (container, Some("list")) if request.q("restype") == Some("container") => (
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
            format!("{id}/blobServices/default/containers/{container}"),
        ),
        _ => return error(azure, 400, "InvalidQueryParameterValue", "The sandbox knows comp=list only."),
    };
    if !azure.may_data(&azure.store(), &caller.oid, action, &scope) {
        return error(
            azure,
            403,
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        );
    }
    if !path.is_empty() {
        return if containers.iter().any(|one| one == path) {
            xml(
                200,
                &format!(
                    "<EnumerationResults ServiceEndpoint=\"{per_account}/\" ContainerName=\"{path}\"><Blobs /><NextMarker /></EnumerationResults>"
                ),
            )
        } else {
            error(azure, 404, "ContainerNotFound", "The specified container does not exist.")
        };
    }
    let most = match request.q("maxresults").map(str::parse::<usize>) {
        None => 5000,
        Some(Ok(most)) if most > 0 => most,
        Some(_) => return error(azure, 400, "OutOfRangeQueryParameterValue", "maxresults is out of range."),
    };
    let rows: String = containers
        .iter()
        .take(most)
        .map(|one| format!("<Container><Name>{one}</Name><Properties><Last-Modified>Mon, 03 Mar 2025 09:00:00 GMT</Last-Modified><Etag>\"0x8DD5A30D4C0E6B1\"</Etag><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState></Properties></Container>"))
        .collect();
    let marker = if containers.len() > most {
        format!("<NextMarker>/{name}/{}</NextMarker>", containers[most])
    } else {
        "<NextMarker />".to_owned()
    };
    xml(
        200,
        &format!(
            "<EnumerationResults ServiceEndpoint=\"{per_account}/\"><MaxResults>{most}</MaxResults><Containers>{rows}</Containers>{marker}</EnumerationResults>"
        ),
    )
}

fn error(azure: &Azure, status: u16, code: &str, message: &str) -> Response {
    let id = uuid::Uuid::new_v4();
    let body = format!("<Error><Code>{code}</Code><Message>{message}\nRequestId:{id}\nTime:{}</Message></Error>", azure.timestamp());
    xml(status, &body).with("x-ms-error-code", code)
}

fn xml(status: u16, body: &str) -> Response {
    // The real answer has a byte order mark too, which some parsers can't read.
    Response::text(status, &format!("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>{body}"))
        .with("content-type", "application/xml")
        .with("server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
        .with("x-ms-request-id", uuid::Uuid::new_v4().to_string())
        .with("x-ms-version", "2023-11-03")
}
