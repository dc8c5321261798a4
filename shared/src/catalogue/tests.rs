//! Tests of every catalogue entry: required facts, and variable names compared with the reference.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};

use super::*;
use crate::model::ResourceId;
use crate::model::variable::Variable;

/// A resource with every feature enabled.
fn some_target(service: &Service, kind: Option<&str>) -> Target {
    let arm_type = if service.takes_any() { "Microsoft.X/things" } else { service.arm_type };
    let id = ResourceId::resource("s", "rg", arm_type, "thing");
    let body = json!({"kind": kind.or(service.kinds.first().copied()), "location": "westeurope", "properties": {
        "enableRbacAuthorization": true, "customSubDomainName": "thing", "redisConfiguration": {"aad-enabled": "true"},
        "authOptions": {"aadOrApiKey": {"aadAuthFailureMode": "http403"}},
    }});
    Target::from_arm(id, &body)
}

fn variables(service: &Service, target: &Target, auth: Auth, client: Client) -> Vec<Variable> {
    let parameters: BTreeMap<String, String> = service.parameters.iter().map(|p| (p.name.to_owned(), "given".to_owned())).collect();
    let inputs = Inputs {
        parameters: &parameters,
        user: Some("dbuser"),
        client_id: Some("sp"),
        tenant: "tenant",
        access: Access::ReadWrite,
        connection: "conn",
    };
    let ask = Ask { target, auth, client };
    service.variables(&ask, &Cloud::public(), &inputs).unwrap_or_else(|m| panic!("{} {auth} {}: {m:?}", service.name, client.word()))
}

#[test]
fn words_are_unique() {
    let mut seen = HashSet::new();
    for word in SERVICES.iter().flat_map(|s| std::iter::once(&s.name).chain(s.aliases)).copied().chain(retired_words()) {
        assert!(seen.insert(word.to_ascii_lowercase()), "{word} names two services");
    }
}

#[test]
fn no_entry_lacks_a_fact_or_the_reason_for_its_absence() {
    for service in SERVICES {
        let target = some_target(service, None);
        assert!(
            ![service.name, service.title, service.noun].contains(&"") && !service.prefixes.is_empty(),
            "{}: `{}`",
            service.name,
            service.title
        );
        assert_eq!(service.api_version.is_empty(), service.is_outside() || service.takes_any(), "{}", service.name);
        assert!(
            service.docs.starts_with("https://") && service.clients.contains(&Client::None) && !service.auths.is_empty(),
            "{}",
            service.name
        );
        for auth in service.auths {
            assert!((service.refusal)(&target, *auth).is_none(), "{} {auth}", service.name);
        }
        for level in Access::ALL {
            let granted = !(service.grants)(&target, level).is_empty();
            assert_ne!(granted, !service.ungranted.is_empty(), "{} has grants or says why not, for {level}", service.name);
        }
        match service.private_link {
            Ok(links) => assert!(links.iter().all(|l| !l.group.is_empty() && !l.zones.is_empty()) && !links.is_empty(), "{}", service.name),
            Err(why) => assert!(!why.is_empty(), "{}", service.name),
        }
        match (service.probe)(&target, &Cloud::public()) {
            Ok(probe) => assert!(probe.url.starts_with("https://") && probe.scope.ends_with("/.default"), "{}", service.name),
            Err(why) => assert!(!why.is_empty(), "{}", service.name),
        }
        assert!(!service.auths.contains(&Auth::Secret) || !service.secrets.is_empty() || !(service.keys)(Access::Read).is_empty());
    }
}

#[test]
fn keys_that_are_switched_off_are_not_handed_out() {
    for service in SERVICES.iter().filter(|s| s.auths.contains(&Auth::Secret) && !(s.keys)(Access::Read).is_empty()) {
        let mut target = some_target(service, None);
        for (switch, off) in [("disableLocalAuth", true), ("disableAccessKeyAuthentication", true), ("allowSharedKeyAccess", false)] {
            target.properties[switch] = json!(off);
        }
        let code = (service.refusal)(&target, Auth::Secret).map(|refusal| refusal.code);
        // These two have no such switch.
        let wanted = if ["redis-enterprise", "app-insights"].contains(&service.name) { None } else { Some("KC1605") };
        assert_eq!(code, wanted, "{}", service.name);
    }
}

#[test]
fn every_combination_has_variables_with_names_of_their_own() {
    for service in SERVICES {
        let kinds: Vec<Option<&str>> =
            if service.kinds.is_empty() { vec![None] } else { service.kinds.iter().copied().map(Some).collect() };
        for (kind, auth, client) in
            kinds.iter().flat_map(|k| service.auths.iter().flat_map(move |a| service.clients.iter().map(move |c| (*k, *a, *c))))
        {
            let target = some_target(service, kind);
            let made = variables(service, &target, auth, client);
            let names: HashSet<_> = made.iter().map(|v| v.name.as_str()).collect();
            let what = format!("{} {kind:?} {auth} {}", service.name, client.word());
            assert!(!made.is_empty() && names.len() == made.len(), "{what}");
            assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))), "{what}: no Secret key");
            assert!(made.iter().all(|v| !v.masked().contains("<missing")), "{what}");
            let secret = made.iter().any(Variable::is_secret);
            assert_eq!(secret, matches!(auth, Auth::Secret | Auth::ServicePrincipal), "{what}");
        }
    }
}

