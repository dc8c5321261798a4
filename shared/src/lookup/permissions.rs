//! The caller's permissions at an ARM scope, and whether they allow an action.

use serde_json::Value;

use super::session::Session;
use crate::azure::Failure;
use crate::model::Result;

/// The user's permissions at a scope; cached.
pub(crate) async fn permissions(session: &Session, scope: &str) -> Result<Vec<Value>, Failure> {
    session
        .arm
        .list(&format!("{scope}/providers/Microsoft.Authorization/permissions"), crate::azure::api_versions::AUTHORIZATION, &[])
        .await
}

/// Whether a permission entry allows the action without excluding it.
pub(crate) fn is_allowed(permissions: &[Value], action: &str) -> bool {
    let any = |list: &Value| list.as_array().into_iter().flatten().filter_map(Value::as_str).any(|pattern| matches(pattern, action));
    permissions.iter().any(|p| any(&p["actions"]) && !any(&p["notActions"]))
}

/// ARM's wildcards: `*` matches any characters, and case is ignored.
pub(crate) fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let parts: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == action };
    let Some(mut rest) = action.strip_prefix(first) else { return false };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wildcards_match_as_arm_does() {
        let write = "Microsoft.Authorization/roleAssignments/write";
        for yes in ["*", "*/write", "Microsoft.Authorization/*", "microsoft.authorization/*/Write", write] {
            assert!(matches(yes, write), "{yes}");
        }
        for no in ["*/read", "Microsoft.Author", "Microsoft.Authorization/roleAssignments", ""] {
            assert!(!matches(no, write), "{no}");
        }
    }

    #[test]
    fn an_action_excluded_by_one_entry_may_be_allowed_by_another() {
        let action = "Microsoft.Authorization/roleAssignments/write";
        let contributor = json!({"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]});
        let administrator = json!({"actions": ["Microsoft.Authorization/roleAssignments/*"], "notActions": []});
        assert!(!is_allowed(std::slice::from_ref(&contributor), action));
        assert!(is_allowed(&[contributor, administrator], action));
    }
}
