//! Key Vault objects that pods get as files, as the user names them. The custom resource that lists them accepts any
//! text, and a mistake would only show when a pod fails to start. So everything that can be checked is checked here
//! (rules of the Azure provider of the secrets store CSI driver, `pkg/provider`).

use serde::{Deserialize, Serialize};

/// Kind of a vault object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectKind {
    /// A secret. A secret with a certificate's name holds that certificate with its private key.
    Secret,
    /// The public part of a key.
    Key,
    /// A certificate, without its private key.
    Cert,
}

impl ObjectKind {
    /// The provider's word for the kind; also the name of the flag.
    pub fn word(self) -> &'static str {
        match self {
            ObjectKind::Secret => "secret",
            ObjectKind::Key => "key",
            ObjectKind::Cert => "cert",
        }
    }

    /// Collection of such objects on the vault's data plane.
    pub fn collection(self) -> &'static str {
        match self {
            ObjectKind::Secret => "secrets",
            ObjectKind::Key => "keys",
            ObjectKind::Cert => "certificates",
        }
    }
}

/// One object to mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultObject {
    /// Kind.
    pub kind: ObjectKind,
    /// Name in the vault.
    pub name: String,
    /// Version; if absent, the latest, also after a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// File name; the object's name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Variable that holds the object as well, through a Kubernetes Secret which the driver maintains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
}

/// The identity with which the driver reads the vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CsiIdentity {
    /// The workload's identity, through the token of its service account.
    #[default]
    Workload,
    /// The add-on's identity, which every pod on the node can use.
    Addon,
    /// A managed identity assigned to the nodes, by its client id.
    Vm(String),
}

impl CsiIdentity {
    /// Parses `workload`, `addon` or `vm:<client id>`.
    ///
    /// # Errors
    /// What is wrong, as a phrase that continues a sentence beginning with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text.eq_ignore_ascii_case("workload") => Ok(CsiIdentity::Workload),
            None if text.eq_ignore_ascii_case("addon") => Ok(CsiIdentity::Addon),
            Some((word, id)) if word.eq_ignore_ascii_case("vm") => match uuid::Uuid::parse_str(id) {
                Ok(_) => Ok(CsiIdentity::Vm(id.to_ascii_lowercase())),
                Err(_) => Err(format!("has no valid client id: `{id}` is not a GUID")),
            },
            _ => Err("must be workload, addon or vm:CLIENT-ID".into()),
        }
    }
}

impl VaultObject {
    /// Parses `NAME[/VERSION][:FILE][=ENV]`.
    ///
    /// # Errors
    /// What is wrong, as a phrase that continues a sentence beginning with the text.
    pub fn parse(kind: ObjectKind, text: &str) -> Result<Self, String> {
        let (rest, variable) = split(text, '=');
        let (rest, alias) = split(rest, ':');
        let (name, version) = split(rest, '/');
        fits_name(name)?;
        if let Some(version) = version.filter(|v| v.len() != 32 || !v.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err(format!("has the version `{version}`: a version must have 32 hexadecimal digits"));
        }
        if let Some(alias) = alias {
            fits_file(alias)?;
        }
        if let Some(variable) = variable.filter(|v| !fits_variable(v)) {
            return Err(format!(
                "has the variable `{variable}`: its name may contain letters, digits, `_`, `-` and `.`, and must not begin with a digit"
            ));
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(VaultObject { kind, name: name.into(), version: owned(version), alias: owned(alias), variable: owned(variable) })
    }

    /// File name, by which a synced Secret refers to the object.
    pub fn file(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Checks an object name (REST reference of Key Vault: `^[0-9a-zA-Z-]+$`, up to 127 characters).
fn fits_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 127 {
        return Err("must name an object: 1 to 127 characters".into());
    }
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '-')) {
        Some(bad) => Err(format!("can't contain `{bad}`: names in a vault consist of letters, digits and hyphens")),
        None => Ok(()),
    }
}

/// Checks a file name. The provider refuses paths that leave the volume; a slash would create a folder, to which a
/// synced Secret can't refer.
fn fits_file(file: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if file.is_empty() || file.len() > 253 || file == "." || file.contains("..") || !file.chars().all(plain) {
        return Err(format!("has the file name `{file}`: it may contain only letters, digits, `-`, `_` and `.`"));
    }
    Ok(())
}

/// Whether the API server accepts `name` both as a variable name and as a key of a Secret.
pub fn fits_variable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name != "."
        && !name.starts_with("..")
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// Why a path can't be used as a mount point; `None` if it can.
pub fn mount_path_fault(path: &str) -> Option<&'static str> {
    let inside = |place: &str| path == place || path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'));
    if !path.starts_with('/') {
        Some("must be absolute")
    } else if path.contains(':') {
        Some("can't contain `:`")
    } else if path.split('/').skip(1).any(|part| part == ".." || part == ".") {
        Some("can't contain `.` or `..` as a part")
    } else if path.trim_end_matches('/').is_empty() {
        Some("can't be the root of the container's files")
    } else if path.contains("//") || path.ends_with('/') {
        Some("has an empty part")
    } else if ["/proc", "/sys", "/dev", "/etc", "/bin", "/usr", "/lib"].contains(&path) || inside("/var/run/secrets") || inside("/proc") {
        Some("would hide files that the container needs")
    } else if path.chars().any(|c| c.is_control() || c.is_whitespace()) {
        Some("can't contain blanks")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<VaultObject, String> {
        VaultObject::parse(ObjectKind::Secret, text)
    }

    #[test]
    fn an_object_is_parsed_with_all_its_optional_parts() {
        let all = secret("db-password/4387e9f3d6e14c459867679a90fd0f79:db.txt=DB_PASSWORD").unwrap();
        assert_eq!((all.name.as_str(), all.file(), all.variable.as_deref()), ("db-password", "db.txt", Some("DB_PASSWORD")));
        assert_eq!(all.version.as_deref(), Some("4387e9f3d6e14c459867679a90fd0f79"));
        assert_eq!(secret("db-password").unwrap().file(), "db-password");
    }

    #[test]
    fn objects_that_the_provider_would_refuse_are_refused() {
        let long = "a".repeat(128);
        for bad in ["", "a b", "a_b", "a/1", "a:", "a:../x", "a:x/y", "a=1X", "a=", "a=A B", "ä", long.as_str()] {
            assert!(secret(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn there_are_three_csi_identities() {
        assert_eq!(CsiIdentity::parse("addon"), Ok(CsiIdentity::Addon));
        let id = "66666666-AAAA-4bbb-8ccc-000000000012";
        assert_eq!(CsiIdentity::parse(&format!("vm:{id}")), Ok(CsiIdentity::Vm(id.to_ascii_lowercase())));
        for bad in ["vm", "vm:", "vm:x", "pod", "addon:x"] {
            assert!(CsiIdentity::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mount_paths_may_not_hide_files_of_the_container() {
        assert_eq!(mount_path_fault("/mnt/secrets-store"), None);
        for bad in ["mnt", "/", "//", "/a/../b", "/a:b", "/a//b", "/a/", "/proc", "/var/run/secrets/x", "/a b", ""] {
            assert!(mount_path_fault(bad).is_some(), "{bad}");
        }
    }
}