#[test]
fn roles_are_guids_and_known_ones() {
    let known = std::env::var("CONNECT_REFERENCE_DATA").ok().map(|at| {
        let text = std::fs::read_to_string(std::path::Path::new(&at).join("azure-specs/builtin-roles.json")).unwrap();
        text.to_ascii_lowercase()
    });
    for service in SERVICES {
        for grant in Access::ALL.iter().flat_map(|level| (service.grants)(&some_target(service, None), *level)) {
            if let Grant::Role(role) = grant {
                assert!(uuid::Uuid::parse_str(&role.id).is_ok(), "{} {}", service.name, role.name);
                // The only role that the reference list lacks; its source is the documentation page about Entra
                // roles.
                let listed = known.as_ref().is_none_or(|k| k.contains(&role.id)) || role.id == "5bd9cd88-fe45-4216-938b-f97437e15450";
                assert!(listed, "{} {} is not in the reference", service.name, role.name);
            }
        }
    }
}

#[test]
fn variables_of_a_second_connection_contain_its_name() {
    let blob = find("blob").unwrap();
    assert_eq!(renamed(blob, "AZURE_STORAGEBLOB_CLIENTID", "my-photos"), "AZURE_STORAGEBLOB_MY_PHOTOS_CLIENTID");
    assert_eq!(renamed(blob, "spring.cloud.azure.storage.blob.endpoint", "x"), "spring.cloud.azure.storage.blob.endpoint");
}

#[test]
fn a_missing_flag_is_named() {
    let sql = find("sql").unwrap();
    let (target, parameters) = (some_target(sql, None), BTreeMap::new());
    let inputs = Inputs { parameters: &parameters, user: None, client_id: None, tenant: "", access: Access::Read, connection: "c" };
    let ask = Ask { target: &target, auth: Auth::Secret, client: Client::None };
    assert_eq!(sql.variables(&ask, &Cloud::public(), &inputs), Err(Missing("database".into())));
}

/// Entries of the reference with other variable names than the catalogue, and why. A test fails when an exception is
/// no longer needed.
const EXCEPTIONS: &[(&str, &str, &str, &str)] = &[
    ("confluent-cloud", "secret", "java", "the live service writes CONFLUENTCLOUD_*, the page AZURE_CONFLUENTCLOUD*"),
    ("confluent-cloud", "secret", "nodejs", "as for java"),
    ("confluent-cloud", "secret", "none", "as for java"),
    ("confluent-cloud", "secret", "python", "as for java"),
    ("confluent-cloud", "secret", "dotnet", "the recording lists the Kafka half without its secret; a connection has both halves whole"),
];

fn reference() -> Option<Value> {
    let Ok(at) = std::env::var("CONNECT_REFERENCE_DATA") else {
        eprintln!("SKIPPED: CONNECT_REFERENCE_DATA does not say where facts/variables.json is; no name was compared");
        return None;
    };
    let text = std::fs::read_to_string(std::path::Path::new(&at).join("facts/variables.json")).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn names_equal_those_of_service_connector() {
    let Some(reference) = reference() else { return };
    let (mut wrong, mut compared, mut excepted) = (Vec::new(), 0, BTreeSet::new());
    for entry in reference["entries"].as_array().unwrap() {
        let text = |key: &str| entry[key].as_str().unwrap_or_default();
        let auth = Auth::parse(text("auth_type")).unwrap_or(Auth::Csi);
        let client = Client::parse(text("client_type")).unwrap_or(Client::None);
        let what = format!("{} {} {} {}", text("service"), auth, text("client_type"), text("account_kind"));
        let Some(service) = find(text("service")) else {
            wrong.push(format!("{what}: no such service"));
            continue;
        };
        if !service.auths.contains(&auth) || !service.clients.contains(&client) {
            wrong.push(format!("{what}: refused"));
            continue;
        }
        let target = some_target(service, entry["account_kind"].as_str());
        let ours: BTreeSet<String> = variables(service, &target, auth, client).into_iter().map(|v| v.name).collect();
        let theirs: BTreeSet<String> =
            entry["variables"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap().to_owned()).collect();
        let except = EXCEPTIONS.iter().find(|(s, a, c, _)| *s == text("service") && *a == text("auth_type") && *c == text("client_type"));
        compared += 1;
        match (ours == theirs, except) {
            (true, None) => {}
            (false, Some(exception)) => {
                excepted.insert(exception);
            }
            (true, Some(_)) => wrong.push(format!("{what}: is no exception any more")),
            (false, None) => wrong.push(format!("{what}: ours {ours:?}, theirs {theirs:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 330, "only {compared} entries were compared");
    assert_eq!(excepted.len(), EXCEPTIONS.len(), "an exception that nothing needs");
}
