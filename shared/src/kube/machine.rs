//! Programs on this machine that a cluster sign-in needs, and plugins that hide each other.

use std::path::PathBuf;
use std::time::Duration;

use super::flags::Flags;
use super::kubeconfig;
use crate::sys;

const LIMIT: Duration = Duration::from_secs(5);

/// The path at which a program is found first.
pub fn program(name: &str) -> Option<PathBuf> {
    which::which(name).ok()
}

/// All programs on PATH that kubectl would use as a plugin of this name or of a longer one.
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

/// The sign-in program of the selected context.
pub fn sign_in_program(flags: &Flags) -> Option<String> {
    let config = kubeconfig::read(&kubeconfig::paths(flags)).ok()??;
    kubeconfig::choose(&config, flags).ok()?.user.exec?.command
}

/// The version output of a kubelogin program.
pub async fn version_of(program: &std::path::Path) -> String {
    match sys::run(program.as_os_str(), &["--version".as_ref()], LIMIT).await {
        Ok(output) => format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)).trim().to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Whether this is the output of Azure's kubelogin: it contains a git hash. int128's kubelogin prints one line with a
/// release.
pub fn is_azures_kubelogin(says: &str) -> bool {
    says.contains("git hash")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_kubelogins_are_distinguished() {
        assert!(is_azures_kubelogin("kubelogin version \ngit hash: v0.2.19/abc\nGo version: go1.24\nPlatform: linux/amd64"));
        assert!(!is_azures_kubelogin("kubelogin version v1.34.1 (go1.24.5 linux_amd64)"));
    }
}
