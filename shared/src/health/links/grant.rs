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
