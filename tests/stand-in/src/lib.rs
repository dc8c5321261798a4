//! Simulates Azure and an AKS cluster as seen from outside: for tests, and for trying the product without either.
//!
//! Nothing is shared with the product: this is an independent implementation of the services' rules.
//!
//! [`Sandbox::start`] creates a [`world::World`], opens a proxy that terminates TLS, and prepares a folder with
//! everything a client needs. Run clients with the variables of [`Sandbox::env`]; inspect and influence the sandbox
//! through [`Sandbox::control`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::azure::Azure;
use crate::ca::Authority;
use crate::cloud::Cloud;
use crate::keys::RsaKey;
use crate::kube::{KubeCluster, KubeOptions, UserInfo};
use crate::world::World;

pub use crate::azure::sendable_cluster;
pub use crate::control::{Control, Entry, Kind, is_write};

pub mod az;
mod azure;
pub mod ca;
mod cloud;
mod control;
mod data;
mod entra;
pub mod fault;
pub mod http;
pub mod keys;
pub mod knobs;
pub mod kube;
mod proxy;
pub mod world;

/// A running sandbox. Dropping it ends the sandbox and deletes its folder.
pub struct Sandbox {
    dir: TempDir,
    control: Control,
    proxy: std::net::SocketAddr,
    clusters: BTreeMap<String, KubeCluster>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Sandbox {
    /// Creates a world and starts to serve it.
    ///
    /// # Errors
    /// If ports, keys or files can't be created.
    pub async fn start(world: World) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("sandbox-").tempdir().context("sandbox folder")?;
        let authority = Arc::new(Authority::new()?);
        let control = Control::new(world.knobs.clone());
        let mut clusters = BTreeMap::new();
        for (at, one) in world.clusters.iter().enumerate() {
            clusters.insert(one.name.clone(), plant_cluster(&world, at, one).await?);
        }
        prepare(dir.path(), &world, &authority)?;
        let by_id = world.clusters.iter().map(|one| (one.id.to_ascii_lowercase(), clusters[&one.name].clone())).collect();
        let by_host = world.clusters.iter().map(|one| (one.fqdn.clone(), clusters[&one.name].clone())).collect();
        let azure = Arc::new(Azure::new(world, control.clone(), by_id));
        for cluster in azure.kube.values() {
            let azure = Arc::downgrade(&azure);
            let gone = || Err(kube::csi::Unmounted::Busy);
            cluster.reach_vaults(Arc::new(move |ask| azure.upgrade().map_or_else(gone, |azure| data::mount::mount(&azure, ask))));
        }
        let reader = Arc::downgrade(&azure);
        control.set_state_reader(move || reader.upgrade().map_or(serde_json::Value::Null, |azure| azure.state()));
        let cloud = Arc::new(Cloud { azure, clusters: by_host });
        let (proxy, proxy_task) = proxy::start(Arc::clone(&cloud), authority).await?;
        let (address, az_task) = az::serve(cloud).await?;
        std::fs::write(dir.path().join(az::ADDRESS_FILE), address.to_string())?;
        Ok(Self { dir, control, proxy, clusters, tasks: vec![proxy_task, az_task] })
    }

