//! The programs of this machine that signing in to a cluster depends on, and plugins that stand in each other's way.

use std::path::PathBuf;
use std::time::Duration;

use super::flags::Flags;
use super::kubeconfig;
use crate::sys;

const LIMIT: Duration = Duration::from_secs(5);

/// Where a program is found first.
pub fn program(name: &str) -> Option<PathBuf> {
    which::which(name).ok()
}

/// Everything on PATH that kubectl would take for a plugin of this name or a longer one.
pub fn plugins(name: &str) -> Vec<PathBuf> {
    let path = sys::var("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in std::env::split_paths(&path) {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut here: Vec<PathBuf> = entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.file_stem().and_then(|n| n.to_str()).is_some_and(|n| n == name || n.starts_with(&format!("{name}-"))))
            .filter(|p| p.is_file())
            .collect();
        here.sort();
        found.extend(here.into_iter().filter(|p| !found.contains(p)).collect::<Vec<_>>());
    }
    found
}

/// The program that the chosen context signs in with.
pub fn sign_in_program(flags: &Flags) -> Option<String> {
    let config = kubeconfig::read(&kubeconfig::paths(flags)).ok()??;
    kubeconfig::choose(&config, flags).ok()?.user.exec?.command
}

/// What a kubelogin says about itself.
pub async fn version_of(program: &std::path::Path) -> String {
    match sys::run(program.as_os_str(), &["--version".as_ref()], LIMIT).await {
        Ok(output) => format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)).trim().to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Whether that is Azure's kubelogin: it names the commit it was built from, int128's names a release in one line.
pub fn is_azures_kubelogin(says: &str) -> bool {
    says.contains("git hash")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_kubelogins_are_told_apart() {
        assert!(is_azures_kubelogin("kubelogin version \ngit hash: v0.2.19/abc\nGo version: go1.24\nPlatform: linux/amd64"));
        assert!(!is_azures_kubelogin("kubelogin version v1.34.1 (go1.24.5 linux_amd64)"));
    }
}
