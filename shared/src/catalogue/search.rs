//! AI Search. Service Connector does not support it; the variables follow Service Connector's naming rules.

use super::{Access, Auth, DEFAULTS, OwnKey, PrivateLink, Probe, Refusal, SDKS, Scope, Service, Target, keys_are_off, role, rows, signed};

pub(super) static SERVICE: Service = Service {
    name: "search",
    aliases: &["ai-search"],
    title: "AI Search",
    noun: "search service",
    arm_type: "Microsoft.Search/searchServices",
    api_version: "2025-05-01",
    auths: &[Auth::WorkloadIdentity, Auth::Secret, Auth::ServicePrincipal],
    clients: SDKS,
    scopes: &[Scope { word: "index", path: "indexes" }],
    keys,
    prefixes: &["AZURE_SEARCH"],
    default_access: Access::Read,
    private_link: Ok(&[PrivateLink { group: "searchService", zones: &["privatelink.search.windows.net"] }]),
    docs: "https://learn.microsoft.com/azure/search/search-security-rbac",
    grants: |_, access| match access {
        Access::Read => vec![role("Search Index Data Reader", "1407120a-92aa-4202-b7e9-c0e197c71c8f")],
        Access::ReadWrite => vec![role("Search Index Data Contributor", "8ebe5a00-799e-43f5-93ac-243d3dce84a7")],
        // Indexes are objects of the service itself; its management role covers them.
        Access::Admin => vec![
            role("Search Index Data Contributor", "8ebe5a00-799e-43f5-93ac-243d3dce84a7"),
            role("Search Service Contributor", "7ca78c08-252a-4471-8644-bb5ff32d4ba0"),
        ],
    },
    refusal,
    rows: |ask| match ask.auth {
        Auth::Secret => rows(&[("AZURE_SEARCH_ENDPOINT", "<endpoint>"), ("AZURE_SEARCH_KEY", "<key>")]),
        auth => signed(auth, "AZURE_SEARCH", rows(&[("AZURE_SEARCH_ENDPOINT", "<endpoint>")])),
    },
    texts: |target, _| vec![("endpoint", endpoint(target))],
    probe: |target, _| {
        let url = format!("{}/indexes?api-version=2024-07-01&$select=name", endpoint(target));
        // Roles for reading data don't include listing the indexes, so a refusal proves nothing.
        Ok(Probe {
            scope: "https://search.azure.com/.default".into(),
            what: "list indexes",
            url,
            headers: &[],
            decisive: false,
            cosmos: false,
        })
    },
    ..DEFAULTS
};

/// For reading, a query key; writing needs the admin key.
fn keys(access: Access) -> &'static [OwnKey] {
    const READ: &[OwnKey] = &[OwnKey { word: "key", under: "", operation: "listQueryKeys", field: "/value/0/key" }];
    const WRITE: &[OwnKey] = &[OwnKey { word: "key", under: "", operation: "listAdminKeys", field: "/primaryKey" }];
    if access == Access::Read { READ } else { WRITE }
}

fn endpoint(service: &Target) -> String {
    let given = service.text("/endpoint").map(|e| e.trim_end_matches('/').to_owned());
    given.unwrap_or_else(|| format!("https://{}.search.windows.net", service.name()))
}

fn refusal(service: &Target, auth: Auth) -> Option<Refusal> {
    let (name, group) = (service.name(), service.id.resource_group());
    let off = service.flag("/disableLocalAuth") == Some(true);
    if auth == Auth::Secret {
        let fix = format!("az search service update --name {name} --resource-group {group} --disable-local-auth false");
        return keys_are_off(service, auth, off, fix);
    }
    let roles = off || service.properties.pointer("/authOptions/aadOrApiKey").is_some_and(|v| !v.is_null());
    (!roles).then(|| Refusal {
        code: "KC1607",
        what: format!("search service `{name}` accepts only keys"),
        why: "roles have no effect until role-based access is enabled on the service",
        fix: format!(
            "az search service update --name {name} --resource-group {group} --auth-options aadOrApiKey --aad-auth-failure-mode http403"
        ),
    })
}
