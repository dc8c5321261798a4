//! Azure OpenAI and the other Azure AI services. Three kinds of account share one ARM type: the kind decides the role
//! and the variables. An account without a custom subdomain can't take Entra tokens at all.

use super::{Access, Client, Cloud, Grant, PrivateLink, Probe, Refusal, Service, Target, Variable, role};

pub(super) static SERVICE: Service = Service {
    name: "cognitiveservices",
    aliases: &["openai", "ai", "foundry"],
    title: "Azure OpenAI and AI services",
    noun: "AI account",
    arm_type: "Microsoft.CognitiveServices/accounts",
    api_version: "2025-06-01",
    kinds: &["OpenAI", "AIServices", "CognitiveServices"],
    clients: &[Client::None, Client::Dotnet, Client::DotnetInternal, Client::Java, Client::Nodejs, Client::Python],
    default_access: Access::Read,
    private_link: &[PrivateLink {
        group: "account",
        zones: &["privatelink.cognitiveservices.azure.com", "privatelink.openai.azure.com", "privatelink.services.ai.azure.com"],
    }],
    docs: "https://learn.microsoft.com/azure/ai-services/openai/how-to/role-based-access-control",
    grants,
    refusal,
    variables,
    probe,
};

/// `Cognitive Services User` already holds every data action of the older services; the Contributor role of that family
/// is a management role, which no workload needs.
fn grants(account: &Target, access: Access) -> Vec<Grant> {
    vec![match access {
        _ if !account.is_kind("OpenAI") => role("Cognitive Services User", "a97b65f3-24c7-4388-baec-2e87135dc908"),
        Access::Read => role("Cognitive Services OpenAI User", "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"),
        Access::ReadWrite | Access::Admin => role("Cognitive Services OpenAI Contributor", "a001fd3d-188f-4b5d-821b-7da978bf7442"),
    }]
}

fn refusal(account: &Target) -> Option<Refusal> {
    if account.text("/customSubDomainName").is_some() {
        return None;
    }
    Some(Refusal {
        code: "KC1401",
        what: format!("`{}` has no custom subdomain", account.name()),
        why: "an AI account answers Entra tokens only at its own subdomain; at the regional address it takes keys alone",
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

fn cognitive_endpoint(account: &Target, cloud: &Cloud) -> String {
    format!("https://{}.{}/", subdomain(account), cloud.cognitive_suffix)
}

fn variables(account: &Target, cloud: &Cloud, _: Client) -> Vec<Variable> {
    if account.is_kind("OpenAI") {
        return vec![Variable::text("AZURE_OPENAI_BASE", openai_base(account, cloud)), Variable::client_id("AZURE_OPENAI_CLIENTID")];
    }
    if account.is_kind("AIServices") {
        let speech = format!("https://{}.stt.speech.microsoft.com", account.location);
        return vec![
            Variable::text("AZURE_AISERVICES_OPENAI_BASE", openai_base(account, cloud)),
            Variable::text("AZURE_AISERVICES_COGNITIVESERVICES_ENDPOINT", cognitive_endpoint(account, cloud)),
            Variable::text("AZURE_AISERVICES_SPEECH_ENDPOINT", speech),
            Variable::client_id("AZURE_AISERVICES_CLIENTID"),
        ];
    }
    vec![
        Variable::text("AZURE_COGNITIVESERVICES_ENDPOINT", cognitive_endpoint(account, cloud)),
        Variable::client_id("AZURE_COGNITIVESERVICES_CLIENTID"),
    ]
}

/// Accounts of kind OpenAI and AIServices list their models; an account for several services holds Document
/// Intelligence, whose resource details `Cognitive Services User` may read.
fn probe(account: &Target, cloud: &Cloud) -> Probe {
    let scope = format!("https://{}/.default", cloud.cognitive_suffix);
    if account.is_kind("CognitiveServices") {
        let url = format!("{}documentintelligence/info?api-version=2024-11-30", cognitive_endpoint(account, cloud));
        return Probe { scope, what: "read the resource details", url, headers: &[] };
    }
    let base = if account.is_kind("OpenAI") { openai_base(account, cloud) } else { cognitive_endpoint(account, cloud) };
    Probe { scope, what: "list models", url: format!("{base}openai/models?api-version=2024-10-21"), headers: &[] }
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
            let refusal = refusal(&account("OpenAI", none)).unwrap();
            assert!(refusal.fix.ends_with("--custom-domain acct"), "{}", refusal.fix);
        }
        assert!(refusal(&account("OpenAI", json!({"customSubDomainName": "acct"}))).is_none());
    }

    #[test]
    fn the_kind_decides_role_and_variables() {
        let names = |kind: &str| {
            let account = account(kind, json!({"customSubDomainName": "sub"}));
            let Grant::Role(role) = grants(&account, Access::Read).remove(0) else { panic!("no role") };
            (role.name, variables(&account, &Cloud::public(), Client::None).into_iter().map(|v| v.name).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names("OpenAI"), ("Cognitive Services OpenAI User".into(), "AZURE_OPENAI_BASE AZURE_OPENAI_CLIENTID".into()));
        assert_eq!(
            names("CognitiveServices"),
            ("Cognitive Services User".into(), "AZURE_COGNITIVESERVICES_ENDPOINT AZURE_COGNITIVESERVICES_CLIENTID".into())
        );
        assert!(names("AIServices").1.starts_with("AZURE_AISERVICES_OPENAI_BASE"));
    }
}
