//! Resource names for shell completion. The answer of Resource Graph is cached on disk for a minute, because the
//! shell asks again at every press of the tab key. The cache contains only names and resource groups.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::Arm;
use crate::model::Result;
use crate::sys;

/// How long cached names are used.
const FRESH: Duration = Duration::from_secs(60);

/// Names of all resources of a type that the user may read, each with its resource group.
///
/// # Errors
/// Errors of Resource Graph or of the sign-in.
pub async fn resource_names(arm: &Arm, arm_type: &str) -> Result<Vec<(String, String)>> {
    let file = folder().map(|folder| folder.join(file_name(arm, arm_type)));
    if let Some(known) = file.as_deref().and_then(fresh) {
        return Ok(known);
    }
    let query = format!("resources | where type =~ '{arm_type}' | project name, resourceGroup");
    let rows = arm.graph(&query, &[]).await?;
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<(String, String)> = rows.iter().map(|row| (text(row, "name"), text(row, "resourceGroup"))).collect();
    names.sort();
    if let Some(file) = file {
        // Ignored: without a cache, completion is only slower.
        let _ = keep(&file, &names);
    }
    Ok(names)
}

fn folder() -> Option<PathBuf> {
    let cache = sys::var("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| sys::home().map(|home| home.join(".cache")))?;
    Some(cache.join("kubectl-connect"))
}

/// File name of the cache, one per tenant and type: names of another tenant must not be offered.
fn file_name(arm: &Arm, arm_type: &str) -> String {
    let plain = |text: &str| text.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "-");
    format!("names-{}-{}.json", plain(arm.tenant().unwrap_or("any")), plain(arm_type))
}

fn fresh(file: &Path) -> Option<Vec<(String, String)>> {
    let age = std::fs::metadata(file).ok()?.modified().ok()?.elapsed().ok()?;
    if age > FRESH {
        return None;
    }
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Writes to a temporary file and renames it, so that nobody reads half a file.
fn keep(file: &Path, names: &[(String, String)]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&beside, serde_json::to_vec(names)?)?;
    std::fs::rename(&beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_for_a_minute() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/names.json");
        assert_eq!(fresh(&file), None);
        let names = vec![("my-vault".to_owned(), "rg".to_owned())];
        keep(&file, &names).unwrap();
        assert_eq!(fresh(&file), Some(names));
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(61);
        std::fs::File::options().append(true).open(&file).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(fresh(&file), None);
    }
}
