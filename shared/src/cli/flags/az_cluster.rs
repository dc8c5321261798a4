//! Flags that the az front end adds to every verb: the cluster by its Azure name.

use std::sync::{Arc, LazyLock};

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::kube::Source;
use crate::lookup::azure_session::AzureSession;
use crate::lookup::cluster_credentials::FromAzure;
use crate::model::request::ClusterChoice;

// The ids equal those of the connect flags, so that one value serves both purposes: the cluster to talk to, and the
// cluster to find in Azure.
#[derive(Args, Debug, Default)]
struct AzureCluster {
    /// Resource id of the AKS cluster; its credentials come from Azure, no kubeconfig is needed
    #[arg(long, global = true, value_name = "ID", help_heading = "Cluster")]
    aks_id: Option<String>,
    /// Name of the AKS cluster; its credentials come from Azure, no kubeconfig is needed
    #[arg(long, global = true, value_name = "NAME", help_heading = "Cluster")]
    aks_name: Option<String>,
    /// Resource group of the AKS cluster
    #[arg(long, global = true, value_name = "NAME", help_heading = "Cluster")]
    aks_resource_group: Option<String>,
}

pub fn with_cluster_choice(root: Command) -> Command {
    AzureCluster::augment_args(root)
}

/// The Azure session of this process: one command line is one run.
pub fn azure() -> &'static AzureSession {
    static RUN: LazyLock<AzureSession> = LazyLock::new(AzureSession::default);
    &RUN
}

/// Source of credentials besides the kubeconfig. The kubectl plugin always uses the context's cluster; for it, az
/// provides only the tokens that kubelogin would otherwise get.
pub fn source(root: &ArgMatches) -> Arc<dyn Source> {
    let named = root.try_contains_id("aks_name").is_ok();
    let chosen = if named { AzureCluster::from_arg_matches(root).unwrap_or_default() } else { AzureCluster::default() };
    FromAzure::new(ClusterChoice { id: chosen.aks_id, name: chosen.aks_name, resource_group: chosen.aks_resource_group }, azure().clone())
}
