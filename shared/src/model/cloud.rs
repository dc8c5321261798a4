//! Endpoints and suffixes of an Azure cloud, as the az CLI knows them.
//!
//! The three fixed clouds hold the values built into azure-cli-core 2.91. A registered cloud (Azure Stack, air-gapped
//! clouds) is read from az's configuration by the `azure` room, which builds a [`Cloud`] from it.

/// One Azure cloud. URLs have no trailing slash; suffixes have no leading dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// Name in az: `AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud` or a registered name.
    pub name: String,
    /// Azure Resource Manager: `https://management.azure.com`.
    pub resource_manager: String,
    /// Entra's authority: `https://login.microsoftonline.com`.
    pub authority: String,
    /// Suffix of vault host names: `vault.azure.net`.
    pub keyvault_suffix: String,
    /// Suffix of storage host names: `core.windows.net`.
    pub storage_suffix: String,
    /// Suffix of AI account host names: `cognitiveservices.azure.com`.
    pub cognitive_suffix: String,
    /// Suffix of Azure OpenAI host names: `openai.azure.com`.
    pub openai_suffix: String,
}

/// Host name suffixes of services (azure-cli-core 2.91 for the databases, the private DNS table of the product
/// documentation for the others).
const SUFFIXES_US: [(&str, &str); 6] = [
    ("servicebus.windows.net", "servicebus.usgovcloudapi.net"),
    ("database.windows.net", "database.usgovcloudapi.net"),
    ("mysql.database.azure.com", "mysql.database.usgovcloudapi.net"),
    ("postgres.database.azure.com", "postgres.database.usgovcloudapi.net"),
    ("documents.azure.com", "documents.azure.us"),
    ("redis.cache.windows.net", "redis.cache.usgovcloudapi.net"),
];

/// See [`SUFFIXES_US`].
const SUFFIXES_CHINA: [(&str, &str); 6] = [
    ("servicebus.windows.net", "servicebus.chinacloudapi.cn"),
    ("database.windows.net", "database.chinacloudapi.cn"),
    ("mysql.database.azure.com", "mysql.database.chinacloudapi.cn"),
    ("postgres.database.azure.com", "postgres.database.chinacloudapi.cn"),
    ("documents.azure.com", "documents.azure.cn"),
    ("redis.cache.windows.net", "redis.cache.chinacloudapi.cn"),
];

impl Cloud {
    /// The public cloud.
    pub fn public() -> Self {
        Cloud {
            name: "AzureCloud".into(),
            resource_manager: "https://management.azure.com".into(),
            authority: "https://login.microsoftonline.com".into(),
            keyvault_suffix: "vault.azure.net".into(),
            storage_suffix: "core.windows.net".into(),
            cognitive_suffix: "cognitiveservices.azure.com".into(),
            openai_suffix: "openai.azure.com".into(),
        }
    }

    /// Azure US Government.
    pub fn us_government() -> Self {
        Cloud {
            name: "AzureUSGovernment".into(),
            resource_manager: "https://management.usgovcloudapi.net".into(),
            authority: "https://login.microsoftonline.us".into(),
            keyvault_suffix: "vault.usgovcloudapi.net".into(),
            storage_suffix: "core.usgovcloudapi.net".into(),
            cognitive_suffix: "cognitiveservices.azure.us".into(),
            openai_suffix: "openai.azure.us".into(),
        }
    }

    /// Azure operated by 21Vianet in China.
    pub fn china() -> Self {
        Cloud {
            name: "AzureChinaCloud".into(),
            resource_manager: "https://management.chinacloudapi.cn".into(),
            authority: "https://login.chinacloudapi.cn".into(),
            keyvault_suffix: "vault.azure.cn".into(),
            storage_suffix: "core.chinacloudapi.cn".into(),
            cognitive_suffix: "cognitiveservices.azure.cn".into(),
            openai_suffix: "openai.azure.cn".into(),
        }
    }

    /// A built-in cloud by its az name, ignoring case.
    pub fn builtin(name: &str) -> Option<Self> {
        [Self::public(), Self::us_government(), Self::china()].into_iter().find(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// This cloud's form of a public host name suffix: `servicebus.windows.net` → `servicebus.usgovcloudapi.net`. A
    /// suffix without a documented counterpart is returned unchanged; callers prefer the host name that the resource
    /// reports.
    pub fn suffix<'a>(&self, public: &'a str) -> &'a str {
        let table: &[(&str, &str)] = match self.name.as_str() {
            "AzureUSGovernment" => &SUFFIXES_US,
            "AzureChinaCloud" => &SUFFIXES_CHINA,
            _ => &[],
        };
        table.iter().find(|(own, _)| *own == public).map_or(public, |(_, other)| other)
    }

    /// Scope of a token for Azure Resource Manager.
    pub fn arm_scope(&self) -> String {
        format!("{}/.default", self.resource_manager)
    }
}
