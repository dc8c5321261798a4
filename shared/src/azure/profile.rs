//! The files of az: the chosen cloud and the user's subscriptions.
//!
//! Reading these three small files takes a millisecond; asking az takes half a second. They are read as
//! azure-cli-core 2.91 reads them (`cloud.py`, `_profile.py`, knack's `config.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::model::{Cloud, Kind, Problem, Result};
use crate::sys;

/// A subscription of the signed-in user, as az knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Id, a GUID.
    pub id: String,
    /// Display name; not unique.
    pub name: String,
    /// Id of the tenant that issues tokens for this subscription.
    pub tenant: String,
    /// Whether `az account set` chose this subscription.
    pub is_default: bool,
    /// Name of the user, or client id of the service principal, that found the subscription.
    pub user: Option<String>,
    /// `Enabled`, `Disabled`, `Warned`, `PastDue` or `Deleted`.
    pub state: String,
}

/// az's active cloud and its subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The active cloud.
    pub cloud: Cloud,
    /// Subscriptions of the active cloud, in az's order.
    pub subscriptions: Vec<Subscription>,
}

impl Profile {
    /// Reads az's configuration from `AZURE_CONFIG_DIR` or `~/.azure`. Missing files mean the public cloud and no
    /// subscriptions, as before the first sign-in.
    ///
    /// # Errors
    /// KC2101 if a file exists but can't be read or parsed, KC2102 if the chosen cloud is not registered.
    pub fn load() -> Result<Profile> {
        let dir = sys::var("AZURE_CONFIG_DIR").map(PathBuf::from).or_else(|| sys::home().map(|home| home.join(".azure")));
        // knack gives AZURE_<SECTION>_<KEY> precedence over the file.
        let chosen = sys::var("AZURE_CLOUD_NAME");
        let mut profile = match dir {
            Some(dir) => Self::from_dir(&dir, chosen.as_deref())?,
            None => Self::from_texts(chosen.as_deref(), None, None, None)?,
        };
        if let Some(subscription) = super::extension_tokens::subscription() {
            profile.choose(&subscription);
        }
        Ok(profile)
    }

    /// Makes a subscription the active one, as az does for one command with `--subscription`.
    fn choose(&mut self, id: &str) {
        for subscription in &mut self.subscriptions {
            subscription.is_default = subscription.id.eq_ignore_ascii_case(id);
        }
    }

    fn from_dir(dir: &Path, chosen: Option<&str>) -> Result<Profile> {
        let [config, clouds, profile] = ["config", "clouds.config", "azureProfile.json"].map(|name| read(&dir.join(name)));
        Self::from_texts(chosen, config?.as_deref(), clouds?.as_deref(), profile?.as_deref())
    }

    fn from_texts(chosen: Option<&str>, config: Option<&str>, clouds: Option<&str>, profile: Option<&str>) -> Result<Profile> {
        let config = ini(config.unwrap_or_default());
        let name = chosen.or_else(|| config.get("cloud").and_then(|c| c.get("name")).map(String::as_str)).unwrap_or("AzureCloud");
        let cloud = cloud(name, &ini(clouds.unwrap_or_default()))?;
        let subscriptions = match profile {
            Some(text) => subscriptions(text, &cloud.name)?,
            None => Vec::new(),
        };
        Ok(Profile { cloud, subscriptions })
    }

    /// The subscription that `az account set` chose.
    pub fn active(&self) -> Option<&Subscription> {
        self.subscriptions.iter().find(|s| s.is_default)
    }

    /// The tenant of the subscription with this id.
    pub fn tenant_of(&self, subscription: &str) -> Option<&str> {
        self.subscriptions.iter().find(|s| s.id.eq_ignore_ascii_case(subscription)).map(|s| s.tenant.as_str())
    }

