//! Role assignments of one principal.

use crate::model::ResourceId;

/// Path and filter of the list of a principal's assignments at a scope and above it.
pub fn role_assignments_of(scope: &ResourceId, principal: &str) -> (String, String) {
    (format!("{scope}/providers/Microsoft.Authorization/roleAssignments"), format!("principalId eq '{principal}'"))
}
