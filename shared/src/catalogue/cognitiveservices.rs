//! Azure OpenAI and the other Azure AI services. Three kinds of account share one ARM type: the kind decides the role
//! and the variables. An account without a custom subdomain can't take Entra tokens at all.

use super::{
    Access, Ask, Auth, Client, Cloud, DEFAULTS, Grant, OwnKey, PrivateLink, Probe, Refusal, Row, Service, Target, keys_are_off, role, row,
    rows, signed,
};

pub(super) static SERVICE: Service = Service {
    name: "cognitiveservices",
    aliases: &["openai", "ai", "foundry"],
    title: "Azure OpenAI and AI services",
    noun: "AI account",
    arm_type: "Microsoft.CognitiveServices/accounts",
    api_version: "2025-06-01",
    kinds: &["OpenAI", "AIServices", "CognitiveServices"],
    auths: &[Auth::WorkloadIdentity, Auth::Secret, Auth::ServicePrincipal],
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::Nodejs, Client::Python],
    keys,
    prefixes: &["AZURE_OPENAI", "AZURE_AISERVICES", "AZURE_COGNITIVESERVICES"],
    default_access: Access::Read,
    private_link: Ok(&[PrivateLink {
        group: "account",
        zones: &["privatelink.cognitiveservices.azure.com", "privatelink.openai.azure.com", "privatelink.services.ai.azure.com"],
    }]),
    docs: "https://learn.microsoft.com/azure/ai-services/openai/how-to/role-based-access-control",
    grants,
    refusal,
    rows: variables,
    texts,
    probe,
    ..DEFAULTS
};

fn keys(_: Access) -> &'static [OwnKey] {
    const KEYS: &[OwnKey] = &[OwnKey { word: "key", under: "", operation: "listKeys", field: "/key1" }];
    KEYS
}

/// `Cognitive Services User` already includes every data action of the older services. The Contributor role of that
/// family is a management role, which no workload needs.
fn grants(account: &Target, access: Access) -> Vec<Grant> {
    vec![match access {
        _ if !account.is_kind("OpenAI") => role("Cognitive Services User", "a97b65f3-24c7-4388-baec-2e87135dc908"),
        Access::Read => role("Cognitive Services OpenAI User", "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"),
        Access::ReadWrite | Access::Admin => role("Cognitive Services OpenAI Contributor", "a001fd3d-188f-4b5d-821b-7da978bf7442"),
    }]
}

fn refusal(account: &Target, auth: Auth) -> Option<Refusal> {
    if auth == Auth::Secret {
        let off = account.flag("/disableLocalAuth") == Some(true);
        let fix = format!("az resource update --ids {} --set properties.disableLocalAuth=false", account.id);
        return keys_are_off(account, auth, off, fix);
    }
    if account.text("/customSubDomainName").is_some() {
        return None;
    }
    Some(Refusal {
        code: "KC1401",
        what: format!("`{}` has no custom subdomain", account.name()),
        why: "an AI account accepts Entra tokens only at its own subdomain; the regional address accepts only keys",
        fix: format!(
            "az cognitiveservices account update --name {name} --resource-group {group} --custom-domain {name}",
            name = account.name(),
            group = account.id.resource_group()
        ),
    })
}

fn subdomain(account: &Target) -> &str {
    account.text("/customSubDomainName").unwrap_or_else(|| account.name())
}

fn openai_base(account: &Target, cloud: &Cloud) -> String {
    format!("https://{}.{}/", subdomain(account), cloud.openai_suffix)
}

/// An account without a subdomain accepts keys at its region's host name; the account reports that name as its
/// endpoint.
fn cognitive_endpoint(account: &Target, cloud: &Cloud) -> String {
    match (account.text("/customSubDomainName"), account.text("/endpoint")) {
        (None, Some(regional)) => format!("{}/", regional.trim_end_matches('/')),
        _ => format!("https://{}.{}/", subdomain(account), cloud.cognitive_suffix),
    }
}