    /// The subscription with this id or, if no id matches, with this display name; ignoring case, as az does. If
    /// several subscriptions have the name, the first one is returned, as az does.
    pub fn find_subscription(&self, id_or_name: &str) -> Option<&Subscription> {
        let by = |field: fn(&Subscription) -> &str| self.subscriptions.iter().find(move |s| field(s).eq_ignore_ascii_case(id_or_name));
        by(|s| &s.id).or_else(|| by(|s| &s.name))
    }
}

fn read(path: &Path) -> Result<Option<String>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        // A parent that is not a folder counts as absent.
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(unreadable(&path.display().to_string(), &e.to_string())),
    };
    // az writes azureProfile.json as UTF-8 with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
}

fn unreadable(file: &str, why: &str) -> Problem {
    Problem::new(Kind::Failed, "KC2101", format!("can't read az's file {file}"))
        .why(why)
        .fix("az account list --refresh")
        .fix("set AZURE_CONFIG_DIR to the folder that az uses")
}

/// The cloud called `name`: a built-in one with overrides from clouds.config, or a registered one.
fn cloud(name: &str, registered: &BTreeMap<String, BTreeMap<String, String>>) -> Result<Cloud> {
    let section = registered.iter().find(|(section, _)| section.eq_ignore_ascii_case(name));
    let builtin = Cloud::builtin(name);
    let Some(mut cloud) = builtin.or_else(|| section.map(|(name, _)| Cloud { name: name.clone(), ..Cloud::public() })) else {
        return Err(Problem::new(Kind::Usage, "KC2102", format!("az has no cloud named `{name}`"))
            .why("az's clouds are AzureCloud, AzureUSGovernment, AzureChinaCloud and the registered ones")
            .fix("az cloud set --name AzureCloud")
            .fix("az cloud list --output table"));
    };
    let empty = BTreeMap::new();
    let keys = section.map_or(&empty, |(_, keys)| keys);
    let take = |field: &mut String, key: &str, tidy: fn(&str) -> &str| {
        if let Some(value) = keys.get(key).map(|v| tidy(v)).filter(|v| !v.is_empty()) {
            value.clone_into(field);
        }
    };
    take(&mut cloud.resource_manager, "endpoint_resource_manager", |v| v.trim_end_matches('/'));
    take(&mut cloud.authority, "endpoint_active_directory", |v| v.trim_end_matches('/'));
    take(&mut cloud.keyvault_suffix, "suffix_keyvault_dns", |v| v.trim_start_matches('.'));
    take(&mut cloud.storage_suffix, "suffix_storage_endpoint", |v| v.trim_start_matches('.'));
    Ok(cloud)
}

fn subscriptions(text: &str, cloud: &str) -> Result<Vec<Subscription>> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let profile: Value = serde_json::from_str(text).map_err(|e| unreadable("azureProfile.json", &e.to_string()))?;
    let text_of = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let of_this_cloud = |s: &&Value| s.get("environmentName").and_then(Value::as_str).is_none_or(|name| name.eq_ignore_ascii_case(cloud));
    let all = profile.get("subscriptions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(all
        .iter()
        .filter(of_this_cloud)
        .map(|s| Subscription {
            id: text_of(s, "id"),
            name: text_of(s, "name"),
            tenant: text_of(s, "tenantId"),
            is_default: s.get("isDefault").and_then(Value::as_bool).unwrap_or_default(),
            user: s.pointer("/user/name").and_then(Value::as_str).map(str::to_owned),
            state: text_of(s, "state"),
        })
        .collect())
}

