//! The grant: the role or access policy that the connection needs, of the kind that the target uses, and its age.

use jiff::Timestamp;
use serde_json::Value;

use crate::health::check::found;
use crate::health::check::{Check, Refusal};
use crate::health::evidence::seen::Evidence;
use crate::model::ids::role_guid;
use crate::model::propagation::PROPAGATION;
use crate::model::words;
use crate::plan::spec::StepSpec;
use crate::plan::spec::access::{RoleAssignment, VaultPolicy};
use crate::steps::behaviour;
use crate::steps::step::OwnList;

const GROUP: &str = "grant";
/// Owner, Contributor, Reader, User Access Administrator: management roles without access to data.
const MANAGEMENT: [(&str, &str); 4] = [
    ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner"),
    ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor"),
    ("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader"),
    ("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator"),
];

pub(crate) fn judge(e: &Evidence) -> Vec<Check> {
    let steps = e.record.iter().flat_map(|r| &r.steps);
    steps
        .filter_map(|step| match step {
            StepSpec::RoleAssignment(role) => Some(by_role(e, role)),
            StepSpec::VaultPolicy(policy) => Some(by_policy(e, policy)),
            other => behaviour(other).own_list().map(|list| by_own_list(e, &list)),
        })
        .collect()
}

fn uses_policies(e: &Evidence) -> bool {
    let vault = e.store.as_ref().or(e.target.as_ref()).filter(|t| t.id.is_a("Microsoft.KeyVault/vaults"));
    vault.is_some_and(|v| v.flag("/enableRbacAuthorization") != Some(true))
}

fn by_role(e: &Evidence, role: &RoleAssignment) -> Check {
    let facts = e.facts().with("role", &role.role.name).with("scope", role.scope.as_str());
    if uses_policies(e) {
        return found("KC5403", format!("role {}", role.role.name), "an access policy", &facts.pairs());
    }
    let Some(held) = &e.assignments else {
        return Check::skipped("KC5401", GROUP, format!("role {}", role.role.name), "role assignments can't be read");
    };
    let at_target = |a: &&Value| a["properties"]["scope"].as_str().is_some_and(|s| role.scope.is_within(s));
    let guid = |a: &Value| role_guid(a["properties"]["roleDefinitionId"].as_str().unwrap_or_default());
    let held: Vec<&Value> = held.iter().filter(at_target).collect();
    if let Some(found) = held.iter().find(|a| guid(a) == role.role.id) {
        let age = age(found).map_or_else(String::new, |s| format!(", {} old", words::age(s)));
        return Check::ok("KC5401", GROUP, format!("role {}", role.role.name), format!("on {}{age}", role.scope.name()));
    }
    let names: Vec<&str> = held.iter().filter_map(|a| MANAGEMENT.iter().find(|(id, _)| *id == guid(a)).map(|(_, name)| *name)).collect();
    if !names.is_empty() {
        return found("KC5401", names.join(", "), role.role.name.clone(), &facts.pairs());
    }
    let seen = match held.len() {
        0 => "no role at all".to_owned(),
        n => words::count(n, "other role"),
    };
    found("KC5400", seen, format!("{} on {}", role.role.name, role.scope.name()), &facts.pairs())
}

