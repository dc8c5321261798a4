//! Names of resources for completion: Resource Graph's answer, kept on disk for a minute, because a shell asks again with
//! every press of the tab key. Names are all that is kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::Arm;
use crate::model::Result;
use crate::sys;

/// How long names are taken for fresh.
const FRESH: Duration = Duration::from_secs(60);

/// Names of the resources of a type that the user may read, each with its resource group.
///
/// # Errors
/// What Resource Graph or the sign-in says.
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
        // Without a cache it is slower, no more.
        let _ = keep(&file, &names);
    }
    Ok(names)
}

fn folder() -> Option<PathBuf> {
    let cache = sys::var("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| sys::home().map(|home| home.join(".cache")))?;
    Some(cache.join("kubectl-connect"))
}

/// One file per tenant and type: another tenant's names must not be offered.
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

/// Written beside and moved into place, so that nobody reads half a file.
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
