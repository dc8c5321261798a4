//! Role assignments of one principal.

use crate::model::ResourceId;

/// ARM path and filter that list a principal's assignments at a scope and above it.
pub fn role_assignments_of(scope: &ResourceId, principal: &str) -> (String, String) {
    (format!("{scope}/providers/Microsoft.Authorization/roleAssignments"), format!("principalId eq '{principal}'"))
}