fn by_policy(e: &Evidence, policy: &VaultPolicy) -> Check {
    let wanted = [("secrets", &policy.secrets), ("keys", &policy.keys), ("certificates", &policy.certificates)];
    let wanted = wanted.iter().filter(|(_, list)| !list.is_empty()).map(|(what, list)| format!("{what} {}", list.join(" ")));
    let wanted = wanted.collect::<Vec<_>>().join(", ");
    let facts = e.facts().with("permissions", flags(policy)).with("role", "Key Vault Secrets User").with("scope", policy.vault.as_str());
    let Some(vault) = e.store.as_ref().or(e.target.as_ref()) else {
        return Check::skipped("KC5405", GROUP, "access policy", "the vault can't be read");
    };
    if !uses_policies(e) {
        return found("KC5404", "an access policy", "a role", &facts.pairs());
    }
    let principal = e.of_identity("principalId").unwrap_or_default();
    let entry = vault.properties["accessPolicies"].as_array().into_iter().flatten();
    let entry = entry.into_iter().find(|p| p["objectId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(principal)));
    let held = |collection: &str| -> Vec<String> {
        let listed = entry.and_then(|p| p["permissions"][collection].as_array());
        listed.map(|l| l.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect()).unwrap_or_default()
    };
    let lists = [("secrets", &policy.secrets), ("keys", &policy.keys), ("certificates", &policy.certificates)];
    let enough = |(collection, wanted): &(&str, &Vec<String>)| {
        let held = held(collection);
        held.iter().any(|h| h == "all") || wanted.iter().all(|w| held.contains(w))
    };
    let seen: Vec<String> = lists.iter().flat_map(|(collection, _)| held(collection)).collect();
    if lists.iter().all(enough) {
        return Check::ok("KC5405", GROUP, "the vault's access policies allow the identity", seen.join(" "));
    }
    let seen = if seen.is_empty() { "no entry for the identity".to_owned() } else { seen.join(" ") };
    found("KC5405", seen, wanted, &facts.pairs())
}

/// Grants of a data plane: Cosmos DB's roles, the access policies of a cache.
fn by_own_list(e: &Evidence, list: &OwnList<'_>) -> Check {
    let (name, scope) = (list.grant, list.scope.as_str());
    let Some(listed) = &e.own_grants else { return Check::skipped("KC5407", GROUP, name, "the target's grants can't be read") };
    let principal = e.of_identity("principalId").unwrap_or_default();
    let its = |a: &&Value| {
        let id = a["properties"]["principalId"].as_str().or(a["properties"]["objectId"].as_str());
        id.is_some_and(|id| id.eq_ignore_ascii_case(principal))
    };
    let held: Vec<&Value> = listed.iter().filter(its).collect();
    let place = scope.rsplit('/').next().unwrap_or_default();
    if held.iter().any(|a| (list.fits)(&a["properties"])) {
        return Check::ok("KC5407", GROUP, format!("the target's own grants include {name}"), format!("on {place}"));
    }
    let seen = match held.len() {
        0 => "no entry for the identity".to_owned(),
        n => words::count(n, "other entry"),
    };
    found("KC5407", seen, format!("{name} on {place}"), &e.facts().with("role", name).with("scope", scope).pairs())
}

/// The permissions as flags for az.
fn flags(policy: &VaultPolicy) -> String {
    let all = [
        ("--secret-permissions", &policy.secrets),
        ("--key-permissions", &policy.keys),
        ("--certificate-permissions", &policy.certificates),
    ];
    let given = all.iter().filter(|(_, list)| !list.is_empty()).map(|(flag, list)| format!("{flag} {}", list.join(" ")));
    given.collect::<Vec<_>>().join(" ")
}

/// Seconds since the assignment was created or changed.
fn age(assignment: &Value) -> Option<i64> {
    let properties = &assignment["properties"];
    let at: Timestamp = properties["updatedOn"].as_str().or(properties["createdOn"].as_str())?.parse().ok()?;
    Some(crate::clock::now().duration_since(at).as_secs().max(0))
}

/// Explains a refusal although the grant exists: it is recent, or something else blocks access.
pub(crate) fn refused(check: Check, e: &Evidence) -> Check {
    let Some(Refusal::DataPlane(401 | 403, _)) = check.refusal else { return check };
    let roles: Vec<&RoleAssignment> = e.record.iter().flat_map(|r| &r.steps).filter_map(RoleAssignment::of).collect();
    let wanted = |a: &&Value| {
        let guid = role_guid(a["properties"]["roleDefinitionId"].as_str().unwrap_or_default());
        roles.iter().any(|r| r.role.id == guid)
    };
    let youngest = e.assignments.iter().flatten().filter(wanted).filter_map(age).min();
    let seen = check.message.clone().unwrap_or_default();
    let propagation = i64::try_from(PROPAGATION.as_secs()).unwrap_or(i64::MAX);
    match youngest {
        Some(age) if age < propagation => {
            found("KC5402", format!("granted {age} s ago; {seen}"), "role assignments take up to 600 s", &e.facts().pairs())
        }
        Some(age) => found("KC5406", format!("granted {age} s ago; {seen}"), "access", &e.facts().pairs()),
        None => check,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::check::Outcome::{Error, Skipped, Success};
    use crate::health::links::testing::{PRINCIPAL, SECRETS_USER, fault, fix, held, judged, role_assignment, seen, sound};
    use crate::model::access::Role;
    use crate::plan::spec::{self, Grantee};
    use crate::plan::testing::{SUBSCRIPTION, VAULTS, id, identity_id, target, vault};

    fn vault_id() -> String {
        vault("vault").id.to_string()
    }

    fn with_steps(e: &mut Evidence, steps: Vec<StepSpec>) {
        e.record.as_mut().unwrap().steps = steps;
    }

    #[test]
    fn a_role_at_the_target_or_above_it_is_sound() {
        assert_eq!(judged(judge, |_| {}), [("KC5401", Success)]);
        let above = held(SECRETS_USER, &format!("/subscriptions/{SUBSCRIPTION}"), "2026-11-01T10:00:00Z");
        assert_eq!(judged(judge, |e| e.assignments = Some(vec![above])), [("KC5401", Success)]);
        assert_eq!(judged(judge, |e| e.assignments = None), [("KC5401", Skipped)]);
    }

    #[test]
    fn a_missing_role_is_named_with_its_scope() {
        let none = fault(judge, |e| e.assignments = Some(vec![]));
        assert_eq!((none.code, none.expected.as_deref()), ("KC5400", Some("Key Vault Secrets User on vault")));
        for word in [PRINCIPAL, "Key Vault Secrets User", vault_id().as_str()] {
            assert!(fix(&none).contains(word), "{word}: {}", fix(&none));
        }
        let beside = held(SECRETS_USER, id(VAULTS, "other").as_str(), "2026-11-01T10:00:00Z");
        assert_eq!(judged(judge, |e| e.assignments = Some(vec![beside])), [("KC5400", Error)]);
        let manager = held(MANAGEMENT[1].0, &vault_id(), "2026-11-01T10:00:00Z");
        let manages = fault(judge, |e| e.assignments = Some(vec![manager]));
        assert_eq!((manages.code, seen(&manages)), ("KC5401", "Contributor"));
    }

    #[test]
    fn a_grant_of_the_other_permission_model_has_no_effect() {
        let policies = |e: &mut Evidence| e.target = Some(target(VAULTS, "vault", json!({"enableRbacAuthorization": false})));
        assert_eq!(judged(judge, policies), [("KC5403", Error)]);
        assert_eq!(judged(judge, |e| with_steps(e, vec![policy()])), [("KC5404", Error)]);
    }

    fn policy() -> StepSpec {
        let (vault, to) = (vault("vault").id, Grantee::Identity(identity_id("id-web")));
        StepSpec::VaultPolicy(VaultPolicy { vault, secrets: vec!["get".into(), "list".into()], keys: vec![], certificates: vec![], to })
    }

    #[test]
    fn an_access_policy_must_hold_every_permission() {
        let entry = |permissions: Value| {
            move |e: &mut Evidence| {
                let entry = json!({"objectId": PRINCIPAL.to_uppercase(), "permissions": {"secrets": permissions}});
                e.target = Some(target(VAULTS, "vault", json!({"accessPolicies": [entry]})));
                with_steps(e, vec![policy()]);
            }
        };
        assert_eq!(judged(judge, entry(json!(["Get", "List"]))), [("KC5405", Success)]);
        assert_eq!(judged(judge, entry(json!(["all"]))), [("KC5405", Success)]);
        let less = fault(judge, entry(json!(["Get"])));
        assert_eq!((less.code, seen(&less), less.expected.as_deref()), ("KC5405", "get", Some("secrets get list")));
        assert!(fix(&less).contains("--secret-permissions get list"), "{}", fix(&less));
    }

    #[test]
    fn a_data_plane_with_grants_of_its_own_is_asked_itself() {
        let account = id("Microsoft.DocumentDB/databaseAccounts", "docs");
        let role = Role { name: "Data Reader".into(), id: "00000000-0000-0000-0000-000000000001".into() };
        let to = Grantee::Identity(identity_id("id-web"));
        let step = StepSpec::CosmosRole(spec::CosmosRole { account: account.clone(), path: "dbs/shop".into(), role, to });
        let entry = |principal: &str, scope: &str| {
            let definition = format!("{account}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000001");
            json!({"properties": {"principalId": principal, "roleDefinitionId": definition, "scope": scope}})
        };
        let listed = |entries: Vec<Value>| {
            judged(judge, |e| {
                with_steps(e, vec![step.clone()]);
                e.own_grants = Some(entries);
            })
        };
        assert_eq!(listed(vec![entry(PRINCIPAL, &format!("{account}/dbs/shop"))]), [("KC5407", Success)]);
        assert_eq!(listed(vec![entry(PRINCIPAL, account.as_str())]), [("KC5407", Success)], "the whole account holds the database");
        assert_eq!(listed(vec![entry(PRINCIPAL, &format!("{account}/dbs/shop2"))]), [("KC5407", Error)]);
        assert_eq!(listed(vec![entry("somebody", account.as_str())]), [("KC5407", Error)]);
    }

    #[test]
    fn a_refusal_in_spite_of_the_grant_is_explained_by_its_age() {
        let explained = |at: &str| {
            let mut e = sound();
            with_steps(&mut e, vec![role_assignment()]);
            e.assignments = Some(vec![held(SECRETS_USER, &vault_id(), at)]);
            let check = Check::failed("KC5003", "proof", "read".into(), "HTTP 403".into(), None);
            refused(Check { refusal: Some(Refusal::DataPlane(403, "ForbiddenByRbac".into())), ..check }, &e)
        };
        let young = explained("2999-01-01T00:00:00Z");
        assert_eq!((young.code, seen(&young)), ("KC5402", "granted 0 s ago; HTTP 403"));
        assert_eq!(explained("2020-01-01T00:00:00Z").code, "KC5406");
        assert_eq!(explained("no time").code, "KC5003", "of unknown age, nothing explains it");
    }
}