/// Parses a file like Python's configparser, as far as az needs: sections, `key = value` or `key: value`, keys in
/// lower case, comment lines. Other lines are skipped, so that a broken line does not hide the rest.
fn ini(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut current = None;
    for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.entry(name.to_owned()).or_default();
            current = Some(name.to_owned());
        } else if let (Some(section), Some(at)) = (&current, line.find(['=', ':'])) {
            let (key, value) = (line[..at].trim().to_lowercase(), line[at + 1..].trim().to_owned());
            sections.entry(section.clone()).or_default().insert(key, value);
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "\u{feff}{\"installationId\": \"x\", \"subscriptions\": [\
        {\"id\": \"AAAA\", \"name\": \"Dev\", \"state\": \"Enabled\", \"user\": {\"name\": \"me@example.com\", \"type\": \"user\"}, \
         \"isDefault\": false, \"tenantId\": \"t1\", \"environmentName\": \"AzureCloud\", \"homeTenantId\": \"t0\", \"managedByTenants\": []},\
        {\"id\": \"bbbb\", \"name\": \"Prod\", \"state\": \"Enabled\", \"user\": null, \"isDefault\": true, \"tenantId\": \"t2\", \
         \"environmentName\": \"AzureCloud\"},\
        {\"id\": \"cccc\", \"name\": \"Gov\", \"state\": \"Enabled\", \"isDefault\": true, \"tenantId\": \"t3\", \
         \"environmentName\": \"AzureUSGovernment\"}]}";

    #[test]
    fn without_files_the_cloud_is_public_and_has_no_subscriptions() {
        let dir = tempfile::tempdir().unwrap();
        let profile = Profile::from_dir(&dir.path().join("absent"), None).unwrap();
        assert_eq!((profile.cloud, profile.subscriptions.len()), (Cloud::public(), 0));
    }

    #[test]
    fn reads_the_files_that_az_writes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("azureProfile.json"), PROFILE).unwrap();
        std::fs::write(dir.path().join("config"), "[core]\noutput = json\n\n[cloud]\nname = AzureCloud\n").unwrap();
        let profile = Profile::from_dir(dir.path(), None).unwrap();
        assert_eq!(profile.subscriptions.len(), 2, "the subscription of another cloud is not ours");
        assert_eq!(profile.active().unwrap().id, "bbbb");
        assert_eq!(profile.tenant_of("aaaa"), Some("t1"));
        assert_eq!(profile.find_subscription("prod").unwrap().user, None);
        assert_eq!(profile.find_subscription("AAAA").unwrap().user.as_deref(), Some("me@example.com"));
        assert!(profile.find_subscription("gov").is_none());
        let gov = Profile::from_dir(dir.path(), Some("azureusgovernment")).unwrap();
        assert_eq!((gov.cloud, gov.subscriptions[0].id.as_str()), (Cloud::us_government(), "cccc"));
    }

    #[test]
    fn a_registered_cloud_brings_its_own_endpoints() {
        let clouds = "[AzureCloud]\n\n[Stack]\nprofile = latest\nendpoint_resource_manager = https://management.local.azurestack.external/\n\
            Endpoint_Active_Directory = https://login.windows.net/\nsuffix_keyvault_dns = .vault.local.azurestack.external\n\
            ; a comment\nsuffix_storage_endpoint: local.azurestack.external\n";
        let profile = Profile::from_texts(None, Some("[cloud]\nname = Stack\n"), Some(clouds), None).unwrap();
        assert_eq!(profile.cloud.name, "Stack");
        assert_eq!(profile.cloud.resource_manager, "https://management.local.azurestack.external");
        assert_eq!(profile.cloud.authority, "https://login.windows.net");
        assert_eq!(profile.cloud.keyvault_suffix, "vault.local.azurestack.external");
        assert_eq!(profile.cloud.storage_suffix, "local.azurestack.external");
    }

    #[test]
    fn says_which_cloud_is_missing_and_which_file_is_broken() {
        let unknown = Profile::from_texts(Some("Moon"), None, None, None).unwrap_err();
        assert_eq!((unknown.code(), unknown.kind()), ("KC2102", Kind::Usage));
        assert!(unknown.what().contains("`Moon`"));
        assert_eq!(Profile::from_texts(None, None, None, Some("{")).unwrap_err().code(), "KC2101");
        assert!(Profile::from_texts(None, None, None, Some("")).unwrap().subscriptions.is_empty());
    }
}