fn texts(account: &Target, cloud: &Cloud) -> Vec<(&'static str, String)> {
    let own = account.text("/customSubDomainName").is_some();
    let base = if own { openai_base(account, cloud) } else { cognitive_endpoint(account, cloud) };
    vec![
        ("openai-base", base),
        ("endpoint", cognitive_endpoint(account, cloud)),
        ("speech-endpoint", format!("https://{}.stt.speech.microsoft.com", account.location)),
    ]
}

fn variables(ask: &Ask<'_>) -> Vec<Row> {
    let (prefix, plain) = if ask.target.is_kind("OpenAI") {
        ("AZURE_OPENAI", rows(&[("AZURE_OPENAI_BASE", "<openai-base>")]))
    } else if ask.target.is_kind("AIServices") {
        let plain = rows(&[
            ("AZURE_AISERVICES_OPENAI_BASE", "<openai-base>"),
            ("AZURE_AISERVICES_COGNITIVESERVICES_ENDPOINT", "<endpoint>"),
            ("AZURE_AISERVICES_SPEECH_ENDPOINT", "<speech-endpoint>"),
        ]);
        ("AZURE_AISERVICES", plain)
    } else {
        ("AZURE_COGNITIVESERVICES", rows(&[("AZURE_COGNITIVESERVICES_ENDPOINT", "<endpoint>")]))
    };
    if ask.auth == Auth::Secret {
        return plain.into_iter().chain([row(format!("{prefix}_KEY"), "<key>")]).collect();
    }
    signed(ask.auth, prefix, plain)
}

/// The read depends on the kind: accounts of kind OpenAI and AIServices list their models; a multi-service account
/// lists the details of Document Intelligence, which `Cognitive Services User` may read.
fn probe(account: &Target, cloud: &Cloud) -> Result<Probe, &'static str> {
    let scope = format!("https://{}/.default", cloud.cognitive_suffix);
    let (what, url) = if account.is_kind("OpenAI") {
        ("list models", format!("{}openai/models?api-version=2024-10-21", openai_base(account, cloud)))
    } else if account.is_kind("AIServices") {
        ("list models", format!("{}openai/models?api-version=2024-10-21", cognitive_endpoint(account, cloud)))
    } else {
        ("read the resource details", format!("{}documentintelligence/info?api-version=2024-11-30", cognitive_endpoint(account, cloud)))
    };
    Ok(Probe { scope, what, url, headers: &[], decisive: true, cosmos: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn account(kind: &str, properties: serde_json::Value) -> Target {
        let id = crate::model::ResourceId::resource("s", "rg", SERVICE.arm_type, "acct");
        Target::from_arm(id, &json!({"kind": kind, "location": "westeurope", "properties": properties}))
    }

    #[test]
    fn an_account_without_subdomain_is_refused_with_the_command_that_gives_it_one() {
        for none in [json!({}), json!({"customSubDomainName": null}), json!({"customSubDomainName": ""})] {
            let refusal = refusal(&account("OpenAI", none), Auth::WorkloadIdentity).unwrap();
            assert!(refusal.fix.ends_with("--custom-domain acct"), "{}", refusal.fix);
        }
        assert!(refusal(&account("OpenAI", json!({"customSubDomainName": "acct"})), Auth::WorkloadIdentity).is_none());
    }

    #[test]
    fn the_kind_decides_role_and_variables() {
        let names = |kind: &str| {
            let account = account(kind, json!({"customSubDomainName": "sub"}));
            let Grant::Role(role) = grants(&account, Access::Read).remove(0) else { panic!("no role") };
            let ask = Ask { target: &account, auth: Auth::WorkloadIdentity, client: Client::None };
            (role.name, variables(&ask).into_iter().map(|v| v.name).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names("OpenAI"), ("Cognitive Services OpenAI User".into(), "AZURE_OPENAI_BASE AZURE_OPENAI_CLIENTID".into()));
        assert_eq!(
            names("CognitiveServices"),
            ("Cognitive Services User".into(), "AZURE_COGNITIVESERVICES_ENDPOINT AZURE_COGNITIVESERVICES_CLIENTID".into())
        );
        assert!(names("AIServices").1.starts_with("AZURE_AISERVICES_OPENAI_BASE"));
    }
}