    /// The handle for inspecting and influencing the sandbox.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The API server of a planted cluster.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Option<&KubeCluster> {
        self.clusters.get(name)
    }

    /// The sandbox's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The folder that comes first on PATH.
    #[must_use]
    pub fn bin(&self) -> PathBuf {
        self.dir.path().join("bin")
    }

    /// The proxy's address for `HTTPS_PROXY`.
    #[must_use]
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.proxy)
    }

    /// The certificate of the sandbox's authority, as PEM.
    #[must_use]
    pub fn authority_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Links a program into [`Sandbox::bin`]: the sandbox's own program as `az`, the product as `kubectl-connect`.
    ///
    /// # Errors
    /// If the link can't be created.
    pub fn link(&self, name: &str, program: &Path) -> anyhow::Result<()> {
        std::os::unix::fs::symlink(program, self.bin().join(name)).with_context(|| format!("link {name}"))
    }

    /// Prepares for another Azure CLI: nobody is signed in, since that CLI's token cache is empty.
    ///
    /// # Errors
    /// If the sign-in of the stand-in can't be removed, or the program can't be installed.
    pub fn sign_out_and_use(&self, az: &Path) -> anyhow::Result<()> {
        std::fs::remove_file(self.dir.path().join("azure/azureProfile.json")).context("sign-in of the stand-in")?;
        // The CLI looks for its parts beside its own path. A link to it works for most installations; this works for
        // all.
        let script = self.bin().join("az");
        let quoted = az.display().to_string().replace('\'', "'\\''");
        std::fs::write(&script, format!("#!/bin/sh\nexec '{quoted}' \"$@\"\n")).context("start of az")?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).context("start of az")?;
        }
        Ok(())
    }

    /// The environment of a client. Set these variables over the inherited ones: they also override proxy exceptions
    /// and settings of other sign-ins.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into());
        let (proxy, authority) = (self.proxy_url(), at("ca.pem"));
        [
            ("PATH", format!("{}:{path}", self.bin().display())),
            ("HOME", at("home")),
            ("KUBECONFIG", at("kubeconfig")),
            ("AZURE_CONFIG_DIR", at("azure")),
            ("HTTPS_PROXY", proxy.clone()),
            ("https_proxy", proxy.clone()),
            ("HTTP_PROXY", proxy.clone()),
            ("http_proxy", proxy),
            ("NO_PROXY", String::new()),
            ("no_proxy", String::new()),
            ("ALL_PROXY", String::new()),
            ("all_proxy", String::new()),
            ("SSL_CERT_FILE", authority.clone()),
            ("SSL_CERT_DIR", at("certs")),
            ("REQUESTS_CA_BUNDLE", authority.clone()),
            ("CURL_CA_BUNDLE", authority),
            ("AZURE_CORE_COLLECT_TELEMETRY", "no".into()),
            ("XDG_CACHE_HOME", at("home/.cache")),
            ("XDG_CONFIG_HOME", at("home/.config")),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}

async fn plant_cluster(world: &World, at: usize, one: &world::Cluster) -> anyhow::Result<KubeCluster> {
    let body = world.resources.iter().find(|body| body["id"] == one.id.as_str());
    let properties = body.map(|body| body["properties"].clone()).unwrap_or_default();
    let published = one.is_elsewhere() || properties["oidcIssuerProfile"]["enabled"] == true;
    // As long as the issuer is disabled, tokens name the API server as their issuer.
    let issuer = if published { one.issuer.clone() } else { format!("https://{}", one.fqdn) };
    let mut options = KubeOptions::new(&one.fqdn, &issuer, RsaKey::pooled(at + 1));
    options.tokens.insert(one.token.clone(), UserInfo::new("clusterUser", &["system:masters"]));
    let webhook = one.is_elsewhere() || properties["securityProfile"]["workloadIdentity"]["enabled"] == true;
    let secrets_provider = properties["addonProfiles"]["azureKeyvaultSecretsProvider"]["enabled"] == true;
    if let Some(real) = world.real.get(&one.name) {
        let cluster = KubeCluster::in_front_of(options, real, &world::workloads(), webhook).await?;
        if secrets_provider {
            cluster.install_secrets_store();
        }
        return Ok(cluster);
    }
    let cluster = KubeCluster::new(options);
    for object in world::workloads() {
        cluster.apply_object("", object);
    }
    if webhook {
        cluster.install_webhook(&world.tenant);
    }
    if secrets_provider {
        cluster.install_secrets_store();
    }
    Ok(cluster)
}

fn prepare(dir: &Path, world: &World, authority: &Authority) -> anyhow::Result<()> {
    for folder in ["bin", "home", "azure", "certs"] {
        std::fs::create_dir_all(dir.join(folder))?;
    }
    std::fs::write(dir.join("ca.pem"), authority.pem())?;
    std::fs::write(dir.join("kubeconfig"), world.kubeconfig())?;
    std::fs::write(dir.join("azure/azureProfile.json"), world.azure_profile())?;
    std::fs::write(dir.join("azure/config"), "[core]\ncollect_telemetry = no\n\n[cloud]\nname = AzureCloud\n")?;
    std::fs::write(dir.join("azure/clouds.config"), format!("[AzureCloud]\nsubscription = {}\n", world::SUBSCRIPTION))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // kubectl and helm warn about a kubeconfig that others can read.
        std::fs::set_permissions(dir.join("kubeconfig"), std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}
